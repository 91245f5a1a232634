"""The rules that a team sets: what is listed, what weighs more, what is one issue."""

from typing import Any

from django.contrib.auth.models import User
from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_view
from rest_framework import serializers, viewsets

from issues.grouping.rules import RuleError, parse_rule
from issues.models import FingerprintRule, HitRule, PathRule
from tenants.api.fields import NameField
from tenants.api.filters import ProjectFilter
from tenants.api.writes import AuditedWrites, ConstrainedSerializer, OnlyKnownFields
from tenants.models import Project


class OfProjectSerializer(OnlyKnownFields, ConstrainedSerializer):
    project = NameField(
        slug_field="slug",
        queryset=Project.objects.all(),
        allow_null=True,
        default=None,
        help_text="Slug; null: every project.",
    )


class RuleFilters(filters.FilterSet):  # type: ignore[misc]
    project = ProjectFilter()


class RuleViewSet(AuditedWrites, viewsets.ModelViewSet[Any]):
    """What the three kinds of rules share."""

    filterset_class = RuleFilters
    http_method_names = ["get", "post", "patch", "delete", "head", "options"]
    scope = "project"
    orders = {"position": "position"}


def example(name: str, value: dict[str, Any]) -> Any:
    """A body for ``create``."""
    shown = OpenApiExample(name, value, request_only=True)
    return extend_schema_view(create=extend_schema(examples=[shown]))


class HitRuleSerializer(OfProjectSerializer):
    owner = NameField(
        slug_field="username",
        queryset=User.objects.filter(is_active=True),
        allow_null=True,
        default=None,
    )

    class Meta:
        model = HitRule
        fields = [
            "id",
            "name",
            "is_active",
            "project",
            "min_score",
            "min_tenants",
            "pattern",
            "owner",
            "expires_after_hours",
        ]


@example("Whatever hits twenty shops", {"name": "wide", "min_tenants": 20})
class HitRuleViewSet(RuleViewSet):
    """Rules that put issues on the hit list."""

    queryset = HitRule.objects.select_related("project", "owner")
    serializer_class = HitRuleSerializer
    read_permission = "issues.view_hitrule"
    write_permission = "issues.change_hitrule"
    orders = {"name": "name"}


class PathRuleSerializer(OfProjectSerializer):
    class Meta:
        model = PathRule
        fields = ["id", "project", "position", "pattern", "weight"]


@example("Checkout counts three times", {"pattern": "*/checkout*", "weight": 3})
class PathRuleViewSet(RuleViewSet):
    """Paths that weigh more or less in the impact; the first that matches counts."""

    queryset = PathRule.objects.select_related("project")
    serializer_class = PathRuleSerializer
    read_permission = "issues.view_pathrule"
    write_permission = "issues.change_pathrule"


class FingerprintRuleSerializer(OfProjectSerializer):
    class Meta:
        model = FingerprintRule
        fields = ["id", "project", "position", "rule", "is_active"]

    def validate_rule(self, value: str) -> str:
        try:
            parse_rule(value)
        except RuleError as error:
            raise serializers.ValidationError(str(error)) from error
        return value


@example(
    "One issue for a slow carrier",
    {"rule": 'error.type:TimeoutError tags.carrier:dhl -> "dhl is slow"'},
)
class FingerprintRuleViewSet(RuleViewSet):
    """Grouping policy; the first rule that matches decides, for new events only."""

    queryset = FingerprintRule.objects.select_related("project")
    serializer_class = FingerprintRuleSerializer
    read_permission = "issues.view_fingerprintrule"
    write_permission = "issues.change_fingerprintrule"
