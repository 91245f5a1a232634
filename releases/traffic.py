"""Takes the requests per minute that web servers and proxies post.

A source says how many requests a minute has had so far; what it said before of that
minute is replaced, so a post may be repeated. The sums over all sources stand in the
minute counters, the denominators of error rates.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import Q

from releases.models import Deploy, TrafficMinute
from releases.seen import resolve_environments, resolve_releases
from tenants.arrays import columns
from tenants.models import Project, Tenant
from tenants.names import tenant_key
from tenants.refusals import Refusal

OLDEST = timedelta(hours=24)
AHEAD = timedelta(minutes=2)
MOST = 1e9  # requests in a minute
MOST_TENANTS = 50_000  # over all minutes of a post
# Deploys of an environment that are looked through for the one of a minute.
DEPLOYS = 500

ADD_RELEASES = """
INSERT INTO releases_releaseminute AS old
    (project_id, release_id, environment_id, minute, events, errors, unhandled,
    errors_public, transactions, requests, sessions, sessions_errored,
    sessions_abnormal, sessions_unhandled, sessions_crashed, traffic)
SELECT p, r, e, m, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, n
FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::timestamptz[], %s::float8[])
    AS row (p, r, e, m, n)
ON CONFLICT (release_id, environment_id, minute) DO UPDATE SET
    traffic = greatest(old.traffic + excluded.traffic, 0)
"""
ADD_TENANTS = """
INSERT INTO releases_tenantminute AS old (project_id, release_id, environment_id,
    minute, tenant_id, errors, requests, traffic)
SELECT p, r, e, m, t, 0, 0, n
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
    """What a source says of one minute (its start, UTC) so far.

    ``release`` "": that of the newest deploy to the environment which had started by
    then and gets all traffic. ``tenants`` are requests by tenant key; they are part of
    ``requests``. A tenant named before and not now has had none, unless none is named.
    """

    minute: datetime
    environment: str
    release: str
    requests: float
    tenants: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of a post: minutes counted, and tenant keys that nobody knows."""

    minutes: int
    unknown_tenants: int


Place = tuple[int, int, datetime]  # release, environment, minute
Key = tuple[int, int, datetime, str, int]  # … source, tenant (0: the whole minute)


def take_traffic(
    project: Project, source: str, told: Sequence[Told], now: datetime
) -> Taken:
    """Store what a source posts. Raises TrafficError.

    Tenants that are not known are left out of the counts by tenant: traffic is no
    reason to make one.
    """
    _check(told, now)
    keys = {tenant_key(key) for row in told for key in row.tenants}
    tenants = dict(Tenant.objects.filter(key__in=keys).values_list("key", "pk"))
    with transaction.atomic():
        # Posts of a project one after another: what each replaces is read first.
        Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        # Releases before environments, as digest makes them: no deadlock.
        versions = {(project.pk, row.release): now for row in told if row.release}
        releases = resolve_releases(versions)
        environments = resolve_environments(
            {(project.pk, row.environment) for row in told}
        )
        before = _before(source, environments.values(), {_minute(row) for row in told})
        serving = Serving(before)
        placed: list[tuple[Place, Told]] = []
        for row in told:
            environment = environments[project.pk, row.environment]
            named = releases.get((project.pk, row.release))
            release = named or serving.release(environment, row)
            placed.append(((release, environment, _minute(row)), row))
        wanted = _wanted(source, placed, tenants, before)
        _store(project.pk, wanted, now)
        _add(project.pk, {key: n - before.get(key, 0.0) for key, n in wanted.items()})
    return Taken(len(told), len(keys - tenants.keys()))


def _minute(row: Told) -> datetime:
    return row.minute.replace(second=0, microsecond=0)


def _check(told: Sequence[Told], now: datetime) -> None:
    if sum(len(row.tenants) for row in told) > MOST_TENANTS:
        raise TrafficError(
            f"One post takes {MOST_TENANTS} counts of tenants: send fewer minutes."
        )
    for row in told:
        if not now - OLDEST <= row.minute <= now + AHEAD:
            raise TrafficError(
                f"{row.minute.isoformat()} is not within the last 24 hours: give the "
                "start of the minute in UTC, such as 2026-11-25T12:00:00Z."
            )
        # Written so that what is no number at all is refused, too.
        if not all(0 <= n <= MOST for n in (row.requests, *row.tenants.values())):
            raise TrafficError(f"requests must be 0 to {MOST:.0f} a minute.")
        if sum(row.tenants.values()) > row.requests * 1.001:
            raise TrafficError(
                f"The tenants of {row.minute.isoformat()} have more requests together "
                "than the minute: they are part of it."
            )


def _before(
    source: str, environments: Iterable[int], minutes: set[datetime]
) -> dict[Key, float]:
    """What the source told of the same minutes before, of whichever release."""
    found = TrafficMinute.objects.filter(
        environment_id__in=set(environments), minute__in=minutes, source=source
    )
    return {
        (row.release_id, row.environment_id, row.minute, row.source, row.tenant_id): (
            row.requests
        )
        for row in found
    }


class Serving:
    """Which release the traffic is of that names none."""

    def __init__(self, before: Mapping[Key, float]) -> None:
        # A minute stays with the release that it was counted for first, though a
        # deploy may have come since: else it would count for both.
        self._held = {
            (environment, minute): release
            for release, environment, minute, _, tenant in before
            if not tenant
        }
        self._deploys: dict[int, list[tuple[datetime, int]]] = {}

    def release(self, environment: int, row: Told) -> int:
        """Its id; raises TrafficError where nothing was deployed yet."""
        minute = _minute(row)
        held = self._held.get((environment, minute))
        if held is not None:
            return held
        if environment not in self._deploys:
            self._deploys[environment] = _deploys(environment)
        deploys = self._deploys[environment]
        if not deploys:
            raise TrafficError(
                f"Nothing was deployed to {row.environment} yet that gets all of its "
                "traffic, so name the release."
            )
        return next((pk for start, pk in deploys if start <= minute), deploys[-1][1])


def _deploys(environment: int) -> list[tuple[datetime, int]]:
    """Start and release of its deploys but for canaries, newest first."""
    deploys = Deploy.objects.filter(
        Q(traffic_share=None) | Q(traffic_share__gte=1), environment=environment
    )
    newest = deploys.order_by("-started_at", "-pk")
    return list(newest.values_list("started_at", "release_id")[:DEPLOYS])


def _wanted(
    source: str,
    placed: Iterable[tuple[Place, Told]],
    tenants: Mapping[str, int],
    before: Iterable[Key],
) -> dict[Key, float]:
    """What the minutes shall have of this source; raises TrafficError."""
    named_before: dict[Place, list[Key]] = defaultdict(list)
    for key in before:
        if key[4]:
            named_before[key[:3]].append(key)
    wanted: dict[Key, float] = {}
    for place, row in placed:
        whole: Key = (*place, source, 0)
        if whole in wanted:
            raise TrafficError(
                f"{row.minute.isoformat()} of {row.environment} stands twice in this "
                "post: give the sum of the minute so far."
            )
        wanted[whole] = row.requests
        if row.tenants:
            wanted |= dict.fromkeys(named_before[place], 0.0)
        counts: dict[int, float] = defaultdict(float)
        for name, requests in row.tenants.items():
            if pk := tenants.get(tenant_key(name)):
                counts[pk] += requests
        wanted |= {(*place, source, pk): n for pk, n in counts.items()}
    return wanted


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
        moved = [(project_id, *key, n) for key, n in sorted(tenants.items()) if n]
        if moved:
            cursor.execute(ADD_TENANTS, columns(moved))
        counted = [(project_id, *key, n) for key, n in sorted(releases.items()) if n]
        if counted:
            cursor.execute(ADD_RELEASES, columns(counted))
