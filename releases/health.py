"""Adds what happened to the minute counters of releases and tenants.

Minutes are minutes since 1970 (UTC) of occurred time; id 0 means "none named".
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from uuid import UUID

from django.db import connection

from releases.models import ReleaseNetwork, SessionState
from tenants.arrays import columns

ReleaseKey = tuple[int, int, int, int]  # project, release, environment, minute
TenantKey = tuple[int, int, int, int, int]  # … and tenant
NetworkKey = tuple[int, int, str]  # release, environment, network
UserKey = tuple[int, int, int, int]  # release, environment, day since 1970, user


@dataclass(slots=True)
class ReleaseCounts:
    """What one release did in one environment and minute: see ReleaseMinute."""

    events: int = 0
    errors: int = 0
    unhandled: int = 0
    errors_public: int = 0
    transactions: int = 0
    requests: float = 0.0
    sessions: int = 0
    sessions_errored: int = 0
    sessions_abnormal: int = 0
    sessions_unhandled: int = 0
    sessions_crashed: int = 0


COUNTS = ReleaseCounts.__slots__
_counted = attrgetter(*COUNTS)
STATE_COUNTS = {
    SessionState.State.ERRORED: "sessions_errored",
    SessionState.State.ABNORMAL: "sessions_abnormal",
    SessionState.State.UNHANDLED: "sessions_unhandled",
    SessionState.State.CRASHED: "sessions_crashed",
}
# What ends "crash-free". Browsers cannot crash: their SDK says "unhandled" since its
# version 11 for what earlier ones called "crashed".
CRASHES = frozenset({SessionState.State.UNHANDLED, SessionState.State.CRASHED})

# Counts stop at the largest integer: buckets of sessions are public input, and one
# that overflowed would take its whole batch along.
MOST = 2**31 - 1
ADD_RELEASE_MINUTES = f"""
INSERT INTO releases_releaseminute AS old
    (project_id, release_id, environment_id, minute, {", ".join(COUNTS)})
SELECT p, r, e, to_timestamp(m * 60), {", ".join(f"least({c}, {MOST})" for c in COUNTS)}
FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[],
    {", ".join(f"%s::{'float8' if c == 'requests' else 'bigint'}[]" for c in COUNTS)})
    AS t (p, r, e, m, {", ".join(COUNTS)})
ON CONFLICT (release_id, environment_id, minute) DO UPDATE SET
    {", ".join(f"{c} = least(excluded.{c} + old.{c}::float8, {MOST})" for c in COUNTS)}
"""

ADD_TENANT_MINUTES = """
INSERT INTO releases_tenantminute AS old
    (project_id, release_id, environment_id, minute, tenant_id, errors, requests)
SELECT p, r, e, to_timestamp(m * 60), t, n, q
FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[],
    %s::int[], %s::float8[]) AS row (p, r, e, m, t, n, q)
ON CONFLICT (release_id, environment_id, minute, tenant_id) DO UPDATE SET
    errors = old.errors + excluded.errors, requests = old.requests + excluded.requests
"""

# Rows that are there take no place of the cap.
ADD_NETWORKS = f"""
INSERT INTO releases_releasenetwork (release_id, environment_id, network, first_seen)
SELECT r, e, n, %s FROM (
    SELECT r, e, n, row_number() OVER (PARTITION BY r, e ORDER BY n) AS place
    FROM unnest(%s::bigint[], %s::bigint[], %s::text[]) AS row (r, e, n)
    WHERE NOT EXISTS (SELECT 1 FROM releases_releasenetwork
        WHERE release_id = r AND environment_id = e AND network = n)
) AS fresh
WHERE place + (SELECT count(*) FROM releases_releasenetwork
    WHERE release_id = r AND environment_id = e) <= {ReleaseNetwork.CAP}
ON CONFLICT DO NOTHING
"""
# Two statements, because DO UPDATE would lock and write the row of every user who
# comes back.
ADD_USERS = """
INSERT INTO releases_releaseuser AS old
    (release_id, environment_id, day, "user", crashed)
SELECT r, e, date '1970-01-01' + d, u, {crashed}
FROM unnest(%s::bigint[], %s::bigint[], %s::int[], %s::bigint[]) AS row (r, e, d, u)
ON CONFLICT (release_id, environment_id, day, "user") {conflict}
"""
ADD_NEW_USERS = ADD_USERS.format(crashed="false", conflict="DO NOTHING")
ADD_CRASHED_USERS = ADD_USERS.format(
    crashed="true", conflict="DO UPDATE SET crashed = true WHERE NOT old.crashed"
)


def add_release_minutes(rows: Mapping[ReleaseKey, ReleaseCounts]) -> None:
    """Add to ReleaseMinute; sorted, so that two workers never deadlock."""
    if not rows:
        return
    ordered = [(*key, *_counted(rows[key])) for key in sorted(rows)]
    with connection.cursor() as cursor:
        cursor.execute(ADD_RELEASE_MINUTES, columns(ordered))


def add_tenant_minutes(rows: Mapping[TenantKey, tuple[int, float]]) -> None:
    """Add errors and weighted requests to TenantMinute, sorted."""
    if not rows:
        return
    ordered = [(*key, *rows[key]) for key in sorted(rows)]
    with connection.cursor() as cursor:
        cursor.execute(ADD_TENANT_MINUTES, columns(ordered))


def add_networks(networks: Sequence[NetworkKey], now: datetime) -> None:
    """Store networks, sorted, up to CAP of a release and environment."""
    if not networks:
        return
    with connection.cursor() as cursor:
        cursor.execute(ADD_NETWORKS, [now, *columns(networks)])


def add_users(users: Mapping[UserKey, bool]) -> None:
    """Add who had sessions; the values tell whether one of them crashed."""
    if not users:
        return
    crashed = sorted(key for key in users if users[key])
    with connection.cursor() as cursor:
        cursor.execute(ADD_NEW_USERS, columns(sorted(users)))
        if crashed:
            cursor.execute(ADD_CRASHED_USERS, columns(crashed))


@dataclass(slots=True)
class SessionUpdate:
    """One state of one session; ``state`` 0 is healthy, else a SessionState.State."""

    sid: UUID
    init: bool
    state: int
    project_id: int
    release_id: int
    environment_id: int
    minute: int


def count_sessions(updates: Iterable[SessionUpdate]) -> dict[ReleaseKey, ReleaseCounts]:
    """Turn session updates into counts, and remember the sessions that went wrong.

    ``init`` adds a session to its started minute. A worse state moves that one
    session, in the minute where it was counted first; a better one is ignored.
    """
    counts: dict[ReleaseKey, ReleaseCounts] = {}
    worst: dict[tuple[int, UUID], SessionUpdate] = {}
    for update in updates:
        if update.init:
            _counts(counts, update).sessions += 1
        if update.state:
            known = worst.get((update.project_id, update.sid))
            if known is None or known.state < update.state:
                worst[update.project_id, update.sid] = update
    if worst:
        _move(counts, worst)
    return counts


def _move(
    counts: dict[ReleaseKey, ReleaseCounts],
    worst: dict[tuple[int, UUID], SessionUpdate],
) -> None:
    known = {
        (row.project_id, row.sid): row
        for row in SessionState.objects.select_for_update()
        .filter(sid__in=[sid for _, sid in worst])
        .order_by("project_id", "sid")
    }
    changed = []
    for key in sorted(worst):
        update, before = worst[key], known.get(key)
        if before is None:
            _add_state(_counts(counts, update), update.state, 1)
        elif before.state < update.state:
            # The session stays in the minute and release that first counted it.
            update.minute = int(before.minute.timestamp() // 60)
            update.release_id = before.release_id
            update.environment_id = before.environment_id
            _add_state(_counts(counts, update), before.state, -1)
            _add_state(_counts(counts, update), update.state, 1)
        else:
            continue
        changed.append(update)
    _remember(changed)


def _remember(updates: list[SessionUpdate]) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO releases_sessionstate"
            " (project_id, sid, state, release_id, environment_id, minute)"
            " VALUES (%s, %s, %s, %s, %s, to_timestamp(%s * 60))"
            " ON CONFLICT (project_id, sid) DO UPDATE SET state = excluded.state",
            [
                (u.project_id, u.sid, u.state, u.release_id, u.environment_id, u.minute)
                for u in updates
            ],
        )


def _counts(
    counts: dict[ReleaseKey, ReleaseCounts], update: SessionUpdate
) -> ReleaseCounts:
    key = (update.project_id, update.release_id, update.environment_id, update.minute)
    return counts.setdefault(key, ReleaseCounts())


def _add_state(counts: ReleaseCounts, state: int, quantity: int) -> None:
    name = STATE_COUNTS[SessionState.State(state)]
    setattr(counts, name, getattr(counts, name) + quantity)
