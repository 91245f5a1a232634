"""``sentry-cli releases``: new, finalize, set-commits, list, info, archive, delete."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.http import Http404
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from releases.api.commits import CommitsSerializer, told_commits
from releases.api.fields import version_field
from releases.commits import set_commits
from releases.models import Commit, Release
from releases.sentry_api.base import (
    Conflict,
    ProjectsSerializer,
    SentryView,
    named_projects,
    rows_of,
)
from releases.versions import (
    ReleaseInUse,
    change_release,
    delete_release,
    record_release,
)
from tenants.api.filters import project_named
from tenants.audit import Actor
from tenants.names import one_line

MOST_RELEASES = 100


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
                for project in named_projects(given)
            ]
            rows = [row for row, _ in made]
            if not rows:
                rows = [change_release(row, told, actor) for row in rows_of(version)]
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
        rows, told = self.rows(named_projects(given)), _told(given)
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
        rows = rows_of(one_line(version).strip())
        if not rows:
            return Response({})
        projects = [row.project for row in rows]
        earlier = Release.objects.filter(
            project__in=projects, first_seen__lt=min(row.first_seen for row in rows)
        )
        previous = earlier.exclude(commit="").order_by("-first_seen", "-pk").first()
        if previous is None:
            return Response({})
        return Response(_release(rows_of(previous.version, projects)))


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
