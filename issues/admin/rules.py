"""Rules that a team sets: how to group, and which paths weigh more."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError

from issues.grouping.rules import RuleError, parse_rule
from issues.models import FingerprintRule, PathRule
from tenants.audited import AuditedModelAdmin


@admin.register(PathRule)
class PathRuleAdmin(AuditedModelAdmin):
    list_display = ("pattern", "weight", "project", "position")
    list_filter = ("project",)
    list_select_related = ("project",)
    search_fields = ("pattern",)
    fields = ("pattern", "weight", ("project", "position"))


def validate_rule(text: str) -> None:
    """Accept what the parser that digest uses can read, so that a saved rule works."""
    try:
        parse_rule(text)
    except RuleError as error:
        raise ValidationError(f"This rule cannot be read: {error}.") from error


@admin.register(FingerprintRule)
class FingerprintRuleAdmin(AuditedModelAdmin):
    list_display = ("rule", "project", "position", "is_active")
    list_filter = ("is_active", "project")
    list_select_related = ("project",)
    search_fields = ("rule",)
    fields = ("rule", ("project", "position"), "is_active")

    def formfield_for_dbfield(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "rule" and field is not None:
            field.validators.append(validate_rule)
        return field
