"""What an envelope may hold, and the rate-limit category of each kind of item."""

from collections.abc import Iterable

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
DISCARDED = frozenset({*_STOP, "attachment", "form_data", "unreal_report"})


class TooLarge(ValueError):
    """Over a cap in bytes or number; the text says which."""


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


def stop_limits(kinds: Iterable[str]) -> str:
    """The X-Sentry-Rate-Limits value for kinds that are not kept; "" for none."""
    stops = sorted({_STOP[kind] for kind in kinds if kind in _STOP})
    return ", ".join(f"3600:{stop}:project:unsupported" for stop in stops)
