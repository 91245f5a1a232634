"""User feedback: listed and filtered, read one by one, deleted."""

from typing import Any

from django.db import transaction
from django.db.models import Q
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from issues import feedback
from issues.api.events import family_ids, named_in_query
from issues.models import Feedback
from issues.search import as_event_id
from tenants.api.fields import name_of
from tenants.api.filters import ProjectFilter, TimeFilter
from tenants.audit import Actor, record


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


class FeedbackFilters(filters.FilterSet):  # type: ignore[misc]
    project = ProjectFilter()
    issue = filters.CharFilter(
        method="by_issue",
        help_text="Id or short id; with that of what is merged into it.",
    )
    event = filters.CharFilter(method="by_event", help_text="Event id, 32 hex digits.")
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

    def by_event(self, rows: Any, name: str, value: str) -> Any:
        event_id = as_event_id(value)
        if event_id is None:
            raise serializers.ValidationError(
                {"event": "An event id has 32 hex digits."}
            )
        return rows.filter(event_id=event_id)

    def by_search(self, rows: Any, name: str, value: str) -> Any:
        return rows.filter(
            Q(message__icontains=value)
            | Q(name__icontains=value)
            | Q(email__icontains=value)
        )


class FeedbackViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Feedback]
):
    """What people wrote, newest first."""

    queryset = feedback.rows()
    serializer_class = FeedbackSerializer
    filterset_class = FeedbackFilters
    lookup_value_regex = r"\d{1,18}"
    read_permission = "issues.view_feedback"
    write_permission = "issues.delete_feedback"

    @property
    def scope(self) -> str:
        """Of tokens: deleting is for those that may change the project."""
        return "project" if self.request.method == "DELETE" else "event"

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """Delete one, such as a message that tells too much."""
        row = self.get_object()
        with transaction.atomic():
            record(Actor.of(request), "deleted", row, {})
            feedback.delete([row.pk])
        return Response(status=204)
