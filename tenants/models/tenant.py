"""Who is hit: tenants and the plans that weigh them."""

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models.functions import Now

UNKNOWN_TENANT = "(unknown)"


class Plan(models.Model):
    """A price plan; its weight says how much one tenant on it counts."""

    name = models.CharField(max_length=100, unique=True)
    weight = models.FloatField(default=1.0, validators=[MinValueValidator(0.0)])

    class Meta:
        ordering = ["-weight", "name"]

    def __str__(self) -> str:
        return self.name


class Tenant(models.Model):
    """A shop, brand or organization that uses the product, over all projects.

    ``weight`` = plan weight (1 without a plan) × ``weight_factor``.
    """

    class Source(models.TextChoices):
        EVENT = "event", "seen in an event"
        IMPORT = "import", "imported"

    key = models.CharField(max_length=200, unique=True)
    name = models.CharField(max_length=200, blank=True)
    plan = models.ForeignKey(Plan, models.SET_NULL, null=True, blank=True)
    weight_factor = models.FloatField(default=1.0, validators=[MinValueValidator(0.0)])
    monthly_revenue = models.DecimalField(
        max_digits=12, decimal_places=2, null=True, blank=True
    )
    installed_at = models.DateTimeField(null=True, blank=True)
    uninstalled_at = models.DateTimeField(null=True, blank=True)
    source = models.CharField(
        max_length=10, choices=Source.choices, default=Source.EVENT, editable=False
    )
    first_seen = models.DateTimeField(db_default=Now(), editable=False)
    last_seen = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["key"]
        # Active tenants (seen within 24 h) are the denominator of every score.
        indexes = [models.Index(fields=["-last_seen"], name="tenant_last_seen")]

    def __str__(self) -> str:
        return self.name or self.key

    @property
    def weight(self) -> float:
        return (self.plan.weight if self.plan else 1.0) * self.weight_factor
