"""What came with events, and may be deleted: files, and what people wrote."""

from typing import Any

from django_filters import rest_framework as filters
from rest_framework import mixins, serializers, viewsets

from issues.search import as_event_id
from tenants.api.writes import AuditedWrites


class OfEventFilters(filters.FilterSet):  # type: ignore[misc]
    event = filters.CharFilter(method="by_event", help_text="Event id, 32 hex digits.")

    def by_event(self, rows: Any, name: str, value: str) -> Any:
        event_id = as_event_id(value)
        if event_id is None:
            raise serializers.ValidationError(
                {"event": "An event id has 32 hex digits."}
            )
        return rows.filter(event_id=event_id)


class EventPartViewSet(
    AuditedWrites,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.DestroyModelMixin,
    viewsets.GenericViewSet[Any],
):
    """Listed, read, and deleted; nothing is written over the API."""

    lookup_value_regex = r"\d{1,18}"

    @property
    def scope(self) -> str:
        """Of tokens: deleting is for those that may change the project."""
        return "project" if self.request.method == "DELETE" else "event"
