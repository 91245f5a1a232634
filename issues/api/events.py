"""Stored events: listed without their bodies, read one by one with them."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet
from django.http import Http404
from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from issues.api.attachments import AttachmentSerializer
from issues.api.fields import LevelField, issue_named
from issues.api.frames import FrameSerializer, SuspectCommitSerializer, frames_of
from issues.attachments import of_event
from issues.digest.detail import read_note
from issues.models import Event, Issue, Level
from issues.search import as_event_id
from issues.source_links import links_of
from issues.suspects import commits_behind
from releases.models import Environment, Release
from tenants.api.fields import name_of
from tenants.api.filters import ProjectFilter, TimeFilter
from tenants.detail import DETAILS
from tenants.models import Tenant
from tenants.pagination import KeysetPagination

Events = QuerySet[Event]

# A list without an issue reads so far back unless it is told otherwise: no index
# serves it, so the days that it may walk through must be few.
UNTOLD = timedelta(hours=24)


class EventSerializer(serializers.ModelSerializer[Event]):
    """A row of a list."""

    event_id = serializers.CharField(
        source="event_id.hex", help_text="32 hex digits, as the SDK made it."
    )
    project = name_of("slug", allow_null=False)
    issue = serializers.SerializerMethodField(
        help_text="The issue that shows it: where its own was merged, that one's root."
    )
    level = LevelField()
    environment = name_of("name")
    release = name_of("version")
    tenant = name_of("key")
    tags = serializers.SerializerMethodField()
    has_payload = serializers.BooleanField(
        help_text="False where the body was dropped."
    )

    class Meta:
        model = Event
        fields = [
            "id",
            "event_id",
            "project",
            "issue",
            "received",
            "occurred",
            "level",
            "unhandled",
            "environment",
            "release",
            "tenant",
            "user",
            "transaction",
            "title",
            "tags",
            "has_payload",
        ]

    def get_issue(self, event: Event) -> int:
        return event.issue.merged_into_id or event.issue_id

    def get_tags(self, event: Event) -> dict[str, str]:
        return dict(tag.partition("=")[::2] for tag in event.tags)


class DetailNoteSerializer(serializers.Serializer[Any]):
    """Which detail rule decided for an event, and what it left out."""

    rule = serializers.IntegerField(help_text="Its id; 0 for a built-in one.")
    name = serializers.CharField()
    level = serializers.ChoiceField(choices=DETAILS)
    share = serializers.FloatField(help_text="Fraction of bodies that it keeps, 0-1.")
    left_out = serializers.ListField(child=serializers.CharField())


class EventDetailSerializer(EventSerializer):
    payload = serializers.DictField(
        help_text="The event as cleaned and stored. A frame's _rush.minified is what "
        "the client sent where a source map replaced it; _rush.unmapped why none did."
    )
    detail = DetailNoteSerializer(allow_null=True, help_text="null without a body.")
    frames = FrameSerializer(
        many=True, help_text="Of all exceptions, with links into the repository."
    )
    attachments = AttachmentSerializer(many=True)
    suspect_commits = SuspectCommitSerializer(
        many=True, help_text="Of its release, that touched a file of the stack trace."
    )

    class Meta(EventSerializer.Meta):
        fields = [
            *EventSerializer.Meta.fields,
            "payload",
            "detail",
            "frames",
            "attachments",
            "suspect_commits",
        ]


def detail_of(event: Event, context: Mapping[str, Any]) -> dict[str, Any]:
    """What EventDetailSerializer describes; ``context`` is the view's."""
    payload = event.payload
    files = of_event(event.project_id, event.event_id)
    for file in files:
        file.project = event.project
    links = links_of(event.project_id, event.release)
    suspects = commits_behind(event.release_id, payload, links)
    return {
        **EventSerializer(event).data,
        "payload": payload,
        "detail": asdict(read_note(payload, event.level)) if payload else None,
        "frames": frames_of(payload, links),
        "attachments": AttachmentSerializer(files, many=True, context=context).data,
        "suspect_commits": SuspectCommitSerializer(suspects, many=True).data,
    }


class EventFilters(filters.FilterSet):  # type: ignore[misc]
    """Names become ids first: a join would keep the list from ending early."""

    project = ProjectFilter()
    tenant = filters.CharFilter(method="by_tenant", help_text="Key.")
    release = filters.CharFilter(method="by_release", help_text="Version.")
    environment = filters.CharFilter(method="by_environment", help_text="Name.")
    level = filters.MultipleChoiceFilter(
        choices=[(level.label, level.label) for level in Level], method="by_level"
    )
    received_after = TimeFilter("received", lookup_expr="gte")
    received_before = TimeFilter("received", lookup_expr="lt")

    def by_tenant(self, events: Events, name: str, value: str) -> Events:
        found = Tenant.objects.filter(key=value.strip().lower())
        return events.filter(tenant_id__in=_ids(found))

    def by_release(self, events: Events, name: str, value: str) -> Events:
        found = Release.objects.filter(version=value)
        return events.filter(release_id__in=_ids(found))

    def by_environment(self, events: Events, name: str, value: str) -> Events:
        found = Environment.objects.filter(name=value)
        return events.filter(environment_id__in=_ids(found))

    def by_level(self, events: Events, name: str, value: list[str]) -> Events:
        levels = [level.value for level in Level if level.label in value]
        return events.filter(level__in=levels) if value else events


def _ids(rows: QuerySet[Any]) -> list[int]:
    return list(rows.values_list("pk", flat=True))


class AnyEventFilters(EventFilters):
    """Of the list over all issues."""

    issue = filters.CharFilter(
        method="by_issue",
        help_text="Id or short id; with the events of what is merged into it.",
    )
    received_after = TimeFilter(
        "received",
        lookup_expr="gte",
        help_text="Without it, and without an issue: 24 hours ago.",
    )

    def by_issue(self, events: Events, name: str, value: Any) -> Events:
        # EventPagination reads each issue of the family by its own index.
        return events


class EventPagination(KeysetPagination):
    """Reads the events of each issue of a family by its own index.

    ``issue_id IN (…) ORDER BY id`` would fetch and sort all events of a merged issue.
    """

    def read(self, queryset: QuerySet[Any], limit: int) -> list[Any]:
        family: list[int] | None = getattr(self.view, "family", None)
        if family is None:
            return super().read(queryset, limit)
        first, *others = (
            queryset.filter(issue_id=pk).values_list("pk", "received")[:limit]
            for pk in family
        )
        union = first.union(*others, all=True) if others else first
        found = dict(sorted(union, reverse=self.falling)[:limit])
        if not found:
            return []
        # The times keep the look-up to few partitions.
        times = (min(found.values()), max(found.values()))
        return list(queryset.filter(pk__in=found, received__range=times))


class EventLists(viewsets.GenericViewSet[Event]):
    """What the lists of events share; ``family`` None: of any issue."""

    queryset = Event.objects.none()
    serializer_class = EventSerializer
    filterset_class = EventFilters
    pagination_class = EventPagination
    scope = "event"
    read_permission = "issues.view_event"
    family: list[int] | None = None

    def get_queryset(self) -> Events:
        return (
            Event.objects.select_related(
                "project", "issue", "environment", "release", "tenant"
            )
            .defer("body", "issue__value")
            .annotate(
                has_payload=ExpressionWrapper(
                    Q(body__isnull=False), output_field=BooleanField()
                )
            )
        )


class EventViewSet(mixins.ListModelMixin, EventLists):
    """Events, newest first. One is named by its id or by the SDK's event id."""

    filterset_class = AnyEventFilters
    lookup_value_regex = "[0-9A-Fa-f-]+"

    def filter_queryset(self, queryset: Any) -> Any:
        events = super().filter_queryset(queryset)
        if self.detail:
            return events
        asked = self.request.query_params
        if asked.get("issue"):
            self.family = family_ids(named_in_query(asked["issue"]).pk)
        elif not asked.get("received_after"):
            events = events.filter(received__gte=timezone.now() - UNTOLD)
        return events

    @extend_schema(responses=EventDetailSerializer)
    def retrieve(self, request: Request, pk: str) -> Response:
        """One event with its payload."""
        event_id = as_event_id(pk)
        if event_id:
            named = Q(event_id=event_id)
        else:
            named = Q(pk=int(pk) if pk.isdigit() and len(pk) < 19 else 0)
        events = self.get_queryset().defer(None).defer("issue__value")
        event = events.filter(named).order_by("-pk").first()
        if event is None:
            raise Http404(
                f"There is no event {pk}; bodies are kept for some days only."
            )
        return Response(detail_of(event, self.get_serializer_context()))


class IssueEventViewSet(mixins.ListModelMixin, EventLists):
    """The events of an issue and of what is merged into it, newest first."""

    def filter_queryset(self, queryset: Any) -> Any:
        self.family = family_ids(issue_named(self.kwargs["issue_id"]).pk)
        return super().filter_queryset(queryset)


def named_in_query(name: str) -> Issue:
    try:
        return issue_named(name)
    except Http404 as error:
        raise serializers.ValidationError({"issue": str(error)}) from error


def family_ids(issue_id: int) -> list[int]:
    """The issue and what is merged into it."""
    merged = Issue.objects.filter(merged_into=issue_id)
    return [issue_id, *merged.values_list("pk", flat=True)]
