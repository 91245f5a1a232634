"""Alert rules: of what people are told, whom, and how."""

from datetime import time
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone

from issues.models.incident import Severity
from issues.models.zones import validate_time_zone
from tenants.levels import Level
from tenants.models import Channel, Plan, Project
from tenants.patterns import PatternError, parse_glob

MOST_MINUTES = 24 * 60
HIGHEST = 10_000_000  # of thresholds


def validate_glob(pattern: str) -> None:
    """Accept what the judgement can read, so that a saved rule works."""
    try:
        parse_glob(pattern)
    except PatternError as error:
        raise ValidationError(str(error)) from error


def _glob(help_text: str, label: str | None = None) -> "models.CharField[str, str]":
    return models.CharField(
        label,
        max_length=200,
        blank=True,
        validators=[validate_glob],
        help_text=help_text,
    )


class When(models.TextChoices):
    """What a rule can be about."""

    NEW_ISSUE = "new_issue", "an issue is new"
    REGRESSION = "regression", "a resolved issue comes back"
    IMPACT = "impact", "the impact of an issue is at least"
    TENANTS = "tenants", "an issue hits at least so many tenants"
    HIT_LIST = "hit_list", "an entry of the hit list outlives its time"
    EVENTS = "events", "events of an environment are at least"
    UNUSUAL = "unusual", "events are so much above the usual"
    CRASH_FREE = "crash_free", "crash-free sessions fall below"
    CRASH_FREE_USERS = "crash_free_users", "crash-free users today fall below"
    VERDICT = "verdict", "a deploy is degraded or inconclusive"
    ROLLBACK = "rollback", "a rollback ends, or its outcome is unknown"
    MONITOR = "monitor", "a monitored job is missed, late or fails"
    INGEST_LAG = "ingest_lag", "the oldest event that waits is older than"


# What each kind knows of, and so may be asked for.
OF_ISSUES = ("new_issue", "regression", "impact", "tenants", "hit_list")
OF_RELEASES = (
    *(*OF_ISSUES, "events", "crash_free", "crash_free_users"),
    *("verdict", "rollback"),
)
OF_PLACES = (*OF_RELEASES, "unusual", "monitor")
# Those that count within minutes, and those that compare with a threshold.
SPANS = ("tenants", "events", "unusual", "crash_free")
COMPARES = ("impact", *SPANS, "crash_free_users", "ingest_lag")
PERCENT = ("impact", "crash_free", "crash_free_users")  # or of 100


def _check(name: str, condition: Q, complaint: str) -> models.CheckConstraint:
    return models.CheckConstraint(
        name=f"alertrule_{name}",
        condition=condition,
        violation_error_message=complaint,
    )


class AlertRule(models.Model):
    """When something happens, if it is of this kind, then these people are told.

    ``threshold`` and ``minutes`` mean what ``when`` says: see
    ``issues.alerts.conditions``. Conditions that are empty always hold; those that
    ``when`` cannot ask are refused. It tells of nothing from before ``asks_since``:
    when it was switched on, or began to ask for this kind; null: when it was made.
    What happened until ``looked_until`` was looked at.
    """

    When = When

    name = models.CharField(max_length=100, unique=True)
    is_active = models.BooleanField(default=True)
    when = models.CharField(max_length=20, choices=When.choices)
    threshold = models.FloatField(
        null=True,
        blank=True,
        validators=[MaxValueValidator(HIGHEST)],
        help_text="Impact 0-100; tenants; events; percent above the usual; crash-free "
        "percent; hours on the hit list (empty: only when it expires); seconds of lag.",
    )
    minutes = models.PositiveIntegerField(
        "within minutes",
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_MINUTES)],
        help_text="For tenants, events, the usual and crash-free sessions.",
    )

    project = models.ForeignKey(
        Project, models.CASCADE, null=True, blank=True, help_text="Empty: every project"
    )
    environment = _glob("Such as production or prod-*. Empty: every one.")
    min_level = models.SmallIntegerField(
        "from level", choices=Level.choices, default=Level.DEBUG
    )
    tag_key = models.CharField("tag", max_length=200, blank=True)
    tag_value = _glob("Such as dhl*. Empty: any value.", "value of the tag")
    tenant = _glob("Key of a tenant that is hit, or such as *.example.com")
    # PROTECT: without its plan the rule would hold for every tenant.
    plan = models.ForeignKey(
        Plan,
        models.PROTECT,
        null=True,
        blank=True,
        help_text="A tenant on this plan is hit",
    )
    release = _glob("Such as shop@2.*")
    path = _glob("On the transaction, the culprit or the URL, such as */checkout*")

    needs_channels = True
    channels = models.ManyToManyField(Channel, blank=True)
    people = models.ManyToManyField(
        settings.AUTH_USER_MODEL, blank=True, help_text="Told by mail."
    )
    severity = models.CharField(
        max_length=10,
        choices=Severity.choices,
        default=Severity.HIGH,
        help_text="Of its messages, and of the incident that it opens.",
    )
    opens_incident = models.BooleanField(
        default=False,
        help_text="One while it lasts; what comes then joins it. Channels and people "
        "hear of the incident instead of each alert.",
    )
    repeat_minutes = models.PositiveIntegerField(
        "told again after minutes",
        default=60,
        validators=[MinValueValidator(1), MaxValueValidator(7 * MOST_MINUTES)],
        help_text="Of the same issue, environment or job nothing is told before.",
    )
    digest_minutes = models.PositiveIntegerField(
        "collected for minutes",
        default=0,
        validators=[MaxValueValidator(7 * MOST_MINUTES)],
        help_text="0: told at once. Else one message tells of all within this time.",
    )
    quiet_from: "models.TimeField[time | None, time | None]" = models.TimeField(
        null=True,
        blank=True,
        help_text="What comes in quiet hours is told in one message at their end.",
    )
    quiet_until: "models.TimeField[time | None, time | None]" = models.TimeField(
        null=True, blank=True
    )
    quiet_timezone = models.CharField(
        "time zone",
        max_length=64,
        default="UTC",
        validators=[validate_time_zone],
        help_text="Such as Europe/Vienna.",
    )
    ignores_quiet_hours = models.BooleanField(
        "tells in quiet hours, too",
        default=False,
        help_text="For rules that open critical incidents.",
    )
    created = models.DateTimeField(db_default=Now(), editable=False)
    asks_since = models.DateTimeField(null=True, editable=False)
    looked_until = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["name"]
        constraints = [
            _check(
                "threshold",
                ~Q(when__in=COMPARES) | Q(threshold__isnull=False),
                "Give the threshold that this rule compares with.",
            ),
            _check(
                "no_threshold",
                Q(when__in=[*COMPARES, "hit_list"]) | Q(threshold__isnull=True),
                "This rule compares with no threshold: leave it empty.",
            ),
            _check(
                "threshold_range",
                Q(threshold__isnull=True)
                | Q(threshold__gt=0, threshold__lte=HIGHEST)
                & (~Q(when__in=PERCENT) | Q(threshold__lte=100)),
                "The threshold is above 0 and at most 10,000,000; that of impact and "
                "of crash-free sessions and users is at most 100.",
            ),
            _check(
                "usual_hour",
                ~Q(when="unusual") | Q(minutes__lte=60),
                "The usual is that of an hour: give at most 60 minutes.",
            ),
            _check(
                "minutes",
                Q(when__in=SPANS, minutes__isnull=False)
                | ~Q(when__in=SPANS) & Q(minutes__isnull=True),
                "Give the minutes within which tenants, events or sessions are "
                "counted; leave them empty for all else.",
            ),
            _check(
                "asks_issue",
                Q(when__in=OF_ISSUES)
                | Q(min_level=Level.DEBUG, tag_key="", tenant="", plan=None, path=""),
                "Level, tag, tenant, plan and path are asked of issues only: leave "
                "them empty here.",
            ),
            _check(
                "asks_release",
                Q(when__in=OF_RELEASES) | Q(release=""),
                "This rule knows of no release: leave it empty.",
            ),
            _check(
                "asks_place",
                Q(when__in=OF_PLACES) | Q(project=None, environment=""),
                "Events wait in one line for all projects: leave project and "
                "environment empty.",
            ),
            _check(
                "tag",
                Q(tag_value="") | ~Q(tag_key=""),
                "Name the tag that has this value.",
            ),
            _check(
                "quiet",
                Q(quiet_from=None, quiet_until=None)
                | Q(quiet_from__isnull=False, quiet_until__isnull=False)
                & ~Q(quiet_from=F("quiet_until")),
                "Give both ends of the quiet hours, and two different ones; or "
                "neither.",
            ),
            _check(
                "loud",
                Q(ignores_quiet_hours=False)
                | Q(opens_incident=True, severity="critical"),
                "Only a rule that opens critical incidents may tell in quiet hours.",
            ),
            _check(
                "digest",
                Q(opens_incident=False) | Q(digest_minutes=0),
                "A rule that opens incidents tells at once: collect for 0 minutes.",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        before = AlertRule.objects.filter(pk=self.pk).first()
        if before and self.is_active and not before.asks(self.when):
            self.asks_since = timezone.now()
        super().save(*args, **kwargs)

    def asks(self, when: str) -> bool:
        """Whether it is on and about this."""
        return self.is_active and self.when == when
