"""Every recorded request of the unmodified clients is accepted and stored."""

import json

import httpx
import pytest

from issues.ingest.envelope import frame
from issues.ingest.limits import DISCARDED
from issues.models import InboxEnvelope
from issues.sealed_envelopes import Sender, unseal_envelope
from tests import wire
from tests.door import Door, make_key, through
from tests.envelopes import unsealed

pytestmark = pytest.mark.django_db(transaction=True)

REQUESTS = list(wire.load_all())


@pytest.fixture
def rows() -> dict[str, tuple[httpx.Response, InboxEnvelope]]:
    """The answer to each recorded request, and the row that it became."""
    for project in (1, 2, 3):
        make_key(project, str(project) * 32)

    async def scenario(door: Door) -> list[httpx.Response]:
        answers = []
        for request in REQUESTS:
            # The agent tells the rows apart again.
            answers.append(
                await door.client.request(
                    request.method,
                    request.target,
                    content=request.body,
                    headers=[*request.sent_headers, ("user-agent", request.name)],
                )
            )
        return answers

    answers = through(scenario)
    stored = {sender_of(row).user_agent: row for row in InboxEnvelope.objects.all()}
    return {
        request.name: (answer, stored[request.name])
        for request, answer in zip(REQUESTS, answers, strict=True)
    }


def sender_of(row: InboxEnvelope) -> Sender:
    return unseal_envelope(bytes(row.body))[0]


def test_the_samples_are_there() -> None:
    clients = {request.name.partition("/")[0] for request in REQUESTS}
    assert clients == {"browser", "cli", "node", "python"}
    assert len(REQUESTS) > 300


def test_each_request_is_accepted_and_stored(
    rows: dict[str, tuple[httpx.Response, InboxEnvelope]],
) -> None:
    refused = {name: a.text for name, (a, _) in rows.items() if a.status_code != 200}
    assert not refused
    assert len(rows) == InboxEnvelope.objects.count() == len(REQUESTS)


def test_what_is_stored_is_what_was_sent_without_payloads_that_are_not_kept(
    rows: dict[str, tuple[httpx.Response, InboxEnvelope]],
) -> None:
    for request in REQUESTS:
        row = rows[request.name][1]
        stored = unsealed(row.body)
        assert row.size == len(stored)
        if row.kind == "envelope":
            assert kept(stored) == kept(request.plain), request.name
        else:
            assert stored == request.plain


def kept(body: bytes) -> list[tuple[str, bytes]]:
    envelope = frame(body)
    items = [item for item in envelope.items if item.type not in DISCARDED]
    return [(item.type, body[item.start : item.end]) for item in items]


def test_each_event_is_answered_with_its_own_id(
    rows: dict[str, tuple[httpx.Response, InboxEnvelope]],
) -> None:
    seen = 0
    for request in REQUESTS:
        if not request.target.partition("?")[0].endswith("/envelope/"):
            continue
        body = request.plain
        for item in frame(body).items:
            if item.type in {"event", "transaction"}:
                payload = json.loads(body[item.start : item.end])
                answer = rows[request.name][0].json()
                assert answer == {"id": payload["event_id"].replace("-", "")}
                seen += 1
    assert seen > 130


def test_origins_and_projects_are_those_of_the_senders(
    rows: dict[str, tuple[httpx.Response, InboxEnvelope]],
) -> None:
    by_client = {
        (name.partition("/")[0], row.project_id) for name, (_, row) in rows.items()
    }
    assert by_client == {("browser", 2), ("cli", 2), ("node", 3), ("python", 1)}
    origins = {
        sender_of(row).origin for name, (_, row) in rows.items() if "browser" in name
    }
    assert "http://track.bella-boutique.example" in origins
