"""Alert rules: of what people are told, and each alert that came of one."""

from datetime import time

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Now

from issues.models.incident import Severity
from issues.models.issue import Issue
from issues.schedules import ScheduleError, zone_named
from tenants.levels import Level
from tenants.models import Channel, Plan, Project
from tenants.patterns import PatternError, parse_glob

MOST_MINUTES = 24 * 60


def validate_glob(pattern: str) -> None:
    """Accept what the judgement can read, so that a saved rule works."""
    try:
        parse_glob(pattern)
    except PatternError as error:
        raise ValidationError(str(error)) from error


def validate_timezone(name: str) -> None:
    try:
        zone_named(name)
    except ScheduleError as error:
        raise ValidationError(f"{error}.") from error


def _glob(help_text: str, label: str | None = None) -> "models.CharField[str, str]":
    return models.CharField(
        label,
        max_length=200,
        blank=True,
        validators=[validate_glob],
        help_text=help_text,
    )


class AlertRule(models.Model):
    """When something happens, if it is of this kind, then these people are told.

    ``threshold`` and ``minutes`` mean what ``when`` says: see
    ``issues.alerts.conditions``. Conditions that are empty always hold; those that
    ``when`` cannot ask are refused. ``created`` bounds how far back it looks.
    """

    class When(models.TextChoices):
        NEW_ISSUE = "new_issue", "an issue is new"
        REGRESSION = "regression", "a resolved issue comes back"
        IMPACT = "impact", "the impact of an issue is at least"
        TENANTS = "tenants", "an issue hits at least so many tenants"
        HIT_LIST = "hit_list", "an entry of the hit list outlives its time"
        EVENTS = "events", "events of an environment are at least"
        UNUSUAL = "unusual", "events are so much above the usual"
        CRASH_FREE = "crash_free", "crash-free sessions fall below"
        VERDICT = "verdict", "a deploy is degraded or inconclusive"
        ROLLBACK = "rollback", "a rollback ends, or its outcome is unknown"
        MONITOR = "monitor", "a monitored job is missed, late or fails"
        INGEST_LAG = "ingest_lag", "the oldest event that waits is older than"

    # What each kind knows of, and so may be asked for.
    OF_ISSUES = (
        When.NEW_ISSUE,
        When.REGRESSION,
        When.IMPACT,
        When.TENANTS,
        When.HIT_LIST,
    )
    OF_RELEASES = (
        *OF_ISSUES,
        *(When.EVENTS, When.CRASH_FREE, When.VERDICT, When.ROLLBACK),
    )
    OF_PLACES = (*OF_RELEASES, When.UNUSUAL, When.MONITOR)
    SPANS = (When.TENANTS, When.EVENTS, When.UNUSUAL, When.CRASH_FREE)
    COMPARES = (When.IMPACT, *SPANS, When.INGEST_LAG)

    name = models.CharField(max_length=100, unique=True)
    is_active = models.BooleanField(default=True)
    when = models.CharField(max_length=12, choices=When.choices)
    threshold = models.FloatField(
        null=True,
        blank=True,
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
        validators=[validate_timezone],
        help_text="Such as Europe/Vienna.",
    )
    ignores_quiet_hours = models.BooleanField(
        "tells in quiet hours, too",
        default=False,
        help_text="For rules that open critical incidents.",
    )
    created = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                name="alertrule_threshold",
                condition=~models.Q(
                    when__in=["impact", "tenants", "events", "unusual"]
                    + ["crash_free", "ingest_lag"]
                )
                | models.Q(threshold__isnull=False),
                violation_error_message="Give the threshold that this rule compares "
                "with.",
            ),
            models.CheckConstraint(
                name="alertrule_no_threshold",
                condition=~models.Q(
                    when__in=["new_issue", "regression", "verdict", "rollback"]
                    + ["monitor"]
                )
                | models.Q(threshold__isnull=True),
                violation_error_message="This rule compares with no threshold: leave "
                "it empty.",
            ),
            models.CheckConstraint(
                name="alertrule_threshold_range",
                condition=models.Q(threshold__isnull=True)
                | (
                    models.Q(threshold__gt=0)
                    & (
                        ~models.Q(when__in=["impact", "crash_free"])
                        | models.Q(threshold__lte=100)
                    )
                ),
                violation_error_message="The threshold is above 0; that of impact and "
                "of crash-free sessions is at most 100.",
            ),
            models.CheckConstraint(
                name="alertrule_minutes",
                condition=models.Q(
                    models.Q(when__in=["tenants", "events", "unusual", "crash_free"]),
                    minutes__isnull=False,
                )
                | models.Q(
                    ~models.Q(when__in=["tenants", "events", "unusual", "crash_free"]),
                    minutes__isnull=True,
                ),
                violation_error_message="Give the minutes within which tenants, events "
                "or sessions are counted; leave them empty for all else.",
            ),
            models.CheckConstraint(
                name="alertrule_asks_issue",
                condition=models.Q(
                    when__in=["new_issue", "regression", "impact", "tenants"]
                    + ["hit_list"]
                )
                | models.Q(
                    min_level=Level.DEBUG,
                    tag_key="",
                    tenant="",
                    plan=None,
                    path="",
                ),
                violation_error_message="Level, tag, tenant, plan and path are asked "
                "of issues only: leave them empty here.",
            ),
            models.CheckConstraint(
                name="alertrule_asks_release",
                condition=~models.Q(when__in=["unusual", "monitor", "ingest_lag"])
                | models.Q(release=""),
                violation_error_message="This rule knows of no release: leave it "
                "empty.",
            ),
            models.CheckConstraint(
                name="alertrule_asks_place",
                condition=~models.Q(when="ingest_lag")
                | models.Q(project=None, environment=""),
                violation_error_message="Events wait in one line for all projects: "
                "leave project and environment empty.",
            ),
            models.CheckConstraint(
                name="alertrule_tag",
                condition=models.Q(tag_value="") | ~models.Q(tag_key=""),
                violation_error_message="Name the tag that has this value.",
            ),
            models.CheckConstraint(
                name="alertrule_quiet",
                condition=models.Q(quiet_from=None, quiet_until=None)
                | (
                    models.Q(quiet_from__isnull=False, quiet_until__isnull=False)
                    & ~models.Q(quiet_from=models.F("quiet_until"))
                ),
                violation_error_message="Give both ends of the quiet hours, and two "
                "different ones; or neither.",
            ),
            models.CheckConstraint(
                name="alertrule_loud",
                condition=models.Q(ignores_quiet_hours=False)
                | models.Q(opens_incident=True, severity="critical"),
                violation_error_message="Only a rule that opens critical incidents "
                "may tell in quiet hours.",
            ),
            models.CheckConstraint(
                name="alertrule_digest",
                condition=models.Q(opens_incident=False) | models.Q(digest_minutes=0),
                violation_error_message="A rule that opens incidents tells at once: "
                "collect for 0 minutes.",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Alert(models.Model):
    """That a rule found a cause; never deleted before its time, however it was told.

    ``cause`` is unique in its rule, such as ``regression:81``; ``about`` is what stays
    the same when it happens again, such as ``issue:12``. ``message`` is the subject of
    what told it: ``alert:<rule>:<n>``, or ``incident:<n>``. ``incident_cause`` names
    the incident that it belongs to, where its rule opens one.
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
