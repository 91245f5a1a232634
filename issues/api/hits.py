"""The hit list and the rules that fill it."""

from typing import Any

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
)
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from issues import hitlist
from issues.models import HitListEntry, Issue
from tenants.api.fields import NameField, name_of
from tenants.api.filters import ProjectFilter, project_named
from tenants.audit import Actor


class HitIssueSerializer(serializers.ModelSerializer[Issue]):
    short_id = serializers.CharField()
    project = name_of("slug", allow_null=False)
    assignee = name_of("username")
    score = serializers.FloatField(source="stats.score")
    tenants = serializers.IntegerField(source="stats.tenants")

    class Meta:
        model = Issue
        fields = [
            "id",
            "short_id",
            "project",
            "title",
            "culprit",
            "status",
            "assignee",
            "score",
            "tenants",
        ]


class HitSerializer(serializers.ModelSerializer[HitListEntry]):
    issue = HitIssueSerializer()
    owner = name_of("username")
    rule = name_of("name")

    class Meta:
        model = HitListEntry
        fields = [
            "id",
            "issue",
            "owner",
            "rule",
            "reason",
            "added_at",
            "added_by",
            "expires_at",
            "removed_at",
            "removed_reason",
        ]


class NewHitSerializer(serializers.Serializer[Any]):
    issue = serializers.PrimaryKeyRelatedField(
        queryset=Issue.objects.select_related("project", "stats")
    )
    reason = serializers.CharField(max_length=500)
    owner = NameField(
        slug_field="username",
        queryset=User.objects.filter(is_active=True),
        required=False,
        allow_null=True,
        default=None,
    )
    expires_at = serializers.DateTimeField(
        required=False, allow_null=True, default=None
    )


class RemovalSerializer(serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=200)


class HitFilters(filters.FilterSet):  # type: ignore[misc]
    project = ProjectFilter("issue__project")
    issue = filters.NumberFilter(field_name="issue_id")
    owner = filters.CharFilter(field_name="owner__username")
    removed = filters.BooleanFilter(
        field_name="removed_at",
        lookup_expr="isnull",
        exclude=True,
        help_text="true: the past entries; without it the current ones.",
    )


class HitListViewSet(
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    viewsets.GenericViewSet[HitListEntry],
):
    """What the team has agreed to fix, the worst first."""

    queryset = HitListEntry.objects.all()
    serializer_class = HitSerializer
    filterset_class = HitFilters
    scope = "issue"
    read_permission = "issues.view_hitlistentry"
    write_permission = "issues.change_hitlistentry"
    orders = {"impact": "-issue__stats__exponent", "newest": "-pk"}

    def get_queryset(self) -> QuerySet[HitListEntry]:
        entries = HitListEntry.objects.select_related(
            "issue__project", "issue__stats", "issue__assignee", "owner", "rule"
        ).filter(issue__stats__isnull=False)
        if self.detail or "removed" in self.request.query_params:
            return entries
        return entries.filter(removed_at=None)

    @extend_schema(
        request=NewHitSerializer,
        responses={201: HitSerializer},
        examples=[
            OpenApiExample(
                "By hand",
                {"issue": 42, "reason": "Three big shops called", "owner": "anna"},
                request_only=True,
            )
        ],
    )
    def create(self, request: Request) -> Response:
        """Put an open issue on the list."""
        serializer = NewHitSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        given = dict(serializer.validated_data)
        entry = hitlist.add(given.pop("issue"), Actor.of(request), **given)
        return Response(HitSerializer(entry).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=RemovalSerializer, responses=HitSerializer)
    @action(detail=True, methods=["post"])
    def remove(self, request: Request, pk: str) -> Response:
        """Take an entry off, with a reason; rules leave its issue alone for a while."""
        serializer = RemovalSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        reason = serializer.validated_data["reason"]
        entry = hitlist.remove(self.get_object(), Actor.of(request), reason)
        return Response(HitSerializer(entry).data)

    @extend_schema(
        parameters=[OpenApiParameter("project", description="Slug or id.")],
        responses={200: HitSerializer, 204: OpenApiResponse(description="All done.")},
        filters=False,
    )
    @action(detail=False, pagination_class=None, filterset_class=None)
    def next(self, request: Request) -> Response:
        """The head of the list: what to fix next; 204 where the list is empty."""
        name = request.query_params.get("project")
        entry = hitlist.next_to_fix(project_named(name) if name else None)
        if entry is None:
            return Response(status=status.HTTP_204_NO_CONTENT)
        return Response(HitSerializer(entry).data)
