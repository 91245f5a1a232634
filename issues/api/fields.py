"""Fields and shapes that several of the issue calls share."""

from typing import Any

from django.db.models import Q
from django.http import Http404
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from issues.models import Issue, IssueActivity, Level
from issues.search import SHORT_ID
from tenants.api.fields import name_of


@extend_schema_field({"type": "string", "enum": [level.label for level in Level]})
class LevelField(serializers.Field[Any, Any, Any, Any]):
    """A level by its name."""

    def to_representation(self, value: int) -> str:
        return str(Level(value).label)

    def to_internal_value(self, data: Any) -> int:
        for level in Level:
            if level.label == data:
                return level.value
        raise serializers.ValidationError(
            f"Write one of {', '.join(str(level.label) for level in Level)}."
        )


def issue_named(name: str) -> Issue:
    """The issue of this id or short id, with what its page shows; raises Http404."""
    match = SHORT_ID.match(name)
    named = Q(pk=int(name)) if name.isdigit() and len(name) < 19 else Q(pk=0)
    if match:
        named = Q(pk=int(match[2]), project__slug__iexact=match[1])
    related = ("project", "stats", "assignee", "first_release", "resolution_release")
    issue = Issue.objects.select_related(*related).filter(named).first()
    if issue is None:
        raise Http404(f"There is no issue {name}.")
    return issue


class IssueSerializer(serializers.ModelSerializer[Issue]):
    """A row of a list."""

    short_id = serializers.CharField(read_only=True)
    project = name_of("slug", allow_null=False)
    level = LevelField(read_only=True)
    assignee = name_of("username")
    last_seen = serializers.DateTimeField(source="stats.last_seen", read_only=True)
    events = serializers.IntegerField(source="stats.events", read_only=True)
    tenants = serializers.IntegerField(source="stats.tenants", read_only=True)
    users = serializers.IntegerField(
        source="stats.users", read_only=True, help_text="10000 means that many or more."
    )
    score = serializers.FloatField(
        source="stats.score", read_only=True, help_text="Impact, 0-100."
    )
    listed = serializers.BooleanField(
        source="on_hit_list",
        read_only=True,
        help_text="Whether it stands on the hit list.",
    )

    class Meta:
        model = Issue
        fields = [
            "id",
            "short_id",
            "project",
            "title",
            "culprit",
            "type",
            "level",
            "platform",
            "status",
            "resolution",
            "regressed_at",
            "assignee",
            "first_seen",
            "last_seen",
            "events",
            "tenants",
            "users",
            "score",
            "listed",
        ]


class ActivitySerializer(serializers.ModelSerializer[IssueActivity]):
    data = serializers.DictField(  # type: ignore[assignment]
        help_text="The numbers behind the text."
    )

    class Meta:
        model = IssueActivity
        fields = ["id", "at", "kind", "actor", "text", "data"]
