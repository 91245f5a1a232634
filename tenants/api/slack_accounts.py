"""Whose account a Slack user is; mapped by people only."""

from typing import Any

from django.contrib.auth.models import User
from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_view
from rest_framework import viewsets

from tenants.api.fields import NameField
from tenants.api.writes import AuditedWrites, ConstrainedSerializer
from tenants.auth import PeoplePermission
from tenants.models import SlackAccount


class SlackAccountSerializer(ConstrainedSerializer):
    user = NameField(
        slug_field="username",
        queryset=User.objects.filter(is_active=True, is_staff=True),
        help_text="The account in whose name it is done.",
    )

    class Meta:
        model = SlackAccount
        fields = ["id", "team", "slack_user", "user", "by_email", "created"]
        read_only_fields = ["by_email", "created"]

    def update(self, instance: SlackAccount, validated_data: Any) -> SlackAccount:
        # From now on a person answers for it.
        instance.by_email = False
        row: SlackAccount = super().update(instance, validated_data)
        return row


class SlackAccountFilters(filters.FilterSet):  # type: ignore[misc]
    team = filters.CharFilter()
    slack_user = filters.CharFilter()
    user = filters.CharFilter(field_name="user__username")


@extend_schema_view(
    create=extend_schema(
        examples=[
            OpenApiExample(
                "Anna",
                {"team": "T012AB3C4", "slack_user": "U012AB3CD", "user": "anna"},
                request_only=True,
            )
        ]
    )
)
class SlackAccountViewSet(AuditedWrites, viewsets.ModelViewSet[SlackAccount]):
    """Slack users with their accounts, in whose name their presses are done."""

    queryset = SlackAccount.objects.select_related("user")
    serializer_class = SlackAccountSerializer
    filterset_class = SlackAccountFilters
    permission_classes = [PeoplePermission]
    http_method_names = ["get", "post", "patch", "delete", "head", "options"]
    read_permission = "tenants.view_slackaccount"
    write_permission = "tenants.change_slackaccount"
    orders = {"newest": "-pk"}
