"""Which alerts of a rule are told alone, which together, and which wait. Pure.

The first two within a minute are told alone. What comes then is collected, and one
message tells all of it after 30 seconds: at most five messages within any minute, and
nothing waits longer than those 30 seconds, but for a digest or quiet hours.
"""

from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

ALONE = 2
WINDOW = timedelta(minutes=1)
COLLECT = timedelta(seconds=30)
SLICE = timedelta(seconds=2)
# Messages of a minute are fewer.
MOST_RECENT = 10
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Quiet:
    """Hours of each day by a local clock; an end before the start is the next day's."""

    start: time
    end: time
    zone: ZoneInfo

    def end_of(self, at: datetime) -> datetime | None:
        """When the quiet hours end that ``at`` lies in; None outside of them."""
        today = at.astimezone(self.zone).date()
        for day in (today - DAY, today):
            last = day + DAY if self.end <= self.start else day
            start = datetime.combine(day, self.start, self.zone)
            end = datetime.combine(last, self.end, self.zone)
            # Aware times of one zone are compared by their local clock: not here.
            if start.timestamp() <= at.timestamp() < end.timestamp():
                return end.astimezone(at.tzinfo)
        return None


@dataclass(frozen=True, slots=True)
class Manner:
    """How a rule tells: ``digest`` 0 at once, else one message within that time."""

    digest: timedelta = timedelta(0)
    quiet: Quiet | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """An alert that nobody was told of; ``held``: since quiet hours."""

    id: int
    at: datetime
    held: bool = False


@dataclass(slots=True)
class Plan:
    """Messages to send now, each with the ids of its alerts, and what to hold.

    ``next_at``: when to look again at what still waits; None when nothing does.
    """

    messages: list[list[int]] = field(default_factory=list)
    hold: list[int] = field(default_factory=list)
    next_at: datetime | None = None


def plan(
    waiting: Collection[Waiting],
    told: Sequence[datetime],
    manner: Manner,
    now: datetime,
) -> Plan:
    """What to do with all that waits; ``told``: the times of earlier messages."""
    ordered = sorted(waiting, key=lambda alert: (alert.at, alert.id))
    if not ordered:
        return Plan()
    quiet_end = manner.quiet.end_of(now) if manner.quiet else None
    if quiet_end is not None:
        hold = [alert.id for alert in ordered if not alert.held]
        return Plan(hold=hold, next_at=quiet_end)
    found = Plan()
    held = [alert.id for alert in ordered if alert.held]
    if held:
        found.messages.append(held)
    fresh = [alert for alert in ordered if not alert.held]
    if fresh:
        _add(found, fresh, told, manner, now)
    return found


def _add(
    found: Plan,
    fresh: Sequence[Waiting],
    told: Sequence[datetime],
    manner: Manner,
    now: datetime,
) -> None:
    due = fresh[0].at + (manner.digest or COLLECT)
    if now >= due:
        found.messages.append([alert.id for alert in fresh])
        return
    # What waits since an earlier look is being collected, and new ones with it.
    if manner.digest or fresh[0].at < now:
        found.next_at = due
        return
    recent = sum(at >= now - WINDOW for at in told) + len(found.messages)
    alone = fresh[: max(ALONE - recent, 0)]
    found.messages += [[alert.id] for alert in alone]
    rest = fresh[len(alone) :]
    if rest:
        found.next_at = rest[0].at + COLLECT


def replay(
    alerts: Sequence[Waiting], manner: Manner, until: datetime
) -> list[tuple[datetime, list[int]]]:
    """The messages that alerts at these moments would have made, with their times.

    Alerts within ``SLICE`` are looked at together, as those of one slice of digest are.
    """
    coming = deque(sorted(alerts, key=lambda alert: (alert.at, alert.id)))
    waiting: dict[int, Waiting] = {}
    messages: list[tuple[datetime, list[int]]] = []
    next_at: datetime | None = None
    while coming or next_at is not None:
        now = min(filter(None, (next_at, coming[0].at if coming else None)))
        if now > until:
            break
        while coming and coming[0].at <= now + SLICE:
            alert = coming.popleft()
            waiting[alert.id] = Waiting(alert.id, now)
        told = [at for at, _ in messages[-MOST_RECENT:]]
        found = plan(waiting.values(), told, manner, now)
        for pk in found.hold:
            waiting[pk] = Waiting(pk, waiting[pk].at, held=True)
        for ids in found.messages:
            messages.append((now, ids))
            for pk in ids:
                del waiting[pk]
        next_at = found.next_at
    return messages
