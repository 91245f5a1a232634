"""What a project wants taken out of its events before they are stored."""

from django.core.exceptions import ValidationError
from django.db import models

from tenants.models.project import Project
from tenants.scrub_rules import ScrubRuleError, check_name, check_pattern


class ScrubRule(models.Model):
    """A rule of the team's own, beside those that always hold."""

    class Kind(models.TextChoices):
        KEY = "key", "Scrub by name"
        PATTERN = "pattern", "Scrub by pattern"
        KEEP = "keep", "Keep by name"

    project = models.ForeignKey(
        Project, models.CASCADE, null=True, blank=True, help_text="Empty: every project"
    )
    kind = models.CharField(max_length=10, choices=Kind.choices)
    value = models.CharField(
        max_length=300,
        help_text="A name with * and ?, such as customer_*, of a key, header, "
        "parameter or variable, in any case; for a pattern an RE2 expression, such as "
        r"\bPK-\d{6}\b, of which each match goes.",
    )
    note = models.CharField(
        max_length=200, blank=True, help_text="Why, for those who come later."
    )
    is_active = models.BooleanField(default=True)

    class Meta:
        ordering = ["project_id", "kind", "value", "id"]
        constraints = [
            models.UniqueConstraint(
                "project",
                "kind",
                "value",
                name="scrubrule_unique",
                nulls_distinct=False,
                violation_error_message="There is such a rule already.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.value}"

    def clean(self) -> None:
        """Refuse what digest could not use."""
        try:
            check(self.kind, self.value)
        except ScrubRuleError as error:
            raise ValidationError({"value": str(error)}) from error


def check(kind: str, value: str) -> None:
    """Accept the value of a rule of this kind; raises ScrubRuleError."""
    if kind == ScrubRule.Kind.PATTERN:
        check_pattern(value)
    else:
        check_name(value, least=3 if kind == ScrubRule.Kind.KEEP else 2)
