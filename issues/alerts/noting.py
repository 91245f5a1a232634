"""Writes what a rule found as alerts, each cause once."""

from collections.abc import Sequence
from datetime import datetime

from issues.alerts.found import Found
from issues.alerts.standing import STANDING, repeat_of
from issues.models import Alert, AlertRule

State = Alert.State
PIECE = 500


def note(rule: AlertRule, found: Sequence[Found], now: datetime) -> list[Alert]:
    """The alerts that are new; in the transaction of whoever found them.

    What was told of late is *suppressed*: its cause stands in the list, and is not
    told. Of what only stands on, nothing is written.
    """
    if not found:
        return []
    known = _causes(rule, found)
    recent = _told_of_late(rule, found, now)
    alerts = []
    for one in found:
        if one.cause in known:
            continue
        known.add(one.cause)
        again = one.about in recent
        if again and rule.when in STANDING:
            continue
        recent.add(one.about)
        alerts.append(_alert(rule, one, now, again))
    Alert.objects.bulk_create(alerts, batch_size=PIECE)
    return alerts


def _causes(rule: AlertRule, found: Sequence[Found]) -> set[str]:
    rows = Alert.objects.filter(rule=rule, cause__in=[one.cause for one in found])
    return set(rows.values_list("cause", flat=True))


def _told_of_late(rule: AlertRule, found: Sequence[Found], now: datetime) -> set[str]:
    rows = Alert.objects.filter(
        rule=rule,
        about__in=[one.about for one in found],
        at__gt=now - repeat_of(rule),
    )
    return set(rows.exclude(state=State.SUPPRESSED).values_list("about", flat=True))


def _alert(rule: AlertRule, found: Found, now: datetime, again: bool) -> Alert:
    cause = found.incident_cause
    if not cause.startswith("deploy:"):
        cause = f"rule:{rule.pk}:{cause}" if cause else f"rule:{rule.pk}"
    return Alert(
        rule=rule,
        cause=found.cause,
        about=found.about,
        at=now,
        title=found.title[:300],
        text=found.text,
        url=found.url[:500],
        issue_id=found.issue_id,
        project_id=found.project_id,
        incident_cause=cause if rule.opens_incident else "",
        data={**found.data, "happened": found.at.isoformat()},
        state=State.SUPPRESSED if again else State.PENDING,
    )
