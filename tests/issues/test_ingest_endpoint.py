import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any

import brotli
import httpx
import pytest
import zstandard

from issues.ingest import endpoint
from issues.models import InboxEnvelope, InboxWriter, Outcome
from issues.sealed_envelopes import Sender, unseal_envelope
from tests.door import EVENT, EVENT_ID, KEY, Door, make_key, through
from tests.envelopes import unsealed

pytestmark = pytest.mark.django_db(transaction=True)

DSN = f"https://{KEY}@rush.example.com/7"
QUERY = f"?sentry_key={KEY}"


def post(
    body: bytes = EVENT,
    path: str = f"/api/7/envelope/{QUERY}",
    headers: dict[str, str] | None = None,
    **more: str,
) -> httpx.Response:
    """The answer to one request; header names are written with ``_`` for ``-``."""

    async def scenario(door: Door) -> httpx.Response:
        return await door.post(body, path, **{**(headers or {}), **more})

    return through(scenario)


def stored() -> InboxEnvelope:
    return InboxEnvelope.objects.get()


def stored_body() -> bytes:
    return unsealed(stored().body)


def sender() -> Sender:
    return unseal_envelope(bytes(stored().body))[0]


def test_an_event_is_answered_with_its_id_after_it_was_stored() -> None:
    key = make_key()
    before = datetime.now(UTC)
    answer = post(user_agent="sentry.python/2.75.0", origin="https://shop.example")
    row = stored()
    assert (answer.status_code, answer.json()) == (200, {"id": EVENT_ID})
    assert (row.project_id, row.key_id, row.kind) == (7, key.pk, "envelope")
    assert sender() == Sender(
        "203.0.113.9", "sentry.python/2.75.0", "https://shop.example", ""
    )
    assert before <= row.received <= datetime.now(UTC)
    assert (stored_body(), row.size) == (EVENT, len(EVENT))


def test_an_envelope_without_event_is_answered_with_an_empty_object() -> None:
    make_key()
    answer = post(b'{}\n{"type":"session"}\n{}')
    assert (answer.status_code, answer.json()) == (200, {})
    assert InboxEnvelope.objects.count() == 1


def test_an_envelope_without_items_is_accepted_and_not_stored() -> None:
    make_key()
    assert post(b"{}\n").json() == {}
    assert not InboxEnvelope.objects.exists()


def test_an_event_without_id_is_answered_with_the_id_that_is_stored() -> None:
    make_key()
    answer = post(b'{}\n{"type":"event"}\n{}')
    assert json.loads(stored_body().split(b"\n")[0]) == {
        "event_id": answer.json()["id"]
    }


def test_the_store_endpoint_takes_an_event() -> None:
    make_key()
    answer = post(b'{"message":"x"}', f"/api/7/store{QUERY}")
    row = stored()
    assert (row.kind, sender().query) == ("store", QUERY[1:])
    assert json.loads(stored_body()) == {
        "message": "x",
        "event_id": answer.json()["id"],
    }


def test_the_security_endpoint_keeps_the_query() -> None:
    make_key()
    query = f"sentry_key={KEY}&sentry_release=shop%401&sentry_environment=live"
    answer = post(b'{"csp-report":{}}', f"/api/7/security/?{query}")
    row = stored()
    assert (answer.json(), row.kind, sender().query) == ({}, "security", query)


@pytest.mark.parametrize(
    "path", ["/api/7/envelope", "/api/7/envelope/", "http://rush//api/7/envelope/"]
)
def test_no_spelling_of_the_path_is_redirected(path: str) -> None:
    make_key()
    answer = post(path=path + QUERY)
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"x_sentry_auth": f"Sentry sentry_version=7, sentry_key={KEY}"},
        {"authorization": f"Sentry sentry_key={KEY}, sentry_secret=old"},
        {"x_sentry_auth": f"Sentry sentry_key={KEY}", "authorization": "Bearer x"},
    ],
)
def test_a_header_authenticates(headers: dict[str, str]) -> None:
    make_key()
    assert post(path="/api/7/envelope/", headers=headers).status_code == 200


def with_dsn(dsn: object) -> bytes:
    header = json.dumps({"event_id": EVENT_ID, "dsn": dsn}).encode()
    return header + b'\n{"type":"event"}\n{}'


def test_the_dsn_of_the_envelope_authenticates() -> None:
    make_key()
    assert post(with_dsn(DSN), "/api/7/envelope/").status_code == 200


def test_the_tunnel_finds_the_project_by_the_dsn() -> None:
    key = make_key()
    assert post(with_dsn(DSN), "/tunnel").status_code == 200
    assert (stored().key_id, stored().kind) == (key.pk, "envelope")


@pytest.mark.parametrize(
    ("body", "path"),
    [
        pytest.param(EVENT, "/api/7/envelope/", id="nothing names a key"),
        pytest.param(EVENT, f"/api/8/envelope/{QUERY}", id="other project"),
        pytest.param(EVENT, f"/api/shop/envelope/{QUERY}", id="project by name"),
        pytest.param(EVENT, f"/api/{'9' * 40}/envelope/{QUERY}", id="absurd project"),
        pytest.param(
            EVENT, f"/api/7/envelope/?sentry_key={'b' * 32}", id="unknown key"
        ),
        pytest.param(EVENT, "/api/7/envelope/?sentry_key=short", id="malformed key"),
        pytest.param(
            with_dsn(DSN.replace("a" * 32, "c" * 32)),
            f"/api/7/envelope/{QUERY}",
            id="DSN and query disagree",
        ),
        pytest.param(
            with_dsn(DSN.replace("/7", "/8")),
            f"/api/7/envelope/{QUERY}",
            id="DSN of another project",
        ),
        pytest.param(
            with_dsn("nonsense"), f"/api/7/envelope/{QUERY}", id="DSN malformed"
        ),
        pytest.param(with_dsn(7), "/tunnel/", id="tunnel with a number"),
        pytest.param(EVENT, f"/tunnel/{QUERY}", id="tunnel without DSN"),
        pytest.param(
            with_dsn(DSN.replace("/7", "/8")), "/tunnel/", id="tunnel, other project"
        ),
    ],
)
def test_who_does_not_belong_here_is_told_why(body: bytes, path: str) -> None:
    make_key()
    make_key(8, "c" * 32)
    answer = post(body, path)
    assert answer.status_code == 403
    assert answer.json()["detail"] in answer.headers["x-sentry-error"]
    assert answer.headers["access-control-allow-origin"] == "*"
    assert not InboxEnvelope.objects.exists()


def test_header_and_query_must_agree() -> None:
    make_key()
    answer = post(x_sentry_auth=f"Sentry sentry_key={'b' * 32}")
    assert answer.status_code == 403


def test_a_key_that_is_switched_off_says_so() -> None:
    make_key(is_active=False)
    answer = post()
    assert answer.status_code == 403
    assert "switched off" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "https://shop.example"}, 200),
        ({"origin": "https://a.pages.example"}, 200),
        ({"referer": "https://shop.example/order/1"}, 200),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "https://evil.example", "referer": "https://shop.example/"}, 403),
        ({"origin": "null"}, 403),
        ({}, 403),
    ],
)
def test_a_browser_key_takes_from_its_pages_only(
    headers: dict[str, str], status: int
) -> None:
    make_key(allowed_origins=["https://shop.example", "*.pages.example"])
    assert post(headers=headers).status_code == status


def test_an_allowed_origin_is_echoed() -> None:
    make_key(allowed_origins=["https://shop.example"])
    answer = post(origin="https://shop.example")
    assert answer.headers["access-control-allow-origin"] == "https://shop.example"
    assert answer.headers["vary"] == "origin"


def test_browsers_may_read_what_limits_them() -> None:
    make_key()
    exposed = post().headers["access-control-expose-headers"]
    assert exposed == "x-sentry-error, x-sentry-rate-limits, retry-after"


def test_a_preflight_is_allowed() -> None:
    async def scenario(door: Door) -> httpx.Response:
        return await door.client.options("/api/7/envelope/")

    answer = through(scenario)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-methods"] == "POST"
    assert "x-sentry-auth" in answer.headers["access-control-allow-headers"]
    assert answer.headers["access-control-max-age"] == "3600"


def test_get_is_explained() -> None:
    async def scenario(door: Door) -> httpx.Response:
        return await door.client.get(f"/api/7/envelope/{QUERY}")

    answer = through(scenario)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST, OPTIONS")


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(EVENT, mtime=0)),
        ("br", brotli.compress(EVENT)),
        ("zstd", zstandard.compress(EVENT)),
        ("gzip, br", brotli.compress(gzip.compress(EVENT, mtime=0))),
        ("identity", EVENT),
    ],
)
def test_compressed_bodies_are_stored_plain(encoding: str, body: bytes) -> None:
    make_key()
    assert post(body, content_encoding=encoding).status_code == 200
    assert stored_body() == EVENT


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"nonsense", {}, 400),
        (gzip.compress(EVENT, mtime=0)[:-9], {"content_encoding": "gzip"}, 400),
        (EVENT, {"content_encoding": "snappy"}, 415),
        (b'{}\n{"type":"event","length":99}\n{}', {}, 400),
        (b'{}\n{"type":"event"}\n{}\n{"type":"event"}\n{}', {}, 400),
        (b"{}\n" + b'{"type":"session"}\n{}\n' * 101, {}, 413),
        (b'{}\n{"type":"event"}\n"' + b"x" * (5 << 20) + b'"', {}, 413),
        (b"x" * (8 << 20) + b"x", {}, 413),
        (brotli.compress(bytes(64 << 20)), {"content_encoding": "br"}, 413),
        (gzip.compress(bytes(64 << 20)), {"content_encoding": "gzip"}, 413),
        (zstandard.compress(bytes(64 << 20)), {"content_encoding": "zstd"}, 413),
        (b"x" * (2 << 20), {"content_encoding": "gzip"}, 413),
    ],
)  # fmt: skip
def test_bad_input_has_a_protocol_answer(
    body: bytes, headers: dict[str, str], status: int
) -> None:
    make_key()
    answer = post(body, headers=headers)
    assert answer.status_code == status
    assert answer.json()["detail"] and answer.headers["x-sentry-error"]
    assert not InboxEnvelope.objects.exists()


def test_refusals_are_counted_by_key_category_and_reason() -> None:
    key = make_key()

    async def scenario(door: Door) -> None:
        for _ in range(2):
            await door.post(b'{}\n{"type":"event"}\n{}\n{"type":"event"}\n{}')
        await door.post(b"nonsense")
        await door.post(path="/api/7/envelope/")  # nobody to count it for

    through(scenario)
    counted = Outcome.objects.values_list("key_id", "category", "reason", "quantity")
    assert sorted(counted) == [
        (key.pk, "default", "invalid", 1),
        (key.pk, "error", "invalid", 4),
    ]


def test_large_bodies_take_the_same_way() -> None:
    make_key()
    noise = json.dumps({"x": [str(n) for n in range(300_000)]}).encode()
    body = EVENT.split(b"\n")[0] + b'\n{"type":"event"}\n' + noise
    assert len(body) > endpoint.INLINE_DECODED_BYTES
    for sent in (body, gzip.compress(body, mtime=0)):
        encoding = "identity" if sent is body else "gzip"
        assert post(sent, content_encoding=encoding).status_code == 200
    bodies = [unsealed(row.body) for row in InboxEnvelope.objects.all()]
    assert bodies == [body, body]


def test_chunked_bodies_are_read_to_their_end() -> None:
    make_key()

    async def parts() -> AsyncIterator[bytes]:
        for at in range(0, len(EVENT), 10):
            yield EVENT[at : at + 10]

    async def scenario(door: Door) -> httpx.Response:
        return await door.client.post(f"/api/7/envelope/{QUERY}", content=parts())

    assert through(scenario).status_code == 200
    assert stored_body() == EVENT


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded",
    ],
)
def test_the_content_type_does_not_matter(kind: str) -> None:
    make_key()
    assert post(content_type=kind).status_code == 200


def test_kinds_that_are_not_kept_are_stopped_with_the_answer() -> None:
    make_key()
    answer = post(b'{}\n{"type":"log","item_count":2}\n{"items":[{},{}]}')
    limits = "3600:log_item;log_byte:project:unsupported"
    assert (answer.status_code, answer.headers["x-sentry-rate-limits"]) == (200, limits)
    header = json.loads(stored_body().split(b"\n")[1])
    assert header == {
        "type": "log",
        "item_count": 2,
        "length": 0,
        "discarded_bytes": 17,
    }


def test_the_client_is_seen_through_trusted_proxies() -> None:
    make_key()

    async def scenario(door: Door) -> None:
        await door.post(x_forwarded_for="1.2.3.4, 198.51.100.1")

    through(scenario, trusted_proxies=(ip_network("203.0.113.0/24"),))
    assert sender().remote_addr == "198.51.100.1"


def test_a_forwarded_address_of_a_stranger_does_not_count() -> None:
    make_key()
    post(x_forwarded_for="198.51.100.1")
    assert sender().remote_addr == "203.0.113.9"


def test_texts_of_the_connection_are_cleaned_and_bounded() -> None:
    make_key()

    async def scenario(door: Door) -> httpx.Response:
        headers = [(b"user-agent", b"bad \xff\0" + b"x" * 600), (b"origin", b"o" * 300)]
        url = f"/api/7/envelope/{QUERY}"
        return await door.client.post(url, content=EVENT, headers=headers)

    assert through(scenario).status_code == 200
    told = sender()
    assert (len(told.user_agent), told.user_agent[:5]) == (511, "bad �")
    assert len(told.origin) == 255


def test_past_the_inbox_cap_envelopes_are_refused_and_counted() -> None:
    key = make_key()

    async def scenario(door: Door) -> httpx.Response:
        await door.post()
        await door.ingest._pressure.refresh()
        return await door.post()

    answer = through(scenario, inbox_max_envelopes=1)
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "30"
    assert answer.headers["x-sentry-rate-limits"] == "30::organization:inbox_full"
    outcome = Outcome.objects.get()
    assert (outcome.key_id, outcome.category, outcome.reason, outcome.quantity) == (
        key.pk,
        "error",
        "inbox_full",
        1,
    )
    assert InboxEnvelope.objects.count() == 1


def test_under_load_one_commit_serves_many() -> None:
    make_key()

    async def scenario(door: Door) -> list[int]:
        await door.post()
        answers = await asyncio.gather(*[door.post() for _ in range(200)])
        return [answer.status_code for answer in answers]

    assert through(scenario) == [200] * 200
    assert InboxEnvelope.objects.count() == 201
    assert InboxWriter.objects.get().batch < 40


def test_an_unexpected_fault_is_logged_and_answered_with_503(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    make_key()

    def broken(*_: Any) -> None:
        raise ZeroDivisionError("fault")

    monkeypatch.setattr(endpoint, "prepare", broken)
    answer = post()
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "ZeroDivisionError" in caplog.text


def test_readiness_tells_the_lag_of_the_inbox() -> None:
    make_key()

    post()
    moved = datetime.now(UTC) - timedelta(seconds=30)
    InboxEnvelope.objects.update(received=moved)

    async def scenario(door: Door) -> tuple[bool, dict[str, Any]]:
        await door.ingest._pressure.refresh()
        return door.ingest.readiness()

    ready, state = through(scenario)
    assert ready
    assert state["inbox"]["envelopes"] == 1
    assert 30 <= state["inbox"]["lag_seconds"] < 60


def test_without_database_a_request_waits_and_is_then_told_to_come_back() -> None:
    async def scenario(door: Door) -> httpx.Response:
        return await door.post()

    answer = through(
        scenario, conninfo="host=127.0.0.1 port=1 dbname=none", wait_seconds=0.3
    )
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
