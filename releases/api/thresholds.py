"""Thresholds: how much worse a release may be, and what a threshold would have done."""

from typing import Any

from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_view
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from releases.models import Threshold, Watch
from releases.replays.preview import preview
from tenants.api.fields import NameField
from tenants.api.filters import ProjectFilter
from tenants.api.writes import AuditedWrites, ConstrainedSerializer
from tenants.models import Project


class ThresholdSerializer(ConstrainedSerializer):
    """Rates are fractions 0-1, times are minutes."""

    project = NameField(
        slug_field="slug",
        queryset=Project.objects.all(),
        allow_null=True,
        default=None,
        help_text="Slug; null: every project.",
    )

    class Meta:
        model = Threshold
        fields = [
            "id",
            "project",
            "environment",
            "ratio",
            "tolerated_drift",
            "floor",
            "confidence",
            "min_events",
            "min_tenants",
            "grace_minutes",
            "window_minutes",
            "guard_new_issue",
            "guard_tenant",
            "outside_control",
            "action",
        ]


class UnsavedThresholdSerializer(ThresholdSerializer):
    """A threshold to try, also for a place that has one already."""

    free = ("project", "environment")


class FiringSerializer(serializers.Serializer[Any]):
    minute = serializers.IntegerField(help_text="Of the release, 1 for its first.")
    rule = serializers.ChoiceField(choices=["global", "new_issue", "tenant"])
    ratio = serializers.FloatField(allow_null=True)


class FalseAlarmSerializer(serializers.Serializer[Any]):
    at = serializers.DateTimeField(help_text="Where the window began.")
    firing = FiringSerializer()


class AgainSerializer(serializers.Serializer[Any]):
    deploy = serializers.IntegerField(source="deploy.pk")
    release = serializers.CharField(source="deploy.release.version")
    started_at = serializers.DateTimeField(source="deploy.started_at")
    then = serializers.ChoiceField(choices=Watch.Verdict.choices)
    verdict = serializers.ChoiceField(
        choices=Watch.Verdict.choices, help_text="Under this threshold."
    )
    firing = FiringSerializer(allow_null=True)


class EnvironmentPreviewSerializer(serializers.Serializer[Any]):
    project = serializers.CharField(source="environment.project.slug")
    environment = serializers.CharField(source="environment.name")
    exposure = serializers.ChoiceField(source="source", choices=Watch.Source.choices)
    tries = serializers.IntegerField(help_text="Windows without a deploy.")
    alarms = FalseAlarmSerializer(many=True)
    deploys = AgainSerializer(many=True)


class PreviewSerializer(serializers.Serializer[Any]):
    """The last 14 days under a threshold."""

    sentence = serializers.CharField()
    tries = serializers.IntegerField()
    alarms = serializers.IntegerField()
    environments = EnvironmentPreviewSerializer(many=True)
    left_out = serializers.IntegerField(help_text="Environments beyond the first 8.")


class ThresholdFilters(filters.FilterSet):  # type: ignore[misc]
    project = ProjectFilter()
    environment = filters.CharFilter(help_text="Name, as the threshold has it.")


EXAMPLE = OpenApiExample(
    "Roll back from twice the usual rate",
    {
        "project": "tracking",
        "environment": "production",
        "ratio": 2.0,
        "floor": 0.001,
        "action": "rollback",
    },
    request_only=True,
)


@extend_schema_view(create=extend_schema(examples=[EXAMPLE]))
class ThresholdViewSet(AuditedWrites, viewsets.ModelViewSet[Threshold]):
    """Limits by project and environment; the most specific one holds.

    A deploy is judged by the threshold as it stood when the deploy was posted.
    """

    queryset = Threshold.objects.select_related("project")
    serializer_class = ThresholdSerializer
    filterset_class = ThresholdFilters
    http_method_names = ["get", "post", "patch", "delete", "head", "options"]
    scope = "release"
    read_permission = "releases.view_threshold"
    write_permission = "releases.change_threshold"

    @extend_schema(
        request=UnsavedThresholdSerializer,
        responses=PreviewSerializer,
        examples=[EXAMPLE],
    )
    @action(detail=False, methods=["post"], filterset_class=None)
    def preview(self, request: Request) -> Response:
        """Replay a threshold, without saving it, over the last 14 days.

        Tells how often it would have fired without a deploy, and what it would have
        said of each past deploy. Guards are not replayed, as what issues did by the
        minute is kept for 8 days: a deploy that one of them caught counts as caught.
        """
        serializer = UnsavedThresholdSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        threshold = Threshold(**serializer.validated_data)
        same = Threshold.objects.filter(
            project=threshold.project, environment=threshold.environment
        ).first()
        threshold.pk = same.pk if same else None
        return Response(PreviewSerializer(preview(threshold, timezone.now())).data)
