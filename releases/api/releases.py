"""Releases and environments: what shipped, and where it runs."""

from typing import Any

from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from releases.api.fields import LineField, project_field, version_field
from releases.models import Environment, Release
from releases.versions import change_release, record_release
from tenants.api.fields import name_of
from tenants.api.filters import ProjectFilter
from tenants.api.writes import AuditedWrites
from tenants.audit import Actor


class ReleaseSerializer(serializers.ModelSerializer[Release]):
    project = project_field()
    version = version_field()
    authors = serializers.ListField(
        child=LineField(max_length=200), max_length=1000, required=False
    )

    class Meta:
        model = Release
        fields = [
            "id",
            "project",
            "version",
            "commit",
            "url",
            "authors",
            "first_seen",
            "started_at",
            "released_at",
            "archived_at",
        ]
        read_only_fields = ["first_seen", "archived_at"]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        fixed = sorted({"project", "version"} & attrs.keys())
        if self.instance is not None and fixed:
            raise serializers.ValidationError(
                dict.fromkeys(fixed, "This stays: events name the release by it.")
            )
        return attrs


class ReleaseFilters(filters.FilterSet):  # type: ignore[misc]
    project = ProjectFilter()
    version = filters.CharFilter()
    archived = filters.BooleanFilter(
        field_name="archived_at", lookup_expr="isnull", exclude=True
    )


class ReleaseViewSet(
    AuditedWrites,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.UpdateModelMixin,
    viewsets.GenericViewSet[Release],
):
    """Versions of a project, made by CI or by the first event that names one."""

    queryset = Release.objects.select_related("project")
    serializer_class = ReleaseSerializer
    filterset_class = ReleaseFilters
    http_method_names = ["get", "post", "patch", "head", "options"]
    scope = "release"
    read_permission = "releases.view_release"
    write_permission = "releases.change_release"
    orders = {"first_seen": "-first_seen", "newest": "-pk"}

    @extend_schema(
        responses={200: ReleaseSerializer, 201: ReleaseSerializer},
        examples=[
            OpenApiExample(
                "From CI",
                {
                    "project": "tracking",
                    "version": "tracking@2.4.0",
                    "commit": "c2b1a274889436b5e6be7dbc2ca44b929ad3c8c4",
                    "released_at": "2026-11-23T12:00:00Z",
                },
                request_only=True,
            )
        ],
    )
    def create(self, request: Request) -> Response:
        """Make a release, or complete the one that is there: then the answer is 200."""
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        told = dict(serializer.validated_data)
        project, version = told.pop("project"), told.pop("version")
        release, is_new = record_release(project, version, told, Actor.of(request))
        return Response(
            self.get_serializer(release).data, status=201 if is_new else 200
        )

    @extend_schema(request=None, responses=ReleaseSerializer)
    @action(detail=True, methods=["post"])
    def archive(self, request: Request, pk: str) -> Response:
        """Take a release off the lists of sentry-cli; it stays."""
        release = self.get_object()
        told = {"archived_at": release.archived_at or timezone.now()}
        change_release(release, told, Actor.of(request))
        return Response(self.get_serializer(release).data)

    @extend_schema(request=None, responses=ReleaseSerializer)
    @action(detail=True, methods=["post"])
    def restore(self, request: Request, pk: str) -> Response:
        """Undo the archiving."""
        release = self.get_object()
        change_release(release, {"archived_at": None}, Actor.of(request))
        return Response(self.get_serializer(release).data)


class EnvironmentSerializer(serializers.ModelSerializer[Environment]):
    project = name_of("slug", allow_null=False)

    class Meta:
        model = Environment
        fields = ["id", "project", "name"]


class EnvironmentFilters(filters.FilterSet):  # type: ignore[misc]
    project = ProjectFilter()


class EnvironmentViewSet(viewsets.ReadOnlyModelViewSet[Environment]):
    """Where releases run; made when an event first names one."""

    queryset = Environment.objects.select_related("project")
    serializer_class = EnvironmentSerializer
    filterset_class = EnvironmentFilters
    scope = "release"
    read_permission = "releases.view_environment"
