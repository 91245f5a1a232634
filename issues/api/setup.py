"""How to send to a project, as JSON, for a script that sets one up."""

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from issues.arrivals import Arrival, arrival_at
from issues.trial_event import send_test_event
from tenants.audit import Actor
from tenants.instructions import Instructions, active_keys, instructions_for
from tenants.models import Project, ProjectKey
from tenants.snippets import ENVIRONMENT, Platform, Step

KEY = "Id of the key that stands in the DSN; without it the oldest active one."
NO_KEY = "This project has no active key: make one, or switch one on, at /api/v1/keys/."
STEP = {
    "title": "Install the SDK",
    "file": "",
    "language": "shell",
    "code": "npm install @sentry/node",
    "note": "",
}
EXAMPLE = {
    "project": "tracking",
    "key": 7,
    "dsn": "https://0123456789abcdef0123456789abcdef@rush.example.com/3",
    "organization": "rush",
    "tenant_tag": "tenant",
    "release": "tracking@1.0.0",
    "environment": "production",
    "arrival": {
        "arrived": False,
        "issue": None,
        "event_id": None,
        "connected": False,
    },
    "platforms": [{"slug": "node", "title": "Node, Express", "steps": [STEP]}],
    "ci": [{**STEP, "code": "npm install --global @sentry/cli"}],
}


class SetupQuery(serializers.Serializer[Any]):
    key = serializers.IntegerField(required=False, min_value=1, help_text=KEY)
    platform = serializers.CharField(
        required=False, help_text="Slug of the only platform to tell of, such as node."
    )


class StepSerializer(serializers.Serializer[Any]):
    title = serializers.CharField()
    file = serializers.CharField(
        help_text="Where the code belongs; empty: a shell, or a browser's console."
    )
    language = serializers.CharField()
    code = serializers.CharField()
    note = serializers.CharField()


class PlatformSerializer(serializers.Serializer[Any]):
    slug = serializers.CharField()
    title = serializers.CharField()
    steps = StepSerializer(many=True)


class ArrivalSerializer(serializers.Serializer[Any]):
    arrived = serializers.BooleanField(help_text="Test events do not count.")
    issue = serializers.IntegerField(
        allow_null=True, help_text="Id of the issue with the newest event."
    )
    event_id = serializers.CharField(
        allow_null=True, help_text="The newest event, where its row is still there."
    )
    connected = serializers.BooleanField(
        help_text="Whether anything of the project's programs was heard: an event, or "
        "sessions or requests within the hour."
    )


class SetupSerializer(serializers.Serializer[Any]):
    project = serializers.CharField()
    key = serializers.IntegerField()
    dsn = serializers.CharField()
    organization = serializers.CharField(help_text="SENTRY_ORG of sentry-cli.")
    tenant_tag = serializers.CharField(help_text="Tag and attribute of the tenant.")
    release = serializers.CharField(help_text="A version to begin with.")
    environment = serializers.CharField()
    arrival = ArrivalSerializer()
    platforms = PlatformSerializer(many=True)
    ci = StepSerializer(many=True, help_text="What a pipeline tells with sentry-cli.")


class TestEventRequest(serializers.Serializer[Any]):
    __test__ = False

    key = serializers.IntegerField(required=False, min_value=1, help_text=KEY)


class TestEventSerializer(serializers.Serializer[Any]):
    __test__ = False

    event_id = serializers.CharField(
        help_text="Found at /api/v1/events/<event_id>/ once it is digested."
    )


class ProjectView(APIView):
    """What both calls share."""

    scope = "project"
    read_permission = "tenants.view_project"
    write_permission = "tenants.change_project"

    def key(self, project_id: str, wanted: int | None) -> ProjectKey:
        """The key of that id, or the oldest; raises ValidationError."""
        keys = active_keys(get_object_or_404(Project, pk=project_id))
        if not keys:
            raise ValidationError({"key": NO_KEY})
        if wanted is None:
            return keys[0]
        found = next((key for key in keys if key.pk == wanted), None)
        if found is None:
            offered = ", ".join(str(key.pk) for key in keys)
            message = f"No active key of this project; there are: {offered}."
            raise ValidationError({"key": message})
        return found


PROJECT_ID = OpenApiParameter("project_id", int, OpenApiParameter.PATH)


class ProjectSetupView(ProjectView):
    http_method_names = ["get", "head", "options"]

    @extend_schema(
        operation_id="projects_setup",
        parameters=[PROJECT_ID, SetupQuery],
        responses=SetupSerializer,
        examples=[OpenApiExample("A service", EXAMPLE, response_only=True)],
    )
    def get(self, request: Request, project_id: str) -> Response:
        """What to paste into programs and CI, and whether an event has arrived."""
        query = SetupQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        unknown = sorted(set(request.query_params) - set(query.fields))
        if unknown:
            message = "No parameter of this call; there are: key, platform."
            raise ValidationError(dict.fromkeys(unknown, message))
        key = self.key(project_id, query.validated_data.get("key"))
        found = instructions_for(key)
        platforms = _chosen(found.platforms, query.validated_data.get("platform"))
        told = _told(found, platforms, arrival_at(key))
        return Response(told, headers={"Cache-Control": "no-store"})


class ProjectTestEventView(ProjectView):
    http_method_names = ["post", "options"]

    @extend_schema(
        operation_id="projects_test_event",
        parameters=[PROJECT_ID],
        request=TestEventRequest,
        responses={201: TestEventSerializer},
        examples=[OpenApiExample("With a key", {"key": 7}, request_only=True)],
    )
    def post(self, request: Request, project_id: str) -> Response:
        """Send a test event through the front door, as an SDK would."""
        given = TestEventRequest(data=request.data)
        given.is_valid(raise_exception=True)
        key = self.key(project_id, given.validated_data.get("key"))
        event_id = send_test_event(key, Actor.of(request))
        return Response({"event_id": event_id}, status=201)


def _chosen(platforms: list[Platform], slug: str | None) -> list[Platform]:
    if slug is None:
        return platforms
    chosen = [platform for platform in platforms if platform.slug == slug]
    if not chosen:
        offered = ", ".join(platform.slug for platform in platforms)
        message = f"No such platform; there are: {offered}."
        raise ValidationError({"platform": message})
    return chosen


def _told(
    found: Instructions, platforms: list[Platform], arrival: Arrival
) -> dict[str, Any]:
    """The shape of SetupSerializer."""
    facts, event = found.facts, arrival.event
    return {
        "project": facts.slug,
        "key": found.key.pk,
        "dsn": facts.dsn,
        "organization": facts.organization,
        "tenant_tag": facts.tag,
        "release": facts.release,
        "environment": ENVIRONMENT,
        "arrival": {
            "arrived": arrival.issue is not None,
            "issue": arrival.issue.pk if arrival.issue else None,
            "event_id": event.event_id.hex if event else None,
            "connected": arrival.connected or arrival.issue is not None,
        },
        "platforms": [
            {
                "slug": platform.slug,
                "title": platform.title,
                "steps": [_step(step) for step in platform.steps],
            }
            for platform in platforms
        ],
        "ci": [_step(step) for step in found.ci],
    }


def _step(step: Step) -> dict[str, str]:
    return {
        "title": step.title,
        "file": step.file,
        "language": step.language,
        "code": step.code,
        "note": step.note,
    }
