"""Alert rules for tests, and what they told."""

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from issues.models import AlertRule, Issue, IssueActivity, IssueMinute
from tenants.models import Channel, Delivery
from tests.factories import make_channel, make_issue

# Within a minute, and never ahead of the clock.
NOW = (timezone.now() - timedelta(minutes=1)).replace(second=30, microsecond=0)


def make_rule(when: str = "new_issue", **fields: Any) -> AlertRule:
    """A rule that tells the channel "team", made two days ago."""
    channels = fields.pop("channels", None)
    people = fields.pop("people", ())
    made = {"name": when, "created": NOW - timedelta(days=2), **fields}
    rule = AlertRule.objects.create(when=when, **made)
    if channels is None:
        channels = [Channel.objects.filter(name="team").first() or make_channel()]
    rule.channels.set(channels)
    rule.people.set(people)
    return rule


def note_activity(
    issue: Issue | None = None, kind: str = "first_seen", **fields: Any
) -> IssueActivity:
    """An activity that no rule has looked at."""
    made = {"actor": "rush_monitor", "at": NOW, "text": "in-app frames", **fields}
    return IssueActivity.objects.create(
        issue=issue or make_issue(), kind=kind, **{"alerts_due": True, **made}
    )


def hit(issue_id: int, tenant_id: int, at: datetime, environment_id: int = 0) -> None:
    """An event of the minute that ``at`` lies in."""
    IssueMinute.objects.create(
        issue_id=issue_id,
        minute=at.replace(second=0),
        environment_id=environment_id,
        release_id=0,
        tenant_id=tenant_id,
        events=1,
        unhandled=0,
        level=40,
        path_weight=1.0,
    )


def told() -> list[str]:
    """The titles of all messages, in order."""
    rows = Delivery.objects.order_by("pk").values_list("message", flat=True)
    return [message["title"] for message in rows]
