"""Incidents: what burns, who was told, and how long it took."""

from datetime import timedelta

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models.functions import Now

from issues.models.issue import Issue
from releases.models import Deploy
from tenants.models import Channel, Project


class Severity(models.TextChoices):
    CRITICAL = "critical"
    HIGH = "high"
    LOW = "low"


class IncidentPolicy(models.Model):
    """What a severity means in a project: its target, and who is told at once.

    The most specific one counts: of the project, else of every project.
    """

    project = models.ForeignKey(
        Project, models.CASCADE, null=True, blank=True, help_text="Empty: every project"
    )
    severity = models.CharField(max_length=10, choices=Severity.choices)
    target_seconds = models.PositiveIntegerField(
        default=600,
        validators=[MinValueValidator(60)],
        help_text="From detected until the harm ends. 600 are ten minutes.",
    )
    needs_channels = True
    channels = models.ManyToManyField(
        Channel, blank=True, help_text="Told when an incident opens, and of its course."
    )
    resolve_after_minutes = models.PositiveIntegerField(
        null=True,
        blank=True,
        default=30,
        help_text="A mitigated incident that stays calm so long is resolved by itself. "
        "Empty: never.",
    )

    class Meta:
        ordering = ["project_id", "severity"]
        verbose_name_plural = "incident policies"
        constraints = [
            models.UniqueConstraint(
                "project",
                "severity",
                name="incidentpolicy_unique",
                nulls_distinct=False,
                violation_error_message="This project and severity have a policy "
                "already: change that one.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.severity} in {self.project or 'every project'}"


class EscalationStep(models.Model):
    """Whom else to tell when nobody has acknowledged for so long."""

    policy = models.ForeignKey(IncidentPolicy, models.CASCADE, related_name="steps")
    after_seconds = models.PositiveIntegerField(
        default=240,
        validators=[MinValueValidator(30)],
        help_text="Since detected; choose it well before the target.",
    )
    needs_channels = True
    channels = models.ManyToManyField(Channel, blank=True)
    people = models.ManyToManyField(settings.AUTH_USER_MODEL, blank=True)

    class Meta:
        ordering = ["after_seconds", "id"]
        constraints = [
            models.UniqueConstraint(
                "policy",
                "after_seconds",
                name="escalationstep_unique",
                violation_error_message="Another step has the same time.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.policy}, after {self.after_seconds} s"


class IncidentQuerySet(models.QuerySet["Incident"]):
    def unresolved(self) -> "IncidentQuerySet":
        return self.exclude(state=Incident.State.RESOLVED)

    def burning(self) -> "IncidentQuerySet":
        """Those whose clock runs, the oldest first."""
        return self.filter(
            state__in=[Incident.State.OPEN, Incident.State.ACKNOWLEDGED]
        ).order_by("detected_at", "pk")


class Incident(models.Model):
    """One fire: opened once per ``cause`` while it lasts, with the issues that feed it.

    The times are the first of each step and are shown; the clock itself is read from
    the entries: see ``issues.incidents.clock``. ``spent_seconds`` is what it said when
    the incident was last mitigated or resolved. ``began_at`` is the first event of the
    rise, which late events may move.
    """

    class State(models.TextChoices):
        OPEN = "open"
        ACKNOWLEDGED = "acknowledged"
        MITIGATED = "mitigated"
        RESOLVED = "resolved"

    class Source(models.TextChoices):
        """What detected it."""

        RULE = "rule", "alert rule"
        DEPLOY = "deploy", "deploy watch"
        HAND = "hand", "a person"

    title = models.CharField(max_length=200)
    severity = models.CharField(
        max_length=10, choices=Severity.choices, default=Severity.HIGH
    )
    state = models.CharField(max_length=12, choices=State.choices, default=State.OPEN)
    source = models.CharField(max_length=10, choices=Source.choices)
    cause = models.CharField(max_length=200)
    project = models.ForeignKey(
        Project, models.CASCADE, null=True, blank=True, related_name="incidents"
    )
    environment = models.CharField(max_length=64, blank=True)
    deploy = models.ForeignKey(
        Deploy, models.SET_NULL, null=True, blank=True, related_name="incidents"
    )
    issues = models.ManyToManyField(
        Issue, through="IncidentIssue", related_name="incidents"
    )
    channels = models.ManyToManyField(Channel, blank=True)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True
    )
    opened_by = models.CharField(max_length=200)
    began_at = models.DateTimeField()
    detected_at = models.DateTimeField()
    alerted_at = models.DateTimeField(null=True, blank=True)
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    mitigated_at = models.DateTimeField(null=True, blank=True)
    resolved_at = models.DateTimeField(null=True, blank=True)
    target_seconds = models.PositiveIntegerField(default=600)
    resolve_after_minutes = models.PositiveIntegerField(null=True, blank=True)
    spent_seconds = models.FloatField(null=True)
    reopened = models.PositiveIntegerField(default=0)
    peak_events = models.PositiveIntegerField(default=0)  # in five minutes
    # What happened, from the data or as a person has written it; then by whom.
    summary = models.TextField(blank=True)
    summary_by = models.CharField(max_length=200, blank=True)

    objects = IncidentQuerySet.as_manager()

    class Meta:
        ordering = ["-detected_at", "-id"]
        constraints = [
            # The same cause joins the incident that stands.
            models.UniqueConstraint(
                "cause",
                condition=~models.Q(state="resolved"),
                name="incident_cause_once",
            )
        ]
        indexes = [
            # The banner and the tick: what is not over.
            models.Index(
                fields=["detected_at"],
                name="incident_unresolved",
                condition=~models.Q(state="resolved"),
            ),
            # Lists and figures by time.
            models.Index(fields=["-detected_at"], name="incident_detected"),
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.title}"

    @property
    def subject(self) -> str:
        """What its messages are about: ``Delivery.subject``."""
        return f"incident:{self.pk}"

    @property
    def target(self) -> timedelta:
        return timedelta(seconds=self.target_seconds)


class IncidentIssue(models.Model):
    """That an issue feeds an incident."""

    incident = models.ForeignKey(Incident, models.CASCADE, related_name="links")
    issue = models.ForeignKey(Issue, models.CASCADE, related_name="incident_links")
    joined_at = models.DateTimeField(db_default=Now())
    joined_by = models.CharField(max_length=200)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint("incident", "issue", name="incidentissue_once")
        ]

    def __str__(self) -> str:
        return f"{self.issue} in {self.incident}"


class IncidentEntry(models.Model):
    """One line of an incident's timeline; never edited.

    Kinds that the clock knows have its names: see ``issues.incidents.clock.Mark``.
    """

    class Kind(models.TextChoices):
        DETECTED = "detected"
        ALERTED = "alerted"
        ACKNOWLEDGED = "acknowledged"
        MITIGATED = "mitigated"
        RESOLVED = "resolved"
        REOPENED = "reopened"
        ESCALATED = "escalated"
        JOINED = "joined", "issue joined"
        LEFT = "left", "issue left"
        ASSIGNED = "assigned"
        CHANGED = "changed"
        ROLLBACK = "rollback"
        NOTE = "note"

    incident = models.ForeignKey(Incident, models.CASCADE, related_name="entries")
    at = models.DateTimeField()
    kind = models.CharField(max_length=12, choices=Kind.choices)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    actor = models.CharField(max_length=200)
    text = models.TextField(blank=True)
    data = models.JSONField(default=dict)

    class Meta:
        ordering = ["at", "id"]
        verbose_name_plural = "incident entries"
        indexes = [models.Index(fields=["incident", "at"], name="entry_incident")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} by {self.actor}"
