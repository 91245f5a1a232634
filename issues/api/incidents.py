"""Incidents: what burns, and each step that can be taken."""

from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from issues.api import incident_shapes as shapes
from issues.incidents import reports, steps, summarising
from issues.incidents.by_hand import open_by_hand
from issues.models import Incident, Severity
from tenants.api.filters import ProjectFilter, TimeFilter
from tenants.audit import Actor


class IncidentFilters(filters.FilterSet):  # type: ignore[misc]
    state = filters.MultipleChoiceFilter(choices=Incident.State.choices)
    severity = filters.MultipleChoiceFilter(choices=Severity.choices)
    source = filters.ChoiceFilter(choices=Incident.Source.choices)
    project = ProjectFilter()
    owner = filters.CharFilter(field_name="owner__username")
    deploy = filters.NumberFilter(field_name="deploy_id")
    issue = filters.NumberFilter(field_name="links__issue_id")
    detected_after = TimeFilter(field_name="detected_at", lookup_expr="gte")
    detected_before = TimeFilter(field_name="detected_at", lookup_expr="lt")


def example(name: str, value: dict[str, Any]) -> list[OpenApiExample]:
    return [OpenApiExample(name, value, request_only=True)]


def step(
    body: type[serializers.Serializer[Any]], value: dict[str, Any]
) -> Callable[[Any], Any]:
    """A step on one incident: its body, with an example of it."""

    def decorated(method: Any) -> Any:
        described = extend_schema(
            request=body,
            responses=shapes.IncidentDetailSerializer,
            examples=example(method.__name__.replace("_", " ").capitalize(), value),
        )
        path = method.__name__.replace("_", "-")
        return described(action(detail=True, methods=["post"], url_path=path)(method))

    return decorated


class IncidentViewSet(
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    viewsets.GenericViewSet[Incident],
):
    """Incidents, the newest first; a step that is done already changes nothing."""

    queryset = Incident.objects.all()
    filterset_class = IncidentFilters
    scope = "issue"
    read_permission = "issues.view_incident"
    write_permission = "issues.change_incident"
    orders = {"detected": "-detected_at"}

    def get_queryset(self) -> QuerySet[Incident]:
        return reports.listed_incidents(Incident.objects.all())

    def get_serializer_class(self) -> type[serializers.BaseSerializer[Any]]:
        if self.action == "list":
            return shapes.IncidentSerializer
        return shapes.IncidentDetailSerializer

    def given(self, body: type[serializers.Serializer[Any]]) -> dict[str, Any]:
        """The body of the request, checked."""
        serializer = body(data=self.request.data)
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)

    def answer(self, pk: Any, code: int = status.HTTP_200_OK) -> Response:
        """The incident as it is now."""
        incident = self.get_queryset().get(pk=pk)
        return Response(shapes.IncidentDetailSerializer(incident).data, status=code)

    @extend_schema(
        request=shapes.NewIncidentSerializer,
        responses={
            200: shapes.IncidentDetailSerializer,
            201: shapes.IncidentDetailSerializer,
        },
        examples=example(
            "Customers call",
            {
                "title": "Checkout fails",
                "severity": "critical",
                "project": "shop",
                "began_at": "2026-05-04T09:58:00Z",
                "issues": [42],
            },
        ),
    )
    def create(self, request: Request) -> Response:
        """Open one by hand (201), or join the one of the same cause (200)."""
        given = self.given(shapes.NewIncidentSerializer)
        given["issues"] = [issue.pk for issue in given.pop("issues", [])]
        actor = Actor.of(request)
        incident, opened = open_by_hand(actor, timezone.now(), **given)
        code = status.HTTP_201_CREATED if opened else status.HTTP_200_OK
        return self.answer(incident.pk, code)

    @extend_schema(request=None, responses=shapes.IncidentDetailSerializer)
    @action(detail=True, methods=["post"])
    def acknowledge(self, request: Request, pk: str) -> Response:
        """Say that somebody looks after it; a person becomes its owner."""
        incident = self.get_object()
        steps.acknowledge(incident, Actor.of(request), timezone.now())
        return self.answer(incident.pk)

    @step(shapes.TextSerializer, {"text": "Switched the carrier off."})
    def mitigate(self, request: Request, pk: str) -> Response:
        """Say that the harm has ended: the clock stands."""
        return self._said(steps.mitigate)

    @step(shapes.TextSerializer, {"text": "Fixed in shop@2.4.1."})
    def resolve(self, request: Request, pk: str) -> Response:
        """Say that it is over."""
        return self._said(steps.resolve)

    @step(shapes.TextSerializer, {"text": "It burns again."})
    def reopen(self, request: Request, pk: str) -> Response:
        """Let the clock run on from what was spent."""
        return self._said(steps.reopen)

    def _said(self, do: Callable[..., bool]) -> Response:
        incident, given = self.get_object(), self.given(shapes.TextSerializer)
        do(incident, Actor.of(self.request), timezone.now(), given["text"])
        return self.answer(incident.pk)

    @step(shapes.OwnerSerializer, {"owner": "anna"})
    def assign(self, request: Request, pk: str) -> Response:
        """Make somebody responsible."""
        incident, given = self.get_object(), self.given(shapes.OwnerSerializer)
        steps.assign(incident, given["owner"], Actor.of(request), timezone.now())
        return self.answer(incident.pk)

    @step(shapes.NoteSerializer, {"text": "The carrier confirms an outage."})
    def note(self, request: Request, pk: str) -> Response:
        """Write a line of the timeline."""
        incident, given = self.get_object(), self.given(shapes.NoteSerializer)
        steps.add_note(incident, Actor.of(request), timezone.now(), given["text"])
        return self.answer(incident.pk)

    @step(shapes.IncidentChangeSerializer, {"severity": "critical"})
    def change(self, request: Request, pk: str) -> Response:
        """Change title, severity or target; a severity brings its policy's target."""
        incident, given = self.get_object(), self.given(shapes.IncidentChangeSerializer)
        steps.change(incident, Actor.of(request), timezone.now(), **given)
        return self.answer(incident.pk)

    @step(shapes.JoinSerializer, {"issues": [42, 43]})
    def join(self, request: Request, pk: str) -> Response:
        """Add issues that feed the same fire."""
        incident, given = self.get_object(), self.given(shapes.JoinSerializer)
        ids = [issue.pk for issue in given["issues"]]
        steps.join_issues(incident, ids, Actor.of(request), timezone.now())
        return self.answer(incident.pk)

    @step(shapes.LeaveSerializer, {"issue": 43})
    def remove_issue(self, request: Request, pk: str) -> Response:
        """Take out an issue that has nothing to do with it."""
        incident, given = self.get_object(), self.given(shapes.LeaveSerializer)
        steps.remove_issue(incident, given["issue"], Actor.of(request), timezone.now())
        return self.answer(incident.pk)

    @step(shapes.SummarySerializer, {"text": "A carrier's API was down for 4 minutes."})
    def summary(self, request: Request, pk: str) -> Response:
        """Write the summary in words of your own; nothing writes over it then."""
        incident, given = self.get_object(), self.given(shapes.SummarySerializer)
        actor = Actor.of(request)
        summarising.edit(incident, actor, timezone.now(), given["text"])
        return self.answer(incident.pk)

    @extend_schema(request=None, responses=shapes.IncidentDetailSerializer)
    @action(detail=True, methods=["post"], url_path="rewrite-summary")
    def rewrite_summary(self, request: Request, pk: str) -> Response:
        """Write the summary from the data of now, unless a person has edited it."""
        incident = self.get_object()
        summarising.rewrite(incident, Actor.of(request), timezone.now())
        return self.answer(incident.pk)
