"""Issues: listed, looked at, changed."""

from collections.abc import Callable
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_view
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from issues import event_queries, queries, workflow
from issues.api.detail import IssueDetailSerializer
from issues.api.fields import IssueSerializer
from issues.api.frames import SuspectCommitsSerializer
from issues.api.steps import IssueSteps
from issues.models import Issue, Level
from issues.models.issue import IssueQuerySet
from issues.search import search
from issues.source_links import links_of
from issues.suspects import SuspectCommit, commits_behind, release_to_blame
from issues.terms import TERMS, Asked, hit
from tenants.api.fields import NameField
from tenants.api.filters import TimeFilter
from tenants.audit import Actor
from tenants.models import Tenant
from tenants.pagination import KeysetPagination

ISSUE = {
    "id": 42,
    "short_id": "TRACKING-42",
    "project": "tracking",
    "title": "TypeError: Cannot read properties of undefined (reading 'carrier')",
    "culprit": "renderTimeline",
    "type": "TypeError",
    "level": "error",
    "platform": "javascript",
    "status": "open",
    "resolution": "",
    "regressed_at": None,
    "assignee": "anna",
    "first_seen": "2026-11-23T09:12:44Z",
    "last_seen": "2026-11-23T09:30:01Z",
    "events": 812,
    "tenants": 43,
    "users": 377,
    "score": 71.4,
    "listed": True,
}
BY_TERM = {
    "project": "Slug or id.",
    "environment": "Name; * stands for any text.",
    "release": "Version, latest, or with * for any text.",
    "tenant": "Key; * stands for any text.",
    "assignee": "Username, or me.",
}


class IssueFilters(filters.FilterSet):  # type: ignore[misc]
    project = filters.CharFilter(method="by_term", help_text=BY_TERM["project"])
    environment = filters.CharFilter(method="by_term", help_text=BY_TERM["environment"])
    release = filters.CharFilter(method="by_term", help_text=BY_TERM["release"])
    tenant = filters.CharFilter(method="by_term", help_text=BY_TERM["tenant"])
    assignee = filters.CharFilter(method="by_term", help_text=BY_TERM["assignee"])
    level = filters.MultipleChoiceFilter(
        choices=[(level.label, level.label) for level in Level], method="by_level"
    )
    status = filters.MultipleChoiceFilter(choices=Issue.Status.choices)
    first_seen_after = TimeFilter("first_seen", lookup_expr="gte")
    first_seen_before = TimeFilter("first_seen", lookup_expr="lt")
    last_seen_after = TimeFilter("stats__last_seen", lookup_expr="gte")
    last_seen_before = TimeFilter("stats__last_seen", lookup_expr="lt")
    q = filters.CharFilter(
        method="by_search",
        help_text="Words and key:value terms, as in the admin's search box: "
        'checkout is:open level:>=error !browser:"Mobile Safari".',
    )

    def by_term(self, queryset: IssueQuerySet, name: str, value: str) -> IssueQuerySet:
        asked = Asked(timezone.now(), Actor.of(self.request).user)
        term = "assigned" if name == "assignee" else name
        return queryset.filter(TERMS[term](value, asked))

    def by_level(
        self, queryset: IssueQuerySet, name: str, value: list[str]
    ) -> IssueQuerySet:
        levels = [level.value for level in Level if level.label in value]
        return queryset.filter(level__in=levels) if value else queryset

    def by_search(
        self, queryset: IssueQuerySet, name: str, value: str
    ) -> IssueQuerySet:
        return search(queryset, value, user=Actor.of(self.request).user)


def shown() -> IssueQuerySet:
    """Shown issues, joined so that each order starts at its index of the stats."""
    return Issue.objects.shown().filter(stats__isnull=False)


class IssuePagination(KeysetPagination):
    """Finds the ids of a page first, so that nothing wide is sorted."""

    def read(self, queryset: QuerySet[Any], limit: int) -> list[Any]:
        ids = list(queryset.values_list("pk", flat=True)[:limit])
        rows = queries.full_rows().in_bulk(ids)
        return [rows[pk] for pk in ids if pk in rows]


class IssueLists(viewsets.GenericViewSet[Issue]):
    """What the lists of issues share."""

    queryset = Issue.objects.none()
    serializer_class = IssueSerializer
    filterset_class = IssueFilters
    pagination_class = IssuePagination
    scope = "issue"
    read_permission = "issues.view_issue"
    write_permission = "issues.change_issue"
    orders = {
        "impact": "-stats__exponent",
        "events": "-stats__events",
        "tenants": "-stats__tenants",
        "last_seen": "-stats__last_seen",
        "first_seen": "-first_seen",
    }


class IssueChangeSerializer(serializers.Serializer[Any]):
    status = serializers.ChoiceField(
        choices=Issue.Status.choices,
        required=False,
        help_text="resolved means now, archived means for good: the steps "
        "/resolve/ and /archive/ say more.",
    )
    assignee = NameField(
        slug_field="username",
        queryset=User.objects.filter(is_active=True),
        allow_null=True,
        required=False,
    )


@extend_schema_view(
    list=extend_schema(
        examples=[OpenApiExample("The worst", ISSUE, response_only=True)]
    )
)
class IssueViewSet(IssueSteps, mixins.ListModelMixin, IssueLists):
    """What broke. An issue is named by its id or its short id, such as SHOP-42."""

    lookup_value_regex = "[A-Za-z0-9_-]+"

    def get_queryset(self) -> QuerySet[Issue]:
        return shown()

    @extend_schema(responses=IssueDetailSerializer)
    def retrieve(self, request: Request, pk: str) -> Response:
        """One issue: score and its parts, grouping, tenants hit, history."""
        return self.answer()

    @extend_schema(responses=SuspectCommitsSerializer)
    @action(
        detail=True,
        url_path="suspect-commits",
        pagination_class=None,
        filterset_class=None,
    )
    def suspect_commits(self, request: Request, pk: str) -> Response:
        """Commits that may have brought it, newest first.

        Those of the release in which it was first seen (after a regression: of the
        newest event's) that touched a file of its newest stack trace.
        """
        issue = self.get_object()
        family, _ = queries.family_of(issue)
        newest = event_queries.newest_events(family, 1)
        event = event_queries.shown_event(family, newest)
        found: list[SuspectCommit] = []
        if event is not None:
            links = links_of(event.project_id, event.release)
            release_id = release_to_blame(issue, event)
            found = commits_behind(release_id, event.payload, links)
        return Response(SuspectCommitsSerializer({"commits": found}).data)

    @extend_schema(
        request=IssueChangeSerializer,
        responses=IssueDetailSerializer,
        examples=[
            OpenApiExample("Assign", {"assignee": "anna"}, request_only=True),
            OpenApiExample("Resolve", {"status": "resolved"}, request_only=True),
        ],
    )
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change status or assignee."""
        given = self.given(IssueChangeSerializer)
        issue, actor = self.get_object(), Actor.of(request)
        with transaction.atomic():
            if "assignee" in given:
                workflow.assign([issue], actor, given["assignee"])
            if "status" in given and given["status"] != issue.status:
                STEPS[given["status"]]([issue], actor)
        return self.answer()


STEPS: dict[str, Callable[[list[Issue], Actor], object]] = {
    Issue.Status.OPEN.value: workflow.reopen,
    Issue.Status.RESOLVED.value: workflow.resolve,
    Issue.Status.ARCHIVED.value: workflow.archive,
}


class TenantIssueViewSet(mixins.ListModelMixin, IssueLists):
    """What hurts one tenant: the issues that have hit it."""

    def get_queryset(self) -> QuerySet[Issue]:
        tenant = get_object_or_404(Tenant, pk=self.kwargs["tenant_id"])
        return shown().filter(hit(Tenant.objects.filter(pk=tenant.pk)))
