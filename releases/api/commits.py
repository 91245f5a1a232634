"""The commits of a release: set by CI, read by people."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import mixins, serializers, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from releases.api.fields import PathsField
from releases.api.releases import ReleaseSerializer
from releases.commits import NewCommit, set_commits
from releases.models import Commit, Release
from tenants.audit import Actor


class CommitSerializer(serializers.ModelSerializer[Commit]):
    class Meta:
        model = Commit
        fields = [
            "position",
            "sha",
            "repository",
            "message",
            "author_name",
            "author_email",
            "committed_at",
            "files",
        ]


class NewCommitSerializer(serializers.Serializer[Any]):
    """A commit; ``id``, ``timestamp`` and ``patch_set`` are what sentry-cli calls sha,
    committed_at and files."""

    sha = serializers.CharField(required=False)
    id = serializers.CharField(required=False)
    repository = serializers.CharField(
        required=False,
        allow_null=True,
        allow_blank=True,
        help_text="acme/shop",
    )
    message = serializers.CharField(required=False, allow_null=True, allow_blank=True)
    author_name = serializers.CharField(
        required=False, allow_null=True, allow_blank=True
    )
    author_email = serializers.CharField(
        required=False, allow_null=True, allow_blank=True
    )
    committed_at = serializers.DateTimeField(required=False, allow_null=True)
    timestamp = serializers.DateTimeField(required=False, allow_null=True)
    files = PathsField(required=False, allow_null=True)
    patch_set = PathsField(required=False, allow_null=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs.get("sha") and not attrs.get("id"):
            raise serializers.ValidationError({"sha": "This field is required."})
        return attrs


class RefSerializer(serializers.Serializer[Any]):
    """The last commit of a repository; its files and message are not known."""

    repository = serializers.CharField()
    commit = serializers.CharField()


class CommitsSerializer(serializers.Serializer[Any]):
    """Either commits, newest first, or only the last commit of each repository."""

    commits = NewCommitSerializer(many=True, required=False, allow_null=True)
    refs = RefSerializer(many=True, required=False, allow_null=True)


def told_commits(given: Mapping[str, Any]) -> Sequence[NewCommit] | None:
    """The commits of a checked CommitsSerializer; None where it has neither list."""
    if given.get("commits") is not None:
        return [_commit(one) for one in given["commits"]]
    if given.get("refs") is not None:
        return [NewCommit(one["commit"], one["repository"]) for one in given["refs"]]
    return None


def _commit(given: Mapping[str, Any]) -> NewCommit:
    return NewCommit(
        sha=given.get("sha") or given["id"],
        repository=given.get("repository") or "",
        message=given.get("message") or "",
        author_name=given.get("author_name") or "",
        author_email=given.get("author_email") or "",
        committed_at=given.get("committed_at") or given.get("timestamp"),
        files=given.get("files") or given.get("patch_set") or [],
    )


class ReleaseCommitViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[Commit]):
    """What a release brought, the newest commit first."""

    queryset = Commit.objects.none()
    serializer_class = CommitSerializer
    scope = "release"
    read_permission = "releases.view_release"
    write_permission = "releases.change_release"
    orders = {"position": "position"}

    def get_queryset(self) -> QuerySet[Commit]:
        return Commit.objects.filter(release=self._release())

    def _release(self) -> Release:
        return get_object_or_404(Release, pk=self.kwargs["release_id"])

    @extend_schema(
        request=CommitsSerializer,
        responses=ReleaseSerializer,
        examples=[
            OpenApiExample(
                "Two commits",
                {
                    "commits": [
                        {
                            "sha": "c2b1a274889436b5e6be7dbc2ca44b929ad3c8c4",
                            "repository": "acme/shop",
                            "message": "Round prices once",
                            "author_name": "Mia",
                            "author_email": "mia@example.com",
                            "committed_at": "2026-11-24T10:00:00Z",
                            "files": ["shop/pricing.py"],
                        },
                        {"sha": "b11e15676fef90c3da8805aca479773be184082b"},
                    ]
                },
                request_only=True,
            ),
            OpenApiExample("None", {"commits": []}, request_only=True),
        ],
    )
    def update(self, request: Request, release_id: str) -> Response:
        """Replace the commits; an empty list clears them."""
        release = self._release()
        serializer = CommitsSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        commits = told_commits(serializer.validated_data)
        if commits is None:
            raise serializers.ValidationError({"commits": "This field is required."})
        changed = set_commits(release, commits, Actor.of(request))
        return Response(ReleaseSerializer(changed).data)
