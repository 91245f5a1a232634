"""The steps of the workflow as calls on one issue."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from issues import merging, workflow
from issues.api.detail import IssueDetailSerializer, detail_of
from issues.api.fields import ActivitySerializer, issue_named
from issues.models import Issue
from releases.models import Release
from tenants.audit import Actor


class ResolveSerializer(serializers.Serializer[Any]):
    how = serializers.ChoiceField(
        choices=Issue.Resolution.choices, default=Issue.Resolution.NOW
    )
    release = serializers.CharField(
        required=False, help_text="With in_release: the version that has the fix."
    )
    comment = serializers.CharField(required=False, allow_blank=True, default="")


class ReopenSerializer(serializers.Serializer[Any]):
    reason = serializers.CharField(required=False, allow_blank=True, default="")


class ArchiveSerializer(serializers.Serializer[Any]):
    """Until any of these is reached; with none of them for good."""

    until = serializers.DateTimeField(required=False)
    more_events = serializers.IntegerField(required=False, min_value=1)
    more_tenants = serializers.IntegerField(required=False, min_value=1)
    comment = serializers.CharField(required=False, allow_blank=True, default="")


class MergeSerializer(serializers.Serializer[Any]):
    issues = serializers.PrimaryKeyRelatedField[Issue](
        many=True,
        queryset=Issue.objects.all(),
        allow_empty=False,
        help_text="The issues that this one is to show.",
    )


class CommentSerializer(serializers.Serializer[Any]):
    text = serializers.CharField(max_length=workflow.COMMENT_CHARACTERS)


def example(name: str, value: dict[str, Any]) -> list[OpenApiExample]:
    return [OpenApiExample(name, value, request_only=True)]


class IssueSteps(GenericViewSet[Issue]):
    """Each answers with the issue as it is then."""

    def get_object(self) -> Issue:
        return issue_named(self.kwargs["pk"])

    def given(self, serializer_class: type[serializers.Serializer[Any]]) -> Any:
        """The body of the request, checked."""
        serializer = serializer_class(data=self.request.data)
        serializer.is_valid(raise_exception=True)
        return serializer.validated_data

    def answer(self) -> Response:
        return Response(detail_of(self.get_object()))

    @extend_schema(
        request=ResolveSerializer,
        responses=IssueDetailSerializer,
        examples=example(
            "Fixed in a release", {"how": "in_release", "release": "shop@2.4.0"}
        ),
    )
    @action(detail=True, methods=["post"])
    def resolve(self, request: Request, pk: str) -> Response:
        """Resolve now, in the named release, or in the next release."""
        given, issue = self.given(ResolveSerializer), self.get_object()
        workflow.resolve(
            [issue],
            Actor.of(request),
            how=Issue.Resolution(given["how"]),
            release=_release(issue, given.get("release")),
            comment=given["comment"],
        )
        return self.answer()

    @extend_schema(request=ReopenSerializer, responses=IssueDetailSerializer)
    @action(detail=True, methods=["post"])
    def reopen(self, request: Request, pk: str) -> Response:
        """Open a resolved or archived issue again."""
        given = self.given(ReopenSerializer)
        workflow.reopen([self.get_object()], Actor.of(request), given["reason"])
        return self.answer()

    @extend_schema(
        request=ArchiveSerializer,
        responses=IssueDetailSerializer,
        examples=example("Until it grows", {"more_events": 1000, "more_tenants": 20}),
    )
    @action(detail=True, methods=["post"])
    def archive(self, request: Request, pk: str) -> Response:
        """Put aside until a time, so many more events or tenants, or for good."""
        given = self.given(ArchiveSerializer)
        workflow.archive([self.get_object()], Actor.of(request), **given)
        return self.answer()

    @extend_schema(
        request=MergeSerializer,
        responses=IssueDetailSerializer,
        examples=example("Two more of the same", {"issues": [43, 57]}),
    )
    @action(detail=True, methods=["post"])
    def merge(self, request: Request, pk: str) -> Response:
        """Let this issue show others of its project; later events follow."""
        given = self.given(MergeSerializer)
        merging.merge(self.get_object(), given["issues"], Actor.of(request))
        return self.answer()

    @extend_schema(request=None, responses=IssueDetailSerializer)
    @action(detail=True, methods=["post"])
    def unmerge(self, request: Request, pk: str) -> Response:
        """Let a merged issue stand for itself again."""
        merging.unmerge(self.get_object(), Actor.of(request))
        return self.answer()

    @extend_schema(
        request=CommentSerializer,
        responses={201: ActivitySerializer},
        examples=example("A remark", {"text": "Only shops with the old theme."}),
    )
    @action(detail=True, methods=["post"])
    def comments(self, request: Request, pk: str) -> Response:
        """Add a remark to the history."""
        given = self.given(CommentSerializer)
        written = workflow.comment(self.get_object(), Actor.of(request), given["text"])
        return Response(ActivitySerializer(written).data, status=201)


def _release(issue: Issue, version: str | None) -> Release | None:
    if version is None:
        return None
    release = Release.objects.filter(project=issue.project, version=version).first()
    if release is None:
        raise serializers.ValidationError(
            {
                "release": f"{issue.project.slug} has no release {version!r}: make it "
                "with POST /api/v1/releases/, or resolve in the next release."
            }
        )
    return release
