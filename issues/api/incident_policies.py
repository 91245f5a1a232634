"""What each severity means: its target, and who is told and when."""

from collections.abc import Sequence
from typing import Any

from rest_framework import serializers

from issues.api.incident_shapes import TellsPeople, channels_named, person_named
from issues.api.rules import OfProjectSerializer, RuleViewSet, example
from issues.models import EscalationStep, IncidentPolicy
from tenants.api.writes import OnlyKnownFields, WholeAudit

Given = dict[str, Any]


class EscalationStepSerializer(
    OnlyKnownFields, TellsPeople, serializers.ModelSerializer[EscalationStep]
):
    channels = channels_named()
    people = person_named(many=True, required=False)

    class Meta:
        model = EscalationStep
        fields = ["after_seconds", "channels", "people"]

    def validate(self, attrs: Given) -> Given:
        if not (attrs.get("channels") or attrs.get("people")):
            raise serializers.ValidationError("Name channels or people to tell.")
        return attrs


class IncidentPolicySerializer(OfProjectSerializer):
    channels = channels_named()
    steps = EscalationStepSerializer(
        many=True, required=False, help_text="Given, they replace those there are."
    )

    class Meta:
        model = IncidentPolicy
        fields = [
            "id",
            "project",
            "severity",
            "target_seconds",
            "resolve_after_minutes",
            "channels",
            "steps",
        ]

    def validate_steps(self, value: Sequence[Given]) -> Sequence[Given]:
        times = [step.get("after_seconds") for step in value]
        if len(set(times)) < len(times):
            raise serializers.ValidationError("Two steps have the same time.")
        return value

    def validate(self, attrs: Given) -> Given:
        columns = {k: v for k, v in attrs.items() if k not in {"channels", "steps"}}
        super().validate(columns)
        return attrs

    def create(self, validated_data: Given) -> IncidentPolicy:
        steps = validated_data.pop("steps", [])
        policy: IncidentPolicy = super().create(validated_data)
        _write_steps(policy, steps)
        return policy

    def update(self, instance: IncidentPolicy, validated_data: Given) -> IncidentPolicy:
        steps = validated_data.pop("steps", None)
        policy: IncidentPolicy = super().update(instance, validated_data)
        if steps is not None:
            policy.steps.all().delete()
            _write_steps(policy, steps)
        return policy


def _write_steps(policy: IncidentPolicy, steps: Sequence[Given]) -> None:
    for given in steps:
        channels, people = given.pop("channels", []), given.pop("people", [])
        step = policy.steps.create(**given)
        step.channels.set(channels)
        step.people.set(people)


@example(
    "Ten minutes, the lead after four",
    {
        "severity": "critical",
        "target_seconds": 600,
        "channels": ["on call"],
        "steps": [{"after_seconds": 240, "people": ["lea"]}],
    },
)
class IncidentPolicyViewSet(WholeAudit, RuleViewSet):
    """The policy of a project counts before that of every project (null)."""

    queryset = IncidentPolicy.objects.select_related("project").prefetch_related(
        "channels", "steps__channels", "steps__people"
    )
    serializer_class = IncidentPolicySerializer
    scope = "issue"
    read_permission = "issues.view_incidentpolicy"
    write_permission = "issues.change_incidentpolicy"
    orders = {"oldest": "pk"}
