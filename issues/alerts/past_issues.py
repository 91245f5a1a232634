"""What rules on impact and on tenants would have told of issues, by what is kept."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from heapq import nlargest
from itertools import groupby, islice
from operator import attrgetter, itemgetter
from typing import Any

from django.db import connection

from issues.alerts.asking import asked_of
from issues.alerts.conditions import applies
from issues.alerts.facts import facts_of
from issues.alerts.found import Found
from issues.alerts.happenings import MOST_PAST
from issues.alerts.narrowing import narrowed
from issues.alerts.sliding import Sought, times_told
from issues.alerts.standing import of_score, of_tenants, repeat_of
from issues.models import AlertRule, Issue, IssueActivity
from issues.queries import families_of

Kind = IssueActivity.Kind
OPENS = {Kind.REOPENED, Kind.REGRESSED, Kind.UNARCHIVED}
CLOSES = {Kind.RESOLVED, Kind.ARCHIVED}
# Issues whose rows are read at once, rows taken at a time, and the most issues.
PIECE, ROWS = 200, 2_000
MOST_ISSUES = 2_000

# What is merged into an issue counts for it, as it does now.
ASKED = """
    AND (%(project)s::bigint IS NULL OR shown.project_id = %(project)s)
    AND shown.level >= %(level)s
"""
HIGH = f"""
SELECT shown.id FROM issues_scorehour peak
JOIN issues_issue i ON i.id = peak.issue_id
JOIN issues_issue shown ON shown.id = coalesce(i.merged_into_id, i.id)
WHERE peak.at > %(start)s AND peak.score >= %(threshold)s {ASKED}
GROUP BY 1 ORDER BY max(peak.score) DESC, 1
"""
PEAKS = """
SELECT family.root, peak.at, peak.score
FROM unnest(%(members)s::bigint[], %(roots)s::bigint[]) AS family (id, root)
JOIN issues_scorehour peak ON peak.issue_id = family.id
WHERE peak.at > %(start)s AND peak.at <= %(end)s AND peak.score >= %(threshold)s
ORDER BY 1, 2
"""
# How many tenants an issue hit of late is known without a look at its minutes.
WIDE = f"""
SELECT shown.id FROM issues_issuestats s
JOIN issues_issue shown ON shown.id = s.issue_id AND shown.merged_into_id IS NULL
JOIN issues_issue i ON i.id = shown.id OR i.merged_into_id = shown.id
JOIN issues_issuetenant t ON t.issue_id = i.id AND t.last_seen > %(start)s
WHERE s.last_seen > %(start)s AND s.tenants >= %(threshold)s {ASKED}
GROUP BY 1 HAVING count(DISTINCT t.tenant_id) >= %(threshold)s
ORDER BY count(DISTINCT t.tenant_id) DESC, 1
"""
HITS = """
SELECT family.root, (extract(epoch FROM m.minute) / 60)::bigint, array_agg(m.tenant_id)
FROM unnest(%(members)s::bigint[], %(roots)s::bigint[]) AS family (id, root)
JOIN issues_issueminute m ON m.issue_id = family.id
WHERE m.minute >= %(start)s AND m.minute < %(end)s AND m.tenant_id > 0
GROUP BY family.root, m.minute ORDER BY family.root, m.minute
"""


@dataclass(frozen=True, slots=True)
class Moment:
    """When a rule would have told of an issue, and the number that says why."""

    at: datetime
    issue: Issue
    number: float


def past_impact(rule: AlertRule, start: datetime, end: datetime) -> Iterator[Found]:
    """Issues whose highest score of an hour reaches the threshold, when it did."""
    for moment in _newest(_scores(rule, start, end)):
        yield of_score(rule, moment.issue, moment.at, moment.number)


def _scores(rule: AlertRule, start: datetime, end: datetime) -> Iterator[Moment]:
    given = {"start": start, "end": end, "threshold": rule.threshold}
    for issues in _wanted(rule, HIGH, given):
        past = statuses(issues)
        for pk, rows in _by_issue(PEAKS, issues, given):
            silent_until = start
            for _, at, score in rows:
                if at >= silent_until and past[pk].was_open(at):
                    silent_until = at + repeat_of(rule)
                    yield Moment(at, issues[pk], score)


def past_tenants(rule: AlertRule, start: datetime, end: datetime) -> Iterator[Found]:
    """Issues that hit enough tenants within the minutes that end at a moment."""
    for moment in _newest(_hits(rule, start, end)):
        yield of_tenants(rule, moment.issue, moment.at, int(moment.number))


def _hits(rule: AlertRule, start: datetime, end: datetime) -> Iterator[Moment]:
    first, last = _number(start), _number(end)
    span = rule.minutes or 1
    given = {
        "start": _moment(first - span),
        "end": _moment(last),
        "threshold": rule.threshold,
    }
    for issues in _wanted(rule, WIDE, given):
        past = statuses(issues)
        for pk, rows in _by_issue(HITS, issues, given):
            sought = Sought(
                fewest=rule.threshold or 0.0,
                span=span,
                repeat=rule.repeat_minutes,
                start=first,
                end=last,
                may_tell=past[pk].was_open_at,
            )
            for at, hit in times_told((row[1:] for row in rows), sought):
                yield Moment(_moment(at), issues[pk], hit)


def _number(at: datetime) -> int:
    """Of the minute that ``at`` lies in."""
    return int(at.timestamp() // 60)


def _moment(number: int) -> datetime:
    return datetime.fromtimestamp(number * 60, UTC)


def _newest(moments: Iterable[Moment]) -> list[Moment]:
    return nlargest(MOST_PAST, moments, key=attrgetter("at"))


def _wanted(
    rule: AlertRule, sql: str, given: Mapping[str, Any]
) -> Iterator[dict[int, Issue]]:
    """The issues that ``sql`` finds and whose conditions hold, a piece at a time."""
    asked = asked_of(rule)
    limits = {"project": rule.project_id, "level": asked.min_level}
    with connection.cursor() as cursor:
        cursor.execute(sql, {**given, **limits})
        found = [pk for (pk,) in cursor.fetchall()]
    ids = list(islice(narrowed(found, asked), MOST_ISSUES))
    related = Issue.objects.select_related("project").defer("value")
    for first in range(0, len(ids), PIECE):
        issues = related.in_bulk(ids[first : first + PIECE])
        facts = facts_of(list(issues.values()), asked)
        yield {pk: row for pk, row in issues.items() if applies(asked, facts[pk])}


def _by_issue(
    sql: str, issues: Iterable[int], given: Mapping[str, Any]
) -> Iterator[tuple[int, Iterator[tuple[Any, ...]]]]:
    """The rows of each of the issues; they stay with the server until they are due."""
    families = families_of(list(issues))
    ids = {"members": families.members, "roots": families.roots}
    with connection.chunked_cursor() as cursor:
        cursor.execute(sql, {**given, **ids})
        pieces = iter(lambda: cursor.fetchmany(ROWS), [])
        rows = (row for piece in pieces for row in piece)
        yield from groupby(rows, key=itemgetter(0))


@dataclass(slots=True)
class Statuses:
    """When an issue was opened and closed, in order; before that it was open."""

    times: list[datetime] = field(default_factory=list)
    opened: list[bool] = field(default_factory=list)

    def was_open(self, at: datetime) -> bool:
        changes = bisect_right(self.times, at)
        return changes == 0 or self.opened[changes - 1]

    def was_open_at(self, minute: int) -> bool:
        return self.was_open(_moment(minute))


def statuses(issue_ids: Iterable[int]) -> dict[int, Statuses]:
    """By issue, from its history."""
    found: dict[int, Statuses] = defaultdict(Statuses)
    rows = IssueActivity.objects.filter(
        issue__in=list(issue_ids), kind__in=OPENS | CLOSES
    )
    for pk, at, kind in rows.order_by("at", "pk").values_list("issue", "at", "kind"):
        found[pk].times.append(at)
        found[pk].opened.append(kind in OPENS)
    return found
