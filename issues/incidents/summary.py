"""The post-incident summary, as plain text, from what is stored of an incident."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import Count, F, Sum

from issues.incidents import reports
from issues.incidents.clock import Reading
from issues.incidents.figure_texts import many
from issues.incidents.telling import minutes_text, said
from issues.incidents.timeline import reading
from issues.models import Incident, IncidentEntry, IssueMinute, IssueTenant
from releases.models import Watch
from tenants.models import Delivery, Tenant

Kind = IncidentEntry.Kind
ISSUES, TENANTS, ENTRIES = 10, 5, 40
# Later, only who was hit last is known: the first minutes are deleted about then.
MINUTES_KEPT = IssueMinute.KEPT - timedelta(hours=1)


def text_of(incident: Incident, now: datetime) -> str:
    """What happened, when, who was hit, by what, who did what, and who was told."""
    clock = reading(incident, now)
    parts = [
        ("What happened", _happened(incident)),
        ("When (UTC)", _times(incident, clock)),
        ("Who was hit", _hit(incident, clock, now)),
        ("Issues", _issues(incident)),
        ("Deploy and rollback", _deploy(incident)),
        ("Who did what", _done(incident)),
        ("What was sent", _sent(incident)),
    ]
    told = [f"{incident} ({_place(incident)})"]
    for heading, lines in parts:
        found = list(lines)
        if found:
            told += ["", heading, *found]
    return "\n".join(told)


def _place(incident: Incident) -> str:
    place = [incident.severity]
    if incident.project:
        place.append(str(incident.project))
    return ", ".join([*place, *filter(None, [incident.environment])])


def _happened(incident: Incident) -> Iterator[str]:
    by = f"{incident.opened_by}, {incident.get_source_display()}"
    yield said(incident) or f"Opened by {by}; nothing was said."
    last = incident.entries.filter(kind=Kind.RESOLVED).last()
    if last and last.text:
        yield f"How it ended: {last.text}"


def _times(incident: Incident, clock: Reading) -> Iterator[str]:
    after = "after detection"
    yield f"Began: {clock.began:%Y-%m-%d %H:%M:%S}"
    found = minutes_text(clock.detected - clock.began)
    source = incident.get_source_display()
    yield f"Detected: {_at(clock.detected)}, {found} after it began, by {source}"
    for name, at in (
        ("Alerted", clock.alerted),
        ("Acknowledged", clock.acknowledged),
        ("Mitigated", clock.mitigated),
        ("Resolved", clock.resolved),
    ):
        told = f"{_at(at)}, {minutes_text(at - clock.detected)} {after}" if at else "–"
        yield f"{name}: {told}"
    yield _target(clock)
    if incident.reopened:
        times = "once" if incident.reopened == 1 else f"{incident.reopened} times"
        yield f"It was reopened {times}; the calm between does not count."


def _at(at: datetime) -> str:
    return f"{at:%H:%M:%S}"


def _target(clock: Reading) -> str:
    spent, target = minutes_text(clock.spent), minutes_text(clock.target)
    if clock.kept and clock.running:
        return f"The clock runs: {spent} of {target}."
    if clock.kept:
        return f"Harm was done for {spent}: the target of {target} was kept."
    over = minutes_text(-clock.left)
    return f"Harm was done for {spent}: {over} over the target of {target}."


def _hit(incident: Incident, clock: Reading, now: datetime) -> Iterator[str]:
    ended = clock.resolved or now
    events = _events_by_tenant(incident, clock.began, ended, now)
    anonymous = events.pop(0, 0)
    if not events:
        if anonymous:
            yield f"No tenant is named by its {anonymous:,} events."
        return
    rows = Tenant.objects.filter(pk__in=events)
    plans = rows.values_list("plan__name").order_by(
        F("plan__weight").desc(nulls_last=True), "plan__name"
    )
    told = [f"{n:,} on {plan or 'no plan'}" for plan, n in plans.annotate(Count("pk"))]
    yield f"{many(len(events), 'tenant')}: {', '.join(told)}."
    yield from _revenue(
        rows.aggregate(Sum("monthly_revenue"), Count("monthly_revenue"))
    )
    worst = _worst(events)
    names = {tenant.pk: str(tenant) for tenant in rows.filter(pk__in=worst)}
    for pk in worst:
        if pk in names:
            yield f"- {names[pk]}, {many(events[pk], 'event')}"
    if len(events) > TENANTS:
        yield f"- and {len(events) - TENANTS:,} more"
    if not _has_minutes(clock.began, now):
        kept = f"minutes are kept for {IssueMinute.KEPT.days} days"
        yield f"The events are all of these issues': {kept}."


def _has_minutes(began: datetime, now: datetime) -> bool:
    return now - began < MINUTES_KEPT


def _worst(events: Counter[int]) -> list[int]:
    return sorted(events, key=lambda pk: (-events[pk], pk))[:TENANTS]


def _revenue(sums: dict[str, Decimal | int | None]) -> Iterator[str]:
    if sums["monthly_revenue__sum"] is not None:
        known = sums["monthly_revenue__count"]
        yield (
            f"They pay {sums['monthly_revenue__sum']:,.2f} a month "
            f"(known of {known:,})."
        )


def _events_by_tenant(
    incident: Incident, began: datetime, ended: datetime, now: datetime
) -> Counter[int]:
    """Events of the incident's issues while it lasted, by tenant (0: none named).

    Of what is older than the minutes that are kept: of tenants hit since it began,
    with all events of these issues.
    """
    family = reports.family_of_incident(incident)
    if _has_minutes(began, now):
        first = began.replace(second=0, microsecond=0)
        minutes = IssueMinute.objects.filter(
            issue_id__in=family, minute__gte=first, minute__lte=ended
        )
        counted = minutes.values_list("tenant_id").annotate(Sum("events"))
        return Counter(dict(counted))
    tenants = IssueTenant.objects.filter(
        issue_id__in=family, last_seen__gte=began, first_seen__lte=ended
    )
    return Counter(dict(tenants.values_list("tenant_id").annotate(Sum("events"))))


def _issues(incident: Incident) -> Iterator[str]:
    links = reports.linked_issues(incident)
    for link in links[:ISSUES]:
        issue = link.issue
        yield (
            f"- {issue.short_id} {issue.title}: {many(issue.stats.tenants, 'tenant')} "
            f"and {many(issue.stats.events, 'event')} in all, {issue.status}"
        )
    if len(links) > ISSUES:
        yield f"- and {len(links) - ISSUES:,} more"


def _deploy(incident: Incident) -> Iterator[str]:
    deploy = incident.deploy
    if deploy is None:
        return
    by = f" by {deploy.created_by}" if deploy.created_by else ""
    yield f"{deploy}, deployed {deploy.started_at:%Y-%m-%d %H:%M:%S}{by}."
    watch = Watch.objects.filter(deploy=deploy).first()
    if watch:
        yield f"Its verdict: {watch.verdict}. {watch.sentence}".strip()
    for rollback in deploy.rollbacks.select_related("to_release").order_by("pk"):
        to = f" to {rollback.to_release}" if rollback.to_release else ""
        by = rollback.requested_by or "the verdict"
        state = rollback.get_state_display()
        yield f"Rollback{to}, ordered {_at(rollback.created)} by {by}: {state}."


def _done(incident: Incident) -> Iterator[str]:
    entries = IncidentEntry.objects.filter(incident=incident).exclude(
        kind__in=[Kind.DETECTED, Kind.ALERTED]
    )
    rows = list(entries[: ENTRIES + 1])
    for entry in rows[:ENTRIES]:
        what = f"{entry.get_kind_display().capitalize()} by {entry.actor}"
        text = " ".join(entry.text.split())
        yield f"- {_at(entry.at)} {what}" + (f": {text[:200]}" if text else "")
    if len(rows) > ENTRIES:
        yield f"- and {entries.count() - ENTRIES:,} more"


def _sent(incident: Incident) -> Iterator[str]:
    counted = (
        Delivery.objects.filter(subject=incident.subject)
        .exclude(state=Delivery.State.SKIPPED)
        .values_list("channel__name", "state")
        .annotate(Count("pk"))
    )
    by_channel: dict[str, list[str]] = {}
    for channel, state, number in counted.order_by("channel__name", "state"):
        label = Delivery.State(state).label.lower()
        by_channel.setdefault(channel, []).append(f"{number} {label}")
    for channel, told in by_channel.items():
        yield f"- {channel}: {', '.join(told)}"
    if not by_channel:
        yield "Nothing: no channel was told."
