"""A project's inbound filters: what it drops, how much, and what it would drop."""

from typing import Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import (
    OpenApiExample,
    extend_schema,
    extend_schema_field,
    extend_schema_view,
)
from rest_framework import mixins, serializers, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from issues.inbound_counts import counts_of
from issues.inbound_preview import preview
from tenants.api.fields import name_of
from tenants.api.writes import AuditedWrites, ConstrainedSerializer
from tenants.models import Filter, InboundFilters, Project


class FilterCountSerializer(serializers.Serializer[Any]):
    """What a filter dropped; a day is 24 hours, the last one ends now."""

    filter = serializers.ChoiceField(choices=Filter.choices)
    errors_24_hours = serializers.IntegerField()
    errors_14_days = serializers.IntegerField()
    requests_24_hours = serializers.IntegerField(
        help_text="Transactions and segment spans, taken out of denominators."
    )
    requests_14_days = serializers.IntegerField()
    days = serializers.ListField(
        child=serializers.IntegerField(), help_text="Both, by day, oldest first."
    )


class InboundFiltersSerializer(ConstrainedSerializer):
    project = name_of("slug", allow_null=False)
    filtered = serializers.SerializerMethodField()

    class Meta:
        model = InboundFilters
        fields = [
            "project",
            "browser_extensions",
            "crawlers",
            "legacy_browsers",
            "legacy_versions",
            "localhost",
            "health_checks",
            "chunk_load_errors",
            "hydration_errors",
            "messages",
            "message_patterns",
            "releases",
            "release_patterns",
            "addresses",
            "address_patterns",
            "filtered",
        ]

    @extend_schema_field(FilterCountSerializer(many=True))
    def get_filtered(self, filters: InboundFilters) -> Any:
        return [
            {
                "filter": count.name,
                "errors_24_hours": count.errors[-1],
                "errors_14_days": sum(count.errors),
                "requests_24_hours": count.requests[-1],
                "requests_14_days": sum(count.requests),
                "days": count.days,
            }
            for count in counts_of(filters.project_id, timezone.now())
        ]


class FilteredExampleSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField(help_text="Of the event.")
    title = serializers.CharField()


class TriedFilterSerializer(serializers.Serializer[Any]):
    filter = serializers.ChoiceField(source="name", choices=Filter.choices)
    pattern = serializers.CharField(help_text="Empty: the filter has no patterns.")
    is_on = serializers.BooleanField()
    matched = serializers.IntegerField()
    examples = FilteredExampleSerializer(many=True)


class FiltersPreviewSerializer(serializers.Serializer[Any]):
    looked_at = serializers.IntegerField(help_text="Newest stored events, 500 at most.")
    without_body = serializers.IntegerField(
        help_text="Of more, that could not be judged: their bodies were not kept."
    )
    dropped = serializers.IntegerField(help_text="By any filter that is on.")
    tried = TriedFilterSerializer(many=True)


EXAMPLE = OpenApiExample(
    "Noise of a widget, and an office",
    {
        "message_patterns": ["*ResizeObserver loop*"],
        "address_patterns": ["203.0.113.0/24"],
    },
    request_only=True,
)


@extend_schema_view(
    retrieve=extend_schema(filters=False),
    partial_update=extend_schema(examples=[EXAMPLE], filters=False),
)
class InboundFiltersViewSet(
    AuditedWrites,
    mixins.RetrieveModelMixin,
    mixins.UpdateModelMixin,
    viewsets.GenericViewSet[InboundFilters],
):
    """``/projects/<id>/filters/``: events that the project does not want.

    They are no issues and no errors of a release, and each is counted once.
    """

    queryset = InboundFilters.objects.select_related("project")
    serializer_class = InboundFiltersSerializer
    pagination_class = None
    filterset_class = None
    scope = "project"
    read_permission = "tenants.view_inboundfilters"
    write_permission = "tenants.change_inboundfilters"

    def get_object(self) -> InboundFilters:
        """The defaults where the project has changed nothing yet."""
        projects = Project.objects.select_related("inbound_filters")
        project = get_object_or_404(projects, pk=self.kwargs["project_id"])
        return InboundFilters.of(project)

    @extend_schema(
        request=InboundFiltersSerializer,
        responses=FiltersPreviewSerializer,
        examples=[EXAMPLE],
        filters=False,
    )
    def preview(self, request: Request, project_id: str) -> Response:
        """Try filters, without saving them, on the newest stored events.

        What the body leaves out is tried as it is set. Each filter and pattern is
        tried alone. What is filtered today is not stored, so not among the events.
        """
        filters = self.get_object()
        serializer = self.get_serializer(filters, data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        for name, value in serializer.validated_data.items():
            setattr(filters, name, value)
        found = preview(filters, timezone.now())
        return Response(FiltersPreviewSerializer(found).data)
