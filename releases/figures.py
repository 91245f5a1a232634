"""How releases do, in numbers: crash-free sessions and users, adoption, error rates.

A session is crash-free unless an error that nobody handled ended it: status crashed, or
unhandled, which is what browsers report since version 11 of their SDK. Abnormal and
errored sessions are crash-free. Rates and shares are 0-1, None where nothing is known.

A period is whole hours (UTC), the running one included.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Exists, OuterRef, Q

from releases.deploy_order import Place, previous_releases
from releases.exposure import SUMS, Counts, Source, free_of, source_of
from releases.models import Deploy, Environment, Release, ReleaseMinute
from tenants.models import Tenant

HOUR = timedelta(hours=1)
DAY_HOURS = 24
# What can be asked for, in hours; minute counters are kept 15 days.
PERIODS = {"24h": DAY_HOURS, "14d": 14 * 24}
TENANTS_SHOWN = 100


@dataclass(slots=True)
class Users:
    """Distinct users of sessions by whole days (UTC), and those with a crash."""

    users: int = 0
    crashed: int = 0

    @property
    def crash_free(self) -> float | None:
        return free_of(self.crashed, self.users)


@dataclass(slots=True)
class LastDay:
    """A release in an environment over the last 24 hours, for lists."""

    counts: Counts
    source: str
    adoption: float | None  # share of the environment's exposure

    @property
    def exposure(self) -> float:
        return self.counts.exposure(self.source)

    @property
    def error_rate(self) -> float | None:
        return self.counts.error_rate(self.source)


LAST_DAY = f"""
SELECT release_id, environment_id, {SUMS} FROM releases_releaseminute
WHERE project_id = ANY(%(projects)s) AND minute >= %(start)s
GROUP BY release_id, environment_id
"""


def last_day(project_ids: Collection[int], now: datetime) -> dict[Place, LastDay]:
    """All releases of the projects that did something within 24 hours: one query."""
    parameters = {"projects": list(project_ids), "start": start_of(DAY_HOURS, now)}
    found = _rows(LAST_DAY, parameters)
    counts = {(row[0], row[1]): Counts(*row[2:]) for row in found}
    totals: dict[int, Counts] = defaultdict(Counts)
    for (_, environment_id), one in counts.items():
        totals[environment_id].add(one)
    sources = {place: source_of([total]) for place, total in totals.items()}
    days = {}
    for (release_id, environment_id), one in counts.items():
        source = sources[environment_id]
        whole = totals[environment_id].exposure(source)
        share = one.exposure(source) / whole if whole > 0 else None
        days[release_id, environment_id] = LastDay(one, source, share)
    return days


@dataclass(slots=True)
class ReleaseFigures:
    """One release in one environment over a period; ``hours`` oldest first."""

    release: Release
    source: str
    hours: list[tuple[datetime, Counts]]
    users: Users
    counts: Counts = field(init=False)

    def __post_init__(self) -> None:
        self.counts = Counts()
        for _, counts in self.hours:
            self.counts.add(counts)

    @property
    def exposure(self) -> float:
        return self.counts.exposure(self.source)

    @property
    def error_rate(self) -> float | None:
        return self.counts.error_rate(self.source)

    @property
    def rates(self) -> list[float | None]:
        """The error rate of each hour."""
        return [counts.error_rate(self.source) for _, counts in self.hours]


@dataclass(slots=True)
class Health:
    """A release beside the one before it in an environment, by the same source.

    ``today`` is the release's last 24 hours, whatever the period.
    """

    environment: Environment
    source: str
    own: ReleaseFigures
    previous: ReleaseFigures | None
    today: LastDay | None

    @property
    def adoption(self) -> float | None:
        """Share of the environment's exposure within the last 24 hours."""
        return self.today.adoption if self.today else None


def health_of(
    release: Release, hours: int, now: datetime, environment: str = ""
) -> list[Health]:
    """By environment, the busiest first: how the release does, in six queries.

    ``hours`` up to now, the running hour included. ``environment`` narrows by name.
    """
    places = {place.pk: place for place in environments_of(release, environment)}
    if not places:
        return []
    previous = previous_releases(release, places)
    ids = {release.pk, *(row.pk for row in previous.values())}
    series = _by_hour(ids, places, now, hours)
    users = _users(ids, places, now, hours)
    today = last_day([release.project_id], now)

    def figures(of: Release, place: int, source: str) -> ReleaseFigures:
        here = (of.pk, place)
        return ReleaseFigures(of, source, series[here], users.get(here, Users()))

    found = []
    for place, row in places.items():
        compared = [release] + ([previous[place]] if place in previous else [])
        source = source_of(_summed(series[one.pk, place]) for one in compared)
        sides = [figures(one, place, source) for one in compared]
        beside = sides[1] if len(sides) > 1 else None
        day = today.get((release.pk, place))
        found.append(Health(row, source, sides[0], beside, day))
    return sorted(found, key=_busiest)


def _busiest(health: Health) -> tuple[float, int, str]:
    own = health.own
    return (-own.exposure, -own.counts.events, health.environment.name)


def environments_of(release: Release, name: str = "") -> list[Environment]:
    """Where the release did something within 15 days, or was deployed to."""
    here = {"release_id": release.pk, "environment_id": OuterRef("pk")}
    rows = Environment.objects.filter(project=release.project_id).filter(
        Q(Exists(ReleaseMinute.objects.filter(**here)))
        | Q(Exists(Deploy.objects.filter(**here)))
    )
    return list(rows.filter(name=name) if name else rows)


BY_HOUR = f"""
SELECT release_id, environment_id, date_trunc('hour', minute, 'UTC') AS hour, {SUMS}
FROM releases_releaseminute
WHERE release_id = ANY(%(releases)s) AND environment_id = ANY(%(environments)s)
    AND minute >= %(start)s
GROUP BY 1, 2, 3
"""


def _by_hour(
    releases: Collection[int], places: Collection[int], now: datetime, hours: int
) -> dict[Place, list[tuple[datetime, Counts]]]:
    """Every hour of the period for each release and environment, oldest first."""
    start = start_of(hours, now)
    found = _rows(BY_HOUR, _where(releases, places) | {"start": start})
    counts = {(row[0], row[1], row[2]): Counts(*row[3:]) for row in found}
    times = [start + HOUR * slot for slot in range(hours)]
    return {
        (release, place): [
            (time, counts.get((release, place, time)) or Counts()) for time in times
        ]
        for release in releases
        for place in places
    }


def _summed(hours: Sequence[tuple[datetime, Counts]]) -> Counts:
    total = Counts()
    for _, counts in hours:
        total.add(counts)
    return total


USERS = """
SELECT release_id, environment_id, count(*), count(*) FILTER (WHERE crashed)
FROM (
    SELECT release_id, environment_id, "user", bool_or(crashed) AS crashed
    FROM releases_releaseuser
    WHERE release_id = ANY(%(releases)s) AND environment_id = ANY(%(environments)s)
        AND day >= %(start)s
    GROUP BY 1, 2, 3
) AS persons
GROUP BY 1, 2
"""


def _users(
    releases: Collection[int], places: Collection[int], now: datetime, hours: int
) -> dict[Place, Users]:
    start = start_of(hours, now).date()
    found = _rows(USERS, _where(releases, places) | {"start": start})
    return {(row[0], row[1]): Users(*row[2:]) for row in found}


@dataclass(frozen=True, slots=True)
class TenantRate:
    """How a release did for one tenant; ``error_rate`` None: no denominator."""

    tenant: Tenant
    errors: int
    exposure: float
    error_rate: float | None


@dataclass(frozen=True, slots=True)
class TenantRates:
    """The tenants with most errors first, at most TENANTS_SHOWN; ``hit`` is of all."""

    source: str
    hit: int
    rows: list[TenantRate]


TENANTS = """
SELECT tenant_id, sum(errors)::bigint, sum(requests)::float8, sum(traffic)::float8
FROM releases_tenantminute
WHERE release_id = %(release)s AND environment_id = %(environment)s
    AND minute >= %(start)s
GROUP BY tenant_id
"""


def tenant_rates(
    release_id: int, environment_id: int, hours: int, now: datetime
) -> TenantRates:
    """Errors by tenant within the last ``hours``, per request where those are known.

    Sessions name no tenant. Two queries.
    """
    start = start_of(hours, now)
    here = {"release": release_id, "environment": environment_id, "start": start}
    found = _rows(TENANTS, here)
    source = Source.NONE
    if any(traffic for _, _, _, traffic in found):
        source = Source.TRAFFIC
    elif any(requests for _, _, requests, _ in found):
        source = Source.REQUESTS
    hit = sorted((row for row in found if row[1]), key=lambda row: (-row[1], row[0]))
    tenants = Tenant.objects.in_bulk([row[0] for row in hit[:TENANTS_SHOWN]])
    rows = []
    for tenant_id, errors, requests, traffic in hit[:TENANTS_SHOWN]:
        exposure = {Source.TRAFFIC: traffic, Source.REQUESTS: requests}.get(source, 0.0)
        rate = errors / exposure if exposure else None
        if tenant_id in tenants:
            rows.append(TenantRate(tenants[tenant_id], errors, exposure, rate))
    return TenantRates(source, len(hit), rows)


def start_of(hours: int, now: datetime) -> datetime:
    """The first hour of a period."""
    return now.replace(minute=0, second=0, microsecond=0) - HOUR * (hours - 1)


def _where(releases: Collection[int], places: Collection[int]) -> dict[str, Any]:
    return {"releases": list(releases), "environments": list(places)}


def _rows(sql: str, parameters: Mapping[str, Any]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())
