"""Items that become counts: sessions, requests, check-ins, what clients dropped."""

from collections.abc import Sequence
from typing import Any

from issues.clean import decode
from issues.digest.clock import Clock
from issues.digest.inbound import InboundRules, filter_of_sender
from issues.digest.parcel import Parcel
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
from issues.ingest.envelope import Item
from issues.ingest.limits import category
from issues.monitors.told import read_check_in
from issues.normal_event import NotAnEvent
from issues.scrubbing import FILTERED, Policy, holds_token, scrub_text, scrubber_of

# Items that are read one by one; other kinds are counted as unsupported.
COUNTED = frozenset(
    {"session", "sessions", "transaction", "span", "client_report", "check_in"}
)
MAX_SESSIONS = 100
MAX_ENTRIES = 100
MAX_REPORTED = 1_000_000_000


def count_item(
    parcel: Parcel,
    item: Item,
    payload: bytes,
    trace: dict[str, Any],
    tenant_tags: Sequence[str],
    clock: Clock,
) -> None:
    """Add what an item tells; what it should tell and does not is counted invalid.

    It never raises: a broken session must not take the envelope's event along.
    """
    told = _object(payload)
    invalid = 0
    match item.type:
        case "session":
            session = read_session(told, clock)
            if session is None or len(parcel.sessions) == MAX_SESSIONS:
                invalid = 1
            else:
                parcel.sessions.append(session)
        case "sessions":
            buckets = read_buckets(told, clock)
            parcel.buckets += buckets
            invalid = _length(told.get("aggregates")) - len(buckets)
        case "transaction" if told:
            sample = read_transaction(told, trace, tenant_tags, clock)
            parcel.requests.append(sample)
        case "span":
            segments = read_segment_spans(told, trace, tenant_tags, clock)
            parcel.requests += segments
            _count_members(parcel, told.get("items"), len(segments))
        case "client_report":
            invalid = _add_client_report(parcel, told)
        case "check_in":
            check_in = read_check_in(told, parcel.received)
            invalid = int(check_in is None)
            parcel.check_ins += [check_in] if check_in else []
        case _:
            invalid = 1
    if invalid > 0:
        parcel.outcomes[category(item.type), "invalid"] += invalid


def count_unsupported(parcel: Parcel, item: Item) -> None:
    quantity = item.header.get("item_count")
    counted = quantity if isinstance(quantity, int) and quantity > 0 else 1
    key = (category(item.type), "unsupported")
    parcel.outcomes[key] += min(counted, MAX_REPORTED)


def _count_members(parcel: Parcel, spans: Any, segments: int) -> None:
    """Spans inside a segment are not kept."""
    members = _length(spans) - segments
    if members:
        reason = "unsupported" if isinstance(spans, list) and spans else "invalid"
        parcel.outcomes["span", reason] += members


def filter_requests(
    parcel: Parcel, rules: InboundRules, remote_addr: str, user_agent: str
) -> None:
    """Take what no denominator may hold out of the requests, counted."""
    wanted = []
    for request in parcel.requests:
        sender = request.sender
        if parcel.from_page and not sender.user_agent:
            sender.user_agent = user_agent  # a page's own
        name = filter_of_sender(sender, rules, remote_addr)
        if name:
            parcel.outcomes[request.category, f"filtered:{name}"] += 1
        else:
            wanted.append(request)
    parcel.requests = wanted


def hide_secret_names(parcel: Parcel) -> None:
    """Names become rows that outlive every event: none may be a token."""
    tellers: list[SessionState | SessionBucket | RequestSample]
    tellers = [*parcel.sessions, *parcel.buckets, *parcel.requests]
    for told in tellers:
        if holds_token(told.release):
            told.release = FILTERED
        if holds_token(told.environment):
            told.environment = FILTERED


def _add_client_report(parcel: Parcel, payload: dict[str, Any]) -> int:
    """What the SDK says it dropped itself; public input, so bounded in every way.

    Returns the number of entries that tell nothing.
    """
    entries = payload.get("discarded_events")
    invalid = _length(entries)
    for entry in entries[:MAX_ENTRIES] if isinstance(entries, list) else []:
        if not isinstance(entry, dict):
            continue
        kind, reason = entry.get("category"), entry.get("reason")
        quantity = entry.get("quantity")
        if (
            isinstance(kind, str)
            and isinstance(reason, str)
            and isinstance(quantity, int)
            and 0 < quantity <= MAX_REPORTED
        ):
            key = (_told(kind)[:40], f"client:{_told(reason)[:50]}")
            parcel.outcomes[key] += quantity
            invalid -= 1
    return invalid


def _told(text: str) -> str:
    """What a client names, without a secret that it may hold."""
    return scrub_text(text[:200], scrubber_of(Policy()))[0]


def _object(payload: bytes) -> dict[str, Any]:
    """The JSON object in an item's payload; {} where there is none."""
    try:
        value, _ = decode(payload)
    except NotAnEvent:
        return {}
    return value if isinstance(value, dict) else {}


def _length(values: Any) -> int:
    """How many entries an item should tell of: at least one."""
    return max(len(values), 1) if isinstance(values, list) else 1
