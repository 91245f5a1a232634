"""Whom a rollback is told to, and what came of it."""

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models.functions import Now

from releases.models.deploy import Deploy
from releases.models.release import Release
from tenants.models import Project
from tenants.secrets import SecretField


class RollbackTarget(models.Model):
    """The CD of a project and environment; the most specific one is called.

    ``url`` and ``options`` depend on ``kind``, see ``releases.rollbacks.targets``.
    ``secret`` is a signing key or a token; it is encrypted at rest and never shown.
    """

    class Kind(models.TextChoices):
        WEBHOOK = "webhook", "signed webhook"
        GITHUB = "github", "GitHub workflow"
        GITLAB = "gitlab", "GitLab pipeline"
        ARGOCD = "argocd", "Argo CD"

    name = models.CharField(max_length=100, unique=True)
    project = models.ForeignKey(
        Project, models.CASCADE, null=True, blank=True, help_text="Empty: every project"
    )
    environment = models.CharField(
        max_length=64, blank=True, help_text="Empty: every environment"
    )
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.WEBHOOK)
    url = models.URLField(max_length=500)
    secret = SecretField(blank=True)
    options = models.JSONField(default=dict, blank=True)
    honours_idempotency_key = models.BooleanField(
        default=False,
        help_text="A webhook that acts once per Idempotency-Key: it is called again "
        "when no answer came.",
    )
    is_active = models.BooleanField(default=True)
    dry_run = models.BooleanField(
        default=False, help_text="Write down what would be called, and call nothing."
    )
    cool_down_minutes = models.PositiveIntegerField(
        default=30, help_text="No second rollback of an environment within this time."
    )
    max_per_day = models.PositiveIntegerField(
        default=3,
        validators=[MinValueValidator(1)],
        help_text="More rollbacks of an environment in 24 hours need a person.",
    )

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                "project",
                "environment",
                name="rollbacktarget_unique",
                nulls_distinct=False,
                violation_error_message="This project and environment have a "
                "rollback target already: change that one.",
            )
        ]

    def __str__(self) -> str:
        return self.name


class Rollback(models.Model):
    """One order to go back, from its decision to its proof.

    The row is committed as ``pending`` with the verdict, and as ``sending`` before
    each call: a process that dies leaves a state that says what is known.
    """

    class State(models.TextChoices):
        REFUSED = "refused"  # an interlock held it back: ``reason`` says which
        DRY_RUN = "dry_run", "dry run"
        PENDING = "pending"
        SENDING = "sending"
        CALLED = "called"
        FAILED = "failed"
        UNKNOWN = "unknown", "outcome unknown"
        VERIFIED = "verified"
        NOT_VERIFIED = "not_verified", "not verified"

    # The target took it: the release was rolled back.
    CALLED = (State.CALLED, State.VERIFIED, State.NOT_VERIFIED)
    # An order that stands: there is no second one beside it.
    ORDERED = (State.PENDING, State.SENDING, *CALLED)
    # The target may have heard of it.
    PERHAPS_CALLED = (State.SENDING, State.UNKNOWN, *CALLED)

    deploy = models.ForeignKey(Deploy, models.CASCADE, related_name="rollbacks")
    target = models.ForeignKey(
        RollbackTarget, models.SET_NULL, null=True, blank=True, related_name="rollbacks"
    )
    to_release = models.ForeignKey(
        Release, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    state = models.CharField(
        max_length=12, choices=State.choices, default=State.PENDING
    )
    reason = models.CharField(max_length=40, blank=True)
    explanation = models.TextField(blank=True)
    idempotency_key = models.UUIDField(unique=True)
    requested_by = models.CharField(max_length=200, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    response_status = models.PositiveIntegerField(null=True)
    response = models.TextField(blank=True)
    run_url = models.CharField(max_length=500, blank=True)
    created = models.DateTimeField(db_default=Now())
    next_try_at = models.DateTimeField(null=True)
    sending_since = models.DateTimeField(null=True)
    called_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    # The state that incidents and alerts took note of last.
    reacted_state = models.CharField(max_length=12, blank=True, default="")

    class Meta:
        ordering = ["-id"]
        constraints = [
            # One call per deploy, whoever asks for it; what was held back or failed
            # does not stand in the way of a person's order.
            models.UniqueConstraint(
                "deploy",
                condition=models.Q(
                    state__in=["pending", "sending", "called", "verified"]
                    + ["not_verified"]
                ),
                name="rollback_once",
            )
        ]
        indexes = [
            # States that nobody took note of yet.
            models.Index(
                fields=["id"],
                name="rollback_unreacted",
                condition=~models.Q(state=models.F("reacted_state")),
            ),
            # What the sender and the verifier have to do.
            models.Index(
                fields=["state", "next_try_at"],
                name="rollback_open",
                condition=models.Q(state__in=["pending", "sending", "called"]),
            ),
        ]

    def __str__(self) -> str:
        return f"rollback of {self.deploy}: {self.get_state_display()}"


class RollbackAttempt(models.Model):
    """One step of a rollback: a call, its answer, a look-up, a proof."""

    rollback = models.ForeignKey(Rollback, models.CASCADE, related_name="log")
    at = models.DateTimeField(db_default=Now())
    what = models.CharField(max_length=40)
    detail = models.TextField(blank=True)

    class Meta:
        ordering = ["rollback_id", "id"]

    def __str__(self) -> str:
        return f"{self.what}: {self.detail[:80]}"
