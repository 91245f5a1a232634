"""The hit list: what the team has agreed to fix, and why."""

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Now

from issues.models.issue import Issue
from tenants.models import Project


class HitRule(models.Model):
    """Puts open issues on the hit list; every condition that is set must hold."""

    name = models.CharField(max_length=100, unique=True)
    is_active = models.BooleanField(default=True)
    project = models.ForeignKey(
        Project, models.CASCADE, null=True, blank=True, help_text="Empty: every project"
    )
    min_score = models.FloatField(
        null=True,
        blank=True,
        validators=[MinValueValidator(0), MaxValueValidator(100)],
        help_text="Impact score, 0-100",
    )
    min_tenants = models.PositiveIntegerField(
        null=True, blank=True, help_text="Tenants hit within the last 60 minutes"
    )
    pattern = models.CharField(
        max_length=200,
        blank=True,
        help_text="Glob on the title or the culprit, such as *checkout*",
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True
    )
    expires_after_hours = models.PositiveIntegerField(
        default=72, validators=[MinValueValidator(1)]
    )

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                name="hitrule_has_condition",
                condition=models.Q(min_score__isnull=False)
                | models.Q(min_tenants__isnull=False)
                | ~models.Q(pattern=""),
                violation_error_message="Give a score, a number of tenants or a "
                "pattern: a rule without a condition would list everything.",
            )
        ]

    def __str__(self) -> str:
        return self.name


class HitListQuerySet(models.QuerySet["HitListEntry"]):
    def current(self) -> "HitListQuerySet":
        """Entries that stand, worst impact first: the head is next to fix."""
        return self.filter(removed_at=None).order_by("-issue__stats__exponent", "id")


class HitListEntry(models.Model):
    """An issue on the hit list, by hand or by rule, until fixed or expired."""

    issue = models.ForeignKey(Issue, models.CASCADE, related_name="hits")
    rule = models.ForeignKey(HitRule, models.SET_NULL, null=True, blank=True)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True
    )
    reason = models.CharField(max_length=500)
    added_at = models.DateTimeField(db_default=Now())
    added_by = models.CharField(max_length=200)
    expires_at = models.DateTimeField(null=True, blank=True)
    removed_at = models.DateTimeField(null=True, blank=True)
    removed_reason = models.CharField(max_length=200, blank=True)

    objects = HitListQuerySet.as_manager()

    class Meta:
        verbose_name = "hit list entry"
        verbose_name_plural = "hit list"
        constraints = [
            # An issue stands on the list once.
            models.UniqueConstraint(
                "issue",
                condition=models.Q(removed_at=None),
                name="hitlist_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.issue}: {self.reason}"
