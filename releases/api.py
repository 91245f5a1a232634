"""Releases and environments: what shipped, and where it runs."""

from typing import Any

from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_view
from rest_framework import mixins, serializers, viewsets

from releases.models import Environment, Release
from tenants.api.fields import NameField, name_of
from tenants.api.filters import ProjectFilter
from tenants.api.writes import AuditedWrites, ConstrainedSerializer
from tenants.models import Project


class ReleaseSerializer(ConstrainedSerializer):
    project = NameField(slug_field="slug", queryset=Project.objects.all())

    class Meta:
        model = Release
        fields = ["id", "project", "version", "first_seen", "released_at"]
        read_only_fields = ["first_seen"]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        fixed = sorted({"project", "version"} & attrs.keys())
        if self.instance is not None and fixed:
            raise serializers.ValidationError(
                dict.fromkeys(fixed, "This stays: events name the release by it.")
            )
        known = Release.objects.filter(
            project=attrs.get("project"), version=attrs.get("version")
        )
        if known.exists():
            raise serializers.ValidationError(
                {"version": "The project has this release already: change that one."}
            )
        return super().validate(attrs)


class ReleaseFilters(filters.FilterSet):  # type: ignore[misc]
    project = ProjectFilter()
    version = filters.CharFilter()


@extend_schema_view(
    create=extend_schema(
        examples=[
            OpenApiExample(
                "From CI",
                {
                    "project": "tracking",
                    "version": "tracking@2.4.0",
                    "released_at": "2026-11-23T12:00:00Z",
                },
                request_only=True,
            )
        ]
    )
)
class ReleaseViewSet(
    AuditedWrites,
    mixins.CreateModelMixin,
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
