"""What an envelope may hold, and the rate-limit category of each kind of item."""

from collections.abc import Collection
from typing import NamedTuple

from issues.ingest.envelope import Envelope, EnvelopeError

MIB = 1 << 20
# Events over 1 MiB are trimmed with a note by digest.
MAX_EVENT_BYTES = 4 * MIB
MAX_SESSIONS = 100

_MAX_BYTES = {
    "event": MAX_EVENT_BYTES,
    "transaction": MAX_EVENT_BYTES,
    "feedback": MAX_EVENT_BYTES,
    "user_report": MIB,
    "check_in": MIB,
    "client_report": MIB,
    "session": MIB,
    "sessions": MIB,
    "span": 10 * MIB,
}

_ONE_PER_ENVELOPE = frozenset({"event", "transaction", "feedback"})

CATEGORIES = {
    "event": "error",
    "transaction": "transaction",
    "session": "session",
    "sessions": "session",
    "span": "span",
    "otel_span": "span",
    "otel_traces_data": "span",
    "client_report": "internal",
    "check_in": "monitor",
    "feedback": "feedback",
    "user_report": "feedback",
    "attachment": "attachment",
    "security": "security",
    "raw_security": "security",
    "nel": "security",
    "log": "log_item",
    "otel_log": "log_item",
    "trace_metric": "trace_metric",
    "statsd": "metric_bucket",
    "metric_buckets": "metric_bucket",
    "metric_meta": "metric_bucket",
    "profile": "profile",
    "profile_chunk": "profile_chunk",
    "profile_chunk_ui": "profile_chunk",
    "replay_event": "replay",
    "replay_recording": "replay",
    "replay_video": "replay",
}

# Kinds that are counted and not kept, with the categories whose senders are asked to
# stop. Sessions, transactions and segment spans are denominators: never among these.
_STOP = {
    "log": "log_item;log_byte",
    "otel_log": "log_item;log_byte",
    "trace_metric": "trace_metric;trace_metric_byte",
    "statsd": "metric_bucket",
    "metric_buckets": "metric_bucket",
    "metric_meta": "metric_bucket",
    "profile": "profile",
    "profile_chunk": "profile_chunk",
    "profile_chunk_ui": "profile_chunk",
    "replay_event": "replay",
    "replay_recording": "replay",
    "replay_video": "replay",
}

# Their payloads do not enter the inbox; their headers do, so that they are counted.
DISCARDED = frozenset({*_STOP, "form_data", "unreal_report"})
# Only an envelope with one of these is looked at for what to leave out.
MAY_BE_DISCARDED = DISCARDED | {"attachment"}
MAX_ATTACHMENTS = 50
# Why a payload was left out. Digest counts it under this reason.
UNSUPPORTED, TOO_LARGE, SWITCHED_OFF = "unsupported", "too_large", "switched_off"


class TooLarge(ValueError):
    """Over a cap in bytes or number; the text says which."""


class AttachmentBounds(NamedTuple):
    """Bytes of one attachment, and of all attachments of an envelope together."""

    file_bytes: int
    event_bytes: int


def category(kind: str) -> str:
    """The rate-limit category of an item type; ``default`` for unknown ones."""
    return CATEGORIES.get(kind, "default")


def check_items(envelope: Envelope) -> None:
    """Raise EnvelopeError or TooLarge for what can never be digested whole."""
    events = sessions = 0
    for item in envelope.items:
        size = item.end - item.start
        if size > _MAX_BYTES.get(item.type, size):
            raise TooLarge(
                f"the {item.type} item has {size} bytes; at most "
                f"{_MAX_BYTES[item.type]} are taken"
            )
        if item.type in _ONE_PER_ENVELOPE:
            events += 1
            if not size:
                raise EnvelopeError(f"the {item.type} item has no payload")
        elif item.type == "session":
            sessions += 1
    if events > 1:
        raise EnvelopeError(
            f"{events} items of type event, transaction or feedback; an envelope "
            "carries at most one of them"
        )
    if sessions > MAX_SESSIONS:
        raise TooLarge(f"{sessions} sessions; an envelope carries at most 100")


def discards(envelope: Envelope, bounds: AttachmentBounds | None) -> dict[int, str]:
    """Positions of the items whose payloads do not enter the inbox, each with why.

    Attachments are taken in their order, as long as they fit. ``bounds`` None: the
    project keeps none.
    """
    left_out: dict[int, str] = {}
    taken, number = 0, 0
    for position, item in enumerate(envelope.items):
        if item.type in DISCARDED:
            left_out[position] = UNSUPPORTED
        elif item.type == "attachment":
            size = item.end - item.start
            if bounds is None:
                left_out[position] = SWITCHED_OFF
            elif (
                size > bounds.file_bytes
                or taken + size > bounds.event_bytes
                or number == MAX_ATTACHMENTS
            ):
                left_out[position] = TOO_LARGE
            else:
                taken, number = taken + size, number + 1
    return left_out


def stop_limits(kinds: Collection[str], *, keeps_attachments: bool = True) -> str:
    """The X-Sentry-Rate-Limits value for kinds that are not kept; "" for none."""
    stops = sorted({_STOP[kind] for kind in kinds if kind in _STOP})
    limits = [f"3600:{stop}:project:unsupported" for stop in stops]
    if not keeps_attachments and "attachment" in kinds:
        # Shorter: the switch may be turned on again.
        limits.append(f"600:attachment:project:{SWITCHED_OFF}")
    return ", ".join(limits)
