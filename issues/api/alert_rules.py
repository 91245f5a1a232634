"""Alert rules: when, if, then; and what a rule would have told."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from issues.alerts.asking import sentence
from issues.alerts.preview import Told, preview
from issues.api.fields import LevelField
from issues.api.incident_shapes import TellsPeople, channels_named, person_named
from issues.api.rules import OfProjectSerializer, RuleViewSet, example
from issues.models import AlertRule
from tenants.api.fields import NameField
from tenants.api.writes import WholeAudit
from tenants.levels import Level
from tenants.models import Plan

Given = dict[str, Any]
PEOPLE = ("channels", "people")
MESSAGES_SHOWN, CAUSES_SHOWN = 100, 5


class AlertRuleSerializer(TellsPeople, OfProjectSerializer):
    """All conditions must hold; empty ones do. Texts may hold ``*`` for anything."""

    min_level = LevelField(default=Level.DEBUG.value)
    plan = NameField(
        slug_field="name",
        queryset=Plan.objects.all(),
        allow_null=True,
        default=None,
        help_text="Name of a plan that a tenant is on; null: any.",
    )
    channels = channels_named()
    people = person_named(many=True, required=False)
    sentence = serializers.SerializerMethodField()

    class Meta:
        model = AlertRule
        fields = [
            "id",
            "name",
            "is_active",
            "when",
            "threshold",
            "minutes",
            "project",
            "environment",
            "min_level",
            "tag_key",
            "tag_value",
            "tenant",
            "plan",
            "release",
            "path",
            "channels",
            "people",
            "severity",
            "opens_incident",
            "repeat_minutes",
            "digest_minutes",
            "quiet_from",
            "quiet_until",
            "quiet_timezone",
            "ignores_quiet_hours",
            "sentence",
        ]

    def get_sentence(self, rule: AlertRule) -> str:
        return sentence(rule)

    def validate(self, attrs: Given) -> Given:
        super().validate({k: v for k, v in attrs.items() if k not in PEOPLE})
        return attrs


class ToldAlertSerializer(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    title = serializers.CharField()
    alerts = serializers.SerializerMethodField(help_text="How many it tells of.")
    causes = serializers.SerializerMethodField(help_text="The first of them.")

    def get_alerts(self, told: Told) -> int:
        return len(told.found)

    def get_causes(self, told: Told) -> list[str]:
        return [one.title for one in told.found[:CAUSES_SHOWN]]


class AlertPreviewSerializer(serializers.Serializer[Any]):
    """The last seven days, replayed; the newest messages first."""

    sentence = serializers.CharField()
    start = serializers.DateTimeField()
    causes = serializers.IntegerField()
    again = serializers.IntegerField(
        help_text="Causes that would not be told again within the interval."
    )
    not_kept = serializers.CharField(
        help_text="What cannot be replayed, or only roughly."
    )
    message_count = serializers.SerializerMethodField()
    messages = serializers.SerializerMethodField()

    def get_message_count(self, found: Any) -> int:
        return len(found.messages)

    @extend_schema_field(ToldAlertSerializer(many=True))
    def get_messages(self, found: Any) -> Any:
        return ToldAlertSerializer(found.messages[:MESSAGES_SHOWN], many=True).data


@example(
    "Whoever pays most, at once",
    {
        "name": "enterprise",
        "when": "new_issue",
        "environment": "production",
        "min_level": "error",
        "plan": "Enterprise",
        "channels": ["on call"],
        "quiet_from": "22:00",
        "quiet_until": "07:00",
        "quiet_timezone": "Europe/Vienna",
    },
)
class AlertRuleViewSet(WholeAudit, RuleViewSet):
    """When something happens, if it is of this kind, then these people are told."""

    queryset = AlertRule.objects.select_related("project", "plan").prefetch_related(
        *PEOPLE
    )
    serializer_class = AlertRuleSerializer
    scope = "issue"
    read_permission = "issues.view_alertrule"
    write_permission = "issues.change_alertrule"
    orders = {"name": "name"}

    @extend_schema(responses=AlertPreviewSerializer)
    @action(detail=True, methods=["get"])
    def preview(self, request: Request, pk: str) -> Response:
        """What the rule would have told in the last seven days; nothing is written."""
        found = preview(self.get_object(), timezone.now())
        return Response(AlertPreviewSerializer(found).data)
