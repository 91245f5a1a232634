"""API tokens: made, listed and revoked by people."""

from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from tenants.api.fields import name_of
from tenants.audit import Actor, record
from tenants.auth import PeoplePermission
from tenants.models import ApiToken
from tenants.models.token import Scope
from tenants.tokens import issue_token


class TokenSerializer(serializers.ModelSerializer[ApiToken]):
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=Scope.choices), allow_empty=False
    )
    created_by = name_of("username")

    class Meta:
        model = ApiToken
        fields = [
            "id",
            "name",
            "hint",
            "scopes",
            "created_by",
            "created",
            "expires_at",
            "last_used",
            "revoked_at",
        ]
        read_only_fields = ["hint", "last_used", "revoked_at"]

    def validate_expires_at(self, value: Any) -> Any:
        if value is not None and value <= timezone.now():
            raise serializers.ValidationError("This lies in the past.")
        return value


class NewTokenSerializer(TokenSerializer):
    token = serializers.CharField(read_only=True, help_text="Shown only now.")

    class Meta(TokenSerializer.Meta):
        fields = [*TokenSerializer.Meta.fields, "token"]


class TokenViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[ApiToken]
):
    """Bearer tokens with scopes; stored as a digest, shown once."""

    queryset = ApiToken.objects.select_related("created_by")
    serializer_class = TokenSerializer
    permission_classes = [PeoplePermission]
    read_permission = "tenants.view_apitoken"
    write_permission = "tenants.add_apitoken"

    @extend_schema(
        request=TokenSerializer,
        responses={201: NewTokenSerializer},
        examples=[
            OpenApiExample(
                "For CI",
                {"name": "ci", "scopes": ["release:write", "issue:read"]},
                request_only=True,
            )
        ],
    )
    def create(self, request: Request) -> Response:
        """Make a token. Its text stands in this answer and nowhere else."""
        serializer = TokenSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        given, actor = serializer.validated_data, Actor.of(request)
        with transaction.atomic():
            row, token = issue_token(
                given["name"],
                sorted(set(given["scopes"])),
                base_url=settings.BASE_URL,
                organization=settings.ORGANIZATION_SLUG,
                created_by=actor.user,
                expires_at=given.get("expires_at"),
            )
            record(actor, "added", row, {"scopes": [None, row.scopes]})
        data = {**TokenSerializer(row).data, "token": token}
        return Response(data, status=status.HTTP_201_CREATED)

    @extend_schema(request=None, responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """Revoke a token for good; it stays listed."""
        row = self.get_object()
        with transaction.atomic():
            revoked = ApiToken.objects.filter(pk=row.pk, revoked_at=None)
            if revoked.update(revoked_at=timezone.now()):
                record(Actor.of(request), "revoked", row, {})
        return Response(status=status.HTTP_204_NO_CONTENT)
