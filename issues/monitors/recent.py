"""The newest runs of monitors, for pages and lists."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import QuerySet

from issues.models import CheckIn, CheckInStatus, MonitorEnvironment
from issues.monitors.streak import state_of

SHOWN = 30
BAD = (CheckInStatus.ERROR, CheckInStatus.MISSED, CheckInStatus.TIMEOUT)

# Each place walks its own index to the newest rows.
NEWEST = """
SELECT p, c.status, c.started, c.duration
FROM unnest(%s::bigint[]) AS place (p) CROSS JOIN LATERAL (
    SELECT id, status, started, duration FROM issues_checkin
    WHERE monitor_environment_id = p ORDER BY id DESC LIMIT %s
) AS c ORDER BY p, c.id
"""


@dataclass(frozen=True, slots=True)
class Run:
    """One run as a bar of the strip."""

    status: str
    started: datetime
    duration: float | None

    @property
    def text(self) -> str:
        label = CheckInStatus(self.status).label
        took = "" if self.duration is None else f", {took_of(self.duration)}"
        return f"{self.started:%Y-%m-%d %H:%M:%S} UTC: {label}{took}"


@dataclass(frozen=True, slots=True)
class PlaceState:
    """A monitor in an environment, as people look at it."""

    place: MonitorEnvironment
    state: str
    runs: Sequence[Run]

    @property
    def label(self) -> str:
        if self.state in CheckInStatus.values:
            return str(CheckInStatus(self.state).label)
        return self.state

    @property
    def summary(self) -> str:
        """The strip in words."""
        counts = Counter(run.status for run in self.runs)
        told = ", ".join(
            f"{counts[status]} {label}"
            for status, label in CheckInStatus.choices
            if counts[status]
        )
        return f"last {len(self.runs)} runs: {told}" if self.runs else "no runs"


def took_of(seconds: float) -> str:
    """A duration as people say it."""
    if seconds < 10:
        return f"{seconds:.2g} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return str(timedelta(seconds=round(seconds)))


def states(
    places: Iterable[MonitorEnvironment], now: datetime, shown: int = SHOWN
) -> list[PlaceState]:
    """The places with their state and newest runs, oldest first: one query."""
    rows = list(places)
    runs: dict[int, list[Run]] = {place.pk: [] for place in rows}
    with connection.cursor() as cursor:
        cursor.execute(NEWEST, [list(runs), shown])
        for place_id, *run in cursor.fetchall():
            runs[place_id].append(Run(*run))
    return [
        PlaceState(
            place,
            state_of(place.last_status, place.running_since, place.expected_at, now),
            runs[place.pk],
        )
        for place in rows
    ]


def in_state(
    places: QuerySet[MonitorEnvironment], state: str, now: datetime
) -> QuerySet[MonitorEnvironment]:
    """Those that ``states`` would call so; ``failing``: with or soon with an issue."""
    if state == "failing":
        return places.exclude(failing_since=None)
    if state == "in_progress":
        return places.exclude(running_since=None)
    places = places.filter(running_since=None)
    if state in BAD:
        return places.filter(last_status=state)
    late = places.exclude(last_status__in=BAD).filter(expected_at__lt=now)
    if state == "late":
        return late
    return places.filter(last_status="" if state == "waiting" else state).exclude(
        pk__in=late
    )


def newest_runs(monitor_id: int, limit: int) -> list[CheckIn]:
    """The newest runs of a monitor in all environments."""
    rows = CheckIn.objects.filter(monitor_environment__monitor=monitor_id)
    return list(
        rows.select_related("monitor_environment__environment").order_by("-pk")[:limit]
    )
