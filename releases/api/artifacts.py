"""Artifact bundles: the source maps and scripts that CI uploaded."""

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_view
from rest_framework import mixins, serializers, viewsets

from releases.models import Artifact, ArtifactBundle
from tenants.api.fields import name_of
from tenants.api.filters import ProjectFilter
from tenants.api.writes import AuditedWrites

EXAMPLE = OpenApiExample(
    "Ready",
    {
        "id": 7,
        "project": "shop",
        "release": "shop@2.4.0",
        "dist": "",
        "checksum": "0e437642d24d1c94ad8b6e4f67980e3d8cb53606",
        "state": "ok",
        "detail": "",
        "file_count": 6,
        "size": 2757582,
        "uploaded": "2026-11-23T12:00:00Z",
        "last_used": "2026-11-23T12:04:10Z",
    },
    response_only=True,
)


class ArtifactBundleSerializer(serializers.ModelSerializer[ArtifactBundle]):
    """``size`` is that of its files, unpacked, in bytes."""

    project = name_of("slug", allow_null=False)
    release = name_of("version", help_text="Version; null: of no release.")

    class Meta:
        model = ArtifactBundle
        fields = [
            "id",
            "project",
            "release",
            "dist",
            "checksum",
            "state",
            "detail",
            "file_count",
            "size",
            "uploaded",
            "last_used",
        ]


class ArtifactBundleFilters(filters.FilterSet):  # type: ignore[misc]
    project = ProjectFilter()
    release = filters.CharFilter("release__version", help_text="Version.")
    checksum = filters.CharFilter(help_text="SHA-1 of the bundle.")
    state = filters.ChoiceFilter(choices=ArtifactBundle.State.choices)


@extend_schema_view(retrieve=extend_schema(examples=[EXAMPLE]))
class ArtifactBundleViewSet(
    AuditedWrites,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.DestroyModelMixin,
    viewsets.GenericViewSet[ArtifactBundle],
):
    """Uploads of sentry-cli; one that nobody uses for long is deleted."""

    queryset = ArtifactBundle.objects.select_related("project", "release")
    serializer_class = ArtifactBundleSerializer
    filterset_class = ArtifactBundleFilters
    scope = "release"
    read_permission = "releases.view_artifactbundle"
    write_permission = "releases.delete_artifactbundle"


class ArtifactSerializer(serializers.ModelSerializer[Artifact]):
    """``size`` in bytes."""

    size = serializers.IntegerField(source="stored.size", read_only=True)

    class Meta:
        model = Artifact
        fields = ["id", "url", "kind", "debug_id", "source_map_url", "size"]


class ArtifactFilters(filters.FilterSet):  # type: ignore[misc]
    url = filters.CharFilter(help_text="As CI names it, such as ~/assets/a.js.")
    debug_id = filters.UUIDFilter()
    kind = filters.ChoiceFilter(choices=Artifact.Kind.choices)


class ArtifactViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[Artifact]):
    """The files of a bundle, once it is ready."""

    queryset = Artifact.objects.none()
    serializer_class = ArtifactSerializer
    filterset_class = ArtifactFilters
    scope = "release"
    read_permission = "releases.view_artifactbundle"
    orders = {"url": "url", "newest": "-pk"}

    def get_queryset(self) -> QuerySet[Artifact]:
        bundle = get_object_or_404(ArtifactBundle, pk=self.kwargs["bundle_id"])
        return bundle.artifacts.select_related("stored")
