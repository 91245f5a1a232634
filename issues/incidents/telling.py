"""What channels are told of an incident: its head, kept up to date, and each step."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db.models import Sum

from issues.incidents.clock import Reading
from issues.incidents.timeline import reading
from issues.models import Incident, IncidentEntry, IssueStats
from tenants.admin_links import admin_link
from tenants.delivery import enqueue
from tenants.message import Action, Message

Kind = IncidentEntry.Kind
State = Incident.State
ISSUES_TOLD = 3
# Steps that are of no interest while others are told the same.
QUIET = frozenset({Kind.DETECTED, Kind.ALERTED})


def tell(incident: Incident, entry: IncidentEntry, now: datetime) -> None:
    """Write the messages of a step, in its transaction.

    The first is the head; each later step edits the head and adds an update below it.
    """
    head = head_of(incident, now)
    for channel in incident.channels.all():
        enqueue(channel, incident.subject, f"head {entry.pk}", head, now)
        if entry.kind not in QUIET:
            update = update_of(incident, entry)
            enqueue(channel, incident.subject, f"entry {entry.pk}", update, now)


def url_of(incident: Incident) -> str:
    return admin_link(f"issues/incident/{incident.pk}")


def head_of(incident: Incident, now: datetime) -> Message:
    """The incident as it stands."""
    return Message(
        title=f"{incident.severity.upper()}: {incident.title}",
        text=said(incident),
        severity=incident.severity,
        status=incident.state,
        url=url_of(incident),
        facts=list(_facts(incident, now)),
        sections=_sections(incident),
        actions=_actions(incident),
    )


def update_of(incident: Incident, entry: IncidentEntry) -> Message:
    """One step, for those who follow."""
    what = f"{entry.get_kind_display().capitalize()} by {entry.actor}"
    return Message(
        title=f"{what}: {incident.title}",
        text=entry.text,
        severity=incident.severity,
        status=incident.state,
        url=url_of(incident),
        thread=True,
    )


def said(incident: Incident) -> str:
    """What was said when it was detected."""
    first = incident.entries.filter(kind=Kind.DETECTED).first()
    return first.text if first else ""


def _facts(incident: Incident, now: datetime) -> Iterator[tuple[str, str]]:
    place = " / ".join(
        part for part in (str(incident.project or ""), incident.environment) if part
    )
    if place:
        yield "Where", place
    yield "State", incident.state
    yield "Clock", clock_text(reading(incident, now))
    yield "Began", f"{incident.began_at:%H:%M:%S} UTC"
    stats = IssueStats.objects.filter(issue__incidents=incident)
    hit = stats.aggregate(most=Sum("tenants"))["most"]
    if hit:
        yield "Tenants hit", f"{hit:,}"
    if incident.owner:
        yield "Owner", incident.owner.get_username()


def clock_text(read: Reading) -> str:
    """``4:10 of 10:00, running``."""
    state = "running" if read.running else "stopped"
    over = "" if read.kept else f", {minutes_text(-read.left)} over"
    return f"{minutes_text(read.spent)} of {minutes_text(read.target)}{over}, {state}"


def minutes_text(span: timedelta) -> str:
    """Minutes and seconds, such as 10:00; 1:05:00 from an hour on."""
    seconds = max(int(span.total_seconds()), 0)
    hours, rest = divmod(seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    if hours:
        return f"{hours}:{minutes:02}:{seconds:02}"
    return f"{minutes}:{seconds:02}"


def _sections(incident: Incident) -> list[tuple[str, list[str]]]:
    links = incident.links.select_related("issue__project", "issue__stats")
    worst = links.order_by("-issue__stats__exponent", "pk")[: ISSUES_TOLD + 1]
    lines = [
        f"{link.issue.short_id} {link.issue.title} — {link.issue.stats.tenants:,} "
        f"tenants, {link.issue.stats.events:,} events"
        for link in worst
    ]
    if len(lines) > ISSUES_TOLD:
        more = incident.links.count() - ISSUES_TOLD
        lines[ISSUES_TOLD:] = [f"and {more} more"]
    return [("What burns", lines)] if lines else []


def _actions(incident: Incident) -> list[Action]:
    """What can be done to it now: by ``pressing``, or on the page behind ``url``."""
    value, page = str(incident.pk), url_of(incident)
    actions = []
    if incident.state == State.OPEN:
        actions.append(Action("acknowledge", "Acknowledge", "primary", value, url=page))
    if incident.state != State.RESOLVED:
        actions.append(Action("resolve", "Resolve…", "", value, url=page))
        if incident.links.exists():
            actions.append(Action("archive", "Archive…", "", value))
        actions.append(Action("assign", "Assign…", "", value, url=page))
    if incident.deploy and incident.state in {State.OPEN, State.ACKNOWLEDGED}:
        ask = f"{incident.deploy} goes back to the release before, unless an interlock "
        ask += "holds it back."
        page = order_url(incident.deploy.pk)
        name, label = "rollback", "Roll back now"
        actions.append(Action(name, label, "danger", value, ask, page))
    return actions


def order_url(deploy_id: int) -> str:
    """The page that orders a rollback."""
    return admin_link(f"releases/rollback/order/{deploy_id}")
