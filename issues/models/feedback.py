"""What people wrote to the team, most often about an event that hit them."""

from typing import Any

from django.contrib.postgres.indexes import BrinIndex
from django.db import models

from issues.models.issue import Issue
from releases.models import Environment, Release
from tenants.models import Project, Tenant

# As of events: what is named may be deleted before.
LOOSE: Any = {
    "on_delete": models.DO_NOTHING,
    "db_constraint": False,
    "db_index": False,
    "related_name": "+",
}


class Feedback(models.Model):
    """User feedback, or a user report of older SDKs.

    ``event_id`` names the event that it is about, which may come later or never;
    ``issue`` is that event's own, None until it is known. Files that came along are
    attachments under ``feedback_id``. ``user`` is as an event tells it. ``notes`` say
    what was cleaned, one sentence each.
    """

    project = models.ForeignKey(Project, models.CASCADE, db_index=False)
    feedback_id = models.UUIDField()
    received = models.DateTimeField()
    event_id = models.UUIDField(null=True)
    issue = models.ForeignKey(Issue, null=True, **LOOSE)
    environment = models.ForeignKey(Environment, null=True, **LOOSE)
    release = models.ForeignKey(Release, null=True, **LOOSE)
    tenant = models.ForeignKey(Tenant, null=True, **LOOSE)
    message = models.TextField()
    name = models.CharField(max_length=128)
    email = models.CharField(max_length=254)
    url = models.CharField(max_length=2000)
    replay_id = models.CharField(max_length=32)
    source = models.CharField(max_length=50)
    user = models.CharField(max_length=200)
    notes = models.JSONField(default=list)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "feedback"
        constraints = [
            # What is sent again is stored once.
            models.UniqueConstraint("project", "feedback_id", name="feedback_unique")
        ]
        indexes = [
            models.Index(fields=["project", "event_id"], name="feedback_event"),
            models.Index(fields=["issue", "-id"], name="feedback_newest"),
            # How much a project kept in an hour.
            models.Index(fields=["project", "received"], name="feedback_hour"),
            BrinIndex(fields=["received"], name="feedback_retention"),
            # What waits for its event.
            models.Index(
                fields=["received"],
                name="feedback_waiting",
                condition=models.Q(issue=None, event_id__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        # Stands in the audit log, which outlives what was written.
        return f"feedback {self.feedback_id.hex[:8]}"
