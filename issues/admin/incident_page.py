"""What the list and the page of incidents show."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import Http404, HttpRequest
from django.utils import timezone

from issues import queries
from issues.admin import incident_actions as actions
from issues.admin.issue_forms import AssignForm, offer, people
from issues.admin.issue_page import Dialog
from issues.incidents import reports
from issues.incidents.clock import Reading
from issues.incidents.telling import minutes_text
from issues.incidents.timeline import reading
from issues.models import Incident, Severity
from tenants.audited import may, row_id
from tenants.pages import page_of

SHOWN_ON_HOME = 10
CHOICES = {"state": Incident.State.values, "severity": Severity.values}


@dataclass(frozen=True, slots=True)
class Row:
    """An incident with its clock in words; ``ticks_from`` moves a running one."""

    incident: Incident
    clock: Reading
    spent: str
    target: str
    over: str
    ticks_from: datetime
    tenants: int = 0


def row_of(incident: Incident, now: datetime, tenants: int = 0) -> Row:
    read = reading(incident, now)
    return Row(
        incident=incident,
        clock=read,
        spent=minutes_text(read.spent),
        target=minutes_text(read.target),
        over="" if read.kept else minutes_text(-read.left),
        ticks_from=now - read.spent,
        tenants=tenants,
    )


def rows_of(incidents: Iterable[Incident], now: datetime) -> list[Row]:
    """Rows with how many tenants their issues hit; one query."""
    found = list(incidents)
    hit = queries.tenants_of_incidents([incident.pk for incident in found])
    return [row_of(incident, now, hit.get(incident.pk, 0)) for incident in found]


def list_context(request: HttpRequest) -> dict[str, Any]:
    """A page of incidents, the newest first."""
    found = Incident.objects.order_by("-detected_at", "-pk")
    chosen = {name: request.GET.get(name, "") for name in CHOICES}
    for name, value in chosen.items():
        if value in CHOICES[name]:
            found = found.filter(**{name: value})
    number = max(row_id(request.GET.get("page", "")), 1)
    page = page_of(
        found, reports.listed_incidents(Incident.objects.all()), min(number, 40)
    )
    rows = rows_of(page.rows, timezone.now())
    may_open = may(request, actions.ADD)
    return {
        "rows": rows,
        "page": page,
        "choices": CHOICES,
        "chosen": chosen,
        "moving": any(row.clock.running for row in rows),
        "open_form": actions.OpenForm() if may_open else None,
    }


def home_rows(now: datetime) -> list[Row]:
    """Open clocks for the banner, the one with the least time left first."""
    rows = [row_of(one, now) for one in reports.burning_now(SHOWN_ON_HOME)]
    return sorted(rows, key=lambda row: row.clock.left)


def find(object_id: str) -> Incident:
    """The incident of this id; raises Http404."""
    incidents = Incident.objects.select_related(
        "project", "owner", "deploy__release", "deploy__environment"
    )
    incident = incidents.filter(pk=row_id(object_id)).first()
    if incident is None:
        raise Http404(f"No incident has the number {object_id}.")
    return incident


def page_context(request: HttpRequest, incident: Incident) -> dict[str, Any]:
    """All that the page's template needs."""
    now = timezone.now()
    family = reports.family_of_incident(incident)
    row = row_of(incident, now)
    may_change = may(request, actions.CHANGE)
    return {
        "row": row,
        "incident": incident,
        "moments": _moments(row.clock),
        "links": reports.linked_issues(incident),
        "hits": queries.tenants_hit(family, "events"),
        "entries": reports.entries_of(incident)[::-1],
        "deliveries": reports.deliveries_of(incident)[::-1],
        "may_change": may_change,
        "dialogs": _dialogs(incident) if may_change else [],
        "moving": incident.state != Incident.State.RESOLVED,
    }


def _moments(clock: Reading) -> list[tuple[str, datetime | None]]:
    return [
        ("Began", clock.began),
        ("Detected", clock.detected),
        ("Alerted", clock.alerted),
        ("Acknowledged", clock.acknowledged),
        ("Mitigated", clock.mitigated),
        ("Resolved", clock.resolved),
    ]


def _dialogs(incident: Incident) -> list[Dialog]:
    """What fits its state."""
    state, states = incident.state, Incident.State
    assign = AssignForm(initial={"user": incident.owner_id})
    offer(assign, "user", people())
    names = ("title", "severity", "target_seconds")
    change = actions.ChangeForm(
        initial={name: getattr(incident, name) for name in names}
    )
    edit = actions.SummaryForm(initial={"text": incident.summary})
    found = [
        Dialog("assign", "Assign", "Assign", assign),
        Dialog("note", "Write a note", "Write", actions.NoteForm()),
        Dialog("join", "Join an issue", "Join", actions.JoinForm()),
        Dialog("change", "Change", "Save", change),
        Dialog("summary", "Edit the summary", "Save", edit),
    ]
    say = actions.SayForm
    if state != states.RESOLVED:
        found.insert(0, Dialog("resolve", "Resolve", "Resolve", say(auto_id="res_%s")))
    if state in {states.OPEN, states.ACKNOWLEDGED}:
        why = "The harm has ended, such as by a rollback: the clock stands."
        form = say(auto_id="mit_%s")
        found.insert(0, Dialog("mitigate", "Mitigated", "Stop the clock", form, why))
    else:
        form = say(auto_id="reo_%s")
        found.insert(0, Dialog("reopen", "Reopen", "Let the clock run on", form))
    return found
