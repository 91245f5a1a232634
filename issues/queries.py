"""What the issue pages read: lists, trends, and the facts of one issue.

A family is an issue with those merged into it: they keep their own events and
counters, so every read goes over the ids of the family.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import Exists, OuterRef

from issues.models import HitListEntry, Issue, IssueHour
from issues.models.issue import IssueQuerySet
from issues.terms import holding
from tenants import pages
from tenants.pages import PER_PAGE, Page

# Each order has its index on the stats; first_seen sorts at most the issues.
ORDERS = {
    "impact": ("-stats__exponent", "-id"),
    "events": ("-stats__events", "-id"),
    "tenants": ("-stats__tenants", "-id"),
    "last_seen": ("-stats__last_seen", "-id"),
    "first_seen": ("-first_seen", "-id"),
}


def page_of(queryset: IssueQuerySet, number: int, size: int = PER_PAGE) -> Page:
    """A page of issues with all that a row tells."""
    return pages.page_of(queryset, full_rows(), number, size)


def listed_issues(order: str) -> IssueQuerySet:
    """Shown issues in one of ORDERS.

    An inner join with the stats, so that PostgreSQL can walk their index in order.
    """
    return Issue.objects.shown().filter(stats__isnull=False).order_by(*ORDERS[order])


def full_rows() -> IssueQuerySet:
    """Issues with all that a row of a list tells."""
    current = HitListEntry.objects.filter(issue=OuterRef("pk"), removed_at=None)
    return (
        Issue.objects.select_related("project", "stats", "assignee")
        .defer("value")
        .annotate(on_hit_list=Exists(current))
    )


def seen_between(
    queryset: IssueQuerySet, start: datetime | None, end: datetime | None
) -> IssueQuerySet:
    """Issues with events in the given time; with an end, to the hour."""
    if end is None:
        return queryset.filter(stats__last_seen__gte=start) if start else queryset
    hours = IssueHour.objects.filter(hour__lte=end)
    if start:
        # The hour that the start lies in counts whole.
        hours = hours.filter(hour__gt=start - timedelta(hours=1))
    return queryset.filter(holding(hours))


@dataclass(frozen=True, slots=True)
class Families:
    """The members of several issues' families, each beside the issue that shows it."""

    members: list[int]
    roots: list[int]

    def root_of(self) -> dict[int, int]:
        """The issue that shows a member, by the member."""
        return dict(zip(self.members, self.roots, strict=True))


def families_of(issue_ids: Sequence[int]) -> Families:
    """The issues themselves and what is merged into them."""
    children = list(
        Issue.objects.filter(merged_into__in=issue_ids).values_list(
            "pk", "merged_into_id"
        )
    )
    return Families(
        [*issue_ids, *(child for child, _ in children)],
        [*issue_ids, *(int(root or 0) for _, root in children)],
    )


# "= ANY(array)" here and below: from a join with the issues the planner, whose
# statistics know only the hot ones, would read the whole counters.
TRENDS = """
SELECT issue_id, hour, events FROM issues_issuehour
WHERE issue_id = ANY(%(members)s) AND hour >= %(start)s
"""


def trends(families: Families, now: datetime, hours: int = 24) -> dict[int, list[int]]:
    """Events by hour of each family, oldest first, the running hour last."""
    this_hour = now.replace(minute=0, second=0, microsecond=0)
    start = this_hour - timedelta(hours=hours - 1)
    root_of = families.root_of()
    series = {root: [0] * hours for root in families.roots}
    found = _rows(TRENDS, {"members": families.members, "start": start})
    for issue_id, hour, events in found:
        slot = int((hour - start).total_seconds() // 3600)
        if 0 <= slot < hours:
            series[root_of[issue_id]][slot] += events
    return series


@dataclass(frozen=True, slots=True)
class TenantHit:
    """A tenant that an issue hit, with what it is worth."""

    tenant_id: int
    key: str
    name: str
    plan: str
    weight: float
    monthly_revenue: Decimal | None
    events: int
    first_seen: datetime
    last_seen: datetime


@dataclass(frozen=True, slots=True)
class TenantHits:
    """The first tenants by the wanted order, and what all of them add up to.

    ``revenue`` is what all tenants hit pay a month, None where it is not known.
    """

    rows: list[TenantHit]
    total: int
    revenue: Decimal | None


# Rows of a busy issue lie a page apart. By weight, the index tells which tenants it
# hit, and only the first ones' rows are read; by events, all of them are.
TENANTS_HIT = """
SELECT top.id, top.key, top.name, top.plan, top.weight, top.monthly_revenue,
    hit.events, hit.first_seen, hit.last_seen, top.total, top.revenue
FROM (
    SELECT t.id, t.key, t.name, coalesce(p.name, '') AS plan,
        coalesce(p.weight, 1) * t.weight_factor AS weight, t.monthly_revenue,
        hit.events, count(*) OVER () AS total,
        sum(t.monthly_revenue) OVER () AS revenue
    FROM (
        SELECT tenant_id, sum(events) AS events FROM issues_issuetenant
        WHERE issue_id = ANY(%(ids)s) GROUP BY tenant_id
    ) AS hit
    JOIN tenants_tenant t ON t.id = hit.tenant_id
    LEFT JOIN tenants_plan p ON p.id = t.plan_id
    ORDER BY {order} LIMIT %(limit)s
) AS top
CROSS JOIN LATERAL (
    SELECT sum(events)::bigint AS events, min(first_seen) AS first_seen,
        max(last_seen) AS last_seen
    FROM issues_issuetenant WHERE issue_id = ANY(%(ids)s) AND tenant_id = top.id
) AS hit
ORDER BY {order}
"""
TENANT_ORDERS = {
    "weight": "weight DESC, monthly_revenue DESC NULLS LAST, id",
    "events": "events DESC, id",
}


def tenants_hit(family: Sequence[int], order: str, limit: int = 25) -> TenantHits:
    """Who was hit, in one of TENANT_ORDERS."""
    sql = TENANTS_HIT.format(order=TENANT_ORDERS[order])
    rows = _rows(sql, {"ids": list(family), "limit": limit})
    total, revenue = rows[0][9:] if rows else (0, None)
    return TenantHits([TenantHit(*row[:9]) for row in rows], total, revenue)


TENANTS_OF_INCIDENTS = """
SELECT member.incident_id, count(DISTINCT it.tenant_id)
FROM (
    SELECT incident_id, issue_id FROM issues_incidentissue
    WHERE incident_id = ANY(%(incidents)s)
    UNION
    SELECT link.incident_id, i.id FROM issues_incidentissue link
    JOIN issues_issue i ON i.merged_into_id = link.issue_id
    WHERE link.incident_id = ANY(%(incidents)s)
) member
JOIN issues_issuetenant it ON it.issue_id = member.issue_id
GROUP BY 1
"""


def tenants_of_incidents(incidents: Sequence[int]) -> dict[int, int]:
    """How many tenants the issues of each incident hit, each counted once."""
    return dict(_rows(TENANTS_OF_INCIDENTS, {"incidents": list(incidents)}))


OPEN_ISSUES = """
SELECT it.tenant_id, count(DISTINCT root.id)
FROM issues_issuetenant it
JOIN issues_issue i ON i.id = it.issue_id
JOIN issues_issue root ON root.id = coalesce(i.merged_into_id, i.id)
WHERE it.tenant_id = ANY(%(tenants)s) AND it.last_seen >= %(since)s
    AND root.status = 'open'
GROUP BY 1
"""


def open_issues_hitting(tenants: Sequence[int], since: datetime) -> dict[int, int]:
    """How many open issues hit each of the tenants since then."""
    return dict(_rows(OPEN_ISSUES, {"tenants": list(tenants), "since": since}))


@dataclass(frozen=True, slots=True)
class IssueHit:
    """An issue that hit a tenant: how often, and when last."""

    issue: Issue
    events: int
    last_seen: datetime


TENANT_ISSUES = """
SELECT coalesce(i.merged_into_id, i.id), sum(it.events), max(it.last_seen)
FROM issues_issuetenant it
JOIN issues_issue i ON i.id = it.issue_id
JOIN issues_issuestats s ON s.issue_id = coalesce(i.merged_into_id, i.id)
WHERE it.tenant_id = %(tenant)s
GROUP BY 1 ORDER BY max(s.exponent) DESC, 3 DESC LIMIT %(limit)s
"""


def issues_of_tenant(tenant_id: int, limit: int = 10) -> list[IssueHit]:
    """The issues that hit a tenant, those of the highest impact now first."""
    found = _rows(TENANT_ISSUES, {"tenant": tenant_id, "limit": limit})
    issues = full_rows().in_bulk([row[0] for row in found])
    return [
        IssueHit(issues[pk], int(events), last_seen)
        for pk, events, last_seen in found
        if pk in issues
    ]


def family_of(issue: Issue) -> tuple[list[int], list[Issue]]:
    """The ids to read for an issue, and the issues merged into it."""
    children = list(issue.merged_issues.select_related("stats").order_by("pk"))
    return [issue.pk, *(child.pk for child in children)], children


HOURS = """
SELECT hour, sum(events) FROM issues_issuehour
WHERE issue_id = ANY(%(ids)s) AND hour >= %(start)s GROUP BY hour
"""
MINUTES = """
SELECT minute, sum(events) FROM issues_issueminute
WHERE issue_id = ANY(%(ids)s) AND minute >= %(start)s GROUP BY minute
"""


def events_by_hour(
    family: Sequence[int], now: datetime, hours: int
) -> list[tuple[datetime, int]]:
    """Events of each of the last hours, oldest first."""
    this_hour = now.replace(minute=0, second=0, microsecond=0)
    return _series(HOURS, family, this_hour, timedelta(hours=1), hours)


def events_by_minute(
    family: Sequence[int], now: datetime, minutes: int
) -> list[tuple[datetime, int]]:
    """Events of each of the last minutes, oldest first."""
    this_minute = now.replace(second=0, microsecond=0)
    return _series(MINUTES, family, this_minute, timedelta(minutes=1), minutes)


def _series(
    sql: str, family: Sequence[int], last: datetime, step: timedelta, slots: int
) -> list[tuple[datetime, int]]:
    start = last - step * (slots - 1)
    counts: Mapping[datetime, int] = defaultdict(
        int, _rows(sql, {"ids": list(family), "start": start})
    )
    times = [start + step * slot for slot in range(slots)]
    return [(time, int(counts[time])) for time in times]


def _rows(sql: str, parameters: Mapping[str, Any]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())
