"""Reads an incident's clock from the lines of its timeline."""

from collections.abc import Iterable
from datetime import datetime

from issues.incidents.clock import Mark, Moment, Reading, read
from issues.models import Incident, IncidentEntry

MARKS = frozenset(Mark)


def reading(incident: Incident, now: datetime) -> Reading:
    """The clock of an incident at ``now``."""
    return read(
        moments_of(incident.entries.all()),
        began=incident.began_at,
        detected=incident.detected_at,
        target=incident.target,
        now=now,
    )


def moments_of(entries: Iterable[IncidentEntry]) -> list[Moment]:
    """Those lines of a timeline that the clock knows."""
    return [Moment(e.at, Mark(e.kind)) for e in entries if e.kind in MARKS]
