"""Check-ins by plain HTTP, at the real front door."""

import gzip
import json
from typing import Any

import httpx
import pytest

from issues.ingest.envelope import frame
from issues.models import InboxEnvelope, Outcome
from tests.door import KEY, Door, make_key, through
from tests.envelopes import unsealed

pytestmark = pytest.mark.django_db(transaction=True)

PATH = f"/api/7/cron/nightly/{KEY}/"
ID = "76cb0d259eb74f008a18c950e15aee15"


def ask(
    method: str = "GET", path: str = PATH, body: bytes = b"", **headers: str
) -> httpx.Response:
    async def scenario(door: Door) -> httpx.Response:
        return await door.client.request(method, path, content=body, headers=headers)

    return through(scenario)


def told() -> dict[str, Any]:
    """The check-in in the inbox."""
    row = InboxEnvelope.objects.get()
    body = unsealed(row.body)
    (item,) = frame(body).items
    assert (row.kind, item.type) == ("envelope", "check_in")
    check_in: dict[str, Any] = json.loads(body[item.start : item.end])
    return check_in


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_bare_call_is_a_heartbeat(method: str) -> None:
    make_key()
    answer = ask(method)
    assert (answer.status_code, answer.json()) == (200, {})
    assert told() == {"monitor_slug": "nightly", "status": "ok"}


def test_the_query_tells_the_run() -> None:
    make_key()
    query = f"?status=error&check_in_id={ID}&environment=staging&duration=1.5&x=1"
    assert ask(path=PATH + query).status_code == 200
    assert told() == {
        "monitor_slug": "nightly",
        "status": "error",
        "check_in_id": ID,
        "environment": "staging",
        "duration": 1.5,
    }


def test_a_body_may_bring_the_schedule() -> None:
    make_key()
    config = {"schedule": {"type": "crontab", "value": "0 3 * * *"}}
    body = json.dumps({"status": "in_progress", "monitor_config": config}).encode()
    zipped = {"content-encoding": "gzip"}
    assert ask("POST", PATH, gzip.compress(body), **zipped).status_code == 200
    assert told() == {
        "monitor_slug": "nightly",
        "status": "in_progress",
        "monitor_config": config,
    }


@pytest.mark.parametrize(
    ("query", "body", "cause"),
    [
        ("?status=fine", b"", "status is not one of in_progress, ok, error"),
        ("?duration=long", b"", "duration is not a number of seconds"),
        ("?" + "a=1&" * 30, b"", "more than 20 fields"),
        ("", b"{", "not JSON"),
        ("", b"[1]", "not a JSON object"),
        ("", b'{"status":["ok"]}', "status is not one of"),
    ],
)
def test_what_cannot_be_read_is_told_and_counted(
    query: str, body: bytes, cause: str
) -> None:
    make_key()
    answer = ask("POST", PATH + query, body)
    assert answer.status_code == 400
    assert cause in answer.json()["causes"][0]
    assert Outcome.objects.get().category == "monitor"


@pytest.mark.parametrize(
    "path",
    [f"/api/8/cron/nightly/{KEY}/", f"/api/7/cron/nightly/{'b' * 32}/"],
)
def test_a_key_of_another_project_is_refused(path: str) -> None:
    make_key()
    assert ask(path=path).status_code == 403
    assert ask(path="/api/7/cron/nightly/short/").status_code == 403


def test_other_endpoints_are_still_posted_to() -> None:
    make_key()
    assert ask(path=f"/api/7/envelope/?sentry_key={KEY}").status_code == 405
