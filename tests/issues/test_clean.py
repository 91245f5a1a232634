"""Decoding: whatever JSON a client makes becomes values that can be stored."""

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from issues.clean import MAX_DEPTH, decode, encode, parse_time
from issues.normal_event import NotAnEvent


def depth_of(value: Any) -> int:
    """Levels of nesting, counted without recursion."""
    depth, level = 0, [value]
    while level := [
        inner
        for outer in level
        if isinstance(outer, dict | list)
        for inner in (outer.values() if isinstance(outer, dict) else outer)
    ]:
        depth += 1
    return depth


@pytest.mark.parametrize(
    ("payload", "value"),
    [
        (b'{"a": 1}', {"a": 1}),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (b'{"a": "x\\u0000y"}', {"a": "x\ufffdy"}),
        (b'{"a\\u0000": 1}', {"a\ufffd": 1}),
        (b'{"a": "x\x00y"}', {"a": "x\ufffdy"}),
        (b'{"a": "tab\there"}', {"a": "tab\there"}),
        (b'{"a": "\\ud83d"}', {"a": "\ufffd"}),
        (b'{"a": "\\ud83e\\udde8"}', {"a": "🧨"}),
        (b'{"a": "\xff\xfe"}', {"a": "\ufffd\ufffd"}),
        (b'{"a": 1180591620717411303424}', {"a": "1180591620717411303424"}),
        (b'{"a": -9223372036854775809}', {"a": "-9223372036854775809"}),
        (b'{"a": 18446744073709551615}', {"a": 18446744073709551615}),
        (b'{"a": -9223372036854775808}', {"a": -9223372036854775808}),
        (b'{"a": "9400110200881234567890"}', {"a": "9400110200881234567890"}),
        (b'{"a": NaN, "b": -Infinity}', {"a": "NaN", "b": "-Infinity"}),
        (b'{"a": 1e999}', {"a": "1e999"}),
        (b"[" + b"1," * 5000 + b"2]", [1] * 5000 + [2]),
    ],
)
def test_odd_json_is_decoded(payload: bytes, value: Any) -> None:
    assert decode(payload)[0] == value


@pytest.mark.parametrize("payload", [b"", b"{", b"\x00", b"{'a': 1}", b"\x80\x81"])
def test_what_is_no_json_is_no_event(payload: bytes) -> None:
    with pytest.raises(NotAnEvent, match="not JSON"):
        decode(payload)


def test_a_clean_payload_has_no_notes() -> None:
    assert decode(b'{"message": "hello \\\\ud83d"}')[1] == []


def test_each_kind_of_repair_is_noted_once() -> None:
    _, notes = decode(b'{"a": "\\u0000\\u0000", "b": "\\ud83d", "c": [%d]}' % 2**70)
    assert notes == [
        "payload: 3 characters that cannot be stored (NUL, lone surrogates, bad UTF-8) "
        "replaced",
        "payload: 1 integers beyond 64 bits kept as text",
    ]


@pytest.mark.parametrize("levels", [101, 255, 900, 1024, 1025, 20_000])
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_deep_nesting_is_cut(levels: int, opening: bytes, closing: bytes) -> None:
    value, notes = decode(opening * levels + b"1" + closing * levels)
    assert depth_of(value) <= MAX_DEPTH
    assert "nested deeper" in notes[0]


def test_what_stands_beside_deep_nesting_is_kept() -> None:
    deep = b"[" * 3000 + b'"]"' + b"]" * 3000
    value, _ = decode(b'{"before": "{[", "deep": ' + deep + b', "after": [{}]}')
    assert (value["before"], value["after"]) == ("{[", [{}])


def test_many_flat_brackets_are_not_deep() -> None:
    payload = orjson.dumps({"rows": [[{}] * 50] * 50, "text": "]" * 20})
    assert decode(payload) == (orjson.loads(payload), [])


def test_depth_hidden_by_brackets_in_text_can_still_be_written() -> None:
    hidden = b'["]",' * 400 + b"1" + b',"["]' * 400
    value, _ = decode(hidden)
    assert depth_of(orjson.loads(encode(value))) <= MAX_DEPTH


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_json_value_can_be_stored_afterwards(value: Any) -> None:
    decoded, _ = decode(json.dumps(value).encode())
    written = encode(decoded)
    assert b"\\u0000" not in written.replace(b"\\\\", b"")
    assert orjson.loads(written) == decoded


@given(st.binary())
def test_any_bytes_are_a_value_or_no_event(payload: bytes) -> None:
    with suppress(NotAnEvent):
        encode(decode(payload)[0])


NINE = datetime(2026, 11, 23, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    "written",
    [
        1795424400,
        1795424400.0,
        "1795424400",
        1795424400_000,
        1795424400_000_000,
        1795424400_000_000_000,
        "2026-11-23T09:00:00Z",
        "2026-11-23T09:00:00.000000000Z",
        "2026-11-23t09:00:00z",
        "2026-11-23 09:00:00",
        "2026-11-23T09:00",
        "2026-11-23T10:00:00+01:00",
        "20261123T090000Z",
        " 2026-11-23T09:00:00Z ",
    ],
)
def test_times_are_read_in_every_usual_form(written: object) -> None:
    assert parse_time(written) == NINE


@pytest.mark.parametrize(
    "written",
    [
        None,
        True,
        "",
        "yesterday",
        "nan",
        "inf",
        float("nan"),
        float("inf"),
        -1e300,
        [],
        {},
        "9999-12-31T23:59:59-14:00",
        "0001-01-01T00:00:00+14:00",
    ],
)
def test_what_is_no_time_is_none(written: object) -> None:
    assert parse_time(written) is None
