"""Who is asked, and what there is: info, organizations, projects, repositories."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import Min
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from releases.sentry_api.base import SentryView
from tenants.models import ApiToken, Project


class InfoView(SentryView):
    def get(self, request: Request) -> Response:
        """``sentry-cli info``: what the token may do."""
        token = request.auth
        assert isinstance(token, ApiToken)
        user = token.created_by
        return Response(
            {
                "version": "0",
                "auth": {"scopes": sorted(token.scopes)},
                "user": user and {"id": str(user.pk), "email": user.email},
            }
        )


class OrganizationsView(SentryView):
    def get(self, request: Request) -> Response:
        """The one organization there is."""
        slug = settings.ORGANIZATION_SLUG
        return Response(
            [
                {
                    "id": "1",
                    "slug": slug,
                    "name": slug,
                    "dateCreated": _since(),
                    "isEarlyAdopter": False,
                    "require2FA": False,
                }
            ]
        )


class ProjectsView(SentryView):
    def get(self, request: Request, organization: str) -> Response:
        """``sentry-cli projects list``."""
        return Response([_project(row) for row in Project.objects.order_by("slug")])


class RepositoriesView(SentryView):
    def get(self, request: Request, organization: str) -> Response:
        """What ``set-commits --commit`` may name.

        Their provider is one that sentry-cli does not know, and there is always one:
        so ``--auto`` finds no match and sends local commits, which have the files.
        With an empty list ``--commit`` and ``--clear`` would send local ones, too.
        """
        named = Project.objects.values_list("repositories", flat=True)
        names = sorted({name for names in named for name in names})
        since = _since()
        return Response([_repository(name, since) for name in names or ["local"]])


def _project(row: Project) -> dict[str, Any]:
    return {"id": str(row.pk), "slug": row.slug, "name": row.name, "team": None}


def _since() -> datetime:
    first: datetime | None = Project.objects.aggregate(at=Min("created"))["at"]
    return first or timezone.now()


def _repository(name: str, since: datetime) -> dict[str, Any]:
    return {
        "id": name,
        "name": name,
        "url": None,
        "provider": {"id": "local", "name": "local commits"},
        "status": "active",
        "dateCreated": since,
    }
