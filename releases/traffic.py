"""Takes the requests per minute that web servers and proxies post.

A source says how many requests a minute has had so far; what it said before of that
minute is replaced, so a post may be repeated. The sums over all sources stand in the
minute counters, the denominators of error rates.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction

from releases.models import Deploy, TrafficMinute
from releases.seen import resolve_environments, resolve_releases
from tenants.arrays import columns
from tenants.models import Project, Tenant
from tenants.refusals import Refusal

OLDEST = timedelta(hours=24)
AHEAD = timedelta(minutes=2)
MOST = 1e9  # requests in a minute

ADD_RELEASES = """
INSERT INTO releases_releaseminute AS old
    (project_id, release_id, environment_id, minute, events, errors, unhandled,
    errors_public, transactions, requests, sessions, sessions_errored,
    sessions_abnormal, sessions_unhandled, sessions_crashed, traffic)
SELECT p, r, e, m, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, greatest(n, 0)
FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::timestamptz[], %s::float8[])
    AS row (p, r, e, m, n)
ON CONFLICT (release_id, environment_id, minute) DO UPDATE SET
    traffic = greatest(old.traffic + excluded.traffic, 0)
"""
ADD_TENANTS = """
INSERT INTO releases_tenantminute AS old (project_id, release_id, environment_id,
    minute, tenant_id, errors, requests, traffic)
SELECT p, r, e, m, t, 0, 0, greatest(n, 0)
FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::timestamptz[], %s::bigint[],
    %s::float8[]) AS row (p, r, e, m, t, n)
ON CONFLICT (release_id, environment_id, minute, tenant_id) DO UPDATE SET
    traffic = greatest(old.traffic + excluded.traffic, 0)
"""
STORE = """
INSERT INTO releases_trafficminute AS old (project_id, release_id, environment_id,
    minute, source, tenant_id, requests, posted_at)
SELECT p, r, e, m, s, t, n, %s
FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::timestamptz[], %s::text[],
    %s::bigint[], %s::float8[]) AS row (p, r, e, m, s, t, n)
ON CONFLICT (release_id, environment_id, minute, source, tenant_id)
DO UPDATE SET requests = excluded.requests, posted_at = excluded.posted_at
"""


class TrafficError(Refusal):
    """Traffic that cannot be counted as posted."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a source says of one minute so far.

    ``release`` "": the release of the environment's newest deploy. ``tenants`` are
    requests by tenant key; they are part of ``requests``.
    """

    minute: datetime
    environment: str
    release: str
    requests: float
    tenants: dict[str, float]


Key = tuple[
    int, int, datetime, str, int
]  # release, environment, minute, source, tenant


def take_traffic(
    project: Project, source: str, told: Sequence[Told], now: datetime
) -> int:
    """Store what a source posts; returns the number of minutes. Raises TrafficError.

    Tenants that are not known are left out of the counts by tenant: traffic is no
    reason to make one.
    """
    _check(told, now)
    with transaction.atomic():
        # Posts of a project one after another: what each replaces is read first.
        Project.objects.select_for_update().get(pk=project.pk)
        wanted = _rows(project, source, told, now)
        before = _before(wanted)
        _store(project.pk, wanted, now)
        _add(project.pk, {key: n - before.get(key, 0.0) for key, n in wanted.items()})
    return len(told)


def _check(told: Sequence[Told], now: datetime) -> None:
    for row in told:
        if not now - OLDEST <= row.minute <= now + AHEAD:
            raise TrafficError(
                f"{row.minute.isoformat()} is not within the last 24 hours: give the "
                "start of the minute in UTC, such as 2026-11-25T12:00:00Z."
            )
        if not 0 <= row.requests <= MOST:
            raise TrafficError(f"requests must be 0 to {MOST:.0f} a minute.")
        if sum(row.tenants.values()) > row.requests * 1.001:
            raise TrafficError(
                f"The tenants of {row.minute.isoformat()} have more requests together "
                "than the minute: they are part of it."
            )


def _rows(
    project: Project, source: str, told: Sequence[Told], now: datetime
) -> dict[Key, float]:
    environments = resolve_environments({(project.pk, row.environment) for row in told})
    versions = {(project.pk, row.release): now for row in told if row.release}
    releases = resolve_releases(versions)
    tenants = dict(
        Tenant.objects.filter(
            key__in={key for row in told for key in row.tenants}
        ).values_list("key", "pk")
    )
    newest: dict[int, int] = {}
    rows: dict[Key, float] = {}
    for row in told:
        environment = environments[project.pk, row.environment]
        if row.release:
            release = releases[project.pk, row.release]
        else:
            if environment not in newest:
                newest[environment] = _newest_release(environment, row.environment)
            release = newest[environment]
        minute = row.minute.replace(second=0, microsecond=0)
        rows[release, environment, minute, source, 0] = row.requests
        for key, requests in row.tenants.items():
            if key in tenants:
                rows[release, environment, minute, source, tenants[key]] = requests
    return rows


def _newest_release(environment: int, name: str) -> int:
    found = (
        Deploy.objects.filter(environment=environment)
        .order_by("-started_at", "-pk")
        .values_list("release_id", flat=True)
        .first()
    )
    if found is None:
        raise TrafficError(
            f"Nothing was deployed to {name} yet, so name the release of the traffic."
        )
    return found


def _before(wanted: dict[Key, float]) -> dict[Key, float]:
    """What was told of the same minutes before."""
    if not wanted:
        return {}
    found = TrafficMinute.objects.filter(
        release_id__in={key[0] for key in wanted},
        environment_id__in={key[1] for key in wanted},
        minute__in={key[2] for key in wanted},
        source__in={key[3] for key in wanted},
    )
    return {
        (row.release_id, row.environment_id, row.minute, row.source, row.tenant_id): (
            row.requests
        )
        for row in found
    }


def _store(project_id: int, rows: dict[Key, float], now: datetime) -> None:
    ordered = [(project_id, *key, rows[key]) for key in sorted(rows)]
    if not ordered:
        return
    with connection.cursor() as cursor:
        cursor.execute(STORE, [now, *columns(ordered)])


def _add(project_id: int, changes: dict[Key, float]) -> None:
    """Add to the counters, in key order, so that digest and posts never deadlock."""
    releases: dict[tuple[int, int, datetime], float] = defaultdict(float)
    tenants: dict[tuple[int, int, datetime, int], float] = defaultdict(float)
    for (release, environment, minute, _, tenant), change in changes.items():
        if tenant:
            tenants[release, environment, minute, tenant] += change
        else:
            releases[release, environment, minute] += change
    with connection.cursor() as cursor:
        moved = {key: n for key, n in tenants.items() if n}
        if moved:
            rows = [(project_id, *key, moved[key]) for key in sorted(moved)]
            cursor.execute(ADD_TENANTS, columns(rows))
        counted = {key: n for key, n in releases.items() if n}
        if counted:
            whole = [(project_id, *key, counted[key]) for key in sorted(counted)]
            cursor.execute(ADD_RELEASES, columns(whole))
