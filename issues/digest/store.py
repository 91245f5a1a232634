"""Writes a batch: event rows by COPY, then every counter, sorted.

Counters come last and in key order, so that two workers hold hot rows briefly and
never deadlock. Issue counters stand under the event's own issue; ``events`` of the
issue that shows it (after a merge) is moved as well.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from issues.digest.networks import network_of
from issues.digest.resolve import LEVELS, IssueRef
from issues.digest.symbolicate import Script
from issues.models import IssueStats, IssueTag, Level
from issues.normal_event import NormalEvent
from releases.health import (
    CRASHES,
    NetworkKey,
    ReleaseCounts,
    ReleaseKey,
    SessionUpdate,
    TenantKey,
    UserKey,
)
from tenants.arrays import columns
from tenants.detail import Rule

COPY_EVENTS = """
COPY issues_event (event_id, project_id, issue_id, received, occurred, level,
    unhandled, environment_id, release_id, tenant_id, "user", transaction, title,
    tags, body) FROM STDIN (FORMAT BINARY)
"""
EVENT_TYPES = [
    *("uuid", "int8", "int8", "timestamptz", "timestamptz", "int2", "bool"),
    *("int8", "int8", "int8", "varchar", "varchar", "varchar", "text[]", "bytea"),
]

ADD_ISSUE_MINUTES = """
INSERT INTO issues_issueminute AS old (issue_id, minute, environment_id, release_id,
    tenant_id, events, unhandled, level, path_weight)
SELECT i, to_timestamp(m * 60), e, r, t, n, u, l, w
FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[],
    %s::int[], %s::int[], %s::smallint[], %s::float8[])
    AS row (i, m, e, r, t, n, u, l, w)
ON CONFLICT (issue_id, minute, environment_id, release_id, tenant_id) DO UPDATE SET
    events = old.events + excluded.events,
    unhandled = old.unhandled + excluded.unhandled,
    level = greatest(old.level, excluded.level),
    path_weight = greatest(old.path_weight, excluded.path_weight)
"""
ADD_ISSUE_HOURS = """
INSERT INTO issues_issuehour AS old (issue_id, hour, events)
SELECT i, to_timestamp(h * 3600), n
FROM unnest(%s::bigint[], %s::bigint[], %s::int[]) AS row (i, h, n)
ON CONFLICT (issue_id, hour) DO UPDATE SET events = old.events + excluded.events
"""
# xmax 0 marks a row that this statement inserted: a tenant new to the issue.
ADD_ISSUE_TENANTS = """
INSERT INTO issues_issuetenant AS old
    (issue_id, tenant_id, events, first_seen, last_seen)
SELECT i, t, n, to_timestamp(f), to_timestamp(l)
FROM unnest(%s::bigint[], %s::bigint[], %s::int[], %s::float8[], %s::float8[])
    AS row (i, t, n, f, l)
ON CONFLICT (issue_id, tenant_id) DO UPDATE SET
    events = old.events + excluded.events,
    last_seen = greatest(old.last_seen, excluded.last_seen)
RETURNING issue_id, xmax = 0
"""
ADD_ISSUE_USERS = """
INSERT INTO issues_issueuser AS old (issue_id, "user", last_seen)
SELECT i, u, to_timestamp(l)
FROM unnest(%s::bigint[], %s::text[], %s::float8[]) AS row (i, u, l)
ON CONFLICT (issue_id, "user") DO UPDATE SET last_seen = excluded.last_seen
    WHERE old.last_seen < excluded.last_seen - interval '10 minutes'
RETURNING issue_id, xmax = 0
"""
ADD_ISSUE_TAGS = f"""
INSERT INTO issues_issuetag (issue_id, key, value)
SELECT i, k, v FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS row (i, k, v)
WHERE k IN ('environment', 'release')
    OR (SELECT count(*) FROM issues_issuetag t WHERE t.issue_id = i AND t.key = k)
        < {IssueTag.VALUE_CAP}
ON CONFLICT DO NOTHING
"""
ADD_STATS = f"""
UPDATE issues_issuestats s SET
    events = s.events + n, tenants = s.tenants + t,
    users = least(s.users + u, {IssueStats.USER_CAP}),
    last_seen = greatest(s.last_seen, to_timestamp(l)),
    last_release_id = CASE WHEN r > 0 THEN r ELSE s.last_release_id END,
    changed_at = coalesce(s.changed_at, now())
FROM unnest(%s::bigint[], %s::int[], %s::int[], %s::int[], %s::float8[], %s::bigint[])
    AS row (i, n, t, u, l, r)
WHERE s.issue_id = i
"""
LOCK_STATS = """
SELECT 1 FROM issues_issuestats WHERE issue_id = ANY(%s) ORDER BY issue_id FOR UPDATE
"""
ADD_OUTCOMES = """
INSERT INTO issues_outcome AS old
    (project_id, key_id, minute, category, reason, quantity)
SELECT p, k, to_timestamp(m * 60), c, r, q
FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::text[], %s::text[],
    %s::bigint[]) AS row (p, k, m, c, r, q)
ON CONFLICT (project_id, key_id, minute, category, reason)
DO UPDATE SET quantity = old.quantity + excluded.quantity
"""

MINUTES_A_DAY = 24 * 60


@dataclass(slots=True)
class GroupedEvent:
    """A fresh event with the ids of all that it names; 0 where it names none."""

    event: NormalEvent
    body: bytes  # packed
    title: str
    project_id: int
    key_id: int
    issue: IssueRef
    release_id: int
    environment_id: int
    tenant_id: int
    path_weight: float
    remote_addr: str
    public: bool  # sent with a key that stands in web pages
    rule: Rule  # of detail
    awaited: Sequence[Script] = ()  # whose source map may still come
    dropped: str = ""  # why its body is not kept, the reason of an outcome


@dataclass(slots=True)
class StatsDelta:
    """What a batch adds to an issue's stats."""

    events: int = 0
    tenants: int = 0
    users: int = 0
    last_seen: float = 0.0
    release_id: int = 0


@dataclass(slots=True)
class Tally:
    """The counters of one batch, summed before they touch a row."""

    releases: dict[ReleaseKey, ReleaseCounts] = field(default_factory=dict)
    tenants: dict[TenantKey, tuple[int, float]] = field(default_factory=dict)
    networks: set[NetworkKey] = field(default_factory=set)
    session_users: dict[UserKey, bool] = field(default_factory=dict)
    minutes: dict[tuple[int, int, int, int, int], list[float]] = field(
        default_factory=dict
    )
    hours: Counter[tuple[int, int]] = field(default_factory=Counter)
    issue_tenants: dict[tuple[int, int], list[float]] = field(default_factory=dict)
    users: dict[tuple[int, str], float] = field(default_factory=dict)
    tags: set[tuple[int, str, str]] = field(default_factory=set)
    stats: dict[int, StatsDelta] = field(default_factory=dict)
    levels: dict[int, int] = field(default_factory=dict)
    outcomes: Counter[tuple[int, int, int, str, str]] = field(default_factory=Counter)

    def add(self, item: GroupedEvent) -> None:
        """Count one event everywhere it counts."""
        event = item.event
        level = LEVELS[event.level]
        seconds = event.received.timestamp()
        self._add_health(item, level)
        self._add_issue(item, level, seconds)
        self._add_stats(item.issue.issue_id, item, seconds)
        if item.issue.merged:
            self._add_stats(item.issue.root_id, item, seconds)
        if level > item.issue.level:
            root = item.issue.root_id
            self.levels[root] = max(level, self.levels.get(root, 0))

    def _add_health(self, item: GroupedEvent, level: int) -> None:
        minute = int(item.event.occurred.timestamp() // 60)
        key = (item.project_id, item.release_id, item.environment_id, minute)
        counts = self.releases.get(key)
        if counts is None:
            counts = self.releases[key] = ReleaseCounts()
        counts.events += 1
        if level < Level.ERROR:
            return
        counts.errors += 1
        counts.unhandled += not item.event.handled
        if item.public:
            counts.errors_public += 1
            if item.release_id and item.remote_addr:
                network = network_of(item.remote_addr)
                self.networks.add((item.release_id, item.environment_id, network))
        if item.tenant_id:
            self.add_tenant((*key, item.tenant_id), errors=1)

    def add_tenant(
        self, key: TenantKey, *, errors: int = 0, requests: float = 0.0
    ) -> None:
        before = self.tenants.get(key, (0, 0.0))
        self.tenants[key] = (before[0] + errors, before[1] + requests)

    def add_user(self, session: SessionUpdate, user: int) -> None:
        day = session.minute // MINUTES_A_DAY
        key = (session.release_id, session.environment_id, day, user)
        crashed = session.state in CRASHES
        self.session_users[key] = crashed or self.session_users.get(key, False)

    def _add_issue(self, item: GroupedEvent, level: int, seconds: float) -> None:
        issue_id, tenant_id, event = item.issue.issue_id, item.tenant_id, item.event
        unhandled = int(not event.handled)
        minute = int(seconds // 60)
        key = (issue_id, minute, item.environment_id, item.release_id, tenant_id)
        row = self.minutes.get(key)
        if row is None:
            self.minutes[key] = [1, unhandled, level, item.path_weight]
        else:
            row[0] += 1
            row[1] += unhandled
            row[2] = max(row[2], level)
            row[3] = max(row[3], item.path_weight)
        self.hours[issue_id, int(seconds // 3600)] += 1
        if tenant_id:
            pair = self.issue_tenants.get((issue_id, tenant_id))
            if pair is None:
                self.issue_tenants[issue_id, tenant_id] = [1, seconds, seconds]
            else:
                pair[0] += 1
                pair[2] = max(pair[2], seconds)
        if event.user and item.issue.users < IssueStats.USER_CAP:
            self.users[issue_id, event.user] = seconds

    def _add_stats(self, issue_id: int, item: GroupedEvent, seconds: float) -> None:
        delta = self.stats.get(issue_id)
        if delta is None:
            delta = self.stats[issue_id] = StatsDelta()
        delta.events += 1
        delta.last_seen = max(delta.last_seen, seconds)
        delta.release_id = item.release_id or delta.release_id


def copy_events(items: Sequence[GroupedEvent]) -> None:
    """Write the kept events."""
    kept = [item for item in items if not item.dropped]
    if not kept:
        return
    with connection.cursor() as cursor, cursor.copy(COPY_EVENTS) as copy:
        copy.set_types(EVENT_TYPES)
        for item in kept:
            copy.write_row(_event_row(item))


def _event_row(item: GroupedEvent) -> tuple[Any, ...]:
    event = item.event
    return (
        UUID(event.event_id),
        item.project_id,
        item.issue.issue_id,
        event.received,
        event.occurred,
        LEVELS[event.level],
        not event.handled,
        item.environment_id or None,
        item.release_id or None,
        item.tenant_id or None,
        event.user,
        event.transaction[:200],
        item.title[:200],
        [f"{key}={value}" for key, value in searchable_tags(event)],
        item.body,
    )


def searchable_tags(event: NormalEvent) -> Iterable[tuple[str, str]]:
    """The event's tags and what is derived from it, as search and charts name them."""
    yield from event.tags.items()
    for key, value in (
        ("browser", event.browser),
        ("os", event.os),
        ("url", event.url.partition("?")[0]),
        ("sdk", event.sdk),
        ("server_name", event.server_name),
    ):
        if value and key not in event.tags:
            yield key, value[:200]


class KnownTags:
    """Tag values that this process has stored already; bounded, safe to forget."""

    LIMIT = 50_000

    def __init__(self) -> None:
        self._known: set[tuple[int, str, str]] = set()

    def unknown(self, tags: set[tuple[int, str, str]]) -> list[tuple[int, str, str]]:
        return sorted(tags - self._known)

    def knows(self, tag: tuple[int, str, str]) -> bool:
        """Whether it is stored for sure; False: perhaps."""
        return tag in self._known

    def remember(self, tags: Iterable[tuple[int, str, str]]) -> None:
        """Call after the commit: what was rolled back must be stored again."""
        if len(self._known) > self.LIMIT:
            self._known.clear()
        self._known.update(tags)


def add_counters(tally: Tally, known_tags: KnownTags) -> None:
    """Write the issue counters of a batch; release counters are releases' own."""
    with connection.cursor() as cursor:
        unknown = known_tags.unknown(tally.tags)
        if unknown:
            cursor.execute(ADD_ISSUE_TAGS, columns(unknown))
        if tally.users:
            users = [(*key, at) for key, at in sorted(tally.users.items())]
            cursor.execute(ADD_ISSUE_USERS, columns(users))
            for issue_id, inserted in cursor.fetchall():
                tally.stats[issue_id].users += inserted
        if tally.issue_tenants:
            cursor.execute(ADD_ISSUE_TENANTS, columns(_flat(tally.issue_tenants)))
            for issue_id, inserted in cursor.fetchall():
                tally.stats[issue_id].tenants += inserted
        if tally.minutes:
            cursor.execute(ADD_ISSUE_MINUTES, columns(_flat(tally.minutes)))
            hours = [(*key, n) for key, n in sorted(tally.hours.items())]
            cursor.execute(ADD_ISSUE_HOURS, columns(hours))
        if tally.outcomes:
            outcomes = [(*key, n) for key, n in sorted(tally.outcomes.items())]
            cursor.execute(ADD_OUTCOMES, columns(outcomes))
        if tally.stats:
            _add_stats(cursor, tally.stats)


def _add_stats(cursor: Any, stats: dict[int, StatsDelta]) -> None:
    rows = [
        (pk, d.events, d.tenants, d.users, d.last_seen, d.release_id)
        for pk, d in sorted(stats.items())
    ]
    # UPDATE … FROM locks in any order it likes; this gives the order.
    cursor.execute(LOCK_STATS, [[row[0] for row in rows]])
    cursor.execute(ADD_STATS, columns(rows))


def _flat(rows: dict[Any, list[float]]) -> list[tuple[Any, ...]]:
    return [(*key, *rows[key]) for key in sorted(rows)]


def add_seen(
    project_events: Sequence[tuple[int, UUID, datetime]],
) -> set[tuple[int, UUID]]:
    """Remember event ids; returns those not seen within 7 days."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO issues_seenevent (project_id, event_id, received)"
            " SELECT * FROM unnest(%s::bigint[], %s::uuid[], %s::timestamptz[])"
            " ON CONFLICT DO NOTHING RETURNING project_id, event_id",
            columns(sorted(project_events)),
        )
        return {(project_id, event_id) for project_id, event_id in cursor.fetchall()}
