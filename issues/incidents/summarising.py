"""Keeps an incident's summary: from the data until a person writes another."""

from datetime import datetime

from django.db import transaction

from issues.incidents import steps, summary
from issues.incidents.steps import IncidentError
from issues.models import Incident
from tenants.audit import Actor, record

LONGEST = 20_000


@transaction.atomic
def edit(incident: Incident, actor: Actor, now: datetime, text: str) -> bool:
    """Keep what a person has written; an empty text is written from the data again.

    False when it is there already. Raises IncidentError.
    """
    row = steps.locked(incident)
    text = text.replace("\0", "").replace("\r\n", "\n").strip()
    if len(text) > LONGEST:
        raise IncidentError(f"A summary has at most {LONGEST:,} characters.")
    if text == row.summary.strip():
        return False
    return _keep(row, incident, actor, text or summary.text_of(row, now), bool(text))


@transaction.atomic
def rewrite(incident: Incident, actor: Actor, now: datetime) -> bool:
    """Write it from the data of now; never over what a person has written.

    Raises IncidentError.
    """
    row = steps.locked(incident)
    if row.summary_by:
        raise IncidentError(
            f"{row.summary_by} has written this summary, and it is not written over: "
            "save an empty one to have it written from the data."
        )
    return _keep(row, incident, actor, summary.text_of(row, now), False)


def _keep(
    row: Incident, incident: Incident, actor: Actor, text: str, by_person: bool
) -> bool:
    before = row.summary
    row.summary, row.summary_by = text, actor.name[:200] if by_person else ""
    row.save(update_fields=["summary", "summary_by"])
    if text != before:
        action = "summary edited" if by_person else "summary written"
        record(actor, action, row, {"summary": [before, text]})
    incident.summary, incident.summary_by = row.summary, row.summary_by
    return text != before
