"""The repositories that stack traces link to."""

from typing import Any

from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_view
from rest_framework import viewsets

from tenants.api.fields import NameField
from tenants.api.filters import ProjectFilter
from tenants.api.writes import AuditedWrites, ConstrainedSerializer
from tenants.models import Project, SourceRepository


class SourceRepositorySerializer(ConstrainedSerializer):
    project = NameField(slug_field="slug", queryset=Project.objects.all())

    class Meta:
        model = SourceRepository
        fields = [
            "id",
            "project",
            "position",
            "url",
            "kind",
            "template",
            "prefix",
            "folder",
        ]


class SourceRepositoryFilters(filters.FilterSet):  # type: ignore[misc]
    project = ProjectFilter()


@extend_schema_view(
    create=extend_schema(
        examples=[
            OpenApiExample(
                "Pages built by webpack, in a folder of a repository on GitHub",
                {
                    "project": "tracking",
                    "url": "https://github.com/acme/shop",
                    "kind": "github",
                    "prefix": "webpack://tracking/./",
                    "folder": "pages/tracking/",
                },
                request_only=True,
            )
        ]
    )
)
class SourceRepositoryViewSet(AuditedWrites, viewsets.ModelViewSet[Any]):
    """Where frames stand in a repository; of a project's, the first that matches."""

    queryset = SourceRepository.objects.select_related("project")
    serializer_class = SourceRepositorySerializer
    filterset_class = SourceRepositoryFilters
    http_method_names = ["get", "post", "patch", "delete", "head", "options"]
    scope = "project"
    read_permission = "tenants.view_sourcerepository"
    write_permission = "tenants.change_sourcerepository"
    orders = {"position": "position"}
