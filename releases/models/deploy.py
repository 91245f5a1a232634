"""A release shipped to an environment, and what was made of it."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Now

from releases.models.release import Environment, Release
from releases.models.threshold import Action, Threshold
from tenants.models import Project


class Deploy(models.Model):
    """That CI shipped a release; its watch says how it went.

    ``traffic_share`` is the part of the traffic that a canary gets (0-1); null: all.
    ``irreversible`` deploys (such as those that migrated data) are never rolled back.
    ``rollback`` is set on the deploy that carries out a rollback.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="deploys")
    release = models.ForeignKey(Release, models.CASCADE, related_name="deploys")
    environment = models.ForeignKey(Environment, models.CASCADE, related_name="deploys")
    name = models.CharField(max_length=200, blank=True)
    url = models.URLField(max_length=500, blank=True)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    created = models.DateTimeField(db_default=Now(), editable=False)
    created_by = models.CharField(max_length=200, blank=True, editable=False)
    traffic_share = models.FloatField(
        null=True,
        blank=True,
        validators=[MinValueValidator(0.001), MaxValueValidator(1.0)],
        help_text="Part of the traffic that a canary gets, 0-1. Empty: all of it.",
    )
    irreversible = models.BooleanField(
        default=False, help_text="Never rolled back, such as after a data migration."
    )
    idempotency_key = models.CharField(max_length=200, blank=True, editable=False)
    rollback = models.ForeignKey(
        "releases.Rollback",
        models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="deploys",
    )

    class Meta:
        ordering = ["-started_at", "-id"]
        constraints = [
            # A pipeline that posts again gets the row it made.
            models.UniqueConstraint(
                "project",
                "idempotency_key",
                condition=~models.Q(idempotency_key=""),
                name="deploy_idempotent",
            )
        ]
        # Which deploys an environment had, newest first: baselines, superseding.
        indexes = [
            models.Index(
                fields=["environment", "-started_at"], name="deploy_environment"
            )
        ]

    def __str__(self) -> str:
        return f"{self.release} to {self.environment}"


class Watch(models.Model):
    """The judgement of one deploy while it forms, and once it is final.

    ``settings`` is the threshold as it stood when the watch opened,
    ``baseline_numbers`` what the baseline's history said, ``numbers`` the newest
    evaluation: see ``releases.look`` and ``releases.conclude``. ``source`` is the only
    denominator used.
    A verdict other than pending is final.
    """

    class Verdict(models.TextChoices):
        PENDING = "pending"
        HEALTHY = "healthy"
        DEGRADED = "degraded"
        INCONCLUSIVE = "inconclusive"

    class Source(models.TextChoices):
        """What counts as exposure."""

        TRAFFIC = "traffic", "posted traffic"
        SESSIONS = "sessions", "sessions"
        REQUESTS = "requests", "transactions"
        NONE = "none", "no denominator"

    deploy = models.OneToOneField(
        Deploy, models.CASCADE, primary_key=True, related_name="watch"
    )
    verdict = models.CharField(
        max_length=12, choices=Verdict.choices, default=Verdict.PENDING
    )
    reason = models.CharField(max_length=40, blank=True)
    action = models.CharField(max_length=10, choices=Action.choices, blank=True)
    sentence = models.TextField(blank=True)
    source = models.CharField(max_length=10, choices=Source.choices, blank=True)
    baseline = models.ForeignKey(
        Release, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    threshold = models.ForeignKey(Threshold, models.SET_NULL, null=True, blank=True)
    settings = models.JSONField(default=dict)
    baseline_numbers = models.JSONField(default=dict)
    numbers = models.JSONField(default=dict)
    suspects = models.JSONField(default=list)
    opened_at = models.DateTimeField()
    # The first minute in which the release was seen to serve; null until then.
    serving_since = models.DateTimeField(null=True)
    due_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)
    # When incidents and alerts took note of the final verdict.
    reacted_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "watches"
        indexes = [
            # The tick asks for open watches that are due.
            models.Index(
                fields=["due_at"],
                name="watch_due",
                condition=models.Q(verdict="pending"),
            ),
            # Final verdicts that nobody took note of yet.
            models.Index(
                fields=["decided_at"],
                name="watch_unreacted",
                condition=models.Q(decided_at__isnull=False, reacted_at=None),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.deploy}: {self.verdict}"

    @property
    def is_final(self) -> bool:
        return self.verdict != self.Verdict.PENDING


class Evaluation(models.Model):
    """One look at a watch: what the numbers were, and what they said."""

    watch = models.ForeignKey(Watch, models.CASCADE, related_name="evaluations")
    at = models.DateTimeField()
    minutes = models.IntegerField()  # closed minutes since the release serves
    errors = models.IntegerField()
    exposure = models.FloatField()
    ratio = models.FloatField(null=True)
    log_evidence = models.FloatField(default=0.0)
    numbers = models.JSONField(default=dict)

    class Meta:
        ordering = ["watch_id", "at"]
        indexes = [
            models.Index(fields=["watch", "at"], name="evaluation_watch"),
            # Retention.
            models.Index(fields=["at"], name="evaluation_at"),
        ]

    def __str__(self) -> str:
        return f"minute {self.minutes}: ratio {self.ratio}"
