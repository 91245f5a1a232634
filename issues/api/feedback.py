"""User feedback: listed and filtered, read one by one, deleted."""

from typing import Any

from django.db.models import Q
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers

from issues import feedback
from issues.api.event_parts import EventPartViewSet, OfEventFilters
from issues.api.events import family_ids, named_in_query
from issues.models import Feedback
from tenants.api.fields import name_of
from tenants.api.filters import ProjectFilter, TimeFilter


class FeedbackSerializer(serializers.ModelSerializer[Feedback]):
    project = name_of("slug", allow_null=False)
    feedback_id = serializers.CharField(
        source="feedback_id.hex",
        help_text="32 hex digits. Files that came along are attachments of this id.",
    )
    event_id = serializers.SerializerMethodField(
        help_text="The event that it is about, 32 hex digits; null where it names none."
    )
    issue = serializers.SerializerMethodField(
        help_text="The issue that shows that event; null while the event is not stored."
    )
    environment = name_of("name")
    release = name_of("version")
    tenant = name_of("key")
    notes = serializers.ListField(
        child=serializers.CharField(), help_text="What was cleaned, a sentence each."
    )

    class Meta:
        model = Feedback
        fields = [
            "id",
            "feedback_id",
            "project",
            "received",
            "event_id",
            "issue",
            "message",
            "name",
            "email",
            "url",
            "user",
            "environment",
            "release",
            "tenant",
            "replay_id",
            "source",
            "notes",
        ]

    def get_event_id(self, row: Feedback) -> str | None:
        return row.event_id.hex if row.event_id else None

    def get_issue(self, row: Feedback) -> int | None:
        return (row.issue.merged_into_id or row.issue_id) if row.issue else None


class FeedbackFilters(OfEventFilters):
    project = ProjectFilter()
    issue = filters.CharFilter(
        method="by_issue",
        help_text="Id or short id; with that of what is merged into it.",
    )
    linked = filters.BooleanFilter(
        "issue", "isnull", exclude=True, help_text="Whether its issue is known."
    )
    search = filters.CharFilter(
        method="by_search", help_text="Part of the message, name or e-mail address."
    )
    received_after = TimeFilter("received", lookup_expr="gte")
    received_before = TimeFilter("received", lookup_expr="lt")

    def by_issue(self, rows: Any, name: str, value: str) -> Any:
        return rows.filter(issue__in=family_ids(named_in_query(value).pk))

    def by_search(self, rows: Any, name: str, value: str) -> Any:
        return rows.filter(
            Q(message__icontains=value)
            | Q(name__icontains=value)
            | Q(email__icontains=value)
        )


@extend_schema_view(
    destroy=extend_schema(
        description="Delete one, such as a message that tells too much."
    )
)
class FeedbackViewSet(EventPartViewSet):
    """What people wrote, newest first."""

    queryset = feedback.rows()
    serializer_class = FeedbackSerializer
    filterset_class = FeedbackFilters
    read_permission = "issues.view_feedback"
    write_permission = "issues.delete_feedback"

    def remove(self, row: Any) -> None:
        feedback.delete([row.pk])
