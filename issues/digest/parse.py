"""Opens one claimed envelope: which events, sessions, requests and drops it tells."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import zstandard

from issues.digest.claim import ClaimedEnvelope
from issues.digest.clean import decode, parse_time
from issues.digest.clock import Clock
from issues.digest.event import NormalEvent
from issues.digest.normalise import event_from_security_report, normalise
from issues.digest.requests import (
    RequestSample,
    read_segment_spans,
    read_transaction,
)
from issues.digest.sessions import (
    SessionBucket,
    SessionState,
    read_buckets,
    read_session,
)
from issues.ingest.envelope import frame

# The rate-limit category of each kind of item, for outcomes.
CATEGORIES = {
    "event": "error",
    "transaction": "transaction",
    "span": "span",
    "session": "session",
    "sessions": "session",
    "attachment": "attachment",
    "check_in": "monitor",
    "feedback": "feedback",
    "user_report": "feedback",
    "log": "log_item",
    "trace_metric": "trace_metric",
    "profile": "profile",
    "profile_chunk": "profile_chunk",
    "replay_event": "replay",
    "replay_recording": "replay",
    "replay_video": "replay",
    "security": "security",
    "raw_security": "security",
}
MAX_SESSIONS = 100
MAX_REPORTED = 1_000_000_000

_decompressor = zstandard.ZstdDecompressor()


@dataclass(slots=True)
class Parcel:
    """What one envelope holds, readable and of the right types."""

    project_id: int
    key_id: int
    received: datetime
    events: list[NormalEvent] = field(default_factory=list)
    sessions: list[SessionState] = field(default_factory=list)
    buckets: list[SessionBucket] = field(default_factory=list)
    requests: list[RequestSample] = field(default_factory=list)
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)


def open_envelope(row: ClaimedEnvelope, tenant_tags: Sequence[str]) -> Parcel:
    """Read a claimed envelope; raises EnvelopeError or NotAnEvent when it cannot."""
    body = _decompressor.decompress(row.body)
    parcel = Parcel(row.project_id, row.key_id, row.received)
    if row.kind == "envelope":
        _open_items(parcel, row, body, tenant_tags)
    elif row.kind == "store":
        parcel.events.append(_event(row, body, "", None, tenant_tags))
    else:
        parcel.events += event_from_security_report(
            body,
            query=row.query,
            received=row.received,
            remote_addr=row.remote_addr,
            user_agent=row.user_agent,
            tenant_tags=tenant_tags,
        )
    return parcel


def _open_items(
    parcel: Parcel, row: ClaimedEnvelope, body: bytes, tenant_tags: Sequence[str]
) -> None:
    envelope = frame(body)
    header = envelope.header
    clock = Clock(row.received, parse_time(header.get("sent_at")))
    trace = header.get("trace")
    trace = trace if isinstance(trace, dict) else {}
    for item in envelope.items:
        payload = body[item.start : item.end]
        match item.type:
            case "event":
                parcel.events.append(
                    _event(row, payload, envelope.event_id, clock.sent_at, tenant_tags)
                )
            case "session" if len(parcel.sessions) < MAX_SESSIONS:
                _add_session(parcel, _object(payload), clock)
            case "sessions":
                parcel.buckets += read_buckets(_object(payload), clock)
            case "transaction":
                sample = read_transaction(_object(payload), trace, tenant_tags, clock)
                parcel.requests.append(sample)
            case "span":
                spans = _object(payload)
                parcel.requests += read_segment_spans(spans, trace, tenant_tags, clock)
            case "client_report":
                _add_client_report(parcel, _object(payload))
            case other:
                category = CATEGORIES.get(other, "default")
                quantity = item.header.get("item_count")
                counted = quantity if isinstance(quantity, int) and quantity > 0 else 1
                parcel.outcomes[category, "unsupported"] += min(counted, MAX_REPORTED)


def _event(
    row: ClaimedEnvelope,
    payload: bytes,
    event_id: str,
    sent_at: datetime | None,
    tenant_tags: Sequence[str],
) -> NormalEvent:
    return normalise(
        payload,
        header_event_id=event_id,
        sent_at=sent_at,
        received=row.received,
        remote_addr=row.remote_addr,
        user_agent=row.user_agent,
        tenant_tags=tenant_tags,
    )


def _add_session(parcel: Parcel, payload: dict[str, Any], clock: Clock) -> None:
    session = read_session(payload, clock)
    if session is None:
        parcel.outcomes["session", "invalid"] += 1
    else:
        parcel.sessions.append(session)


def _add_client_report(parcel: Parcel, payload: dict[str, Any]) -> None:
    """What the SDK says it dropped itself; public input, so bounded in every way."""
    reported = payload.get("discarded_events")
    for entry in reported[:100] if isinstance(reported, list) else []:
        if not isinstance(entry, dict):
            continue
        quantity = entry.get("quantity")
        if isinstance(quantity, int) and 0 < quantity <= MAX_REPORTED:
            reason = f"client:{str(entry.get('reason'))[:50]}"
            parcel.outcomes[str(entry.get("category"))[:40], reason] += quantity


def _object(payload: bytes) -> dict[str, Any]:
    value, _ = decode(payload)
    return value if isinstance(value, dict) else {}
