"""What happened to an issue, and who did it."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from issues.models.issue import Issue


class IssueActivity(models.Model):
    """One change of an issue with its reason; never edited.

    ``actor`` names the person, token or rule; ``data`` holds the numbers behind it.
    ``alerts_due`` says that alert rules have not looked at it yet: only kinds that
    they ask for begin with it.
    """

    class Kind(models.TextChoices):
        FIRST_SEEN = "first_seen", "first seen"
        RESOLVED = "resolved", "resolved"
        REOPENED = "reopened", "reopened"
        REGRESSED = "regressed", "regressed"
        ARCHIVED = "archived", "archived"
        UNARCHIVED = "unarchived", "came out of the archive"
        ASSIGNED = "assigned", "assigned"
        COMMENTED = "commented", "commented"
        MERGED = "merged", "merged"
        UNMERGED = "unmerged", "unmerged"
        LEARNED = "learned", "learned a fingerprint"
        LISTED = "listed", "put on the hit list"
        UNLISTED = "unlisted", "taken off the hit list"

    issue = models.ForeignKey(Issue, models.CASCADE, related_name="activities")
    at = models.DateTimeField(db_default=Now())
    kind = models.CharField(max_length=20, choices=Kind.choices)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    actor = models.CharField(max_length=200)
    text = models.TextField(blank=True)
    data = models.JSONField(default=dict)
    alerts_due = models.BooleanField(db_default=False, editable=False)

    # What alert rules ask for.
    ALERTING = (Kind.FIRST_SEEN, Kind.REGRESSED)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "issue activities"
        indexes = [
            # What alert rules have yet to look at; ids are not committed in order.
            models.Index(
                fields=["id"],
                name="activity_alerts_due",
                condition=models.Q(alerts_due=True),
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} by {self.actor}"
