"""Events and sessions of environments, as rules on rates ask for them."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection

from issues.alerts.conditions import Asked, Facts, applies
from releases.health import CRASHES, STATE_COUNTS

MINUTE, WEEK = timedelta(minutes=1), timedelta(days=7)
# Weeks that "usual" looks back: minutes are kept for 15 days.
WEEKS = 2
CRASHED = " + ".join(f"m.{STATE_COUNTS[state]}" for state in sorted(CRASHES))
SUMS = f"""
SELECT m.environment_id, m.project_id, e.name, {{release}}, {{minute}},
    sum(m.events)::bigint, sum(m.sessions)::bigint, sum({CRASHED})::bigint
FROM releases_releaseminute m
JOIN releases_environment e ON e.id = m.environment_id
LEFT JOIN releases_release r ON r.id = m.release_id
WHERE m.minute >= %(start)s AND m.minute < %(end)s
    AND (%(project)s::bigint IS NULL OR m.project_id = %(project)s)
GROUP BY 1, 2, 3, 4, 5
"""
# Apart by release only for rules that ask for one: each has its own row of a minute.
BY_RELEASE, OF_ALL_RELEASES = "coalesce(r.version, '')", "''"


@dataclass(frozen=True, slots=True)
class Place:
    """An environment of a project."""

    environment_id: int
    project_id: int
    name: str


@dataclass(slots=True)
class Counted:
    """Sums over some minutes; ``crashed`` are sessions that an error ended."""

    events: int = 0
    sessions: int = 0
    crashed: int = 0

    def add(self, events: int, sessions: int, crashed: int) -> None:
        self.events += events
        self.sessions += sessions
        self.crashed += crashed


def counted(asked: Asked, start: datetime, end: datetime) -> dict[Place, Counted]:
    """What the environments that are asked for did from ``start`` to before ``end``."""
    found: dict[Place, Counted] = defaultdict(Counted)
    for place, _, *numbers in _rows(asked, start, end, "NULL"):
        found[place].add(*numbers)
    return found


def by_minute(
    asked: Asked, start: datetime, end: datetime
) -> dict[Place, dict[datetime, Counted]]:
    """The same by minute, without minutes in which nothing happened."""
    found: dict[Place, dict[datetime, Counted]] = defaultdict(
        lambda: defaultdict(Counted)
    )
    for place, minute, *numbers in _rows(asked, start, end, "m.minute"):
        found[place][minute].add(*numbers)
    return found


def _rows(
    asked: Asked, start: datetime, end: datetime, minute: str
) -> list[tuple[Place, datetime, int, int, int]]:
    given = {"start": start, "end": end, "project": asked.project_id}
    release = BY_RELEASE if asked.release else OF_ALL_RELEASES
    with connection.cursor() as cursor:
        cursor.execute(SUMS.format(release=release, minute=minute), given)
        rows = cursor.fetchall()
    return [
        (Place(environment, project, name), *numbers)
        for environment, project, name, version, *numbers in rows
        if applies(
            asked, Facts(project_id=project, environments=[name], releases=[version])
        )
    ]


def usual_of(asked: Asked, now: datetime, minutes: int) -> dict[Place, list[float]]:
    """Events that so many minutes had in this hour of earlier weeks.

    A week without any event in that hour says nothing: perhaps nobody sent then.
    """
    hour = now.replace(minute=0, second=0, microsecond=0)
    found: dict[Place, list[float]] = defaultdict(list)
    for weeks in range(1, WEEKS + 1):
        start = hour - weeks * WEEK
        for place, counts in counted(asked, start, start + 60 * MINUTE).items():
            if counts.events:
                found[place].append(counts.events * minutes / 60)
    return found
