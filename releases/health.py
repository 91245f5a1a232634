"""Adds what happened to the minute counters of releases and tenants.

Minutes are minutes since 1970 (UTC) of occurred time; id 0 means "none named".
"""

from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass
from uuid import UUID

from django.db import connection

from releases.models import SessionState
from tenants.arrays import columns

ReleaseKey = tuple[int, int, int, int]  # project, release, environment, minute
TenantKey = tuple[int, int, int, int, int]  # … and tenant


@dataclass(slots=True)
class ReleaseCounts:
    """What one release did in one environment and minute: see ReleaseMinute."""

    events: int = 0
    errors: int = 0
    unhandled: int = 0
    transactions: int = 0
    requests: float = 0.0
    sessions: int = 0
    sessions_errored: int = 0
    sessions_abnormal: int = 0
    sessions_unhandled: int = 0
    sessions_crashed: int = 0


COUNTS = ReleaseCounts.__slots__
STATE_COUNTS = {
    SessionState.State.ERRORED: "sessions_errored",
    SessionState.State.ABNORMAL: "sessions_abnormal",
    SessionState.State.UNHANDLED: "sessions_unhandled",
    SessionState.State.CRASHED: "sessions_crashed",
}

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


def add_release_minutes(rows: Mapping[ReleaseKey, ReleaseCounts]) -> None:
    """Add to ReleaseMinute; sorted, so that two workers never deadlock."""
    if not rows:
        return
    ordered = [(*key, *astuple(rows[key])) for key in sorted(rows)]
    with connection.cursor() as cursor:
        cursor.execute(ADD_RELEASE_MINUTES, columns(ordered))


def add_tenant_minutes(rows: Mapping[TenantKey, tuple[int, float]]) -> None:
    """Add errors and weighted requests to TenantMinute, sorted."""
    if not rows:
        return
    ordered = [(*key, *rows[key]) for key in sorted(rows)]
    with connection.cursor() as cursor:
        cursor.execute(ADD_TENANT_MINUTES, columns(ordered))


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
