"""What lists and pages tell of incidents, read in a fixed number of queries."""

from collections.abc import Sequence

from django.db.models import Prefetch, Q, QuerySet

from issues.incidents.timeline import MARKS
from issues.models import Incident, IncidentEntry, IncidentIssue, Issue
from tenants.delivery import NOT_OFFERED
from tenants.models import Delivery

ENTRIES_SHOWN = 500
DELIVERIES_SHOWN = 200


def listed_incidents(incidents: QuerySet[Incident]) -> QuerySet[Incident]:
    """The incidents with what a row tells; the clock needs no further query."""
    marks = IncidentEntry.objects.filter(kind__in=MARKS)
    return incidents.select_related("project", "owner").prefetch_related(
        Prefetch("entries", marks)
    )


def linked_issues(incident: Incident) -> list[IncidentIssue]:
    """Its issues, the worst impact first."""
    links = incident.links.select_related("issue__project", "issue__stats")
    return list(links.order_by("-issue__stats__exponent", "pk"))


def family_of_incident(incident: Incident) -> list[int]:
    """Its issues and those merged into them."""
    linked = incident.links.values("issue_id")
    found = Issue.objects.filter(Q(pk__in=linked) | Q(merged_into__in=linked))
    return list(found.values_list("pk", flat=True))


def entries_of(incident: Incident) -> list[IncidentEntry]:
    """The newest lines of its timeline, in order."""
    # Not through the incident, whose entries may be prefetched: those of the clock.
    entries = IncidentEntry.objects.filter(incident=incident)
    return list(entries.order_by("-at", "-id")[:ENTRIES_SHOWN])[::-1]


def deliveries_of(incident: Incident) -> list[Delivery]:
    """The newest messages about it, in the order in which they were written.

    Without edits and updates for channels that have none: nobody waits for those.
    """
    found = Delivery.objects.filter(subject=incident.subject).select_related("channel")
    found = found.exclude(state=Delivery.State.SKIPPED, told__in=NOT_OFFERED)
    return list(found.order_by("-id")[:DELIVERIES_SHOWN])[::-1]


def burning_now(limit: int) -> Sequence[Incident]:
    """Incidents whose clock runs, the oldest first."""
    return list(listed_incidents(Incident.objects.burning())[:limit])
