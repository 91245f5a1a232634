"""Monitors of periodic jobs: when they should run, how they fare, each run."""

from datetime import timedelta
from typing import Any

from django.contrib.postgres.indexes import BrinIndex
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Now

from issues.models.issue import Issue
from issues.schedules import MOST_IN_A_ROW, MOST_MINUTES, Schedule
from releases.models import Environment
from tenants.models import Project


def minutes_field(default: int, help_text: str) -> Any:
    limits = [MinValueValidator(0), MaxValueValidator(MOST_MINUTES)]
    return models.PositiveIntegerField(
        default=default, validators=limits, help_text=help_text
    )


def times_field(help_text: str) -> Any:
    limits = [MinValueValidator(1), MaxValueValidator(MOST_IN_A_ROW)]
    return models.PositiveIntegerField(
        default=1, validators=limits, help_text=help_text
    )


class Monitor(models.Model):
    """A job that should run by a schedule; made by its first check-in, or by hand.

    Its schedule is ``crontab``, else every ``interval_value`` ``interval_unit``s; with
    neither its runs are shown, and none is ever missed.
    """

    class Unit(models.TextChoices):
        MINUTE = "minute"
        HOUR = "hour"
        DAY = "day"
        WEEK = "week"
        MONTH = "month"
        YEAR = "year"

    project = models.ForeignKey(Project, models.CASCADE, related_name="monitors")
    slug = models.SlugField(max_length=50)
    name = models.CharField(max_length=100)
    crontab = models.CharField(
        max_length=100, blank=True, help_text="Such as 0 3 * * * or @daily."
    )
    interval_value = models.PositiveIntegerField("every", null=True, blank=True)
    interval_unit = models.CharField(
        "unit", max_length=10, choices=Unit.choices, blank=True
    )
    timezone = models.CharField(
        max_length=64, default="UTC", help_text="Such as Europe/Vienna."
    )
    margin_minutes = minutes_field(1, "So late a run may start before it is missed.")
    max_runtime_minutes = minutes_field(30, "A run that takes longer has timed out.")
    failure_threshold = times_field("Failed runs in a row that make an issue.")
    recovery_threshold = times_field("Good runs in a row that resolve it.")
    takes_config = models.BooleanField(
        default=True,
        help_text="SDKs may change the schedule and the limits with their check-ins.",
    )
    is_muted = models.BooleanField(
        default=False, help_text="Failures are shown, and make no issue."
    )
    is_disabled = models.BooleanField(
        default=False, help_text="Check-ins are dropped, and nothing is missed."
    )
    config_problem = models.CharField(max_length=300, blank=True, editable=False)
    created = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["project_id", "slug"]
        constraints = [
            models.UniqueConstraint("project", "slug", name="monitor_unique"),
            models.CheckConstraint(
                name="monitor_one_schedule",
                condition=models.Q(interval_value=None, interval_unit="")
                | (
                    models.Q(crontab="", interval_value__gte=1)
                    & ~models.Q(interval_unit="")
                ),
                violation_error_message="Give a crontab, or an interval with a number "
                "and a unit, or neither.",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def schedule(self) -> Schedule:
        return Schedule(
            self.crontab, self.interval_value or 0, self.interval_unit, self.timezone
        )

    @property
    def margin(self) -> timedelta:
        return timedelta(minutes=self.margin_minutes)

    @property
    def max_runtime(self) -> timedelta:
        return timedelta(minutes=self.max_runtime_minutes)


class CheckInStatus(models.TextChoices):
    """``unknown``: rush_monitor was away when the run was due or ended."""

    IN_PROGRESS = "in_progress", "in progress"
    OK = "ok", "ok"
    ERROR = "error", "failed"
    MISSED = "missed", "missed"
    TIMEOUT = "timeout", "timed out"
    UNKNOWN = "unknown", "unknown"


class MonitorEnvironment(models.Model):
    """A monitor in one environment: how it fares, and when the next run is due.

    ``failures`` and ``recoveries`` are runs in a row, the latter while it fails.
    ``failing_since`` is set from the failure threshold on until it has recovered.
    ``reported_event`` is the last event that was made of a failure and is not yet an
    event of ``issue``. ``resolves`` asks for the issue to be resolved.
    """

    monitor = models.ForeignKey(Monitor, models.CASCADE, related_name="environments")
    environment = models.ForeignKey(Environment, models.CASCADE, related_name="+")
    last_status = models.CharField(
        max_length=11, choices=CheckInStatus.choices, blank=True
    )
    last_check_in = models.DateTimeField(null=True)
    running_since = models.DateTimeField(null=True)
    expected_at = models.DateTimeField(null=True)
    missed_at = models.DateTimeField(null=True)  # expected_at and the margin
    failures = models.IntegerField(default=0)
    recoveries = models.IntegerField(default=0)
    failing_since = models.DateTimeField(null=True)
    # Runs that began in the newest minute of receipt: a bound for forged ones.
    minute = models.DateTimeField(null=True)
    minute_runs = models.SmallIntegerField(default=0)
    issue = models.ForeignKey(
        Issue, models.SET_NULL, null=True, related_name="monitor_environments"
    )
    reported_event = models.UUIDField(null=True)
    resolves = models.BooleanField(default=False)

    class Meta:
        ordering = ["environment__name"]
        constraints = [
            models.UniqueConstraint(
                "monitor", "environment", name="monitor_environment_unique"
            )
        ]
        # What the tick looks for: runs that may be missed, issues to resolve.
        indexes = [
            models.Index(
                fields=["missed_at"],
                name="monitor_missed",
                condition=models.Q(missed_at__isnull=False),
            ),
            models.Index(
                fields=["id"],
                name="monitor_resolves",
                condition=models.Q(resolves=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.monitor} in {self.environment}"


class CheckIn(models.Model):
    """One run, by the client's id; a missed one gets an id of its own.

    ``started`` is by our clock; for a missed run it is when that was due. ``duration``
    is in seconds, as the client says, else from start to end.
    """

    monitor_environment = models.ForeignKey(
        MonitorEnvironment, models.CASCADE, related_name="check_ins"
    )
    check_in_id = models.UUIDField()
    status = models.CharField(max_length=11, choices=CheckInStatus.choices)
    started = models.DateTimeField()
    finished = models.DateTimeField(null=True)
    duration = models.FloatField(null=True)
    expected_at = models.DateTimeField(null=True)
    timeout_at = models.DateTimeField(null=True)  # null once it has ended
    release = models.CharField(max_length=250, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                "monitor_environment", "check_in_id", name="check_in_unique"
            )
        ]
        indexes = [
            # The newest runs of a monitor.
            models.Index(fields=["monitor_environment", "-id"], name="check_in_newest"),
            models.Index(
                fields=["timeout_at"],
                name="check_in_timeout",
                condition=models.Q(timeout_at__isnull=False),
            ),
            BrinIndex(fields=["started"], name="check_in_retention"),
        ]

    def __str__(self) -> str:
        return f"{self.get_status_display()} at {self.started:%Y-%m-%d %H:%M:%S}"


class MonitorClock(models.Model):
    """One row: when the tick last looked, and since when without a pause.

    A run that was due before ``watching_since`` may have checked in while nobody was
    there to hear it.
    """

    ticked = models.DateTimeField()
    watching_since = models.DateTimeField()

    def __str__(self) -> str:
        return f"watching since {self.watching_since:%Y-%m-%d %H:%M}"
