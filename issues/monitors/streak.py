"""Judgements on monitors: failing or recovered, missed or unknown, and in what state.

Pure: no clock, no database.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

# The tick looks every 10 seconds; a longer pause means that nobody was watching.
PAUSE = timedelta(minutes=3)

BAD = frozenset({"error", "missed", "timeout"})


@dataclass(frozen=True, slots=True)
class Streak:
    """Runs in a row: failed ones, and good ones since it is failing."""

    failures: int = 0
    recoveries: int = 0
    failing: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """What a run made of the streak; ``reports``: the failure becomes an event."""

    streak: Streak
    reports: bool = False
    recovered: bool = False


def after_run(
    streak: Streak, status: str, failure_threshold: int, recovery_threshold: int
) -> Turn:
    """The streak after a run that ended; an unknown end changes nothing.

    From the failure threshold on every failed run is reported.
    """
    if status in BAD:
        failures = streak.failures + 1
        failing = streak.failing or failures >= failure_threshold
        return Turn(Streak(failures, 0, failing), reports=failing)
    if status != "ok":
        return Turn(streak)
    if not streak.failing:
        return Turn(Streak())
    recoveries = streak.recoveries + 1
    if recoveries >= recovery_threshold:
        return Turn(Streak(), recovered=True)
    return Turn(Streak(0, recoveries, failing=True))


def watching_since(now: datetime, ticked: datetime, since: datetime) -> datetime:
    """Since when the ticks come without a pause; ``ticked`` is the last one."""
    return now if now - ticked > PAUSE else since


def overdue_status(began: datetime, since: datetime, otherwise: str) -> str:
    """What an overdue run is: unknown where nobody watched for some time after it was
    due, or began, so that its check-in may be lost.
    """
    return "unknown" if began < since else otherwise


def state_of(
    last_status: str,
    running_since: datetime | None,
    expected_at: datetime | None,
    now: datetime,
) -> str:
    """One word for people: waiting, in_progress, late, or how the last run ended."""
    if running_since is not None:
        return "in_progress"
    if last_status in BAD:
        return last_status
    if expected_at is not None and expected_at < now:
        return "late"
    return last_status or "waiting"
