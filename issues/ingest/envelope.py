"""The envelope grammar: framing only, no payload is decoded.

    envelope = header { "\\n" item } [ "\\n" ]      item = header "\\n" payload

Rule: Sentry's envelope specification. Headers are one-line JSON objects. Only ``\\n``
ends a line; a ``\\r`` belongs to the payload. With ``length`` a payload is exactly that
long and is followed by ``\\n`` or the end; without it the payload ends at the next
``\\n``. Items of unknown type are framed like all others.
"""

import json
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

import orjson

MAX_HEADER_BYTES = 64 << 10
# Also bounds the blank lines, which are skipped.
MAX_ITEMS = 1000

_EVENT_ID = re.compile(
    r"[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE
)


class EnvelopeError(ValueError):
    """The bytes break the grammar; the text says where and why."""

    tellable = True


class Item(NamedTuple):
    """One item; its payload is ``body[start:end]``."""

    type: str
    header: dict[str, Any]
    start: int
    end: int


class Envelope(NamedTuple):
    """A framed envelope. ``event_id``: 32 lower-case hex digits, "" where absent."""

    header: dict[str, Any]
    items: list[Item]
    event_id: str


def frame(body: bytes) -> Envelope:
    """Split a decompressed envelope into its items; raises EnvelopeError."""
    end = body.find(b"\n")
    line = body if end < 0 else body[:end]
    if len(line) > MAX_HEADER_BYTES:
        raise EnvelopeError(f"the envelope header is over {MAX_HEADER_BYTES} bytes")
    header = _object(line, "the envelope header")
    if line.count(b'"sent_at"') > 1:
        _refuse_second_sent_at(line)
    event_id = normal_event_id(header.get("event_id"))
    items: list[Item] = []
    at, size = len(line) + 1, len(body)
    for _ in range(MAX_ITEMS):
        if at >= size:
            return Envelope(header, items, event_id)
        if body[at] == 0x0A:
            at += 1
            continue
        item = _item(body, at, len(items) + 1)
        items.append(item)
        at = item.end + 1
    if at >= size:
        return Envelope(header, items, event_id)
    raise EnvelopeError(f"more than {MAX_ITEMS} items; send them in several envelopes")


def normal_event_id(value: object) -> str:
    """32 lower-case hex digits; "" for none. Dashes and case may vary on the wire."""
    if value is None or value == "":
        return ""
    if isinstance(value, str) and _EVENT_ID.fullmatch(value):
        return value.replace("-", "").lower()
    raise EnvelopeError(
        "event_id is not a UUID of 32 hex digits, with or without dashes"
    )


def _item(body: bytes, at: int, number: int) -> Item:
    eol = body.find(b"\n", at, at + MAX_HEADER_BYTES + 1)
    if eol < 0:
        eol = len(body)
        if eol - at > MAX_HEADER_BYTES:
            raise EnvelopeError(
                f"the header of item {number} is over {MAX_HEADER_BYTES} bytes"
            )
    header = _object(body[at:eol], f"the header of item {number}")
    kind = header.get("type")
    if not isinstance(kind, str) or not kind:
        raise EnvelopeError(f"item {number} has no type (a text) in its header")
    start = min(eol + 1, len(body))
    length = header.get("length")
    if length is None:
        end = body.find(b"\n", start)
        return Item(kind, header, start, len(body) if end < 0 else end)
    if type(length) is not int or length < 0:
        raise EnvelopeError(f"length of item {number} ({kind}) is not a whole number")
    end = start + length
    if end > len(body):
        raise EnvelopeError(
            f"item {number} ({kind}) is cut off: length says {length} bytes, "
            f"{len(body) - start} follow"
        )
    if end < len(body) and body[end] != 0x0A:
        raise EnvelopeError(
            f"no newline after the {length} bytes of item {number} ({kind}): "
            "length is wrong"
        )
    return Item(kind, header, start, end)


def _object(line: bytes, what: str) -> dict[str, Any]:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        value = _lenient(line, what)
    if not isinstance(value, dict):
        raise EnvelopeError(f"{what} is not a JSON object")
    return value


def _lenient(line: bytes, what: str) -> object:
    # SDKs send lone surrogates as \ud83d, which orjson refuses.
    try:
        return json.loads(line.decode())
    except (ValueError, RecursionError) as error:
        raise EnvelopeError(f"{what} is not JSON: {error}") from error


def _refuse_second_sent_at(line: bytes) -> None:
    # The outermost object is built last.
    names: list[str] = []

    def note(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
        names[:] = [name for name, _ in pairs]
        return {}

    try:
        json.loads(line.decode(), object_pairs_hook=note)
    except RecursionError as error:
        raise EnvelopeError("the envelope header is nested too deeply") from error
    if names.count("sent_at") > 1:
        raise EnvelopeError("sent_at stands twice in the envelope header")
