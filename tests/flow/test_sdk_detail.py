"""The wrappers of docs/sdk in real SDKs: what they send, by the rules they are told.

What left the client is read from the inbox, before digest cuts anything.
"""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import zstandard
from pytest_django import DjangoDbBlocker

from issues.ingest.envelope import frame
from issues.models import Event, InboxEnvelope, IssueStats
from issues.sealed_envelopes import unseal_envelope
from tenants.models import ProjectKey
from tests.factories import make_detail_rule, make_key, make_project
from tests.flow import npm
from tests.flow.server import Wire, digest_all, forget_all

pytestmark = pytest.mark.django_db

ROOT = Path(__file__).parents[2]
SDK = ROOT / "docs" / "sdk"
CLIENTS = ROOT / "tests" / "clients"
SECONDS = 90
TENANTS = ("full.example", "standard.example", "a.minimal.example")


@dataclass
class Arrived:
    """An event as it came from the client; ``attachments`` by name."""

    event: dict[str, Any]
    attachments: list[str] = field(default_factory=list)

    @property
    def frame(self) -> dict[str, Any]:
        """The innermost."""
        trace = self.event["exception"]["values"][-1]["stacktrace"]
        found: dict[str, Any] = trace["frames"][-1]
        return found

    @property
    def steps(self) -> list[str]:
        """The messages of our own breadcrumbs."""
        crumbs = self.event.get("breadcrumbs") or []
        values = crumbs["values"] if isinstance(crumbs, dict) else crumbs
        return [c["message"] for c in values if c.get("category") == "cart"]


def arrived() -> dict[str, Arrived]:
    """What waits in the inbox, by tenant."""
    found = {}
    for row in InboxEnvelope.objects.order_by("pk"):
        body = zstandard.decompress(unseal_envelope(bytes(row.body))[1])
        items = frame(body).items
        for item in items:
            if item.type == "event":
                event = json.loads(body[item.start : item.end])
                names = [
                    str(other.header.get("filename"))
                    for other in items
                    if other.type == "attachment"
                ]
                found[event["tags"]["shop"]] = Arrived(event, names)
    return found


def run_python(dsn: str, tmp: Path) -> None:
    run(sys.executable, str(CLIENTS / "python/detail.py"), dsn, cwd=tmp)


def run(*command: str, cwd: Path) -> None:
    done = subprocess.run(
        [*command, *TENANTS],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(SDK)},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@dataclass
class Sent:
    """What a client sent, and what became of it."""

    arrived: dict[str, Arrived]
    events: dict[str, Event]
    counted: int


def send(front: int, client: Callable[[str], None]) -> Sent:
    key = make_key(make_project(tenant_tags=["shop"]))
    make_detail_rule(name="standard", tenant="standard.*", detail="standard")
    make_detail_rule(name="minimal", tenant="*.minimal.*", detail="minimal")
    with Wire(front) as wire:
        wire.await_key(key.project_id, key.public_key)
    client(dsn_of(key, front))
    came = arrived()
    digest_all()
    stored = Event.objects.select_related("tenant")
    events = {str(event.tenant): event for event in stored}
    return Sent(came, events, sum(IssueStats.objects.values_list("events", flat=True)))


def dsn_of(key: ProjectKey, port: int) -> str:
    return key.dsn(f"http://127.0.0.1:{port}")


@pytest.fixture(scope="module", params=["python", "node"])
def sent(
    request: pytest.FixtureRequest,
    front: int,
    django_db_blocker: DjangoDbBlocker,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Sent]:
    if request.param == "python":
        tmp = tmp_path_factory.mktemp("python")

        def client(dsn: str) -> None:
            run_python(dsn, tmp)
    else:
        packages: Path = request.getfixturevalue("packages")
        shutil.copy(SDK / "rush-detail.mjs", packages)
        program = str(shutil.copy(CLIENTS / "node/detail.mjs", packages))

        def client(dsn: str) -> None:
            run(npm.command("node"), program, dsn, cwd=packages)

    with django_db_blocker.unblock():
        try:
            yield send(front, client)
        finally:
            forget_all()


@pytest.mark.clients
def test_no_event_is_dropped(sent: Sent) -> None:
    assert sent.arrived.keys() == sent.events.keys() == set(TENANTS)
    assert sent.counted == 3


@pytest.mark.clients
def test_what_a_rule_keeps_in_full_is_sent_in_full(sent: Sent) -> None:
    full = sent.arrived["full.example"]

    assert "card of full.example" in str(full.frame["vars"])
    assert full.steps == [f"step {number}" for number in range(30)]
    assert full.event["extra"]["order"] == 1001
    assert full.attachments == ["log.txt"]


@pytest.mark.clients
def test_standard_detail_leaves_out_locals_attachments_and_early_breadcrumbs(
    sent: Sent,
) -> None:
    standard = sent.arrived["standard.example"]

    assert "vars" not in standard.frame
    assert standard.steps == [f"step {number}" for number in range(10, 30)]
    assert standard.event["extra"]["order"] == 1001
    assert standard.frame["pre_context"]
    assert standard.attachments == []


@pytest.mark.clients
def test_minimal_detail_leaves_title_and_frames(sent: Sent) -> None:
    minimal = sent.arrived["a.minimal.example"]

    assert minimal.frame.keys() & {"vars", "pre_context", "post_context"} == set()
    assert minimal.steps == []
    assert "extra" not in minimal.event
    assert minimal.attachments == []
    assert "card of" not in json.dumps(minimal.event["exception"])


@pytest.mark.clients
def test_what_counts_and_groups_an_event_is_left_as_it_was(sent: Sent) -> None:
    assert {event.issue_id for event in sent.events.values()} == {
        sent.events["full.example"].issue_id
    }
    assert {event.user for event in sent.events.values()} == {"id:7"}
    for came in sent.arrived.values():
        assert came.event["user"] == {"id": "7"}
        assert came.frame["context_line"]
        assert came.event["contexts"]


@pytest.mark.clients
def test_the_server_judges_alike(sent: Sent) -> None:
    levels = {
        tenant: event.payload.get("_rush", {}).get("detail", {}).get("level", "full")
        for tenant, event in sent.events.items()
    }

    assert levels == dict(zip(TENANTS, ("full", "standard", "minimal"), strict=True))


@pytest.fixture(scope="module")
def wrapper() -> ModuleType:
    spec = importlib.util.spec_from_file_location("rush_detail", SDK / "rush_detail.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


RULES = [
    {"min_level": "error", "max_level": "fatal", "tag": "shop", "value": "*.test"},
    {"min_level": "debug", "max_level": "info", "tag": "", "value": ""},
    {"min_level": "debug", "max_level": "fatal", "tag": "template", "value": ""},
    {"min_level": "debug", "max_level": "fatal", "tag": "n", "value": "1*2*3"},
]
CASES: list[tuple[dict[str, Any], str]] = [
    ({"level": "fatal", "tags": {"shop": "a.test"}}, "0"),
    ({"tags": {"shop": "a.test"}}, "0"),
    ({"level": "warning", "tags": {"shop": "a.test"}}, "full"),
    ({"level": "error", "tags": {"shop": "test"}}, "full"),
    ({"level": "info"}, "1"),
    ({"level": "log"}, "1"),
    ({"level": "warning", "tags": {"template": "x"}}, "2"),
    ({"level": "warning", "tags": {"template": None}}, "full"),
    ({"level": "warning", "tags": {"n": 123}}, "3"),
    ({"level": "warning", "tags": {"n": "132"}}, "full"),
    ({"level": "warning", "tags": {"n": "12"}}, "full"),
    ({"level": "warning"}, "full"),
    ({}, "full"),
]
NUMBERED = [{**rule, "detail": str(number)} for number, rule in enumerate(RULES)]


def test_the_first_rule_that_matches_decides_in_python(wrapper: ModuleType) -> None:
    found = [wrapper.detail_of(event, NUMBERED) for event, _ in CASES]

    assert found == [wanted for _, wanted in CASES]


@pytest.mark.clients
def test_the_first_rule_that_matches_decides_in_javascript() -> None:
    told = json.dumps([[event for event, _ in CASES], NUMBERED])
    script = (
        f"import {{ detailOf }} from {json.dumps((SDK / 'rush-detail.mjs').as_uri())};"
        f"const [events, rules] = {told};"
        "console.log(JSON.stringify(events.map((event) => detailOf(event, rules))));"
    )
    options = ["--input-type=module", "-e", script]
    found = subprocess.check_output([npm.command("node"), *options], text=True)

    assert json.loads(found) == [wanted for _, wanted in CASES]


# A port that nobody listens on.
AWAY = "http://key@127.0.0.1:9/1"


def failing() -> dict[str, Any]:
    frames = [{"vars": {"a": "1"}}]
    return {"exception": {"values": [{"stacktrace": {"frames": frames}}]}}


def test_without_an_answer_the_event_goes_out_as_it_is(wrapper: ModuleType) -> None:
    for wait in (0.0, 5.0):
        assert wrapper.RushDetail(AWAY, wait=wait)(failing(), {}) == failing()


def test_an_event_that_is_odd_goes_out_as_it_is(wrapper: ModuleType) -> None:
    odd = {"tags": 7}

    assert wrapper.RushDetail(AWAY)(odd, {}) is odd


def test_the_programs_own_before_send_comes_first(wrapper: ModuleType) -> None:
    drops = wrapper.RushDetail(AWAY, then=lambda event, hint: None)
    changes = wrapper.RushDetail(AWAY, then=lambda event, hint: {"level": "info"})

    assert drops({}, {}) is None
    assert changes({}, {}) == {"level": "info"}
