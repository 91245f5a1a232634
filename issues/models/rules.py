"""Rules that a team sets: how to group, and which paths weigh more."""

from django.core.validators import MinValueValidator
from django.db import models

from tenants.models import Project


class FingerprintRule(models.Model):
    """One line of grouping policy; the first rule that matches decides."""

    project = models.ForeignKey(
        Project, models.CASCADE, null=True, blank=True, help_text="Empty: every project"
    )
    position = models.IntegerField(default=0)
    rule = models.CharField(
        max_length=500,
        help_text='Such as error.type:TimeoutError tags.carrier:dhl -> "dhl is slow"',
    )
    is_active = models.BooleanField(default=True)

    class Meta:
        ordering = ["position", "id"]

    def __str__(self) -> str:
        return self.rule


class PathRule(models.Model):
    """Paths that weigh more (checkout, tracking) or less (health checks)."""

    project = models.ForeignKey(
        Project, models.CASCADE, null=True, blank=True, help_text="Empty: every project"
    )
    position = models.IntegerField(default=0)
    pattern = models.CharField(
        max_length=200,
        help_text="Glob on the transaction or the URL's path, such as */checkout*",
    )
    weight = models.FloatField(default=2.0, validators=[MinValueValidator(0.0)])

    class Meta:
        ordering = ["position", "id"]

    def __str__(self) -> str:
        return f"{self.pattern} × {self.weight:g}"
