"""Who is told: channels, and each message on its way to one."""

from uuid import uuid4

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from tenants.secrets import SecretField


class ChannelQuerySet(models.QuerySet["Channel"]):
    def usable(self) -> "ChannelQuerySet":
        """Those that messages go to."""
        return self.filter(is_active=True)


class Channel(models.Model):
    """A place where people read: its kind knows what ``config`` and ``secret`` mean.

    ``secret`` (a token, a URL that is one, a signing key) and ``signing_secret`` are
    encrypted at rest and never shown. A channel that refuses for good switches itself
    off and says why.
    """

    class Kind(models.TextChoices):
        SLACK = "slack", "Slack app"
        SLACK_WEBHOOK = "slack_webhook", "Slack incoming webhook"
        EMAIL = "email", "e-mail"
        WEBHOOK = "webhook", "signed webhook"
        TEAMS = "teams", "Microsoft Teams"
        DISCORD = "discord", "Discord"
        PAGERDUTY = "pagerduty", "PagerDuty"

    name = models.CharField(max_length=100, unique=True)
    kind = models.CharField(max_length=20, choices=Kind.choices)
    config = models.JSONField(default=dict, blank=True)
    secret = SecretField(blank=True)
    # Of a Slack app: with it, buttons of its messages call us back.
    signing_secret = SecretField(blank=True, default="")
    # Set for the mail of one person, which rules may name.
    person = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        null=True,
        blank=True,
        editable=False,
        related_name="channel",
    )
    hears_trouble = models.BooleanField(
        "is told of rush_monitor's own trouble",
        default=False,
        help_text="Such as another channel that no longer takes messages.",
    )
    is_active = models.BooleanField(default=True)
    disabled_reason = models.TextField(blank=True, editable=False)
    disabled_at = models.DateTimeField(null=True, blank=True, editable=False)
    # A channel that said "not so fast" is left alone until then.
    paused_until = models.DateTimeField(null=True, blank=True, editable=False)
    created = models.DateTimeField(db_default=Now(), editable=False)

    objects = ChannelQuerySet.as_manager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Delivery(models.Model):
    """One message for one channel, from its cause to the channel's answer.

    ``subject`` (such as ``incident:7``) and ``state_key`` (what happened to it) are
    unique in a channel: the same cause never makes a second message. Rows of a subject
    are sent in order. Committed as ``sending`` before each request, so that a process
    that dies leaves a state that says what is known.
    """

    class State(models.TextChoices):
        PENDING = "pending"
        SENDING = "sending"
        SENT = "sent"
        SKIPPED = "skipped"  # a newer edit says more, or the channel is off
        FAILED = "failed"  # surely not there
        UNKNOWN = "unknown", "outcome unknown"  # perhaps there

    UNFINISHED = (State.PENDING, State.SENDING)
    TROUBLE = (State.FAILED, State.UNKNOWN)

    channel = models.ForeignKey(Channel, models.CASCADE, related_name="deliveries")
    subject = models.CharField(max_length=100)
    state_key = models.CharField(max_length=100)
    key = models.UUIDField(unique=True, default=uuid4)
    message = models.JSONField()
    thread = models.BooleanField(default=False)
    state = models.CharField(
        max_length=10, choices=State.choices, default=State.PENDING
    )
    attempts = models.PositiveIntegerField(default=0)
    in_doubt = models.BooleanField(default=False)  # an attempt may have arrived
    next_try_at = models.DateTimeField(null=True)
    response_status = models.PositiveIntegerField(null=True)
    response = models.TextField(blank=True)
    told = models.TextField(blank=True)  # what came of it, in a sentence
    external_id = models.CharField(max_length=300, blank=True)
    created = models.DateTimeField()
    # Since when it is tried: later than ``created`` when a person sent it again.
    queued_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "deliveries"
        constraints = [
            models.UniqueConstraint(
                "channel", "subject", "state_key", name="delivery_once"
            )
        ]
        indexes = [
            # What the sender has to do, by channel and in order.
            models.Index(
                fields=["channel", "subject", "id"],
                name="delivery_unfinished",
                condition=models.Q(state__in=["pending", "sending"]),
            ),
            # What was told of an incident.
            models.Index(fields=["subject", "id"], name="delivery_subject"),
            # What the overview warns of.
            models.Index(
                fields=["finished_at"],
                name="delivery_trouble",
                condition=models.Q(state__in=["failed", "unknown"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subject} {self.state_key} to {self.channel}"
