"""The verdict on a deploy, as CI asks for it, and the command that asks."""

from pathlib import Path
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from releases import rush_gate
from releases.gate import LONGEST_SECONDS, VERDICT_HEADER, wait_seconds
from releases.models import Action, Deploy, Rollback, Watch
from tenants.admin_links import admin_link

Verdict = Watch.Verdict
EXIT_CODES = {Verdict.HEALTHY: 0, Verdict.DEGRADED: 1, Verdict.INCONCLUSIVE: 3}
PENDING = "The deploy is being watched; there is no verdict yet."


class RollbackStateSerializer(serializers.Serializer[Any]):
    state = serializers.ChoiceField(choices=Rollback.State.choices)
    explanation = serializers.CharField()


class VerdictSerializer(serializers.Serializer[Any]):
    deploy = serializers.IntegerField(source="pk")
    project = serializers.CharField(source="project.slug")
    environment = serializers.CharField(source="environment.name")
    release = serializers.CharField(source="release.version")
    verdict = serializers.ChoiceField(choices=Verdict.choices)
    final = serializers.BooleanField(help_text="Whether the verdict can still change.")
    reason = serializers.CharField()
    action = serializers.ChoiceField(
        choices=Action.choices,
        allow_blank=True,
        help_text="What the threshold wants done about a degraded deploy.",
    )
    sentence = serializers.CharField(help_text="The verdict for a person.")
    numbers = serializers.DictField(help_text="Those of the newest evaluation.")
    suspects = serializers.ListField(
        child=serializers.DictField(),
        help_text="Issues new or grown since the deploy, by share of the excess.",
    )
    rollback = RollbackStateSerializer(allow_null=True)
    url = serializers.CharField(help_text="The deploy's page in the admin.")
    exit_code = serializers.IntegerField(
        allow_null=True,
        help_text="0 healthy, 1 degraded, 3 inconclusive, null while pending.",
    )


class VerdictView(APIView):
    """What is made of a deploy: healthy, degraded, inconclusive, or not yet known."""

    http_method_names = ["get", "head", "options"]
    scope = "release"
    read_permission = "releases.view_watch"

    @extend_schema(
        operation_id="deploys_verdict",
        responses=VerdictSerializer,
        parameters=[
            OpenApiParameter(
                "wait",
                int,
                description="Answer once the verdict is final, after so many seconds "
                f"at the latest (1 to {LONGEST_SECONDS}).",
            )
        ],
    )
    def get(self, request: Request, deploy_id: str) -> Response:
        """The verdict on a deploy, at once or, with wait, when it is final."""
        if "wait" in request.query_params:
            # The front door does the waiting, see releases.gate.
            wait_seconds(request.query_params["wait"])
        rows = Deploy.objects.select_related(
            "project", "environment", "release", "watch"
        )
        told = verdict_of(get_object_or_404(rows, pk=deploy_id))
        headers = {VERDICT_HEADER: told["verdict"], "Cache-Control": "no-store"}
        return Response(told, headers=headers)


def verdict_of(deploy: Deploy) -> dict[str, Any]:
    """The shape of VerdictSerializer."""
    watch = getattr(deploy, "watch", None) or Watch(deploy=deploy)
    verdict = Verdict(watch.verdict)
    rollback = deploy.rollbacks.first()
    return {
        "deploy": deploy.pk,
        "project": deploy.project.slug,
        "environment": deploy.environment.name,
        "release": deploy.release.version,
        "verdict": verdict.value,
        "final": watch.is_final,
        "reason": watch.reason,
        "action": watch.action,
        "sentence": watch.sentence or ("" if watch.is_final else PENDING),
        "numbers": watch.numbers,
        "suspects": watch.suspects,
        "rollback": rollback
        and {"state": rollback.state, "explanation": rollback.explanation},
        "url": admin_link(f"releases/deploy/{deploy.pk}/change"),
        "exit_code": EXIT_CODES.get(verdict),
    }


@require_safe
def rush_gate_file(request: HttpRequest) -> HttpResponse:
    """The command as one file, for pipelines that install nothing."""
    source = Path(rush_gate.__file__).read_bytes()
    return HttpResponse(source, content_type="text/x-python; charset=utf-8")
