"""How incidents look in the API."""

from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from issues.incidents import reports, summarising
from issues.incidents.clock import Reading
from issues.incidents.timeline import reading
from issues.models import Incident, IncidentEntry, IncidentIssue, Issue, Severity
from tenants.api.fields import NameField, name_of
from tenants.api.writes import OnlyKnownFields
from tenants.models import Channel, Delivery, Project
from tenants.people import unreachable

# Of a clock that is ahead of ours.
MARGIN = timedelta(minutes=5)
LONGEST_AGO = timedelta(days=30)


class ClockSerializer(serializers.Serializer[Any]):
    """The clock when the answer was made; it runs from detection until mitigation."""

    running = serializers.BooleanField()
    spent_seconds = serializers.FloatField()
    left_seconds = serializers.FloatField(help_text="Negative past the target.")
    target_seconds = serializers.FloatField()
    kept = serializers.BooleanField(help_text="Whether the target holds so far.")
    over_at = serializers.DateTimeField(
        allow_null=True, help_text="When the target is or was reached at this pace."
    )
    since_began_seconds = serializers.FloatField(
        help_text="From the first event of the rise."
    )


def clock_of(read: Reading) -> dict[str, Any]:
    """What ``ClockSerializer`` shows."""
    return {
        "running": read.running,
        "spent_seconds": read.spent.total_seconds(),
        "left_seconds": read.left.total_seconds(),
        "target_seconds": read.target.total_seconds(),
        "kept": read.kept,
        "over_at": read.over_at,
        "since_began_seconds": read.since_began.total_seconds(),
    }


class IncidentSerializer(serializers.ModelSerializer[Incident]):
    """A row of a list."""

    project = name_of("slug")
    owner = name_of("username")
    clock = serializers.SerializerMethodField()

    class Meta:
        model = Incident
        fields = [
            "id",
            "title",
            "severity",
            "state",
            "source",
            "cause",
            "project",
            "environment",
            "deploy",
            "owner",
            "opened_by",
            "began_at",
            "detected_at",
            "alerted_at",
            "acknowledged_at",
            "mitigated_at",
            "resolved_at",
            "reopened",
            "peak_events",
            "clock",
        ]

    @extend_schema_field(ClockSerializer)
    def get_clock(self, incident: Incident) -> Any:
        read = reading(incident, timezone.now())
        return ClockSerializer(clock_of(read)).data


class LinkSerializer(serializers.ModelSerializer[IncidentIssue]):
    id = serializers.IntegerField(source="issue_id")
    short_id = serializers.CharField(source="issue.short_id")
    title = serializers.CharField(source="issue.title")
    status = serializers.CharField(source="issue.status")
    events = serializers.IntegerField(source="issue.stats.events")
    tenants = serializers.IntegerField(source="issue.stats.tenants")

    class Meta:
        model = IncidentIssue
        fields = [
            "id",
            "short_id",
            "title",
            "status",
            "events",
            "tenants",
            "joined_at",
            "joined_by",
        ]


class EntrySerializer(serializers.ModelSerializer[IncidentEntry]):
    data = serializers.DictField(  # type: ignore[assignment]
        help_text="The numbers behind the text."
    )

    class Meta:
        model = IncidentEntry
        fields = ["id", "at", "kind", "actor", "text", "data"]


class ToldSerializer(serializers.ModelSerializer[Delivery]):
    channel = name_of("name", allow_null=False)
    title = serializers.CharField(source="message.title")

    class Meta:
        model = Delivery
        fields = [
            "id",
            "channel",
            "title",
            "state",
            "attempts",
            "response_status",
            "told",
            "created",
            "finished_at",
        ]


class IncidentDetailSerializer(IncidentSerializer):
    """With its issues, its timeline, and what was sent to whom."""

    channels = NameField(slug_field="name", many=True, read_only=True)
    issues = serializers.SerializerMethodField()
    timeline = serializers.SerializerMethodField()
    deliveries = serializers.SerializerMethodField()

    class Meta(IncidentSerializer.Meta):
        fields = [
            *IncidentSerializer.Meta.fields,
            "summary",
            "summary_by",
            "channels",
            "issues",
            "timeline",
            "deliveries",
        ]

    @extend_schema_field(LinkSerializer(many=True))
    def get_issues(self, incident: Incident) -> Any:
        return LinkSerializer(reports.linked_issues(incident), many=True).data

    @extend_schema_field(EntrySerializer(many=True))
    def get_timeline(self, incident: Incident) -> Any:
        return EntrySerializer(reports.entries_of(incident), many=True).data

    @extend_schema_field(ToldSerializer(many=True))
    def get_deliveries(self, incident: Incident) -> Any:
        return ToldSerializer(reports.deliveries_of(incident), many=True).data


def channels_named() -> Any:
    """Shared channels by name; those of one person are made from the person."""
    return NameField(
        slug_field="name",
        queryset=Channel.objects.filter(person=None),
        many=True,
        required=False,
    )


def person_named(**more: Any) -> Any:
    people = User.objects.filter(is_active=True)
    return NameField(slug_field="username", queryset=people, **more)


class TellsPeople(serializers.Serializer[Any]):
    """Named people can be told, by mail."""

    def validate_people(self, people: list[User]) -> list[User]:
        if complaint := unreachable(people):
            raise serializers.ValidationError(complaint)
        return people


def issues_given(**more: Any) -> Any:
    return serializers.PrimaryKeyRelatedField[Issue](
        many=True, queryset=Issue.objects.all(), **more
    )


class NewIncidentSerializer(OnlyKnownFields):
    title = serializers.CharField(max_length=200)
    severity = serializers.ChoiceField(choices=Severity.choices, default=Severity.HIGH)
    text = serializers.CharField(required=False, max_length=10_000)
    project = NameField(
        slug_field="slug",
        queryset=Project.objects.all(),
        required=False,
        allow_null=True,
    )
    environment = serializers.CharField(required=False, max_length=64)
    began_at = serializers.DateTimeField(
        required=False, help_text="When the harm began; without it: now."
    )
    cause = serializers.CharField(
        required=False,
        max_length=150,
        help_text="A name of yours: while an incident of it stands, it is joined.",
    )
    issues = issues_given(required=False)
    channels = channels_named()

    def validate_began_at(self, value: datetime) -> datetime:
        now = timezone.now()
        if not now - LONGEST_AGO < value < now + MARGIN:
            raise serializers.ValidationError("Give a time within the last 30 days.")
        return value


class TextSerializer(serializers.Serializer[Any]):
    text = serializers.CharField(
        required=False, allow_blank=True, default="", max_length=10_000
    )


class NoteSerializer(serializers.Serializer[Any]):
    text = serializers.CharField(max_length=10_000)


class SummarySerializer(serializers.Serializer[Any]):
    text = serializers.CharField(
        allow_blank=True,
        max_length=summarising.LONGEST,
        help_text="Empty: it is written from the data again.",
    )


class OwnerSerializer(serializers.Serializer[Any]):
    owner = person_named(allow_null=True, help_text="Username; null: nobody.")


class IncidentChangeSerializer(OnlyKnownFields):
    title = serializers.CharField(required=False, max_length=200)
    severity = serializers.ChoiceField(choices=Severity.choices, required=False)
    target_seconds = serializers.IntegerField(
        required=False, min_value=1, max_value=31_536_000
    )


class JoinSerializer(serializers.Serializer[Any]):
    issues = issues_given(allow_empty=False)


class LeaveSerializer(serializers.Serializer[Any]):
    issue = serializers.PrimaryKeyRelatedField[Issue](queryset=Issue.objects.all())
