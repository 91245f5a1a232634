"""How much worse a release may be, and what happens when it is."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from tenants.models import Project


class Action(models.TextChoices):
    """What a degraded verdict does."""

    OBSERVE = "observe", "observe"
    ALERT = "alert", "alert"
    ROLLBACK = "rollback", "roll back"


class Threshold(models.Model):
    """The limits of one project and environment; the most specific one holds.

    Defaults are those of reference/verdict.md, section 2.8. Rates are errors per unit
    of exposure (0-1), times are minutes.
    """

    project = models.ForeignKey(
        Project, models.CASCADE, null=True, blank=True, help_text="Empty: every project"
    )
    environment = models.CharField(
        max_length=64, blank=True, help_text="Empty: every environment"
    )
    ratio = models.FloatField(
        default=1.5,
        validators=[MinValueValidator(1.05), MaxValueValidator(100)],
        help_text="Degraded from this multiple of the baseline's error rate.",
    )
    tolerated_drift = models.FloatField(
        default=1.1,
        validators=[MinValueValidator(1.0), MaxValueValidator(10)],
        help_text="A rise up to this multiple is nobody's fault: 1.0 is sensitive, "
        "1.25 cautious.",
    )
    floor = models.FloatField(
        default=0.0005,
        validators=[MinValueValidator(0.0), MaxValueValidator(1.0)],
        help_text="Never degraded below this error rate (0.0005 is 0.05 %).",
    )
    confidence = models.FloatField(
        default=0.99,
        validators=[MinValueValidator(0.5), MaxValueValidator(0.99999)],
        help_text="0-1; 1 minus this is the chance of a false alarm that you accept.",
    )
    min_events = models.PositiveIntegerField(default=5)
    min_tenants = models.PositiveIntegerField(default=3)
    grace_minutes = models.PositiveIntegerField(
        default=2,
        validators=[MaxValueValidator(30)],
        help_text="The first minutes do not count: longer than the noise of a restart.",
    )
    window_minutes = models.PositiveIntegerField(
        default=60, validators=[MinValueValidator(3), MaxValueValidator(720)]
    )
    guard_new_issue = models.BooleanField(
        default=True, help_text="One new issue that hits several tenants is enough."
    )
    guard_tenant = models.BooleanField(
        default=True, help_text="New issues that keep hitting one tenant are enough."
    )
    outside_control = models.BooleanField(
        default=True,
        help_text="Compare with projects that did not deploy: a rise that they share "
        "is not this release's.",
    )
    action = models.CharField(
        max_length=10, choices=Action.choices, default=Action.ALERT
    )

    class Meta:
        ordering = ["project__name", "environment"]
        constraints = [
            models.UniqueConstraint(
                "project",
                "environment",
                name="threshold_unique",
                nulls_distinct=False,
                violation_error_message="This project and environment have a "
                "threshold already: change that one.",
            ),
            models.CheckConstraint(
                name="threshold_drift_below_ratio",
                condition=models.Q(tolerated_drift__lte=models.F("ratio")),
                violation_error_message="The tolerated drift must not be above the "
                "ratio.",
            ),
            models.CheckConstraint(
                name="threshold_window_after_grace",
                condition=models.Q(window_minutes__gte=models.F("grace_minutes") + 2),
                violation_error_message="The window must be at least two minutes "
                "longer than the grace.",
            ),
        ]

    def __str__(self) -> str:
        place = self.environment or "every environment"
        return f"{self.project or 'every project'}, {place}"
