"""Deploys: posted by CI, judged by their watches."""

from typing import Any

from django.db.models import Prefetch, QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from releases.api.fields import (
    LineField,
    environment_field,
    project_field,
    version_field,
)
from releases.deploys import NewDeploy, finish_deploy
from releases.models import Deploy, Evaluation, Rollback, Watch
from releases.shipping import ship
from tenants.api.fields import name_of
from tenants.api.filters import ProjectFilter, TimeFilter
from tenants.audit import Actor

# What only the page of one deploy shows.
WIDE = [
    "watch__settings",
    "watch__baseline_numbers",
    "watch__numbers",
    "watch__suspects",
]


class DeploySerializer(serializers.ModelSerializer[Deploy]):
    """A row of a list."""

    project = name_of("slug", allow_null=False)
    release = name_of("version", allow_null=False)
    environment = name_of("name", allow_null=False)
    rollback = serializers.PrimaryKeyRelatedField[Rollback](
        read_only=True,
        allow_null=True,
        help_text="The rollback that this deploy carried out.",
    )
    verdict = serializers.ChoiceField(
        source="watch.verdict",
        choices=Watch.Verdict.choices,
        read_only=True,
        allow_null=True,
    )
    reason = serializers.CharField(
        source="watch.reason", read_only=True, allow_null=True
    )
    sentence = serializers.CharField(
        source="watch.sentence", read_only=True, allow_null=True
    )
    decided_at = serializers.DateTimeField(
        source="watch.decided_at", read_only=True, allow_null=True
    )

    class Meta:
        model = Deploy
        fields = [
            "id",
            "project",
            "release",
            "environment",
            "name",
            "url",
            "started_at",
            "finished_at",
            "created",
            "created_by",
            "traffic_share",
            "irreversible",
            "idempotency_key",
            "rollback",
            "verdict",
            "reason",
            "sentence",
            "decided_at",
        ]


class WatchSerializer(serializers.ModelSerializer[Watch]):
    """How a deploy is judged; a verdict other than pending is final."""

    baseline = name_of("version", help_text="The release that it is compared with.")
    settings = serializers.DictField(help_text="The threshold as it stood.")
    baseline_numbers = serializers.DictField()
    numbers = serializers.DictField(help_text="Those of the newest evaluation.")
    suspects = serializers.ListField(
        child=serializers.DictField(),
        help_text="Issues that are new or grew, with their share of the excess.",
    )

    class Meta:
        model = Watch
        fields = [
            "verdict",
            "reason",
            "sentence",
            "action",
            "source",
            "baseline",
            "settings",
            "baseline_numbers",
            "numbers",
            "suspects",
            "opened_at",
            "serving_since",
            "decided_at",
        ]


class DeployRollbackSerializer(serializers.ModelSerializer[Rollback]):
    target = name_of("name")
    to_release = name_of("version")

    class Meta:
        model = Rollback
        fields = [
            "id",
            "state",
            "reason",
            "explanation",
            "target",
            "to_release",
            "requested_by",
            "attempts",
            "response_status",
            "run_url",
            "created",
            "called_at",
            "finished_at",
        ]


class DeployDetailSerializer(DeploySerializer):
    watch = WatchSerializer(read_only=True, allow_null=True)
    rollbacks = DeployRollbackSerializer(many=True, read_only=True)

    class Meta(DeploySerializer.Meta):
        fields = [*DeploySerializer.Meta.fields, "watch", "rollbacks"]


class NewDeploySerializer(serializers.Serializer[Any]):
    project = project_field()
    release = version_field(help_text="Version; made when it is not there.")
    environment = environment_field()
    name = LineField(max_length=200, allow_blank=True, default="")
    url = serializers.URLField(max_length=500, allow_blank=True, default="")
    started_at = serializers.DateTimeField(
        allow_null=True, default=None, help_text="Without it: now."
    )
    finished_at = serializers.DateTimeField(allow_null=True, default=None)
    traffic_share = serializers.FloatField(
        min_value=0.001,
        max_value=1.0,
        allow_null=True,
        default=None,
        help_text="Part of the traffic that a canary gets, 0-1.",
    )
    irreversible = serializers.BooleanField(
        default=False, help_text="Never rolled back, such as after a data migration."
    )
    idempotency_key = serializers.CharField(
        max_length=200,
        allow_blank=True,
        default="",
        help_text="Such as the id of the pipeline run: same key, same deploy.",
    )


class FinishSerializer(serializers.Serializer[Any]):
    finished_at = serializers.DateTimeField(
        allow_null=True, default=None, help_text="Without it: now."
    )


class DeployFilters(filters.FilterSet):  # type: ignore[misc]
    project = ProjectFilter()
    environment = filters.CharFilter(field_name="environment__name", help_text="Name.")
    release = filters.CharFilter(field_name="release__version", help_text="Version.")
    verdict = filters.ChoiceFilter(
        field_name="watch__verdict", choices=Watch.Verdict.choices
    )
    started_after = TimeFilter("started_at", lookup_expr="gte")
    started_before = TimeFilter("started_at", lookup_expr="lt")


def _rows() -> QuerySet[Deploy]:
    return Deploy.objects.select_related("project", "release", "environment", "watch")


def _full() -> QuerySet[Deploy]:
    """With what the page of one deploy shows."""
    rollbacks = Rollback.objects.select_related("target", "to_release")
    return (
        _rows()
        .select_related("watch__baseline")
        .prefetch_related(Prefetch("rollbacks", rollbacks))
    )


class DeployViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[Deploy]):
    """What was shipped where, the newest first, and how it went."""

    queryset = Deploy.objects.all()
    serializer_class = DeploySerializer
    filterset_class = DeployFilters
    scope = "release"
    read_permission = "releases.view_deploy"
    write_permission = "releases.change_deploy"
    orders = {"started_at": "-started_at", "newest": "-pk"}

    def get_queryset(self) -> QuerySet[Deploy]:
        return _full() if self.detail else _rows().defer(*WIDE)

    @extend_schema(responses=DeployDetailSerializer)
    def retrieve(self, request: Request, pk: str) -> Response:
        """One deploy with its watch and its rollbacks."""
        return Response(DeployDetailSerializer(self.get_object()).data)

    @extend_schema(
        request=NewDeploySerializer,
        responses={200: DeployDetailSerializer, 201: DeployDetailSerializer},
        parameters=[
            OpenApiParameter(
                "Idempotency-Key",
                str,
                OpenApiParameter.HEADER,
                description="As the field idempotency_key.",
            )
        ],
        examples=[
            OpenApiExample(
                "From CI",
                {
                    "project": "tracking",
                    "release": "tracking@2.4.0",
                    "environment": "production",
                    "url": "https://ci.example.com/runs/812",
                    "idempotency_key": "run-812",
                },
                request_only=True,
            ),
            OpenApiExample(
                "A canary that migrated data",
                {
                    "project": "tracking",
                    "release": "tracking@2.4.0",
                    "traffic_share": 0.1,
                    "irreversible": True,
                },
                request_only=True,
            ),
        ],
    )
    def create(self, request: Request) -> Response:
        """Record a deploy and watch it; the same post again answers 200."""
        serializer = NewDeploySerializer(data=_with_key(request))
        serializer.is_valid(raise_exception=True)
        told = dict(serializer.validated_data)
        project, version = told.pop("project"), told.pop("release")
        deploy, is_new = ship(
            project, version, NewDeploy(**told), Actor.of(request), timezone.now()
        )
        shown = DeployDetailSerializer(_full().get(pk=deploy.pk))
        return Response(shown.data, status=201 if is_new else 200)

    @extend_schema(
        request=FinishSerializer,
        responses=DeployDetailSerializer,
        examples=[OpenApiExample("Now", {}, request_only=True)],
    )
    @action(detail=True, methods=["post"])
    def finish(self, request: Request, pk: str) -> Response:
        """Mark a deploy as carried out."""
        serializer = FinishSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        deploy, now = self.get_object(), timezone.now()
        told = serializer.validated_data["finished_at"] or now
        finish_deploy(deploy, told, Actor.of(request), now)
        return Response(DeployDetailSerializer(deploy).data)


def _with_key(request: Request) -> Any:
    """The body, with the key of the header where it has none of its own."""
    header = request.headers.get("Idempotency-Key", "").strip()
    data = request.data
    if not header or not isinstance(data, dict):
        return data
    if data.get("idempotency_key") not in (None, "", header):
        raise serializers.ValidationError(
            {"idempotency_key": "The header Idempotency-Key says another: give one."}
        )
    return {**data, "idempotency_key": header}


class EvaluationSerializer(serializers.ModelSerializer[Evaluation]):
    numbers = serializers.DictField()

    class Meta:
        model = Evaluation
        fields = [
            "id",
            "at",
            "minutes",
            "errors",
            "exposure",
            "ratio",
            "log_evidence",
            "numbers",
        ]


class EvaluationViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[Evaluation]):
    """Each look at a deploy's watch, the newest first."""

    queryset = Evaluation.objects.none()
    serializer_class = EvaluationSerializer
    scope = "release"
    read_permission = "releases.view_evaluation"

    def get_queryset(self) -> QuerySet[Evaluation]:
        deploy = get_object_or_404(Deploy, pk=self.kwargs["deploy_id"])
        return Evaluation.objects.filter(watch=deploy.pk)
