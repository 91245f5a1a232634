"""Scores issues anew: gathers each one's last 60 minutes and stores the judgement."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

import orjson
from django.db import connection
from django.db.models import F, FloatField, Q, Value
from django.db.models.functions import Coalesce

from issues.impact import EVENTS_SCALE, Impact, Window, impact
from issues.models import IssueStats
from tenants.models import Tenant

# A busy issue is scored at most this often, a quiet one decays this often.
MIN_AGE = timedelta(seconds=10)
DECAY_AGE = timedelta(seconds=60)
ACTIVE = timedelta(hours=24)
CHUNK = 200

# Reach per issue: the sum over tenants of weight × (1 − e^(−n/3)), see impact.py.
# A merged issue's minutes count for the issue that shows it.
WINDOWS = f"""
WITH family AS (
    SELECT i.id, coalesce(i.merged_into_id, i.id) AS root, i.project_id
    FROM issues_issue i WHERE i.id = ANY(%(ids)s) OR i.merged_into_id = ANY(%(ids)s)
), hits AS (
    SELECT f.root, f.project_id, m.tenant_id, sum(m.events) AS n,
        sum(m.events) FILTER (WHERE m.minute > %(now)s - interval '10 minutes') AS n10,
        sum(m.unhandled) AS unhandled, max(m.level) AS level,
        sum(m.events * m.path_weight) AS path
    FROM family f JOIN issues_issueminute m
        ON m.issue_id = f.id AND m.minute > %(now)s - interval '60 minutes'
    GROUP BY 1, 2, 3
)
SELECT h.root, h.project_id, sum(h.n)::bigint, coalesce(sum(h.n10), 0)::bigint,
    sum(h.unhandled)::bigint, max(h.level), sum(h.path) / sum(h.n),
    count(*) FILTER (WHERE h.tenant_id > 0),
    coalesce(sum(t.weight_factor * coalesce(p.weight, 1)
        * (1 - exp(-h.n / {EVENTS_SCALE}))), 0)::float8,
    coalesce(sum(t.monthly_revenue), 0)::float8
FROM hits h
LEFT JOIN tenants_tenant t ON t.id = h.tenant_id
LEFT JOIN tenants_plan p ON p.id = t.plan_id
GROUP BY 1, 2
"""
USERS = """
SELECT coalesce(i.merged_into_id, i.id), count(DISTINCT u."user")
FROM issues_issue i JOIN issues_issueuser u ON u.issue_id = i.id
WHERE (i.id = ANY(%(ids)s) OR i.merged_into_id = ANY(%(ids)s))
    AND u.last_seen > %(now)s - interval '60 minutes'
GROUP BY 1
"""
ACTIVE_USERS = """
SELECT count(DISTINCT u."user")
FROM issues_issueuser u JOIN issues_issue i ON i.id = u.issue_id
WHERE i.project_id = %s AND u.last_seen > %s
"""
PROJECT_ERRORS = """
SELECT coalesce(sum(errors), 0) FROM releases_releaseminute
WHERE project_id = %s AND minute > %s
"""
# Issues that show others: distinct over the family, which no counter can add up.
RECOUNT = f"""
WITH family AS (
    SELECT i.id, i.merged_into_id AS root FROM issues_issue i
    WHERE i.merged_into_id = ANY(%(ids)s)
    UNION ALL
    SELECT DISTINCT i.merged_into_id, i.merged_into_id FROM issues_issue i
    WHERE i.merged_into_id = ANY(%(ids)s)
)
UPDATE issues_issuestats s SET tenants = counted.tenants, users = counted.users
FROM (
    SELECT f.root,
        (SELECT count(DISTINCT tenant_id) FROM issues_issuetenant
            WHERE issue_id = ANY(array_agg(f.id))) AS tenants,
        (SELECT least(count(DISTINCT "user"), {IssueStats.USER_CAP})
            FROM issues_issueuser WHERE issue_id = ANY(array_agg(f.id))) AS users
    FROM family f GROUP BY f.root
) counted
WHERE s.issue_id = counted.root
"""
# Only counters that have not moved since they were read are settled. The peaks are
# looked up first: a conflict would lock, and so write, rows that are to stay. They are
# written after the stats, whose locks keep two scorings of an issue apart.
STORE = """
WITH row AS (
    SELECT * FROM unnest(%(ids)s::bigint[], %(events)s::bigint[], %(scores)s::float8[],
        %(exponents)s::float8[], %(parts)s::text[])
        AS given (id, events, score, exponent, parts)
), peak AS (
    INSERT INTO issues_scorehour AS old (issue_id, hour, score, at)
    SELECT row.id, %(hour)s, row.score, %(now)s FROM row
    WHERE row.score > coalesce((SELECT kept.score FROM issues_scorehour kept
        WHERE kept.issue_id = row.id AND kept.hour = %(hour)s), 0)
    ON CONFLICT (issue_id, hour) DO UPDATE
        SET score = excluded.score, at = excluded.at
        WHERE old.score < excluded.score
)
UPDATE issues_issuestats s SET
    score = row.score, exponent = row.exponent, parts = row.parts::jsonb,
    scored_at = %(now)s,
    changed_at = CASE WHEN s.events = row.events THEN NULL ELSE s.changed_at END
FROM row WHERE s.issue_id = row.id
"""


@dataclass(frozen=True, slots=True)
class Business:
    """The tenants whom an issue is measured against."""

    weight_active: float
    median_weight: float


def due(now: datetime) -> list[int]:
    """Shown issues whose counters moved or whose score must decay, oldest first."""
    rows = IssueStats.objects.filter(
        Q(scored_at=None)
        | Q(changed_at__isnull=False, scored_at__lt=now - MIN_AGE)
        | Q(exponent__gt=0, scored_at__lt=now - DECAY_AGE),
        Q(changed_at__isnull=False) | Q(exponent__gt=0),
        issue__merged_into=None,
    )
    ordered = rows.order_by(F("scored_at").asc(nulls_first=True))
    return list(ordered.values_list("issue_id", flat=True))


def stale(issue_ids: Collection[int], now: datetime) -> list[int]:
    """Those of the issues that were not scored within MIN_AGE."""
    rows = IssueStats.objects.filter(
        Q(scored_at=None) | Q(scored_at__lt=now - MIN_AGE), issue_id__in=issue_ids
    )
    return list(rows.values_list("issue_id", flat=True))


def rescore(issue_ids: Collection[int], now: datetime) -> None:
    """Score these issues now; ids of merged issues are left out."""
    ids = sorted(issue_ids)
    if not ids:
        return
    business = read_business(now)
    for start in range(0, len(ids), CHUNK):
        _rescore_chunk(ids[start : start + CHUNK], business, now)


def read_business(now: datetime) -> Business:
    """Weights of the tenants seen within 24 h, and the median weight of all."""
    weight = F("weight_factor") * Coalesce(
        F("plan__weight"), Value(1.0), output_field=FloatField()
    )
    rows = list(
        Tenant.objects.annotate(w=weight)
        .filter(uninstalled_at=None)
        .values_list("w", "last_seen")
    )
    active = [w for w, seen in rows if seen is not None and seen > now - ACTIVE]
    return Business(sum(active), median(w for w, _ in rows) if rows else 1.0)


def _rescore_chunk(ids: Sequence[int], business: Business, now: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT s.issue_id, s.events FROM issues_issuestats s"
            " JOIN issues_issue i ON i.id = s.issue_id"
            " WHERE s.issue_id = ANY(%s) AND i.merged_into_id IS NULL",
            [list(ids)],
        )
        events_before = dict(cursor.fetchall())
        cursor.execute(RECOUNT, {"ids": list(ids)})
    windows = _windows(ids, business, now)
    judged = {pk: impact(windows.get(pk, Window())) for pk in events_before}
    _store(judged, events_before, now)


def _windows(
    ids: Sequence[int], business: Business, now: datetime
) -> dict[int, Window]:
    with connection.cursor() as cursor:
        cursor.execute(WINDOWS, {"ids": list(ids), "now": now})
        rows = cursor.fetchall()
        without_tenants = [row[0] for row in rows if not row[7]]
        users: dict[int, int] = {}
        if without_tenants:
            cursor.execute(USERS, {"ids": without_tenants, "now": now})
            users = dict(cursor.fetchall())
    projects = {row[1] for row in rows if not row[7]}
    totals = {project_id: _project_totals(project_id, now) for project_id in projects}
    windows = {}
    for root, project_id, n, n10, unhandled, level, path, tenants, *worth in rows:
        users_active, errors = totals.get(project_id, (0, 0))
        windows[root] = Window(
            events=n,
            events_10m=n10,
            unhandled=unhandled,
            level=level,
            path_weight=path,
            tenants=tenants,
            weight_hit=worth[0],
            monthly_revenue=worth[1],
            weight_active=business.weight_active,
            median_weight=business.median_weight,
            users=users.get(root, 0),
            users_active=users_active,
            project_errors=errors,
        )
    return windows


def _project_totals(project_id: int, now: datetime) -> tuple[int, int]:
    """Users within 24 h and errors within 60 minutes, for issues without tenants."""
    with connection.cursor() as cursor:
        cursor.execute(ACTIVE_USERS, [project_id, now - ACTIVE])
        (users,) = cursor.fetchone() or (0,)
        cursor.execute(PROJECT_ERRORS, [project_id, now - timedelta(hours=1)])
        (errors,) = cursor.fetchone() or (0,)
    return users, errors


def _store(
    judged: dict[int, Impact], events_before: dict[int, int], now: datetime
) -> None:
    """The scores that stand now, and the highest of each hour, in one statement."""
    ids = sorted(judged)
    with connection.cursor() as cursor:
        cursor.execute(
            STORE,
            {
                "now": now,
                "hour": now.replace(minute=0, second=0, microsecond=0),
                "ids": ids,
                "events": [events_before[pk] for pk in ids],
                "scores": [judged[pk].score for pk in ids],
                "exponents": [judged[pk].exponent for pk in ids],
                "parts": [orjson.dumps(judged[pk].parts).decode() for pk in ids],
            },
        )
