"""Stack traces of a stored event for machines: places, links, suspect commits."""

from collections.abc import Iterator
from typing import Any

from rest_framework import serializers

from issues.digest.symbolicate import why_unmapped
from issues.source_links import SourceLinks


class SuspectCommitSerializer(serializers.Serializer[Any]):
    """A commit that touched a file of the stack trace."""

    sha = serializers.CharField()
    subject = serializers.CharField()
    author = serializers.CharField()
    committed_at = serializers.DateTimeField(allow_null=True)
    repository = serializers.CharField()
    file = serializers.CharField(help_text="What it touched, in the repository.")
    release = serializers.CharField()
    url = serializers.CharField(help_text="Where it is shown, or empty.")


class SuspectCommitsSerializer(serializers.Serializer[Any]):
    commits = SuspectCommitSerializer(many=True, help_text="The newest first.")


class FrameSerializer(serializers.Serializer[Any]):
    """A call in a stack trace; lines and columns count from 1."""

    exception = serializers.IntegerField(
        help_text="Its place in payload.exception.values."
    )
    frame = serializers.IntegerField(
        help_text="Its place in the frames, the outermost call first."
    )
    function = serializers.CharField()
    filename = serializers.CharField()
    lineno = serializers.IntegerField(allow_null=True)
    colno = serializers.IntegerField(allow_null=True)
    in_app = serializers.BooleanField()
    context_line = serializers.CharField(allow_null=True)
    minified = serializers.DictField(
        allow_null=True,
        help_text="What the client sent, where a source map replaced it.",
    )
    unmapped = serializers.CharField(
        help_text="Why it is minified still, or empty: no map, or one that is broken."
    )
    url = serializers.CharField(help_text="The line in the repository, or empty.")


def frames_of(payload: dict[str, Any], links: SourceLinks) -> list[dict[str, Any]]:
    """What FrameSerializer describes, of all exceptions of a stored event."""
    return list(_frames(payload, links))


def _frames(payload: dict[str, Any], links: SourceLinks) -> Iterator[dict[str, Any]]:
    values = (payload.get("exception") or {}).get("values") or []
    for number, value in enumerate(values):
        frames = (value.get("stacktrace") or {}).get("frames") or []
        for place, raw in enumerate(frames):
            marks = raw.get("_rush") or {}
            yield {
                "exception": number,
                "frame": place,
                "function": raw.get("function") or "",
                "filename": raw.get("filename") or raw.get("abs_path") or "",
                "lineno": raw.get("lineno"),
                "colno": raw.get("colno"),
                "in_app": raw.get("in_app") is True,
                "context_line": raw.get("context_line"),
                "minified": marks.get("minified"),
                "unmapped": why_unmapped(raw, payload),
                "url": links.of_frame(raw),
            }
