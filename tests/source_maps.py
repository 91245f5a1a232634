"""The sample scripts with their source maps, and events of them.

``page()`` is the page of the browser captures, ``builds()`` a page built twice by three
bundlers; see tests/samples/source_maps.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID
from zipfile import ZipFile

from issues.digest.map_reader import MapReader
from issues.digest.symbolicate import Origin, Place, Script, Spot, Unmapped
from releases.models import ArtifactBundle
from tenants.models import Project
from tests import wire
from tests.factories import make_artifact, make_bundle

SAMPLES = Path(__file__).parent / "samples" / "source_maps"
ORIGIN = "https://shop-1.example.com"
Files = Mapping[str, bytes]  # by path, such as assets/x.js and assets/x.js.map


@cache
def page() -> Files:
    """Scripts and maps of the page, with debug ids in them."""
    with ZipFile(SAMPLES / "page.zip") as archive:
        return {
            name: archive.read(name)
            for name in archive.namelist()
            if name.startswith("assets/")
        }


@cache
def expected() -> list[dict[str, Any]]:
    """For each exception of a capture its frames: ``minified`` and ``original``."""
    with ZipFile(SAMPLES / "page.zip") as archive:
        told: list[dict[str, Any]] = json.loads(archive.read("expected-frames.json"))
    return told


@cache
def builds() -> dict[str, list[dict[str, Any]]]:
    """``{bundler: [first, second]}``, each build with ``files`` and ``faults``."""
    loaded: dict[str, list[dict[str, Any]]] = json.loads(
        (SAMPLES / "builds.json").read_text()
    )
    return loaded


def captured(name: str) -> list[dict[str, Any]]:
    """The events of a browser capture, as the page sent them."""
    request = wire.load(wire.CAPTURES / "browser" / f"{name}.http")
    _, *lines = request.plain.split(b"\n")
    items = zip(lines[::2], lines[1::2], strict=False)
    return [json.loads(body) for head, body in items if b'"type":"event"' in head]


def fault(bundler: str, build: int, name: str) -> dict[str, Any]:
    """The event of a fault in one of the builds."""
    chain = json.loads(
        json.dumps(builds()[bundler][build]["faults"][name]).replace("@ORIGIN@", ORIGIN)
    )
    values = [
        {
            "type": link["type"],
            "value": link["value"],
            "stacktrace": {"frames": link["frames"]},
        }
        for link in chain
    ]
    return {
        "platform": "javascript",
        "release": f"page@{build + 1}",
        "exception": {"values": values},
    }


def build_files(bundler: str, build: int) -> Files:
    files = builds()[bundler][build]["files"]
    return {path: text.encode() for path, text in files.items()}


class FileMaps:
    """Places by files, whoever uploaded them."""

    def __init__(self, files: Files) -> None:
        self.files = files
        self.reader = MapReader()
        self.loaded: set[str] = set()

    def has_uploads(self, project_id: int) -> bool:
        return True

    def look(
        self, origin: Origin, script: Script, spots: Sequence[Spot]
    ) -> list[Place | Unmapped] | Unmapped:
        path = script.url.partition("://")[2].partition("/")[2]
        if f"{path}.map" not in self.files:
            return Unmapped("not there", awaited=True)
        if path not in self.loaded:
            self.reader.load(path, self.files[path], self.files[f"{path}.map"])
            self.loaded.add(path)
        places = self.reader.look([(path, *spot) for spot in spots])
        return [place or Unmapped("tells nothing") for place in places]


def upload(
    project: Project, files: Files, version: str = "", **fields: Any
) -> ArtifactBundle:
    """Store files as CI's upload leaves them: by debug id, and by URL of a release."""
    bundle = make_bundle(project, version, **fields)
    for path, data in files.items():
        make_artifact(
            bundle,
            f"~/{path}",
            data,
            debug_id=_debug_id(data),
            source_map_url="" if path.endswith(".map") else f"~/{path}.map",
        )
    return bundle


def _debug_id(data: bytes) -> UUID | None:
    for mark in (b"//# debugId=", b'"debugId":"', b'"debug_id":"'):
        at = data.rfind(mark)
        if at >= 0:
            start = at + len(mark)
            return UUID(data[start : start + 36].decode())
    return None
