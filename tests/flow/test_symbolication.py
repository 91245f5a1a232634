"""The sample page's events and source maps against a running ``manage.py up``."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests import source_maps
from tests.flow.sentry_cli import SentryCli
from tests.running import RunningUp, eventually, manage

pytestmark = pytest.mark.clients

PREPARE = """
import json, os
from tenants.models import Project, ProjectKey
from tenants.tokens import issue_token

project = Project.objects.create(slug="page", name="Page")
key = ProjectKey.objects.create(project=project)
options = {"base_url": os.environ["RUSH_URL"], "organization": "rush"}
token = issue_token("page", ["event:read"], **options)[1]
print(json.dumps({"project": project.pk, "key": key.public_key, "token": token}))
"""
BEFORE = "013-typeerror-click"
# Digest may believe for ten seconds that nothing is there; upkeep looks each thirty.
SECONDS = 90.0


@dataclass(frozen=True)
class Page:
    """The page's project, as browsers and readers know it."""

    url: str
    project: int
    key: str
    token: str

    def send(self, payload: dict[str, Any]) -> None:
        address = f"{self.url}/api/{self.project}/envelope/?sentry_key={self.key}"
        lines = ["{}", '{"type":"event"}', json.dumps(payload)]
        httpx.post(address, content="\n".join(lines)).raise_for_status()

    def event(self, event_id: str) -> dict[str, Any]:
        path = f"{self.url}/api/v1/events/{event_id}/"
        answer = httpx.get(path, headers={"authorization": f"Bearer {self.token}"})
        found: dict[str, Any] = answer.json() if answer.status_code == 200 else {}
        return found

    def places(self, event_id: str) -> list[Any]:
        """What FrameSerializer tells that expected-frames.json knows."""
        return [
            (frame["filename"], frame["lineno"], frame["colno"], frame["context_line"])
            for frame in self.event(event_id).get("frames", [])
        ]


@pytest.fixture(scope="module")
def page(up: RunningUp) -> Page:
    command = ("shell", "-v", "0", "-c", PREPARE)
    told = manage(up.data_dir, *command, RUSH_URL=up.url)
    assert told.returncode == 0, told.stderr
    return Page(url=up.url, **json.loads(told.stdout.splitlines()[-1]))


def expected(capture: str) -> list[Any]:
    """The places of all frames of a capture's one event."""
    found: list[Any] = []
    for exception in source_maps.expected():
        if exception["capture"] != f"{capture}.json":
            continue
        for frame in exception["frames"]:
            original, minified = frame["original"], frame["minified"]
            if original is None:
                known = [minified.get(k) for k in ("filename", "lineno", "colno")]
                found.append((*known, None))
            else:
                names = ("source", "lineno", "colno", "context_line")
                found.append(tuple(original[name] for name in names))
    return found


def captures() -> dict[str, str]:
    """Capture by event id, of those that hold one event."""
    names = {e["capture"].removesuffix(".json") for e in source_maps.expected()}
    events = {name: source_maps.captured(name) for name in sorted(names)}
    return {e[0]["event_id"]: name for name, e in events.items() if len(e) == 1}


def test_every_frame_is_resolved_also_of_an_event_that_came_before(
    page: Page, cli: SentryCli, tmp_path: Path
) -> None:
    by_id = captures()
    (early,) = (event_id for event_id, name in by_id.items() if name == BEFORE)
    page.send(source_maps.captured(BEFORE)[0])
    assert eventually(lambda: bool(page.places(early)))
    assert page.event(early)["frames"][0]["unmapped"]

    for path, data in source_maps.page().items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(data)
    cli.run("sourcemaps", "upload", "--wait", "-p", "page", str(tmp_path))
    for name in by_id.values():
        page.send(source_maps.captured(name)[0])

    for event_id, name in by_id.items():
        wanted = expected(name)
        assert eventually(
            lambda e=event_id, w=wanted: page.places(e) == w,  # type: ignore[misc]
            SECONDS,
        ), (name, page.places(event_id), wanted)
