import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from issues.ingest.envelope import (
    MAX_HEADER_BYTES,
    MAX_ITEMS,
    Envelope,
    EnvelopeError,
    frame,
    normal_event_id,
)

ID = "9ec79c33ec9942ab8353589fcb2e04dc"


def payloads(body: bytes) -> list[tuple[str, bytes]]:
    return [(item.type, body[item.start : item.end]) for item in frame(body).items]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(b"{}", [], id="header without newline"),
        pytest.param(b"{}\n", [], id="header with newline"),
        pytest.param(
            b'{}\n{"type":"event"}\n{"a":1}', [("event", b'{"a":1}')], id="js"
        ),
        pytest.param(
            b'{}\n{"type":"event","length":7}\n{"a":1}\n',
            [("event", b'{"a":1}')],
            id="python",
        ),
        pytest.param(
            b'{}\n{"type":"attachment","length":9}\na\n{}\nb\0\n\n\n{"type":"event"}\n{}',
            [("attachment", b"a\n{}\nb\0\n\n"), ("event", b"{}")],
            id="length spans newlines and NUL",
        ),
        pytest.param(
            b'{}\n{"type":"attachment","length":0}\n\n{"type":"session"}\n{}\n',
            [("attachment", b""), ("session", b"{}")],
            id="empty attachment",
        ),
        pytest.param(
            b'{}\n{"type":"attachment","length":0}\n',
            [("attachment", b"")],
            id="empty attachment at the end",
        ),
        pytest.param(
            b'{}\n{"type":"attachment","length":0}',
            [("attachment", b"")],
            id="empty attachment without newline",
        ),
        pytest.param(
            b'{}\n{"type":"event"}\n{"a":1}\r\n{"type":"session"}\n{}',
            [("event", b'{"a":1}\r'), ("session", b"{}")],
            id="carriage return is payload",
        ),
        pytest.param(
            b'{}\r\n{"type":"event"}\r\n{"a":1}\n',
            [("event", b'{"a":1}')],
            id="carriage return after headers",
        ),
        pytest.param(
            b'{}\n{"type":"brand_new"}\n??\n{"type":"event"}\n{}\n',
            [("brand_new", b"??"), ("event", b"{}")],
            id="unknown type first",
        ),
        pytest.param(
            b'{}\n\n{"type":"event"}\n{}\n\n\n', [("event", b"{}")], id="blank lines"
        ),
        pytest.param(
            b'{}\n{"type":"event","length":null}\n{}\n',
            [("event", b"{}")],
            id="length null",
        ),
        pytest.param(
            b'{}\n{"type":"log","item_count":2,"content_type":"x","new":[1]}\n{}\n',
            [("log", b"{}")],
            id="more header fields",
        ),
        pytest.param(
            b'{}\n{"type":"attachment","filename":"\\ud83d","length":1}\nx',
            [("attachment", b"x")],
            id="lone surrogate in a header",
        ),
    ],
)
def test_items_are_framed(body: bytes, expected: list[tuple[str, bytes]]) -> None:
    assert payloads(body) == expected


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not JSON"),
        (b"\n", "not JSON"),
        (b"[]\n", "not a JSON object"),
        (b"nonsense", "not JSON"),
        (b'{"a":"\xff"}', "not JSON"),
        (b'{}\n"event"\n{}', "header of item 1 is not a JSON object"),
        (b"{}\n{}\n{}", "no type"),
        (b'{}\n{"type":7}\n{}', "no type"),
        (b'{}\n{"type":""}\n{}', "no type"),
        (b'{}\n{"type":"event","length":3}\n{}', "cut off"),
        (b'{}\n{"type":"event","length":3}', "cut off"),
        (b'{}\n{"type":"event","length":1}\n{}\n', "length is wrong"),
        (b'{}\n{"type":"event","length":2}\n{}\r\n', "length is wrong"),
        (b'{}\n{"type":"event","length":-1}\n{}', "not a whole number"),
        (b'{}\n{"type":"event","length":2.0}\n{}', "not a whole number"),
        (b'{}\n{"type":"event","length":true}\n{}', "not a whole number"),
        (b'{}\n{"type":"event","length":"2"}\n{}', "not a whole number"),
        (b'{"event_id":"abc"}\n', "not a UUID"),
        (b'{"event_id":7}\n', "not a UUID"),
        (
            b'{"sent_at":"2026-11-23T09:00:00Z","sent_at":"2026-11-23T09:00:01Z"}\n',
            "twice",
        ),
        (b'{"a":"' + b"x" * MAX_HEADER_BYTES + b'"}\n', "header is over"),
        (
            b'{}\n{"type":"event","a":"' + b"x" * MAX_HEADER_BYTES + b'"}\n{}',
            "header of item 1 is over",
        ),
        (b"{}\n" + b'{"type":"a"}\n\n' * (MAX_ITEMS + 1), "more than"),
        (b"{}" + b"\n" * (MAX_ITEMS + 2), "more than"),
        (b'{"a":' * 5000, "not JSON"),
    ],
)
def test_broken_grammar_is_named(body: bytes, reason: str) -> None:
    with pytest.raises(EnvelopeError, match=reason):
        frame(body)


def test_as_many_items_as_allowed_are_framed() -> None:
    body = b"{}\n" + b'{"type":"a"}\n\n' * MAX_ITEMS
    assert len(frame(body).items) == MAX_ITEMS


def test_sent_at_may_stand_again_deeper_in_the_header() -> None:
    body = b'{"sent_at":"x","trace":{"sent_at":"y"}}\n'
    assert frame(body).header["sent_at"] == "x"


@pytest.mark.parametrize(
    "value",
    [
        ID,
        ID.upper(),
        "9ec79c33-ec99-42ab-8353-589fcb2e04dc",
        "9EC79C33-EC99-42AB-8353-589FCB2E04DC",
    ],
)
def test_event_ids_are_normalised(value: str) -> None:
    assert normal_event_id(value) == ID


@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_event_id_is_empty(value: object) -> None:
    assert normal_event_id(value) == ""


@pytest.mark.parametrize(
    "value",
    [ID[:-1], ID + "0", "9ec79c33ec99-42ab-8353-589fcb2e04dc", "g" * 32, 1, [ID]],
)
def test_other_event_ids_are_refused(value: object) -> None:
    with pytest.raises(EnvelopeError):
        normal_event_id(value)


JSON = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2),
)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["event", "session", "x"]) | JSON,
        "length": st.integers(-3, 30) | JSON,
        "event_id": st.just(ID) | JSON,
        "sent_at": JSON,
    },
).map(lambda header: json.dumps(header).encode())
LINES = st.one_of(HEADERS, st.binary(max_size=30), st.just(b""))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(st.binary(), st.lists(LINES, max_size=8).map(b"\n".join)))
def test_any_bytes_are_framed_or_refused_with_a_reason(body: bytes) -> None:
    try:
        envelope = frame(body)
    except EnvelopeError as error:
        assert str(error)
    else:
        assert_spans_lie_in_order(envelope, body)


def assert_spans_lie_in_order(envelope: Envelope, body: bytes) -> None:
    at = 0
    for item in envelope.items:
        assert at <= item.start <= item.end <= len(body)
        at = item.end


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(st.sampled_from(["event", "attachment", "new"]), st.binary()),
        max_size=5,
    ),
    st.booleans(),
)
def test_what_an_sdk_writes_is_read_back(
    items: list[tuple[str, bytes]], last_newline: bool
) -> None:
    def header(kind: str, payload: bytes) -> bytes:
        fields: dict[str, Any] = {"type": kind, "length": len(payload)}
        return json.dumps(fields).encode()

    lines = [line for kind, data in items for line in (header(kind, data), data)]
    body = b"\n".join([b"{}", *lines]) + (b"\n" if last_newline else b"")
    assert payloads(body) == items
