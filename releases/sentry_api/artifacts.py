"""``sentry-cli sourcemaps upload``: parts of bundles, then their assembly."""

import zlib
from hashlib import sha1
from typing import Any

from django.conf import settings
from django.utils import timezone
from rest_framework import serializers
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.parsers import JSONParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from releases.api.fields import LineField, version_field
from releases.artifacts.requested import Upload, request_assembly
from releases.artifacts.stored import PARTS, keep
from releases.sentry_api.base import ProjectsSerializer, SentryView, named_projects
from tenants.audit import Actor

# Old sentry-cli wants a power of two.
CHUNK_BYTES = 8 << 20
CHUNKS_PER_REQUEST = 64
# What proxies are told to let through is 20 MiB.
REQUEST_BYTES = 16 << 20
# Room for the multipart frame of each part.
FRAME_BYTES = 64 << 10
AT_A_TIME = 4
WAIT_SECONDS = 300
MOST_CHUNKS = 4096
# sentry-cli 2 asks for these names; version 3 takes them for granted.
ACCEPTED = ["release_files", "artifact_bundles", "artifact_bundles_v2"]
GZIP = 31  # zlib's word for a gzip frame


class TooLarge(APIException):
    """A body beyond what the options say."""

    status_code = 413


class ChunkUploadView(SentryView):
    parser_classes = [MultiPartParser]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if _length(request) > REQUEST_BYTES + FRAME_BYTES:
            raise TooLarge(
                f"A request may have {REQUEST_BYTES} bytes (maxRequestSize), this one "
                f"has {_length(request)}."
            )

    def get(self, request: Request, organization: str) -> Response:
        """How to upload; sentry-cli asks before it does anything."""
        return Response(
            {
                # Without a host: a proxy may have changed the scheme.
                "url": request.path_info,
                "chunkSize": CHUNK_BYTES,
                "chunksPerRequest": CHUNKS_PER_REQUEST,
                "maxRequestSize": REQUEST_BYTES,
                "maxFileSize": settings.ARTIFACT_MAX_BUNDLE_BYTES,
                "maxWait": WAIT_SECONDS,
                "hashAlgorithm": "sha1",
                "concurrency": AT_A_TIME,
                "compression": ["gzip"],
                "accept": ACCEPTED,
            }
        )

    def post(self, request: Request, organization: str) -> Response:
        """Keep parts, each a file named by the SHA-1 of what it unpacks to."""
        plain, packed = (
            request.FILES.getlist(field) for field in ("file", "file_gzip")
        )
        if not plain and not packed:
            raise ValidationError(
                {"file": "Send parts as files named file or file_gzip."}
            )
        if len(plain) + len(packed) > CHUNKS_PER_REQUEST:
            raise ValidationError(
                {"file": f"Send at most {CHUNKS_PER_REQUEST} parts (chunksPerRequest)."}
            )
        # One after the other: together they may unpack to much.
        for part in plain:
            _keep(part.name, part.read(CHUNK_BYTES + 1))
        for part in packed:
            _keep(part.name, _unpacked(part.name, part.read()))
        return Response(status=200)


def _length(request: Request) -> int:
    told = request.META.get("CONTENT_LENGTH") or "0"
    return int(told) if told.isdecimal() else 0


def _unpacked(name: str, data: bytes) -> bytes:
    """At most one byte more than a part may have."""
    unpacker = zlib.decompressobj(wbits=GZIP)
    try:
        plain = unpacker.decompress(data, CHUNK_BYTES + 1)
    except zlib.error as error:
        raise _broken(name, f"is no gzip ({error})") from error
    if len(plain) <= CHUNK_BYTES and not unpacker.eof:
        raise _broken(name, "ends too early")
    return plain


def _keep(name: str, data: bytes) -> None:
    if len(data) > CHUNK_BYTES:
        raise _broken(name, f"has more than {CHUNK_BYTES} bytes (chunkSize)")
    checksum = sha1(data, usedforsecurity=False).hexdigest()
    if checksum != name:
        raise _broken(name, f"has the SHA-1 {checksum}; name it by that")
    keep(PARTS, [data])


def _broken(name: str, what: str) -> ValidationError:
    return ValidationError({"file": f"The part {name[:80]!r} {what}."})


def checksum_field() -> serializers.RegexField:
    return serializers.RegexField(
        r"^[0-9a-f]{40}\Z", error_messages={"invalid": "Give a SHA-1, 40 hex digits."}
    )


class AssembleSerializer(ProjectsSerializer):
    checksum = checksum_field()
    chunks = serializers.ListField(child=checksum_field(), max_length=MOST_CHUNKS)
    version = version_field(allow_blank=True, allow_null=True, default="")
    dist = LineField(max_length=64, allow_blank=True, allow_null=True, default="")


class AssembleView(SentryView):
    """Also ``releases/<version>/assemble/``, as sentry-cli 1 and early 2 call it."""

    def post(self, request: Request, organization: str, version: str = "") -> Response:
        """What is missing of a bundle, or how far its assembly is."""
        body = dict(request.data) if isinstance(request.data, dict) else request.data
        if version and isinstance(body, dict):
            body["version"] = version
        serializer = AssembleSerializer(data=body)
        serializer.is_valid(raise_exception=True)
        given = serializer.validated_data
        projects = named_projects(given)
        if not projects:
            raise ValidationError(
                {"projects": "Name the projects, as sentry-cli does with -p."}
            )
        upload = Upload(
            checksum=given["checksum"],
            chunks=given["chunks"],
            projects=projects,
            version=given["version"] or "",
            dist=given["dist"] or "",
        )
        answer = request_assembly(upload, Actor.of(request), timezone.now())
        return Response(
            {
                "state": answer.state,
                "missingChunks": answer.missing,
                "detail": answer.detail or None,
            }
        )


class DebugFilesView(SentryView):
    """What native and Android builds upload, which nothing here could use."""

    detail = (
        "Debug information files and ProGuard mappings are not supported here: "
        "rush_monitor takes source maps (sentry-cli sourcemaps upload)."
    )

    def post(self, request: Request, organization: str, project: str) -> Response:
        """``difs/assemble/``: the state of each file says so; none is uploaded."""
        named = request.data if isinstance(request.data, dict) else {}
        refused = {"state": "error", "missingChunks": [], "detail": self.detail}
        return Response(dict.fromkeys(map(str, named), refused))


class OldDebugFilesView(DebugFilesView):
    """``dsyms/``, as sentry-cli 2 calls it: it prints the text of an error."""

    parser_classes = [JSONParser, MultiPartParser]

    def get(self, request: Request, organization: str, project: str) -> Response:
        raise ValidationError({"files": self.detail})

    post = get
