"""Rollback targets, rollbacks with their logs, and "roll back now"."""

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiResponse,
    extend_schema,
    extend_schema_view,
)
from rest_framework import serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response

from releases.models import Deploy, Rollback, RollbackAttempt, RollbackTarget
from releases.rollbacks import ordering
from releases.rollbacks.interlocks import OVERRIDABLE, Plan, plan_of
from releases.rollbacks.probing import probe
from releases.rollbacks.target_checks import problems_of
from tenants.api.fields import NameField, name_of
from tenants.api.filters import ProjectFilter, TimeFilter
from tenants.api.writes import AuditedWrites, ConstrainedSerializer
from tenants.audit import Actor
from tenants.models import Project
from tenants.secrets import encrypt
from tenants.talks import Fate


class RollbackTargetSerializer(ConstrainedSerializer):
    project = NameField(
        slug_field="slug",
        queryset=Project.objects.all(),
        allow_null=True,
        required=False,
        help_text="Slug; null: every project.",
    )
    secret = serializers.CharField(
        write_only=True,
        required=False,
        max_length=2000,
        help_text="Signing key or token; it is never shown again.",
    )
    has_secret = serializers.SerializerMethodField()
    options = serializers.DictField(
        required=False, help_text="By kind: see docs/rollback.md."
    )

    class Meta:
        model = RollbackTarget
        fields = [
            "id",
            "name",
            "project",
            "environment",
            "kind",
            "url",
            "secret",
            "has_secret",
            "options",
            "honours_idempotency_key",
            "is_active",
            "dry_run",
            "cool_down_minutes",
            "max_per_day",
        ]

    def get_has_secret(self, target: RollbackTarget) -> bool:
        return bool(target.secret)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        found = problems_of(self.instance, attrs, attrs.get("secret", ""))
        if found:
            raise serializers.ValidationError(found)
        if "secret" in attrs:
            attrs["secret"] = encrypt(attrs["secret"])
        return super().validate(attrs)


class ProbeSerializer(serializers.Serializer[Any]):
    ok = serializers.BooleanField(help_text="The real call would be taken.")
    told = serializers.CharField()
    status = serializers.IntegerField(allow_null=True, help_text="Of the answer.")
    response = serializers.CharField(help_text="The answer's body, or its beginning.")


class RollbackTargetFilters(filters.FilterSet):  # type: ignore[misc]
    project = ProjectFilter()
    environment = filters.CharFilter()
    kind = filters.ChoiceFilter(choices=RollbackTarget.Kind.choices)
    is_active = filters.BooleanFilter()


@extend_schema_view(
    create=extend_schema(
        examples=[
            OpenApiExample(
                "A signed webhook",
                {
                    "name": "deployer",
                    "project": "tracking",
                    "environment": "production",
                    "kind": "webhook",
                    "url": "https://deployer.example.com/rollback",
                    "secret": "f3b1…",
                    "honours_idempotency_key": True,
                },
                request_only=True,
            ),
            OpenApiExample(
                "A GitHub workflow",
                {
                    "name": "github",
                    "kind": "github",
                    "url": "https://api.github.com",
                    "secret": "github_pat_…",
                    "options": {
                        "repository": "acme/tracking",
                        "workflow": "rollback.yml",
                    },
                },
                request_only=True,
            ),
        ]
    )
)
class RollbackTargetViewSet(AuditedWrites, viewsets.ModelViewSet[RollbackTarget]):
    """Where a rollback is ordered; the most specific project and environment wins."""

    queryset = RollbackTarget.objects.select_related("project")
    serializer_class = RollbackTargetSerializer
    filterset_class = RollbackTargetFilters
    http_method_names = ["get", "post", "patch", "delete", "head", "options"]
    scope = "rollback"
    read_permission = "releases.view_rollbacktarget"
    write_permission = "releases.change_rollbacktarget"
    orders = {"name": "name", "newest": "-pk"}

    @extend_schema(request=None, responses=ProbeSerializer)
    @action(detail=True, methods=["post"])
    def test(self, request: Request, pk: str) -> Response:
        """Make a call that rolls nothing back, and tell what came of it.

        A webhook is sent `"event": "test"`. The others are called in a way that
        starts nothing, or only read.
        """
        outcome = probe(self.get_object(), Actor.of(request), timezone.now())
        answer = outcome.answer
        result = {
            "ok": outcome.fate == Fate.CALLED,
            "told": outcome.told,
            "status": answer.status if answer else None,
            "response": answer.text if answer else "",
        }
        return Response(ProbeSerializer(result).data)


class RollbackSerializer(serializers.ModelSerializer[Rollback]):
    deploy = serializers.PrimaryKeyRelatedField[Deploy](read_only=True)
    project = serializers.CharField(source="deploy.project.slug")
    environment = serializers.CharField(source="deploy.environment.name")
    release = serializers.CharField(
        source="deploy.release.version", help_text="The one that is rolled back."
    )
    to_release = name_of("version")
    target = name_of("name")

    class Meta:
        model = Rollback
        fields = [
            "id",
            "deploy",
            "project",
            "environment",
            "release",
            "to_release",
            "target",
            "state",
            "reason",
            "explanation",
            "requested_by",
            "attempts",
            "created",
            "called_at",
            "finished_at",
            "run_url",
        ]


class LogEntrySerializer(serializers.ModelSerializer[RollbackAttempt]):
    class Meta:
        model = RollbackAttempt
        fields = ["at", "what", "detail"]


class RollbackDetailSerializer(RollbackSerializer):
    log = LogEntrySerializer(many=True)

    class Meta(RollbackSerializer.Meta):
        fields = [
            *RollbackSerializer.Meta.fields,
            "idempotency_key",
            "response_status",
            "response",
            "log",
        ]


class RollbackFilters(filters.FilterSet):  # type: ignore[misc]
    project = ProjectFilter("deploy__project")
    environment = filters.CharFilter(field_name="deploy__environment__name")
    deploy = filters.NumberFilter(field_name="deploy_id")
    target = filters.CharFilter(field_name="target__name")
    state = filters.MultipleChoiceFilter(choices=Rollback.State.choices)
    after = TimeFilter("created", lookup_expr="gte")
    before = TimeFilter("created", lookup_expr="lt")


def rollbacks() -> QuerySet[Rollback]:
    """Rollbacks with all that their rows tell."""
    return Rollback.objects.select_related(
        "deploy__project",
        "deploy__environment",
        "deploy__release",
        "to_release",
        "target",
    )


class RollbackViewSet(viewsets.ReadOnlyModelViewSet[Rollback]):
    """Each order to go back: why, what was called, and what came of it."""

    queryset = rollbacks()
    serializer_class = RollbackSerializer
    filterset_class = RollbackFilters
    scope = "rollback"
    read_permission = "releases.view_rollback"

    def get_serializer_class(self) -> type[RollbackSerializer]:
        return RollbackDetailSerializer if self.detail else RollbackSerializer


class InterlockSerializer(serializers.Serializer[Any]):
    reason = serializers.CharField()
    sentence = serializers.CharField()
    overridable = serializers.BooleanField()


class RollbackPlanSerializer(serializers.Serializer[Any]):
    """What ordering a rollback would do now."""

    to_release = serializers.CharField(allow_null=True)
    target = serializers.CharField(allow_null=True)
    dry_run = serializers.BooleanField()
    interlocks = InterlockSerializer(many=True)


class OrderSerializer(serializers.Serializer[Any]):
    override = serializers.ListField(
        child=serializers.ChoiceField(choices=sorted(OVERRIDABLE)),
        required=False,
        default=list,
        help_text="Interlocks to pass over.",
    )


class HeldBack(APIException):
    """An interlock forbids the rollback."""

    status_code = status.HTTP_409_CONFLICT


class DeployRollbackViewSet(viewsets.GenericViewSet[Deploy]):
    """``/deploys/<id>/rollback/``: what it would do, and the order."""

    queryset = Deploy.objects.select_related("project", "environment", "release")
    pagination_class = None
    filterset_class = None
    scope = "rollback"
    read_permission = "releases.view_rollback"
    write_permission = "releases.add_rollback"

    def deploy(self) -> Deploy:
        return get_object_or_404(self.get_queryset(), pk=self.kwargs["deploy_id"])

    @extend_schema(responses=RollbackPlanSerializer, filters=False)
    def retrieve(self, request: Request, deploy_id: str) -> Response:
        """Where the deploy would go back to, and what stands in the way."""
        return Response(told(plan_of(self.deploy(), timezone.now())))

    @extend_schema(
        request=OrderSerializer,
        responses={
            201: RollbackDetailSerializer,
            409: OpenApiResponse(description="An interlock holds it back."),
        },
        examples=[
            OpenApiExample("At once", {}, request_only=True),
            OpenApiExample(
                "Despite the last one", {"override": ["cool_down"]}, request_only=True
            ),
        ],
    )
    def create(self, request: Request, deploy_id: str) -> Response:
        """Roll the deploy back now. A refusal is 409, and is recorded as well."""
        given = OrderSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        row = ordering.order(
            self.deploy(),
            Actor.of(request),
            timezone.now(),
            given.validated_data["override"],
        )
        if row.state == Rollback.State.REFUSED:
            raise HeldBack(row.explanation)
        data = RollbackDetailSerializer(rollbacks().get(pk=row.pk)).data
        return Response(data, status=status.HTTP_201_CREATED)


def told(plan: Plan) -> Any:
    """A plan as the API shows it."""
    return RollbackPlanSerializer(
        {
            "to_release": plan.to_release and plan.to_release.version,
            "target": plan.target and plan.target.name,
            "dry_run": bool(plan.target and plan.target.dry_run),
            "interlocks": plan.interlocks,
        }
    ).data
