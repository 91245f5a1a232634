"""Each cause that an alert rule found, and what told it."""

from django.db import models

from issues.models.alert_rule import AlertRule
from issues.models.issue import Issue
from tenants.models import Project


class Alert(models.Model):
    """That a rule found a cause; never deleted before its time, however it was told.

    ``cause`` is unique in its rule, such as ``regression:81``; ``about`` is what stays
    the same when it happens again, such as ``issue:12``. ``message`` is the subject of
    what told it: ``alert:<rule>:<n>``, or ``incident:<n>``. ``incident_cause`` names
    the incident that it belongs to, where its rule opens one. ``is_over``: after its
    incident was resolved it did not stand any more, so that it silences nothing.
    """

    class State(models.TextChoices):
        PENDING = "pending", "waits"
        HELD = "held", "waits for the end of quiet hours"
        TOLD = "told"
        FOLDED = "folded", "told together with others"
        SUPPRESSED = "suppressed", "not told again"

    WAITING = (State.PENDING, State.HELD)
    SENT = (State.TOLD, State.FOLDED)

    rule = models.ForeignKey(AlertRule, models.CASCADE, related_name="alerts")
    cause = models.CharField(max_length=200)
    about = models.CharField(max_length=200)
    at = models.DateTimeField()
    title = models.CharField(max_length=300)
    text = models.TextField(blank=True)
    url = models.CharField(max_length=500, blank=True)
    issue = models.ForeignKey(
        Issue, models.SET_NULL, null=True, blank=True, related_name="alerts"
    )
    project = models.ForeignKey(
        Project, models.CASCADE, null=True, blank=True, related_name="+"
    )
    incident_cause = models.CharField(max_length=200, blank=True)
    data = models.JSONField(default=dict)
    state = models.CharField(
        max_length=10, choices=State.choices, default=State.PENDING
    )
    message = models.CharField(max_length=100, blank=True)
    told_at = models.DateTimeField(null=True)
    is_over = models.BooleanField(default=False)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint("rule", "cause", name="alert_once"),
        ]
        indexes = [
            # Whether the same was told of late.
            models.Index(fields=["rule", "about", "-at"], name="alert_about"),
            # What is yet to be told.
            models.Index(
                fields=["rule", "id"],
                name="alert_waiting",
                condition=models.Q(state__in=["pending", "held"]),
            ),
            # How much a rule has told of late.
            models.Index(
                fields=["rule", "told_at"],
                name="alert_told",
                condition=models.Q(told_at__isnull=False),
            ),
            # All alerts of a message.
            models.Index(fields=["message", "-id"], name="alert_message"),
            # Retention.
            models.Index(fields=["at"], name="alert_at"),
        ]

    def __str__(self) -> str:
        return self.title
