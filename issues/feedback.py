"""Stored feedback: read beside its event and issue, linked to what comes late."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection, transaction
from django.db.models import QuerySet

from issues import attachments
from issues.models import Attachment, Feedback
from tenants.models import Project

SHOWN = 20
# So long feedback waits for its event.
PATIENCE = timedelta(hours=24)
# LATERAL: each one walks the index of event ids, in the days that may hold it.
LINK = """
UPDATE issues_feedback SET issue_id = known.issue_id FROM (
    SELECT f.id, event.issue_id FROM issues_feedback f CROSS JOIN LATERAL (
        SELECT issue_id FROM issues_event e
        WHERE e.event_id = f.event_id AND e.project_id = f.project_id
            AND e.received > f.received - interval '1 day' LIMIT 1
    ) AS event
    WHERE f.issue_id IS NULL AND f.event_id IS NOT NULL AND f.received > %s
) AS known WHERE issues_feedback.id = known.id
"""


def of_event(project_id: int, event_id: UUID) -> list[Feedback]:
    """What people wrote about an event, newest first."""
    rows = Feedback.objects.filter(project_id=project_id, event_id=event_id)
    return list(rows[:SHOWN])


def of_family(family: Sequence[int]) -> list[Feedback]:
    """The newest of an issue and of what is merged into it."""
    return list(Feedback.objects.filter(issue__in=family)[:SHOWN])


def rows() -> QuerySet[Feedback]:
    """For lists: with the names of all that a row links to."""
    return Feedback.objects.select_related(
        "project",
        "issue__project",
        "issue__merged_into__project",
        "environment",
        "release",
        "tenant",
    ).defer("issue__value", "issue__merged_into__value")


def named(feedback_id: UUID) -> Feedback | None:
    """The feedback of this id, whose files name it as they would an event."""
    # By project: the index begins with it.
    projects = Project.objects.values("pk")
    rows = Feedback.objects.filter(project__in=projects, feedback_id=feedback_id)
    return rows.first()


@transaction.atomic
def delete(ids: Collection[int]) -> None:
    """Delete feedback with the files that came along."""
    rows = Feedback.objects.filter(pk__in=ids)
    for project_id, feedback_id in rows.values_list("project_id", "feedback_id"):
        files = Attachment.objects.filter(project_id=project_id, event_id=feedback_id)
        attachments.delete(list(files.values_list("pk", flat=True)))
    rows.delete()


def link_waiting(now: datetime) -> int:
    """Link feedback to events that were digested after it; returns how many.

    Digest links what it can see: an event of a later batch, or of one that runs beside
    it, is found here.
    """
    with connection.cursor() as cursor:
        cursor.execute(LINK, [now - PATIENCE])
        linked: int = cursor.rowcount
    return linked
