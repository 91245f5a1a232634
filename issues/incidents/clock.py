"""The clock of an incident, read from what happened to it. Pure.

    began → detected → alerted → acknowledged → mitigated → resolved

It runs from *detected* until the harm ends: *mitigated* or *resolved*, whichever is
first. Reopened, it runs on; the calm between does not count. The time since *began*
(the first event of the rise) is shown beside it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

ZERO = timedelta(0)


class Mark(StrEnum):
    """What moves the clock, in the order of a smooth incident."""

    DETECTED = "detected"
    ALERTED = "alerted"
    ACKNOWLEDGED = "acknowledged"
    MITIGATED = "mitigated"
    RESOLVED = "resolved"
    REOPENED = "reopened"


ENDS = frozenset({Mark.MITIGATED, Mark.RESOLVED})
_ORDER = {mark: place for place, mark in enumerate(Mark)}


@dataclass(frozen=True, slots=True)
class Moment:
    """That ``mark`` happened ``at`` a time."""

    at: datetime
    mark: Mark


@dataclass(frozen=True, slots=True)
class Reading:
    """The clock at one time.

    ``spent`` is how long harm was done since detection, ``left`` the target minus that
    (negative past it). ``over_at`` is when the target was reached, or will be at this
    pace; None when the clock stands before it. ``mitigated`` and ``resolved`` are None
    again after a reopening.
    """

    began: datetime
    detected: datetime
    alerted: datetime | None
    acknowledged: datetime | None
    mitigated: datetime | None
    resolved: datetime | None
    running: bool
    spent: timedelta
    since_began: timedelta
    target: timedelta
    left: timedelta
    over_at: datetime | None

    @property
    def kept(self) -> bool:
        """Whether the target holds, so far or for good."""
        return self.spent <= self.target


def read(
    moments: Iterable[Moment],
    *,
    began: datetime,
    detected: datetime,
    target: timedelta,
    now: datetime,
) -> Reading:
    """The clock at ``now``; moments may come in any order, and after ``now`` are not
    known yet. What an event that came late says of ``began`` never moves ``detected``.
    """
    known = sorted(
        (moment for moment in moments if detected <= moment.at <= now),
        key=lambda moment: (moment.at, _ORDER[moment.mark]),
    )
    spans = list(_burning(known, detected, now))
    running = bool(spans) and spans[-1][1] is None
    spent = sum(((end or now) - start for start, end in spans), ZERO)
    last = spans[-1][1] or now if spans else now
    first = {mark: _first(known, mark) for mark in Mark}
    ended = None if running else last
    return Reading(
        began=min(began, detected),
        detected=detected,
        alerted=first[Mark.ALERTED],
        acknowledged=first[Mark.ACKNOWLEDGED],
        mitigated=None if running else _first(known, Mark.MITIGATED, ended),
        resolved=None if running else _first(known, Mark.RESOLVED, ended),
        running=running,
        spent=spent,
        since_began=last - min(began, detected),
        target=target,
        left=target - spent,
        over_at=_over_at(spans, target),
    )


def _burning(
    known: Iterable[Moment], detected: datetime, now: datetime
) -> Iterator[tuple[datetime, datetime | None]]:
    """The spans in which harm was done; the end of a running one is None."""
    start: datetime | None = detected if detected <= now else None
    for moment in known:
        if moment.mark in ENDS and start is not None:
            yield start, moment.at
            start = None
        elif moment.mark == Mark.REOPENED and start is None:
            start = moment.at
    if start is not None:
        yield start, None


def _first(
    known: Iterable[Moment], mark: Mark, since: datetime | None = None
) -> datetime | None:
    """The first moment of a mark; ``since`` leaves out earlier ones."""
    found = (moment.at for moment in known if moment.mark == mark)
    return next((at for at in found if since is None or at >= since), None)


def _over_at(
    spans: Iterable[tuple[datetime, datetime | None]], target: timedelta
) -> datetime | None:
    spent = ZERO
    for start, end in spans:
        if end is None or spent + (end - start) > target:
            return start + (target - spent)
        spent += end - start
    return None
