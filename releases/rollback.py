"""Placeholder of the branch that builds it; never committed."""

from datetime import datetime

from releases.models import Watch


def decide(watch: Watch, now: datetime) -> None:
    return None
