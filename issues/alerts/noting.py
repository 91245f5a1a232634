"""Writes what a rule found as alerts, each cause once."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from issues.alerts.found import Found
from issues.alerts.standing import STANDING, resolved_of_late, told_of_late
from issues.models import Alert, AlertRule

State = Alert.State
PIECE = 500


def note(rule: AlertRule, found: Sequence[Found], now: datetime) -> list[Alert]:
    """The alerts that are new; in the transaction of whoever found them.

    What was told of late is *suppressed*: its cause stands in the list, and is not
    told. Of what only stands on, nothing is written. What happens or rises anew after
    its incident was resolved is told at once.
    """
    if not found:
        return []
    known = _causes(rule, found)
    late = _told_of_late(rule, found, now)
    alerts = []
    for one in found:
        if one.cause in known:
            continue
        known.add(one.cause)
        alert = _alert(rule, one, now)
        if _is_silent(rule, one, late):
            if rule.when in STANDING:
                continue
            alert.state = State.SUPPRESSED
        late[one.about] = None
        alerts.append(alert)
    Alert.objects.bulk_create(alerts, batch_size=PIECE)
    return alerts


def _causes(rule: AlertRule, found: Sequence[Found]) -> set[str]:
    rows = Alert.objects.filter(rule=rule, cause__in=[one.cause for one in found])
    return set(rows.values_list("cause", flat=True))


def _told_of_late(
    rule: AlertRule, found: Sequence[Found], now: datetime
) -> dict[str, datetime | None]:
    """What was told of within the repeat interval; a time: its incident is over."""
    rows = told_of_late(rule, now).filter(about__in=[one.about for one in found])
    over = resolved_of_late(rule, now)
    late: dict[str, datetime | None] = {}
    for about, message in rows.order_by("pk").values_list("about", "message"):
        late[about] = over.get(message)
    return late


def _is_silent(
    rule: AlertRule, found: Found, late: Mapping[str, datetime | None]
) -> bool:
    """Whether it was told of late, and has not happened anew since that was over."""
    if found.about not in late:
        return False
    over = late[found.about]
    return over is None or rule.when in STANDING or found.at < over


def note_what_is_over(
    rule: AlertRule, resolved: Collection[str], found: Sequence[Found], now: datetime
) -> None:
    """Of what incidents told that are resolved: what is not ``found`` any more.

    ``resolved``: their subjects, read before it was looked for what stands.
    """
    if resolved:
        told = told_of_late(rule, now).filter(message__in=resolved)
        told.exclude(about__in=[one.about for one in found]).update(is_over=True)


def _alert(rule: AlertRule, found: Found, now: datetime) -> Alert:
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
    )
