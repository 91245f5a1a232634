"""``sentry-cli deploys``: new, list."""

from typing import Any

from django.db import transaction
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from releases.api.fields import LineField, environment_field
from releases.deploys import NewDeploy
from releases.models import Deploy
from releases.sentry_api.base import ProjectsSerializer, SentryView, named_projects
from releases.shipping import ship
from tenants.audit import Actor

MOST_DEPLOYS = 100


class NewDeploySerializer(ProjectsSerializer):
    environment = environment_field()
    name = LineField(max_length=200, allow_blank=True, allow_null=True, default="")
    url = serializers.URLField(
        max_length=500, allow_blank=True, allow_null=True, default=""
    )
    dateStarted = serializers.DateTimeField(
        source="started_at", allow_null=True, default=None
    )
    dateFinished = serializers.DateTimeField(
        source="finished_at", allow_null=True, default=None
    )


class DeploysView(SentryView):
    def get(self, request: Request, organization: str, version: str) -> Response:
        """``deploys list``, newest first."""
        deploys = Deploy.objects.filter(release__in=self.rows())
        newest = deploys.select_related("environment")[:MOST_DEPLOYS]
        told: dict[tuple[Any, ...], dict[str, Any]] = {}
        for row in newest:
            key = (row.environment.name, row.name, row.url, row.started_at)
            told.setdefault(key, _deploy(row))
        return Response(list(told.values()))

    def post(self, request: Request, organization: str, version: str) -> Response:
        """``deploys new``: in each project that has the release."""
        given = self.given(NewDeploySerializer)
        rows = self.rows(named_projects(given))
        told = NewDeploy(
            environment=given["environment"],
            name=given["name"] or "",
            url=given["url"] or "",
            started_at=given["started_at"],
            finished_at=given["finished_at"],
        )
        actor, now = Actor.of(request), timezone.now()
        with transaction.atomic():
            made = [ship(row.project, row.version, told, actor, now) for row in rows]
        is_new = any(new for _, new in made)
        return Response(_deploy(made[0][0]), status=201 if is_new else 200)


def _deploy(row: Deploy) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "environment": row.environment.name,
        "name": row.name or None,
        "url": row.url or None,
        "dateStarted": row.started_at,
        "dateFinished": row.finished_at,
    }
