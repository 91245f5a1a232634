"""From the bytes on the wire to the body in the inbox. Pure, but for fresh ids."""

import base64
import binascii
import json
import uuid
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

import orjson

from issues.ingest.decode import DecodeError, OverCap, decode
from issues.ingest.envelope import Envelope, EnvelopeError, frame, normal_event_id
from issues.ingest.limits import (
    MAX_EVENT_BYTES,
    MAY_BE_DISCARDED,
    AttachmentBounds,
    TooLarge,
    check_items,
    discards,
    stop_limits,
)
from issues.ingest.protocol import Refusal

Compress = Callable[[bytes], bytes]
_WITH_ID = frozenset({"event", "transaction", "feedback"})


class Prepared(NamedTuple):
    """What goes into the inbox, and what the answer needs.

    ``body`` is compressed, b"" where there is nothing to store; ``size`` is its length
    before that. ``dsn`` is the envelope header's, unchecked.
    """

    body: bytes
    size: int
    event_id: str
    kinds: tuple[str, ...]
    limits: str
    dsn: object


def prepare(
    raw: bytes,
    names: list[str],
    kind: str,
    cap: int,
    compress: Compress,
    bounds: AttachmentBounds | None,
) -> Prepared:
    """Decode, frame and check a body of an endpoint ``kind``.

    ``bounds``: which attachments enter the inbox, None: not one. Raises Refusal, or
    OverCap when decoding passes ``cap`` bytes.
    """
    try:
        body = decode(raw, names, cap) if names else raw
    except DecodeError as error:
        raise _invalid("The body cannot be decompressed.", error) from error
    if kind == "envelope":
        return _envelope(body, compress, bounds)
    if kind == "store":
        return _store(body, compress)
    return _security(body, compress)


def _envelope(
    body: bytes, compress: Compress, bounds: AttachmentBounds | None
) -> Prepared:
    kinds: tuple[str, ...] = ()
    try:
        envelope = frame(body)
        kinds = tuple([item.type for item in envelope.items])
        check_items(envelope)
        event_id = envelope.event_id or _missing_event_id(body, envelope)
    except EnvelopeError as error:
        raise _invalid("The envelope cannot be read.", error, kinds) from error
    except TooLarge as error:
        raise _too_large(error, kinds) from error
    limits = ""
    left_out: dict[int, str] = {}
    if not MAY_BE_DISCARDED.isdisjoint(kinds):
        limits = stop_limits(kinds, keeps_attachments=bounds is not None)
        left_out = discards(envelope, bounds)
    if left_out or event_id != envelope.event_id:
        body = _rebuild(body, envelope, event_id, left_out)
    return Prepared(
        compress(body) if kinds else b"",
        len(body),
        event_id,
        kinds,
        limits,
        envelope.header.get("dsn"),
    )


def _missing_event_id(body: bytes, envelope: Envelope) -> str:
    """The id in the event's payload, or a new one; "" where no item needs one."""
    item = next((item for item in envelope.items if item.type in _WITH_ID), None)
    if item is None:
        return ""
    payload = body[item.start : item.end]
    if b'"event_id"' in payload:
        value = _json(payload)
        if isinstance(value, dict):
            return normal_event_id(value.get("event_id")) or uuid.uuid4().hex
    return uuid.uuid4().hex


def _rebuild(
    body: bytes, envelope: Envelope, event_id: str, left_out: dict[int, str]
) -> bytes:
    """The envelope with its event id in the header and without some payloads.

    The header of an item that is left out keeps its fields; ``length`` becomes 0,
    ``discarded_bytes`` says how long the payload was, ``discarded`` why it is gone.
    """
    header = {**envelope.header, "event_id": event_id} if event_id else envelope.header
    lines: list[bytes | memoryview] = [_dump(header)]
    whole = memoryview(body)  # so that large payloads are copied once
    for position, item in enumerate(envelope.items):
        size, why = item.end - item.start, left_out.get(position)
        if why:
            gone = {"length": 0, "discarded_bytes": size, "discarded": why}
            lines += _dump({**item.header, **gone}), b""
        else:
            lines += (
                _dump({**item.header, "length": size}),
                whole[item.start : item.end],
            )
    return b"\n".join(lines)


def _store(body: bytes, compress: Compress) -> Prepared:
    text = body.strip()
    if not text.startswith(b"{"):
        text = _unwrap(text)
    if len(text) > MAX_EVENT_BYTES:
        error = TooLarge(f"the event has {len(text)} bytes; 4 MiB are taken")
        raise _too_large(error, ("event",))
    event = _json(text)
    if not isinstance(event, dict):
        raise _invalid("The body is not an event (a JSON object).", None, ("event",))
    try:
        event_id = normal_event_id(event.get("event_id"))
    except EnvelopeError as error:
        raise _invalid("The event cannot be read.", error, ("event",)) from error
    if not event_id:
        # Of two equal names JSON readers keep the last, so an empty one may stand.
        event_id = uuid.uuid4().hex
        comma = b"," if event else b""
        text = b'%s%s"event_id":"%s"}' % (text[:-1], comma, event_id.encode())
    return Prepared(compress(text), len(text), event_id, ("event",), "", None)


def _unwrap(text: bytes) -> bytes:
    # Clients of protocol versions before 7 send base64 of a zlib stream.
    try:
        return decode(
            base64.b64decode(text, validate=True), ["deflate"], MAX_EVENT_BYTES
        )
    except (binascii.Error, DecodeError, zlib.error) as error:
        raise _invalid("The body is not JSON.", error, ("event",)) from error
    except OverCap as error:
        raise _too_large(TooLarge(str(error)), ("event",)) from error


def _security(body: bytes, compress: Compress) -> Prepared:
    if len(body) > MAX_EVENT_BYTES:
        error = TooLarge(f"the report has {len(body)} bytes; 4 MiB are taken")
        raise _too_large(error, ("security",))
    if not isinstance(_json(body), dict | list):
        raise _invalid("The body is not a report in JSON.", None, ("security",))
    return Prepared(compress(body), len(body), "", ("security",), "", None)


def _json(text: bytes) -> object:
    """The decoded text; None where it is no JSON."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return _json_of_any_kind(text)


def _json_of_any_kind(text: bytes) -> object:
    """Takes NaN and lone surrogates too, which digest cleans."""
    try:
        return json.loads(text.decode())
    except (ValueError, RecursionError):
        return None


def _dump(header: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(header)
    except TypeError:
        return json.dumps(header).encode()


def _invalid(
    detail: str, cause: Exception | None, kinds: tuple[str, ...] = ()
) -> Refusal:
    causes = (str(cause),) if cause else ()
    return Refusal(400, detail, causes=causes, reason="invalid", kinds=kinds)


def _too_large(cause: TooLarge, kinds: tuple[str, ...]) -> Refusal:
    return Refusal(
        413,
        "The envelope is too large.",
        causes=(str(cause),),
        reason="too_large",
        kinds=kinds,
    )
