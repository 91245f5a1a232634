"""Projects and their keys."""

from django.conf import settings
from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_view
from rest_framework import mixins, serializers, viewsets

from tenants.api.fields import NameField
from tenants.api.filters import ProjectFilter
from tenants.api.writes import AuditedWrites, ConstrainedSerializer
from tenants.models import Project, ProjectKey


class ProjectSerializer(ConstrainedSerializer):
    class Meta:
        model = Project
        fields = [
            "id",
            "name",
            "slug",
            "tenant_tags",
            "repositories",
            "ip_addresses",
            "scrub_personal_data",
            "grouping_version",
            "created",
        ]
        read_only_fields = ["grouping_version"]


class ProjectFilters(filters.FilterSet):  # type: ignore[misc]
    slug = filters.CharFilter()


@extend_schema_view(
    create=extend_schema(
        examples=[
            OpenApiExample(
                "A shop's pages",
                {"name": "Tracking pages", "slug": "tracking", "tenant_tags": ["shop"]},
                request_only=True,
            )
        ]
    )
)
class ProjectViewSet(
    AuditedWrites,
    mixins.CreateModelMixin,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.UpdateModelMixin,
    viewsets.GenericViewSet[Project],
):
    """Page templates and services; the id stands in the DSN."""

    queryset = Project.objects.all()
    serializer_class = ProjectSerializer
    filterset_class = ProjectFilters
    http_method_names = ["get", "post", "patch", "head", "options"]
    scope = "project"
    read_permission = "tenants.view_project"
    write_permission = "tenants.change_project"
    orders = {"name": "name", "newest": "-pk"}


class ProjectKeySerializer(ConstrainedSerializer):
    project = NameField(slug_field="slug", queryset=Project.objects.all())
    dsn = serializers.SerializerMethodField(help_text="What an SDK is given.")

    class Meta:
        model = ProjectKey
        fields = [
            "id",
            "project",
            "label",
            "public_key",
            "dsn",
            "is_active",
            "is_public",
            "allowed_origins",
            "rate_limit_count",
            "rate_limit_seconds",
            "new_tenants_per_hour",
            "created",
        ]
        read_only_fields = ["public_key"]

    def get_dsn(self, key: ProjectKey) -> str:
        return key.dsn(settings.BASE_URL)

    def validate_project(self, project: Project) -> Project:
        if self.instance is not None and project != self.instance.project:
            raise serializers.ValidationError(
                "A key stays with its project: make a new key there."
            )
        return project


class ProjectKeyFilters(filters.FilterSet):  # type: ignore[misc]
    project = ProjectFilter()
    is_active = filters.BooleanFilter()


@extend_schema_view(
    create=extend_schema(
        examples=[
            OpenApiExample(
                "A key for storefronts",
                {
                    "project": "tracking",
                    "label": "storefronts",
                    "allowed_origins": ["*.myshop.example"],
                    "rate_limit_count": 6000,
                    "rate_limit_seconds": 60,
                },
                request_only=True,
            )
        ]
    )
)
class ProjectKeyViewSet(
    AuditedWrites,
    mixins.CreateModelMixin,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.UpdateModelMixin,
    viewsets.GenericViewSet[ProjectKey],
):
    """DSNs. A key is switched off, never deleted: pages in the wild send with it."""

    queryset = ProjectKey.objects.select_related("project")
    serializer_class = ProjectKeySerializer
    filterset_class = ProjectKeyFilters
    http_method_names = ["get", "post", "patch", "head", "options"]
    scope = "project"
    read_permission = "tenants.view_projectkey"
    write_permission = "tenants.change_projectkey"
