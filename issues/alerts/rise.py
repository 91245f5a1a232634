"""When what a rule tells of began: the first minute of its rise.

What happened has its own moment. What stands is found by a sum over minutes, later
than it began: the rise is from the first of them that has at least their mean.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from django.db.models import Min, Sum
from django.db.models.functions import Coalesce

from issues.alerts.asking import asked_of
from issues.alerts.counters import MINUTE, by_minute
from issues.models import Alert, AlertRule, Issue, IssueMinute
from issues.queries import families_of

When = AlertRule.When
REACH = 60  # minutes that an issue's impact looks at
MOST_FED = 5


def began(rule: AlertRule, alerts: Sequence[Alert]) -> datetime:
    """When it began, by the minute; never later than it was found."""
    found = min(datetime.fromisoformat(alert.data["happened"]) for alert in alerts)
    minutes = rule.minutes or REACH
    end = found.replace(second=0, microsecond=0) + MINUTE
    start = end - minutes * MINUTE
    if rule.when in {When.IMPACT, When.TENANTS}:
        issues = families_of([one.issue_id for one in alerts if one.issue_id]).members
        return min(found, _of_issues(issues, start, end) or found)
    if rule.when in {When.EVENTS, When.UNUSUAL, When.CRASH_FREE}:
        about = {alert.about for alert in alerts}
        firsts = [
            first_of_rise(
                {
                    minute: one.crashed if rule.when == When.CRASH_FREE else one.events
                    for minute, one in numbers.items()
                },
                minutes,
            )
            for place, numbers in by_minute(asked_of(rule), start, end).items()
            if f"environment:{place.environment_id}" in about
        ]
        return min([found, *(first for first in firsts if first is not None)])
    return found


def feeding(alerts: Sequence[Alert], since: datetime) -> set[int]:
    """The issues that the alerts name; of environments, those with most events since.

    Only open ones: what was put aside burns elsewhere.
    """
    named = {alert.issue_id for alert in alerts if alert.issue_id is not None}
    places = [alert.about.partition(":")[2] for alert in alerts if _is_rate(alert)]
    if not places:
        return named
    rows = IssueMinute.objects.filter(
        environment_id__in=places, minute__gte=since.replace(second=0, microsecond=0)
    )
    most = rows.values("issue_id").annotate(n=Sum("events")).order_by("-n")[:MOST_FED]
    families = Issue.objects.filter(pk__in=[row["issue_id"] for row in most])
    roots = families.values_list(Coalesce("merged_into_id", "pk"), flat=True)
    return named | set(
        Issue.objects.open().filter(pk__in=roots).values_list("pk", flat=True)
    )


def _is_rate(alert: Alert) -> bool:
    return alert.about.startswith("environment:")


def first_of_rise(counts: Mapping[datetime, int], minutes: int) -> datetime | None:
    """The first minute with at least the mean of all ``minutes``; None: no events."""
    mean = sum(counts.values()) / minutes
    return min((at for at, n in counts.items() if n and n >= mean), default=None)


def _of_issues(
    issues: Sequence[int], start: datetime, end: datetime
) -> datetime | None:
    """Not before the first event, which may have come within its minute."""
    rows = IssueMinute.objects.filter(
        issue_id__in=issues, minute__gte=start, minute__lt=end
    )
    counts = dict(rows.values_list("minute").annotate(Sum("events")).order_by())
    first = first_of_rise(counts, (end - start) // timedelta(minutes=1))
    seen = Issue.objects.filter(pk__in=issues).aggregate(at=Min("first_seen"))["at"]
    return max(first, seen) if first and seen else first
