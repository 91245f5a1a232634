import base64
import json
import re
import zlib
from collections.abc import Callable

import pytest

from issues.ingest.decode import OverCap
from issues.ingest.envelope import frame
from issues.ingest.limits import MAX_EVENT_BYTES, AttachmentBounds
from issues.ingest.prepare import Prepared, prepare
from issues.ingest.protocol import Refusal

ID = "9ec79c33ec9942ab8353589fcb2e04dc"
CAP = 20 << 20
BOUNDS = AttachmentBounds(file_bytes=100, event_bytes=150)


def same(body: bytes) -> bytes:
    return body


def take(body: bytes, kind: str = "envelope", *names: str) -> Prepared:
    return prepare(body, list(names), kind, CAP, same, BOUNDS)


def refusal(body: bytes, kind: str = "envelope", *names: str) -> Refusal:
    with pytest.raises(Refusal) as caught:
        take(body, kind, *names)
    return caught.value


def test_an_ordinary_envelope_is_kept_byte_by_byte() -> None:
    body = b'{"event_id":"%s","dsn":"d"}\n{"type":"event"}\n{}' % ID.encode()
    taken = take(body)
    assert taken == Prepared(body, len(body), ID, ("event",), "", "d")


def test_size_is_counted_before_compression() -> None:
    body = b'{}\n{"type":"session"}\n{}'
    packed = zlib.compress(body)
    taken = prepare(packed, ["deflate"], "envelope", CAP, lambda _: b"z", BOUNDS)
    assert (taken.body, taken.size) == (b"z", len(body))


def test_an_envelope_without_items_leaves_nothing_to_store() -> None:
    assert take(b'{"event_id":"%s"}\n' % ID.encode()).body == b""


@pytest.mark.parametrize("value", ["null", '""'])
@pytest.mark.parametrize("kind", ["event", "transaction", "feedback"])
def test_an_event_without_any_id_gets_one_in_its_header(kind: str, value: str) -> None:
    item = b'{"type":"%s","length":%d}\n' % (kind.encode(), 16 + len(value))
    taken = take(b"{}\n" + item + b'{"event_id": %s  }' % value.encode())
    assert re.fullmatch("[0-9a-f]{32}", taken.event_id)
    assert frame(taken.body).event_id == taken.event_id


def test_the_id_of_the_payload_serves_where_the_header_has_none() -> None:
    taken = take(b'{}\n{"type":"event"}\n{"event_id":"%s"}' % ID.upper().encode())
    assert (taken.event_id, frame(taken.body).event_id) == (ID, ID)


def test_an_event_that_is_no_json_still_gets_an_id() -> None:
    taken = take(b'{}\n{"type":"event"}\n{"event_id":')
    assert frame(taken.body).event_id == taken.event_id != ""


def test_kinds_without_id_get_none() -> None:
    assert take(b'{}\n{"type":"session"}\n{}').event_id == ""


def test_payloads_that_are_not_kept_leave_their_headers_only() -> None:
    header = b'{"event_id":"%s"}' % ID.encode()
    replay = b'{"type":"replay_recording","length":5,"note":"\\ud83d"}\na\n\nb\0'
    body = header + b"\n" + replay + b'\n{"type":"event"}\n{"message":"x"}\r\n'
    stored = take(body).body
    envelope = frame(stored)
    first, event = envelope.items
    assert (first.header["discarded_bytes"], first.header["discarded"]) == (
        *(5, "unsupported"),
    )
    assert (first.start, first.header["note"]) == (first.end, "\ud83d")
    assert stored[event.start : event.end] == b'{"message":"x"}\r'
    assert envelope.event_id == ID


def attached(*sizes: int) -> bytes:
    """An event with attachments of these sizes before it."""
    lines = [b'{"event_id":"%s"}' % ID.encode()]
    for size in sizes:
        lines += [b'{"type":"attachment","length":%d}' % size, b"x" * size]
    return b"\n".join((*lines, b'{"type":"event"}', b'{"message":"x"}'))


def test_attachments_within_the_bounds_are_kept_byte_by_byte() -> None:
    body = attached(100, 0, 50)
    assert take(body).body == body


def test_attachments_beyond_the_bounds_are_left_out_and_their_event_is_not() -> None:
    stored = take(attached(101, 80, 80, 20)).body
    found = [
        (item.end - item.start, item.header.get("discarded"))
        for item in frame(stored).items
    ]
    assert found == [
        *[(0, "too_large"), (80, None), (0, "too_large"), (20, None), (15, None)]
    ]


def test_a_project_that_keeps_no_attachments_gets_none_and_says_so() -> None:
    taken = prepare(attached(3), [], "envelope", CAP, same, None)
    (gone, event) = frame(taken.body).items
    assert (gone.end - gone.start, gone.header["discarded"]) == (0, "switched_off")
    assert taken.body[event.start : event.end] == b'{"message":"x"}'
    assert taken.limits == "600:attachment:project:switched_off"


def test_kinds_that_are_not_kept_are_asked_to_stop() -> None:
    assert take(b'{}\n{"type":"log"}\n{}').limits.startswith("3600:log_item;log_byte:")


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (b"", 400, "invalid"),
        (b'{}\n{"type":"event","length":9}\n{}', 400, "invalid"),
        (b'{}\n{"type":"event"}\n{}\n{"type":"event"}\n{}', 400, "invalid"),
        (b'{}\n{"type":"event"}\n{"event_id":"bad"}', 400, "invalid"),
        (b'{}\n{"type":"event"}\n' + b"x" * (MAX_EVENT_BYTES + 1), 413, "too_large"),
    ],
)
def test_bad_envelopes_are_refused_with_their_reason(
    body: bytes, status: int, reason: str
) -> None:
    refused = refusal(body)
    assert (refused.status, refused.reason) == (status, reason)
    assert refused.causes


def test_a_refusal_knows_the_kinds_that_it_refuses() -> None:
    refused = refusal(b'{}\n{"type":"event"}\n{}\n{"type":"event"}\n{}')
    assert refused.kinds == ("event", "event")


def test_a_corrupt_body_is_refused() -> None:
    assert refusal(b"no gzip", "envelope", "gzip").status == 400


def test_a_bomb_is_told_apart() -> None:
    with pytest.raises(OverCap):
        packed = zlib.compress(bytes(2000))
        prepare(packed, ["deflate"], "envelope", 1000, same, BOUNDS)


@pytest.mark.parametrize(
    "body",
    [
        b'{"message":"x"}',
        b'  {"message":"x"}\n',
        b'{"message":"x","event_id":null}',
        b'{"event_id":"","message":"x"}',
        b"{}",
        b"{ }",
        b'{"message":"\\ud83d","value":NaN}',
    ],
)
def test_a_stored_event_without_id_gets_one(body: bytes) -> None:
    taken = take(body, "store")
    assert re.fullmatch("[0-9a-f]{32}", taken.event_id)
    assert json.loads(taken.body)["event_id"] == taken.event_id
    assert taken.size == len(taken.body)


def test_a_stored_event_keeps_its_id_and_bytes() -> None:
    body = b'{"event_id":"%s","n":1e400,"big":%d}' % (ID.upper().encode(), 2**70)
    assert take(body, "store") == Prepared(body, len(body), ID, ("event",), "", None)


@pytest.mark.parametrize(
    "wrap", [lambda body: base64.b64encode(zlib.compress(body))], ids=["base64 zlib"]
)
def test_protocols_before_7_wrap_the_event(wrap: Callable[[bytes], bytes]) -> None:
    body = b'{"event_id":"%s"}' % ID.encode()
    assert take(wrap(body), "store").body == body


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"[]", 400),
        (b'{"a":', 400),
        (b"{" + b'"a":{' * 5000, 400),
        (b'{"event_id":"short"}', 400),
        (b"bm90IHpsaWI=", 400),
        (b"sentry_data=abc", 400),
        (b'{"a":"' + b"x" * MAX_EVENT_BYTES + b'"}', 413),
        (base64.b64encode(zlib.compress(bytes(MAX_EVENT_BYTES + 1))), 413),
    ],
)
def test_what_cannot_be_a_stored_event_is_refused(body: bytes, status: int) -> None:
    assert refusal(body, "store").status == status


@pytest.mark.parametrize("body", [b'{"csp-report":{}}', b"[{}]"])
def test_security_reports_are_kept_as_sent(body: bytes) -> None:
    assert take(body, "security").body == body


@pytest.mark.parametrize("body", [b"", b"1", b"csp", b'{"a":'])
def test_other_security_reports_are_refused(body: bytes) -> None:
    assert refusal(body, "security").status == 400
