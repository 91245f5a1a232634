"""Scrub rules, and what one would take out of a stored event."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_view
from rest_framework import exceptions, serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from issues.api.rules import OfProjectSerializer, RuleViewSet
from issues.scrub_preview import tried
from tenants.models import ApiToken, ScrubRule
from tenants.models.scrubbing import check
from tenants.models.token import Scope
from tenants.scrub_rules import ScrubRuleError


class ScrubRuleSerializer(OfProjectSerializer):
    class Meta:
        model = ScrubRule
        fields = ["id", "project", "kind", "value", "note", "is_active"]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        rule = self.instance
        kind = attrs.get("kind", getattr(rule, "kind", ""))
        value = attrs.get("value", getattr(rule, "value", ""))
        try:
            check(kind, value)
        except ScrubRuleError as error:
            raise serializers.ValidationError({"value": str(error)}) from error
        return super().validate(attrs)


class TriedRuleSerializer(ScrubRuleSerializer):
    """A rule to try, also where there is such a rule already."""

    free = ("project", "kind", "value")
    event = serializers.CharField(
        max_length=40, help_text="Its id here, or the event id that the SDK made."
    )

    class Meta(ScrubRuleSerializer.Meta):
        fields = ["project", "kind", "value", "event"]


class ScrubChangeSerializer(serializers.Serializer[Any]):
    path = serializers.CharField(help_text="Such as request.headers.Authorization.")
    rules = serializers.ListField(child=serializers.CharField())
    before = serializers.CharField()
    after = serializers.CharField()


class ScrubPreviewSerializer(serializers.Serializer[Any]):
    """The texts of a stored event that a rule would change."""

    event = serializers.CharField(source="event.event_id.hex")
    changes = ScrubChangeSerializer(many=True)
    more = serializers.IntegerField(help_text="Changes beyond the first 200.")


EXAMPLE = OpenApiExample(
    "Customers' names in a key of our own",
    {"project": "tracking", "kind": "key", "value": "customer_*"},
    request_only=True,
)
TRIED = OpenApiExample(
    "Parcel keys by a pattern",
    {"kind": "pattern", "value": r"\bPK-\d{6}\b", "event": "42"},
    request_only=True,
)


@extend_schema_view(create=extend_schema(examples=[EXAMPLE]))
class ScrubRuleViewSet(RuleViewSet):
    """What a team scrubs, or keeps, of new events besides what is always scrubbed."""

    queryset = ScrubRule.objects.select_related("project")
    serializer_class = ScrubRuleSerializer
    read_permission = "tenants.view_scrubrule"
    write_permission = "tenants.change_scrubrule"
    orders = {"value": "value"}

    @extend_schema(
        request=TriedRuleSerializer,
        responses=ScrubPreviewSerializer,
        examples=[TRIED],
    )
    @action(detail=False, methods=["post"], filterset_class=None)
    def preview(self, request: Request) -> Response:
        """Try a rule, without saving it, on a stored event.

        Shows texts of the event: a token also needs the scope event:read.
        """
        _check_may_read_events(request)
        serializer = TriedRuleSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        told = dict(serializer.validated_data)
        name = told.pop("event")
        return Response(ScrubPreviewSerializer(tried(name, ScrubRule(**told))).data)


def _check_may_read_events(request: Request) -> None:
    token = request.auth
    if isinstance(token, ApiToken):
        if Scope.EVENT_READ not in token.scopes:
            raise exceptions.PermissionDenied(
                f"This token lacks the scope {Scope.EVENT_READ}."
            )
    elif not request.user.has_perm("issues.view_event"):
        raise exceptions.PermissionDenied("Your role lacks issues.view_event.")
