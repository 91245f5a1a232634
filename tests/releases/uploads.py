"""Makes artifact bundles, and uploads them as sentry-cli does."""

import json
from collections.abc import Mapping, Sequence
from hashlib import sha1
from io import BytesIO
from struct import pack
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from releases.artifacts.stored import PARTS, keep
from releases.models import ArtifactBundle
from tenants.models import Project
from tests.factories import make_bundle

ROOT = "/api/0/organizations/rush"
CHUNKS = f"{ROOT}/chunk-upload/"
ASSEMBLE = f"{ROOT}/artifactbundle/assemble/"

DEBUG_ID = "bd57471c-4b68-560f-9706-7aa3361a6f59"
SCRIPT = b"let a=1;\n//# sourceMappingURL=a.js.map\n"
MAP = b'{"version":3,"sources":[],"mappings":""}'
Told = Mapping[str, Any]


def manifest_of(files: Mapping[str, bytes], **headers: str) -> dict[str, Told]:
    """The usual manifest entry of each file; ``headers`` stand in all of them."""
    told: dict[str, Told] = {}
    for path in files:
        kind = "source_map" if path.endswith(".map") else "minified_source"
        url = "~/" + path.removeprefix("files/_/_/")
        told[path] = {"type": kind, "url": url, "headers": dict(headers)}
    return told


def zipped(
    files: Mapping[str, bytes], manifest: Any = None, compression: int = ZIP_DEFLATED
) -> bytes:
    """A bundle of these files; its manifest is the usual one where none is given."""
    if manifest is None:
        manifest = {"files": manifest_of(files)}
    raw = manifest if isinstance(manifest, bytes) else json.dumps(manifest).encode()
    target = BytesIO()
    with ZipFile(target, "w") as archive:
        for path, data in [*files.items(), ("manifest.json", raw)]:
            # Without a time of its own it would have the present one.
            archive.writestr(ZipInfo(path), data, compression)
    return target.getvalue()


def usual(script: bytes = SCRIPT, source_map: bytes = MAP) -> bytes:
    """A script and its map with a debug id, as sentry-cli packs them."""
    files = {"files/_/_/a.js": script, "files/_/_/a.js.map": source_map}
    manifest = {"files": manifest_of(files, **{"debug-id": DEBUG_ID})}
    return b"SYSB" + pack("<I", 2) + zipped(files, manifest)


def digest(data: bytes) -> str:
    return sha1(data, usedforsecurity=False).hexdigest()


def parts_of(data: bytes, size: int = 8 << 20) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


def waiting(
    data: bytes, project: Project | None = None, version: str = "", **fields: Any
) -> ArtifactBundle:
    """A bundle whose parts were uploaded and that waits for its assembly."""
    parts = parts_of(data)
    keep(PARTS, parts)
    told = {
        "checksum": digest(data),
        "chunks": [digest(part) for part in parts],
        "state": ArtifactBundle.State.CREATED,
    }
    return make_bundle(project, version, **{**told, **fields})


def body_of(data: bytes, *projects: str, **more: Any) -> dict[str, Any]:
    """What sentry-cli asks the assembly of a bundle with."""
    chunks = [digest(part) for part in parts_of(data)]
    return {
        "checksum": digest(data),
        "chunks": chunks,
        "projects": list(projects),
        **more,
    }


def send_parts(
    client: APIClient, parts: Sequence[bytes], field: str = "file", name: str = ""
) -> Any:
    """Upload parts, named by checksum or all by ``name``."""
    files = [SimpleUploadedFile(name or digest(part), part) for part in parts]
    return client.post(CHUNKS, {field: files}, format="multipart")
