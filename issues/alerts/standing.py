"""What stands now: impact, tenants, rates, crashes, lag. Told again while it stands."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice

from django.db.models import CharField, Exists, OuterRef, QuerySet, Value
from django.db.models.functions import Cast, Concat

from issues.alerts.asking import asked_of
from issues.alerts.conditions import (
    applies,
    crash_free_below,
    events_reached,
    impact_reached,
    lag_over,
    tenants_reached,
    unusual,
)
from issues.alerts.counters import MINUTE, Counted, Place, counted, usual_of
from issues.alerts.daily_users import users_today
from issues.alerts.facts import facts_of
from issues.alerts.found import Found, of_issue, of_place, stamped
from issues.alerts.narrowing import narrowed
from issues.models import (
    Alert,
    AlertRule,
    InboxEnvelope,
    Incident,
    Issue,
    IssueMinute,
)
from issues.models.issue import IssueQuerySet
from issues.queries import families_of

When = AlertRule.When
PIECE = 200
# A look reads so many at most, the worst first; the next one goes on behind those told.
MOST = 2_000


def repeat_of(rule: AlertRule) -> timedelta:
    return timedelta(minutes=rule.repeat_minutes)


def told_of_late(rule: AlertRule, now: datetime) -> QuerySet[Alert]:
    """Alerts within the repeat interval that silence what they tell of."""
    since = now - repeat_of(rule)
    late = Alert.objects.filter(rule=rule, at__gt=since, is_over=False)
    return late.exclude(state=Alert.State.SUPPRESSED)


def resolved_of_late(rule: AlertRule, now: datetime) -> dict[str, datetime]:
    """Incidents, by the subject of their messages, with when they were resolved."""
    if not rule.opens_incident:
        return {}
    rows = Incident.objects.filter(resolved_at__gt=now - repeat_of(rule))
    return {row.subject: row.resolved_at for row in rows if row.resolved_at}


def _not_told_yet(rule: AlertRule, now: datetime) -> IssueQuerySet:
    """Open issues that the rule may tell of now, the worst first."""
    about = Concat(Value("issue:"), Cast(OuterRef("pk"), CharField()))
    # Of those whose incident was resolved it is found whether they still stand.
    over = list(resolved_of_late(rule, now))
    told = told_of_late(rule, now).filter(about=about).exclude(message__in=over)
    issues = Issue.objects.open().filter(~Exists(told), level__gte=rule.min_level)
    if rule.project_id is not None:
        issues = issues.filter(project=rule.project_id)
    return issues.by_impact()


def _wanted(rule: AlertRule, found: IssueQuerySet) -> Iterator[Sequence[Issue]]:
    """Those of the issues whose conditions hold, a piece at a time."""
    asked = asked_of(rule)
    every = list(found.values_list("pk", flat=True))
    ids = list(islice(narrowed(every, asked), MOST))
    related = Issue.objects.select_related("project", "stats")
    for start in range(0, len(ids), PIECE):
        rows = related.in_bulk(ids[start : start + PIECE])
        issues = [rows[pk] for pk in ids[start : start + PIECE] if pk in rows]
        facts = facts_of(issues, asked)
        yield [issue for issue in issues if applies(asked, facts[issue.pk])]


def impact(rule: AlertRule, now: datetime) -> list[Found]:
    """Open issues by their present score."""
    threshold = rule.threshold or 0.0
    high = _not_told_yet(rule, now).filter(
        stats__score__gte=threshold, stats__exponent__gt=0
    )
    return [
        of_score(rule, issue, now, issue.stats.score)
        for issues in _wanted(rule, high)
        for issue in issues
    ]


def of_score(rule: AlertRule, issue: Issue, at: datetime, score: float) -> Found:
    """That an issue's score (0-100) reached the rule's threshold."""
    cause = stamped(f"issue:{issue.pk}", at)
    text = impact_reached(score, rule.threshold or 0.0)
    return of_issue(issue, at, cause, "High impact", text, score=round(score, 1))


def tenants(rule: AlertRule, now: datetime) -> list[Found]:
    """Open issues by the tenants that they hit within the rule's minutes."""
    threshold = rule.threshold or 0.0
    since = now - (rule.minutes or 1) * MINUTE
    wide = _not_told_yet(rule, now).filter(
        stats__last_seen__gt=since, stats__tenants__gte=threshold
    )
    found = []
    for issues in _wanted(rule, wide):
        hit = _tenants_hit(issues, since)
        found += [
            of_tenants(rule, issue, now, hit[issue.pk])
            for issue in issues
            if hit[issue.pk] >= threshold
        ]
    return found


def of_tenants(rule: AlertRule, issue: Issue, at: datetime, hit: int) -> Found:
    """That an issue hit as many tenants as the rule asks for within its minutes."""
    cause = stamped(f"issue:{issue.pk}", at)
    text = tenants_reached(hit, rule.threshold or 0.0, rule.minutes or 1)
    return of_issue(issue, at, cause, "Many tenants", text, tenants=hit)


def _tenants_hit(issues: Sequence[Issue], since: datetime) -> dict[int, int]:
    families = families_of([issue.pk for issue in issues])
    root_of = families.root_of()
    hit: dict[int, set[int]] = {issue.pk: set() for issue in issues}
    rows = IssueMinute.objects.filter(
        issue_id__in=families.members, minute__gt=since, tenant_id__gt=0
    ).order_by()
    for issue_id, tenant in rows.values_list("issue_id", "tenant_id").distinct():
        hit[root_of[issue_id]].add(tenant)
    return {pk: len(found) for pk, found in hit.items()}


def rates(rule: AlertRule, now: datetime) -> list[Found]:
    """Environments by their events or sessions of the last minutes."""
    minutes = rule.minutes or 1
    asked = asked_of(rule)
    end = now.replace(second=0, microsecond=0) + MINUTE
    found = counted(asked, end - minutes * MINUTE, end)
    usual: dict[Place, list[float]] = {}
    if rule.when == When.UNUSUAL and found:
        usual = usual_of(asked, now, minutes)
    return list(judged(rule, now, found, usual))


def judged(
    rule: AlertRule,
    at: datetime,
    found: dict[Place, Counted],
    usual: dict[Place, list[float]],
) -> Iterator[Found]:
    """The environments whose numbers the rule asks for."""
    threshold, minutes = rule.threshold or 0.0, rule.minutes or 1
    for place, counts in found.items():
        if rule.when == When.EVENTS:
            what = "many events"
            text = events_reached(counts.events, threshold, minutes)
        elif rule.when == When.UNUSUAL:
            what = "more events than usual"
            text = unusual(counts.events, usual.get(place, ()), threshold, minutes)
        else:
            what = "sessions crash"
            text = crash_free_below(counts.sessions, counts.crashed, threshold, minutes)
        if text:
            yield of_place(
                place,
                at,
                what,
                text,
                events=counts.events,
                sessions=counts.sessions,
                crashed=counts.crashed,
            )


def ingest_lag(rule: AlertRule, now: datetime) -> list[Found]:
    """How long the oldest envelope has waited for digest."""
    return of_lag(rule, now, lag_at(now))


def lag_at(now: datetime) -> float:
    """Seconds that the oldest envelope has waited; 0 when none waits."""
    oldest = InboxEnvelope.objects.order_by("pk").values_list("received").first()
    return (now - oldest[0]).total_seconds() if oldest else 0.0


def of_lag(rule: AlertRule, at: datetime, seconds: float) -> list[Found]:
    """One finding where the lag is over the rule's threshold, else none."""
    text = lag_over(seconds, rule.threshold or 0.0)
    if not text:
        return []
    cause, title = stamped("ingest", at), "Events wait for digest"
    data = {"seconds": round(seconds, 1)}
    return [Found(at, "ingest", cause, title, text, "", data=data)]


STANDING: dict[str, Callable[[AlertRule, datetime], list[Found]]] = {
    When.IMPACT: impact,
    When.TENANTS: tenants,
    When.EVENTS: rates,
    When.UNUSUAL: rates,
    When.CRASH_FREE: rates,
    When.CRASH_FREE_USERS: users_today,
    When.INGEST_LAG: ingest_lag,
}
