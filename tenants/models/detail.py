"""How much of an event is kept, by level, tenant, tag and age of the release."""

from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from tenants.detail import DETAILS, Detail, Rule
from tenants.levels import Level
from tenants.models.project import Project
from tenants.models.tenant import Plan
from tenants.names import tenant_key


def last_position() -> int:
    """Where a new rule stands: after the others."""
    last = DetailRule.objects.aggregate(last=models.Max("position"))["last"]
    return (last or 0) + 1


class DetailRule(models.Model):
    """One rule of an ordered list; the first that matches an event decides.

    Empty conditions hold always. Texts are patterns: ``*`` stands for any characters.
    """

    name = models.CharField(max_length=100)
    position = models.IntegerField(
        default=last_position,
        help_text="The first rule in this order that matches decides.",
    )
    is_active = models.BooleanField(default=True)

    project = models.ForeignKey(
        Project, models.CASCADE, null=True, blank=True, help_text="Empty: every project"
    )
    environment = models.CharField(
        max_length=64, blank=True, help_text="Such as staging or preview-*"
    )
    min_level = models.SmallIntegerField(
        "from level", choices=Level.choices, default=Level.DEBUG
    )
    max_level = models.SmallIntegerField(
        "to level", choices=Level.choices, default=Level.FATAL
    )
    tenant = models.CharField(
        max_length=200, blank=True, help_text="Key of a tenant, or such as *.test"
    )
    # PROTECT: without its plan the rule would hold for every tenant.
    plan = models.ForeignKey(
        Plan,
        models.PROTECT,
        null=True,
        blank=True,
        help_text="Tenants on this plan only",
    )
    tag_key = models.CharField("tag", max_length=200, blank=True)
    tag_value = models.CharField(
        "value of the tag", max_length=200, blank=True, help_text="Empty: any value"
    )
    younger_hours = models.PositiveIntegerField(
        "release younger than",
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Hours since an event or CI first named it",
    )
    older_hours = models.PositiveIntegerField(
        "release older than",
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Hours; events without a release match neither",
    )

    detail = models.CharField(
        max_length=10,
        choices=[(detail, detail) for detail in DETAILS],
        default=Detail.STANDARD.value,
    )
    share = models.FloatField(
        default=1.0,
        validators=[MinValueValidator(0.0), MaxValueValidator(1.0)],
        help_text="Fraction of the bodies to keep, 0 to 1; every event is counted",
    )
    cap = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text="Most bodies of one issue in a minute; empty: no cap",
    )

    class Meta:
        ordering = ["position", "id"]
        constraints = [
            models.CheckConstraint(
                name="detailrule_share",
                condition=models.Q(share__gte=0.0, share__lte=1.0),
                violation_error_message="The share is a fraction from 0 to 1.",
            ),
            models.CheckConstraint(
                name="detailrule_levels",
                condition=models.Q(min_level__lte=models.F("max_level")),
                violation_error_message="The first level must not be above the last.",
            ),
            models.CheckConstraint(
                name="detailrule_release_age",
                condition=models.Q(younger_hours__isnull=True)
                | models.Q(older_hours__isnull=True)
                | models.Q(older_hours__lt=models.F("younger_hours")),
                violation_error_message="No release is younger than the one and older "
                "than the other.",
            ),
            models.CheckConstraint(
                name="detailrule_tag",
                condition=models.Q(tag_value="") | ~models.Q(tag_key=""),
                violation_error_message="Name the tag that has this value.",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        # As events have it, which are compared with it.
        self.tenant = tenant_key(self.tenant)
        super().save(*args, **kwargs)

    @property
    def conditions(self) -> str:
        """What must hold, in words."""
        levels = (Level(self.min_level).label, Level(self.max_level).label)
        told = [
            str(self.project) if self.project else "",
            self.environment,
            _span(*levels),
            f"tenant {self.tenant}" if self.tenant else "",
            f"plan {self.plan}" if self.plan else "",
            f"{self.tag_key}={self.tag_value or '*'}" if self.tag_key else "",
            f"release < {self.younger_hours} h" if self.younger_hours else "",
            f"release ≥ {self.older_hours} h" if self.older_hours else "",
        ]
        return ", ".join(filter(None, told)) or "every event"

    def rule(self) -> Rule:
        """As plain values; its project is the reader's affair."""
        return Rule(
            id=self.pk or 0,
            name=self.name,
            detail=Detail(self.detail),
            environment=self.environment,
            min_level=self.min_level,
            max_level=self.max_level,
            tenant=self.tenant,
            plan_id=self.plan_id,
            tag_key=self.tag_key,
            tag_value=self.tag_value,
            younger_hours=self.younger_hours,
            older_hours=self.older_hours,
            share=self.share,
            cap=self.cap,
        )


def _span(first: str, last: str) -> str:
    if first == last:
        return f"{first} only"
    if (first, last) == (Level.DEBUG.label, Level.FATAL.label):
        return ""
    return f"{first} to {last}"
