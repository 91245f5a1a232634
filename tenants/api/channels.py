"""Channels with their test, and messages with what became of them."""

from typing import Any

from django.db import transaction
from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiResponse,
    extend_schema,
    extend_schema_view,
)
from rest_framework import serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response

from tenants.api.fields import name_of
from tenants.api.filters import TimeFilter
from tenants.api.writes import AuditedWrites, ConstrainedSerializer, OnlyKnownFields
from tenants.audit import Actor
from tenants.channels.checking import MAPS_PEOPLE, OWNERS_ONLY, problems_of
from tenants.channels.usage import users_of
from tenants.delivery import send_again, send_test, switched_by_hand
from tenants.models import ApiToken, Channel, Delivery
from tenants.refusals import Refusal
from tenants.secrets import encrypt

SECRETS = ("secret", "signing_secret")
CHECKED = {"kind", "config", *SECRETS}


class ChannelSerializer(OnlyKnownFields, ConstrainedSerializer):
    config = serializers.DictField(
        required=False, help_text="By kind: see docs/alerts.md."
    )
    secret = serializers.CharField(
        write_only=True,
        required=False,
        max_length=2000,
        help_text="Token, signing key or secret URL; it is never shown again.",
    )
    has_secret = serializers.SerializerMethodField()
    signing_secret = serializers.CharField(
        write_only=True,
        required=False,
        allow_blank=True,
        max_length=200,
        help_text="Of a Slack app: its buttons call us back then; empty: they link. "
        "It is never shown again.",
    )
    has_signing_secret = serializers.SerializerMethodField()
    person = name_of("username", help_text="Whose mail this is, else null.")

    class Meta:
        model = Channel
        fields = [
            "id",
            "name",
            "kind",
            "config",
            "secret",
            "has_secret",
            "signing_secret",
            "has_signing_secret",
            "hears_trouble",
            "is_active",
            "disabled_reason",
            "disabled_at",
            "paused_until",
            "person",
            "created",
        ]
        read_only_fields = ["disabled_reason", "disabled_at", "paused_until", "created"]

    def get_has_secret(self, channel: Channel) -> bool:
        return bool(channel.secret)

    def get_has_signing_secret(self, channel: Channel) -> bool:
        return bool(channel.signing_secret)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "signing_secret" in attrs and not self._may_map_people():
            raise serializers.ValidationError({"signing_secret": OWNERS_ONLY})
        # One that is only switched off, or renamed, need not be in order.
        checked = self.instance is None or CHECKED & attrs.keys()
        secrets = [attrs.get(name, "") for name in SECRETS]
        found = problems_of(self.instance, attrs, *secrets)
        if checked and found:
            raise serializers.ValidationError(found)
        attrs |= {name: encrypt(attrs[name]) for name in SECRETS if name in attrs}
        return super().validate(attrs)

    def _may_map_people(self) -> bool:
        request = self.context["request"]
        is_person = not isinstance(request.auth, ApiToken)
        return is_person and bool(request.user.has_perm(MAPS_PEOPLE))

    def update(self, instance: Channel, validated_data: dict[str, Any]) -> Channel:
        was_active = instance.is_active
        channel: Channel = super().update(instance, validated_data)
        if channel.is_active != was_active:
            who = Actor.of(self.context["request"]).name
            switched_by_hand(channel, who, timezone.now())
            channel.refresh_from_db()
        return channel


class ChannelFilters(filters.FilterSet):  # type: ignore[misc]
    kind = filters.ChoiceFilter(choices=Channel.Kind.choices)
    is_active = filters.BooleanFilter()
    person = filters.CharFilter(field_name="person__username")


class TestSerializer(serializers.Serializer[Any]):
    ok = serializers.BooleanField(help_text="The channel took the message.")
    told = serializers.CharField()
    status = serializers.IntegerField(allow_null=True, help_text="Of the answer.")
    response = serializers.CharField(help_text="The answer's body, or its beginning.")
    delivery = serializers.IntegerField(help_text="The id of its row.")


CHANNELS = [
    OpenApiExample(
        "The Slack app",
        {
            "name": "on call",
            "kind": "slack",
            "config": {"channel": "C0123456789"},
            "secret": "xoxb-…",
            "signing_secret": "8f74…",
            "hears_trouble": True,
        },
        request_only=True,
    ),
    OpenApiExample(
        "E-mail",
        {"name": "team", "kind": "email", "config": {"to": ["team@example.com"]}},
        request_only=True,
    ),
    OpenApiExample(
        "A signed webhook",
        {
            "name": "own bot",
            "kind": "webhook",
            "config": {"url": "https://bot.example.com/rush"},
            "secret": "f3b1…",
        },
        request_only=True,
    ),
]


@extend_schema_view(
    create=extend_schema(examples=CHANNELS),
    partial_update=extend_schema(
        examples=[
            OpenApiExample("Switch it on", {"is_active": True}, request_only=True)
        ]
    ),
)
class ChannelViewSet(AuditedWrites, viewsets.ModelViewSet[Channel]):
    """Where people are told. One that refuses for good switches itself off."""

    queryset = Channel.objects.select_related("person")
    serializer_class = ChannelSerializer
    filterset_class = ChannelFilters
    http_method_names = ["get", "post", "patch", "delete", "head", "options"]
    scope = "channel"
    read_permission = "tenants.view_channel"
    write_permission = "tenants.change_channel"
    orders = {"name": "name", "newest": "-pk"}

    def remove(self, row: Channel) -> None:
        if users := users_of(row):
            names = ", ".join(sorted({str(user) for user in users}))
            raise Refusal(f"{row} is still named by {names}: change that first.")
        super().remove(row)

    @extend_schema(
        request=None,
        responses=TestSerializer,
        examples=[
            OpenApiExample(
                "A token that was revoked",
                {
                    "ok": False,
                    "told": "Slack says token_revoked.",
                    "status": 200,
                    "response": '{"ok":false,"error":"token_revoked"}',
                    "delivery": 4711,
                },
                response_only=True,
            )
        ],
    )
    @action(detail=True, methods=["post"])
    def test(self, request: Request, pk: str) -> Response:
        """Send a test at once, to a channel that is off too, and tell its answer."""
        row = send_test(self.get_object(), Actor.of(request), timezone.now())
        result = {
            "ok": row.state == Delivery.State.SENT,
            "told": row.told,
            "status": row.response_status,
            "response": row.response,
            "delivery": row.pk,
        }
        return Response(TestSerializer(result).data)


class DeliverySerializer(serializers.ModelSerializer[Delivery]):
    channel = name_of("name", allow_null=False)

    class Meta:
        model = Delivery
        fields = [
            "id",
            "channel",
            "subject",
            "state_key",
            "state",
            "attempts",
            "told",
            "created",
            "next_try_at",
            "finished_at",
        ]


class DeliveryDetailSerializer(DeliverySerializer):
    message = serializers.DictField()

    class Meta(DeliverySerializer.Meta):
        fields = [
            *DeliverySerializer.Meta.fields,
            "key",
            "in_doubt",
            "external_id",
            "response_status",
            "response",
            "message",
        ]


class DeliveryFilters(filters.FilterSet):  # type: ignore[misc]
    channel = filters.CharFilter(field_name="channel__name")
    kind = filters.ChoiceFilter("channel__kind", choices=Channel.Kind.choices)
    subject = filters.CharFilter(help_text="Such as incident:7.")
    state = filters.MultipleChoiceFilter(choices=Delivery.State.choices)
    after = TimeFilter("created", lookup_expr="gte")
    before = TimeFilter("created", lookup_expr="lt")


class NotAgain(APIException):
    """The message is not one that can be sent again."""

    status_code = status.HTTP_409_CONFLICT


class DeliveryViewSet(viewsets.ReadOnlyModelViewSet[Delivery]):
    """Each message for a channel: attempts, answer, and what came of it."""

    queryset = Delivery.objects.select_related("channel")
    serializer_class = DeliverySerializer
    filterset_class = DeliveryFilters
    scope = "channel"
    read_permission = "tenants.view_delivery"
    write_permission = "tenants.change_delivery"

    def get_serializer_class(self) -> type[DeliverySerializer]:
        return DeliveryDetailSerializer if self.detail else DeliverySerializer

    @extend_schema(
        request=None,
        responses={
            200: DeliveryDetailSerializer,
            409: OpenApiResponse(description="It is not one that can be sent again."),
        },
    )
    @action(detail=True, methods=["post"], url_path="send-again")
    def send_again(self, request: Request, pk: str) -> Response:
        """Put a message that failed, or whose outcome is unknown, on its way again.

        One whose outcome is unknown may be there twice then.
        """
        delivery = self.get_object()
        try:
            with transaction.atomic():
                send_again(delivery, Actor.of(request), timezone.now())
        except Refusal as refusal:
            raise NotAgain(str(refusal)) from refusal
        delivery.refresh_from_db()
        return Response(DeliveryDetailSerializer(delivery).data)
