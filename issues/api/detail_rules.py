"""Detail rules: how much of an event is kept, and what would stay of stored ones."""

from typing import Any

from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_view
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from issues.api.fields import LevelField
from issues.detail_preview import preview
from tenants.api.fields import NameField
from tenants.api.filters import ProjectFilter
from tenants.api.writes import AuditedWrites, ConstrainedSerializer
from tenants.detail import DETAILS
from tenants.levels import Level
from tenants.models import DetailRule, Plan, Project


class DetailRuleSerializer(ConstrainedSerializer):
    """All conditions must hold; empty ones do. Texts may hold ``*`` for anything."""

    project = NameField(
        slug_field="slug",
        queryset=Project.objects.all(),
        allow_null=True,
        default=None,
        help_text="Slug; null: every project.",
    )
    min_level = LevelField(default=Level.DEBUG.value)
    max_level = LevelField(default=Level.FATAL.value)
    plan = NameField(
        slug_field="name",
        queryset=Plan.objects.all(),
        allow_null=True,
        default=None,
        help_text="Name of a plan; null: tenants on any, or none.",
    )
    position = serializers.IntegerField(
        required=False,
        min_value=-(2**31),
        max_value=2**31 - 1,
        help_text="The first rule in this order that matches decides; left out: last.",
    )

    class Meta:
        model = DetailRule
        fields = [
            "id",
            "name",
            "position",
            "is_active",
            "project",
            "environment",
            "min_level",
            "max_level",
            "tenant",
            "plan",
            "tag_key",
            "tag_value",
            "younger_hours",
            "older_hours",
            "detail",
            "share",
            "cap",
        ]


class SavedRuleSerializer(serializers.Serializer[Any]):
    """Names the saved rule that is tried with changes."""

    id = serializers.PrimaryKeyRelatedField(
        queryset=DetailRule.objects.all(), default=None
    )


class TypedRuleSerializer(DetailRuleSerializer):
    """A rule to try; with an ``id``, changes of the saved one."""

    id = serializers.IntegerField(required=False)


class PreviewedSerializer(serializers.Serializer[Any]):
    event = serializers.IntegerField(source="event.pk")
    title = serializers.CharField(source="event.title")
    received = serializers.DateTimeField(source="event.received")
    level = LevelField(source="event.level")
    rule = serializers.IntegerField(
        source="rule.id", help_text="0: a built-in one, or one that is not saved."
    )
    name = serializers.CharField(source="rule.name")
    detail = serializers.ChoiceField(source="rule.detail", choices=DETAILS)
    left_out = serializers.ListField(child=serializers.CharField())
    dropped = serializers.ChoiceField(
        choices=["", "share", "cap"], help_text="Why its body would not be kept."
    )
    before = serializers.IntegerField(help_text="Bytes as stored.")
    after = serializers.IntegerField(help_text="Bytes that would stay.")


class DetailPreviewSerializer(serializers.Serializer[Any]):
    """The last stored events of 24 hours, newest first."""

    sentence = serializers.CharField()
    before = serializers.IntegerField()
    after = serializers.IntegerField()
    events = PreviewedSerializer(many=True, source="rows")


class DetailRuleFilters(filters.FilterSet):  # type: ignore[misc]
    project = ProjectFilter()
    is_active = filters.BooleanFilter()


EXAMPLE = OpenApiExample(
    "One in ten bodies of test shops, without locals",
    {"name": "Test shops", "tenant": "*.test", "detail": "standard", "share": 0.1},
    request_only=True,
)


@extend_schema_view(create=extend_schema(examples=[EXAMPLE]))
class DetailRuleViewSet(AuditedWrites, viewsets.ModelViewSet[DetailRule]):
    """How much of an event is kept; events are counted in full under every rule."""

    queryset = DetailRule.objects.select_related("project", "plan")
    serializer_class = DetailRuleSerializer
    filterset_class = DetailRuleFilters
    http_method_names = ["get", "post", "patch", "delete", "head", "options"]
    scope = "project"
    read_permission = "tenants.view_detailrule"
    write_permission = "tenants.change_detailrule"
    orders = {"position": "position"}

    @extend_schema(
        request=TypedRuleSerializer,
        responses=DetailPreviewSerializer,
        examples=[EXAMPLE],
    )
    @action(detail=False, methods=["post"], filterset_class=None)
    def preview(self, request: Request) -> Response:
        """What the rules would leave of the last stored events.

        With a rule in the body that rule takes its place among the saved ones; an
        empty body tries those as they are. Nothing is saved.
        """
        typed = _typed(request.data) if request.data else None
        found = preview(timezone.now(), typed)
        return Response(DetailPreviewSerializer(found).data)


def _typed(data: Any) -> DetailRule:
    """The rule as a request tells it; raises ValidationError."""
    named = SavedRuleSerializer(data=data)
    named.is_valid(raise_exception=True)
    before: DetailRule | None = named.validated_data["id"]
    serializer = TypedRuleSerializer(before, data=data, partial=before is not None)
    serializer.is_valid(raise_exception=True)
    rule = before or DetailRule()
    for name, value in serializer.validated_data.items():
        if name != "id":
            setattr(rule, name, value)
    return rule
