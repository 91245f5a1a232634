"""Tells what waits: messages of a rule, or the incident that it opens."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import F, Max

from issues.alerts.asking import manner_of, sentence
from issues.alerts.folding import WINDOW, Waiting, plan
from issues.alerts.rise import began, feeding
from issues.incidents import steps
from issues.incidents.steps import Fire
from issues.models import Alert, AlertRule, Incident, IncidentEntry, IssueStats
from releases.models import Deploy
from tenants.admin_links import admin_link
from tenants.audit import SYSTEM
from tenants.delivery import enqueue
from tenants.message import Message
from tenants.models import Channel
from tenants.people import channels_of

State = Alert.State
WORST = 5


def settle(rule: AlertRule, now: datetime) -> int:
    """Tell, fold or hold what waits, in the caller's transaction; returns messages."""
    rows = Alert.objects.filter(rule=rule, state__in=Alert.WAITING)
    if not rule.is_active:
        rows.update(state=State.SUPPRESSED)
        return 0
    waiting = [
        Waiting(pk, at, state == State.HELD)
        for pk, at, state in rows.order_by("pk").values_list("pk", "at", "state")
    ]
    if not waiting:
        return 0
    found = plan(waiting, _told(rule, now), manner_of(rule), now)
    if found.hold:
        Alert.objects.filter(pk__in=found.hold).update(state=State.HELD)
    if found.messages:
        channels = [*rule.channels.all(), *channels_of(rule.people.all())]
        for ids in found.messages:
            _send(rule, ids, channels, now)
    return len(found.messages)


def _told(rule: AlertRule, now: datetime) -> list[datetime]:
    """When each of the last messages was written."""
    rows = Alert.objects.filter(rule=rule, told_at__gte=now - WINDOW).order_by()
    found = rows.values_list("message", "told_at").distinct()
    return [at for _, at in found if at is not None]


def _send(
    rule: AlertRule, ids: Sequence[int], channels: Sequence[Channel], now: datetime
) -> None:
    """One message of these alerts, or one for each incident that they belong to."""
    state = State.TOLD if len(ids) == 1 else State.FOLDED
    alerts = Alert.objects.filter(pk__in=ids)
    if not rule.opens_incident:
        subject = f"alert:{rule.pk}:{ids[0]}"
        # Marked first: the message counts what it tells.
        alerts.update(state=state, message=subject, told_at=now)
        message = message_of(rule, subject)
        for channel in channels:
            enqueue(channel, subject, "told", message, now)
        return
    by_cause: dict[str, list[Alert]] = defaultdict(list)
    for alert in alerts.order_by("pk"):
        by_cause[alert.incident_cause or f"rule:{rule.pk}"].append(alert)
    for cause, group in by_cause.items():
        incident = _burn(rule, cause, group, channels, now)
        Alert.objects.filter(pk__in=[alert.pk for alert in group]).update(
            state=state, message=incident.subject, told_at=now
        )


def message_of(rule: AlertRule, subject: str) -> Message:
    """What a message tells: its only alert, or how many, and the worst of them."""
    alerts = Alert.objects.filter(message=subject)
    count = alerts.count()
    if count > 1:
        return Message(
            title=f"{count:,} alerts: {rule.name}",
            text=sentence(rule),
            severity=rule.severity,
            url=list_of(subject),
            sections=[("The worst", _worst(subject, count))],
        )
    alert = alerts.select_related("project").get()
    return Message(
        title=alert.title,
        text=alert.text,
        severity=rule.severity,
        url=alert.url or list_of(subject),
        facts=_facts(alert),
    )


def list_of(subject: str) -> str:
    """The page that lists every alert of a message."""
    return admin_link("issues/alert", message=subject)


def _facts(alert: Alert) -> list[tuple[str, str]]:
    place = " / ".join(
        str(part) for part in (alert.project, alert.data.get("environment")) if part
    )
    facts = [("Where", place)] if place else []
    stats = IssueStats.objects.filter(issue=alert.issue_id).first()
    if stats is not None:
        facts += [
            ("Impact", f"{stats.score:.0f}"),
            ("Tenants", f"{stats.tenants:,}"),
            ("Events", f"{stats.events:,}"),
        ]
    return [*facts, ("Rule", alert.rule.name)]


def _worst(subject: str, count: int) -> list[str]:
    """The alerts of the highest impact, a line each."""
    lines = list(
        Alert.objects.filter(message=subject)
        .alias(exponent=Max("issue__stats__exponent"))
        .order_by(F("exponent").desc(nulls_last=True), "pk")
        .values_list("title", flat=True)[:WORST]
    )
    return [*lines, f"and {count - WORST:,} more"] if count > WORST else lines


def _burn(
    rule: AlertRule,
    cause: str,
    alerts: Sequence[Alert],
    channels: Sequence[Channel],
    now: datetime,
) -> Incident:
    """Open the incident of these alerts, or let them join the one that stands."""
    first, count = alerts[0], len(alerts)
    projects = {alert.project_id for alert in alerts}
    text = f"{first.title}. {first.text}" if count == 1 else f"{count:,} alerts."
    data: dict[str, Any] = {"rule": rule.pk, "alerts": count}
    since = began(rule, alerts)
    fire = Fire(
        title=first.title if count == 1 else f"{rule.name}: {count:,} alerts",
        cause=cause,
        source=Incident.Source.RULE,
        began_at=since,
        severity=rule.severity,
        text=f"{text} {sentence(rule)}",
        project=first.project if len(projects) == 1 else None,
        environment=str(first.data.get("environment") or ""),
        deploy=Deploy.objects.filter(pk=first.data.get("deploy") or 0).first(),
        issues=feeding(alerts, since),
        channels=channels,
        data=data,
    )
    incident, opened = steps.open_incident(fire, SYSTEM, now)
    if not opened:
        steps.add_entry(incident, IncidentEntry.Kind.JOINED, text, now, data)
    return incident
