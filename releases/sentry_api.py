"""What sentry-cli calls under /api/0/: releases, their commits and deploys.

A release of sentry-cli spans projects; ours is one row per project and version, so a
call changes the rows of a version and an answer merges them. Errors are
``{"detail": …}``; a 404 makes sentry-cli say that the release does not exist.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Min
from django.http import Http404, HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from rest_framework import serializers
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from releases.api.commits import CommitsSerializer, told_commits
from releases.api.fields import LineField, environment_field, version_field
from releases.commits import set_commits
from releases.deploys import NewDeploy
from releases.models import Commit, Deploy, Release
from releases.shipping import ship
from releases.versions import (
    ReleaseInUse,
    change_release,
    delete_release,
    record_release,
)
from tenants.api.filters import project_named
from tenants.audit import Actor
from tenants.auth import TokenAuthentication
from tenants.models import ApiToken, Project
from tenants.names import one_line
from tenants.problems import problem_response

MOST_RELEASES = 100
MOST_DEPLOYS = 100
MOST_PROJECTS = 100


class Conflict(APIException):
    """What is there stands against it."""

    status_code = 409


def detail_response(error: Exception, context: dict[str, Any]) -> Response | None:
    """An error as ``{"detail": …}``; None for one that is our own."""
    response = problem_response(error, context)
    if response is not None:
        problem = response.data
        named = "; ".join(_flat(problem.get("errors", {})))
        response.data = {"detail": named or problem["detail"]}
        response.content_type = None
    return response


def _flat(errors: Any, path: str = "") -> Iterable[str]:
    if isinstance(errors, Mapping):
        for name, inner in errors.items():
            yield from _flat(inner, f"{path}.{name}".strip("."))
    elif isinstance(errors, list):
        for inner in errors:
            yield from _flat(inner, path)
    else:
        yield f"{path}: {errors}"


@csrf_exempt
def no_such_path(request: HttpRequest) -> JsonResponse:
    """The answer to a path of Sentry's API that is not here."""
    return JsonResponse({"detail": f"There is no {request.path} here."}, status=404)


class ProjectsSerializer(serializers.Serializer[Any]):
    projects = serializers.ListField(
        child=serializers.CharField(), max_length=MOST_PROJECTS, default=list
    )


class ChangeSerializer(ProjectsSerializer, CommitsSerializer):
    """What ``releases finalize`` and ``set-commits`` put."""

    url = serializers.URLField(max_length=500, required=False, allow_null=True)
    ref = serializers.CharField(
        source="commit", max_length=64, required=False, allow_null=True
    )
    dateStarted = serializers.DateTimeField(
        source="started_at", required=False, allow_null=True
    )
    dateReleased = serializers.DateTimeField(
        source="released_at", required=False, allow_null=True
    )
    status = serializers.ChoiceField(["open", "archived"], required=False)


class NewReleaseSerializer(ChangeSerializer):
    version = version_field()


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


class SentryView(APIView):
    """The base of each call: a token with the scope release, our organization."""

    authentication_classes = [TokenAuthentication]
    scope = "release"
    schema = None

    def get_exception_handler(self) -> Any:
        return detail_response

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        organization = kwargs.get("organization", settings.ORGANIZATION_SLUG)
        if organization != settings.ORGANIZATION_SLUG:
            raise Http404(f"There is no organization {organization!r}.")

    def given(self, serializer_class: type[serializers.Serializer[Any]]) -> Any:
        """The body of the request, checked."""
        serializer = serializer_class(data=self.request.data)
        serializer.is_valid(raise_exception=True)
        return serializer.validated_data

    def rows(self, projects: Sequence[Project] = ()) -> list[Release]:
        """The releases of the version in the path, of these or all projects."""
        version = one_line(self.kwargs["version"]).strip()
        rows = _rows(version, projects)
        if not rows:
            raise Http404(f"There is no release {version!r}.")
        return rows


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
        since = Project.objects.aggregate(since=Min("created"))["since"]
        slug = settings.ORGANIZATION_SLUG
        return Response(
            [
                {
                    "id": "1",
                    "slug": slug,
                    "name": slug,
                    "dateCreated": since or timezone.now(),
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
        """None: so ``set-commits --auto`` sends local commits, which have the files."""
        return Response([])


class ProjectReleasesView(SentryView):
    def get(self, request: Request, organization: str, project: str) -> Response:
        """``sentry-cli releases list``: the newest that are not archived."""
        try:
            row = project_named(project)
        except serializers.ValidationError as error:
            raise Http404(f"There is no project {project!r}.") from error
        releases = Release.objects.filter(project=row, archived_at=None)
        newest = releases.select_related("project")[:MOST_RELEASES]
        return Response([_release([release]) for release in newest])


class ReleasesView(SentryView):
    def post(self, request: Request, organization: str) -> Response:
        """``releases new``, ``archive`` and ``restore``; without projects all rows."""
        given, actor = self.given(NewReleaseSerializer), Actor.of(request)
        version, told = given["version"], _told(given)
        with transaction.atomic():
            made = [
                record_release(project, version, told, actor)
                for project in _projects(given)
            ]
            rows = [row for row, _ in made]
            if not rows:
                rows = [change_release(row, told, actor) for row in _rows(version)]
            if not rows:
                raise Http404(f"There is no release {version!r}, and no project given.")
            rows = _set_commits(rows, given, actor)
        is_new = any(new for _, new in made)
        return Response(_release(rows), status=201 if is_new else 200)


class ReleaseView(SentryView):
    def get(self, request: Request, organization: str, version: str) -> Response:
        """``releases info``."""
        return Response(_release(self.rows()))

    def put(self, request: Request, organization: str, version: str) -> Response:
        """``releases finalize`` and ``set-commits``."""
        given, actor = self.given(ChangeSerializer), Actor.of(request)
        rows, told = self.rows(_projects(given)), _told(given)
        with transaction.atomic():
            rows = [change_release(row, told, actor) for row in rows]
            rows = _set_commits(rows, given, actor)
        return Response(_release(rows))

    def delete(self, request: Request, organization: str, version: str) -> Response:
        """``releases delete``: of one without deploys and events."""
        try:
            with transaction.atomic():
                for row in self.rows():
                    delete_release(row, Actor.of(request))
        except ReleaseInUse as error:
            raise Conflict(str(error)) from error
        return Response(status=204)


class CommitsView(SentryView):
    def get(self, request: Request, organization: str, version: str) -> Response:
        """``releases info -C``."""
        commits = Commit.objects.filter(release__in=self.rows()).defer("files")
        told: dict[tuple[str, str], dict[str, Any]] = {}
        for commit in commits.select_related("release"):
            told.setdefault((commit.repository, commit.sha), _commit(commit))
        return Response(list(told.values()))


class PreviousView(SentryView):
    def get(self, request: Request, organization: str, version: str) -> Response:
        """The newest release before this one with commits, for ``--local``."""
        rows = _rows(one_line(version).strip())
        if not rows:
            return Response({})
        earlier = Release.objects.filter(
            project__in=[row.project_id for row in rows],
            first_seen__lt=min(row.first_seen for row in rows),
        )
        previous = earlier.exclude(commit="").order_by("-first_seen", "-pk").first()
        return Response(_release(_rows(previous.version)) if previous else {})


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
        rows = self.rows(_projects(given))
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


def _projects(given: Mapping[str, Any]) -> list[Project]:
    """Those that the body names; raises ValidationError."""
    return [project_named(name) for name in dict.fromkeys(given["projects"])]


def _rows(version: str, projects: Sequence[Project] = ()) -> list[Release]:
    rows = Release.objects.filter(version=version).select_related("project")
    if projects:
        rows = rows.filter(project__in=projects)
    return list(rows.order_by("project__slug"))


def _told(given: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a release that the body tells; null tells nothing."""
    names = ("url", "commit", "started_at", "released_at")
    told = {name: given[name] for name in names if given.get(name)}
    if "status" in given:
        archived = given["status"] == "archived"
        told["archived_at"] = timezone.now() if archived else None
    return told


def _set_commits(
    rows: list[Release], given: Mapping[str, Any], actor: Actor
) -> list[Release]:
    commits = told_commits(given)
    if commits is None:
        return rows
    return [set_commits(row, commits, actor) for row in rows]


def _project(row: Project) -> dict[str, Any]:
    return {"id": str(row.pk), "slug": row.slug, "name": row.name, "team": None}


def _release(rows: Sequence[Release]) -> dict[str, Any]:
    """The rows of one version as one release."""
    first = rows[0]
    commit = next((row.commit for row in rows if row.commit), None)
    authors = dict.fromkeys(name for row in rows for name in row.authors)
    archived = all(row.archived_at for row in rows)
    return {
        "id": first.pk,
        "version": first.version,
        "shortVersion": first.version,
        "ref": commit,
        "url": next((row.url for row in rows if row.url), None),
        "status": "archived" if archived else "open",
        "dateCreated": min(row.first_seen for row in rows),
        "dateStarted": _latest(row.started_at for row in rows),
        "dateReleased": _latest(row.released_at for row in rows),
        "lastCommit": {"id": commit} if commit else None,
        "authors": [{"name": name} for name in authors],
        "projects": [
            {"id": row.project_id, "slug": row.project.slug, "name": row.project.name}
            for row in rows
        ],
    }


def _latest(times: Iterable[datetime | None]) -> datetime | None:
    return max((time for time in times if time), default=None)


def _commit(row: Commit) -> dict[str, Any]:
    author = {"name": row.author_name, "email": row.author_email}
    return {
        "id": row.sha,
        "message": row.message,
        "dateCreated": row.committed_at or row.release.first_seen,
        "repository": {"name": row.repository},
        "author": author if any(author.values()) else None,
    }


def _deploy(row: Deploy) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "environment": row.environment.name,
        "name": row.name or None,
        "url": row.url or None,
        "dateStarted": row.started_at,
        "dateFinished": row.finished_at,
    }
