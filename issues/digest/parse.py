"""Opens one claimed envelope: which events, sessions, requests and drops it tells."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import zstandard

from issues.bodies import pack
from issues.clean import decode, parse_time
from issues.digest.clock import Clock
from issues.digest.context import ProjectRules
from issues.digest.detail import apply_detail
from issues.digest.inbound import filter_of_event, filter_of_sender
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
from issues.digest.symbolicate import Maps, Script, symbolicate
from issues.grouping import Grouping, group
from issues.ingest.envelope import Item, frame
from issues.ingest.limits import category
from issues.models.inbox import ClaimedEnvelope
from issues.normal_event import NormalEvent, NotAnEvent
from issues.scrubbing import (
    FILTERED,
    Policy,
    holds_token,
    scrub_event,
    scrub_text,
    scrubber_of,
)
from issues.sealed_envelopes import unseal_envelope
from tenants.detail import Rule

# Items that become counts; all others but events are counted as unsupported.
COUNTED = frozenset({"session", "sessions", "transaction", "span", "client_report"})
MAX_SESSIONS = 100
MAX_ENTRIES = 100
MAX_REPORTED = 1_000_000_000

_decompressor = zstandard.ZstdDecompressor()


@dataclass(slots=True)
class ReadyEvent:
    """An event with its fingerprint and its packed body.

    The tree of the event is gone by then: hundreds of trees held at once are built and
    freed twice as slowly as one after another, because no cache holds them.
    """

    event: NormalEvent
    project_id: int
    key_id: int
    grouping: Grouping
    fingerprint: UUID
    body: bytes
    remote_addr: str
    rule: Rule  # of detail
    awaited: list[Script]  # scripts whose source map may still come


@dataclass(slots=True)
class FilteredEvent:
    """An event that nobody wants, with the name of the filter that says so.

    Its id is noted like that of the others, so that it counts once; its tree is gone.
    """

    event: NormalEvent
    project_id: int
    key_id: int
    filtered_by: str


@dataclass(slots=True)
class Arrived:
    """An envelope as it was accepted: what the connection told, and the body."""

    kind: str
    project_id: int
    key_id: int
    received: datetime
    remote_addr: str
    user_agent: str
    query: str
    from_page: bool  # a browser sent it
    body: bytes


@dataclass(slots=True)
class Parcel:
    """What one envelope holds, readable and of the right types."""

    project_id: int
    key_id: int
    received: datetime
    from_page: bool  # a browser sent it
    events: list[ReadyEvent] = field(default_factory=list)
    filtered: list[FilteredEvent] = field(default_factory=list)
    sessions: list[SessionState] = field(default_factory=list)
    buckets: list[SessionBucket] = field(default_factory=list)
    requests: list[RequestSample] = field(default_factory=list)
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, event: ReadyEvent | FilteredEvent) -> None:
        if isinstance(event, ReadyEvent):
            self.events.append(event)
        else:
            self.filtered.append(event)


def open_envelope(row: ClaimedEnvelope, rules: ProjectRules, maps: Maps) -> Parcel:
    """Read a claimed envelope; ``maps`` tell where minified JavaScript stands in the
    source.

    Raises SealBroken, EnvelopeError or NotAnEvent when it cannot.
    """
    sent = _unsealed(row)
    parcel = Parcel(sent.project_id, sent.key_id, sent.received, sent.from_page)
    if sent.kind == "envelope":
        _open_items(parcel, sent, rules, maps)
    elif sent.kind == "store":
        parcel.add(_event(sent, sent.body, "", None, rules, maps))
    else:
        events = event_from_security_report(
            sent.body,
            query=sent.query,
            received=sent.received,
            remote_addr=sent.remote_addr,
            user_agent=sent.user_agent,
            tenant_tags=rules.tenant_tags,
        )
        for event in events:
            parcel.add(_ready(sent, event, rules, maps))
        if not events:
            parcel.outcomes["security", "unsupported"] += 1
    return parcel


def _unsealed(row: ClaimedEnvelope) -> Arrived:
    sender, packed = unseal_envelope(row.body)
    return Arrived(
        row.kind,
        row.project_id,
        row.key_id,
        row.received,
        sender.remote_addr,
        sender.user_agent,
        sender.query,
        bool(sender.origin),
        _decompressor.decompress(packed),
    )


def _open_items(parcel: Parcel, sent: Arrived, rules: ProjectRules, maps: Maps) -> None:
    body = sent.body
    envelope = frame(body)
    header = envelope.header
    clock = Clock(sent.received, parse_time(header.get("sent_at")))
    trace = header.get("trace")
    trace = trace if isinstance(trace, dict) else {}
    for item in envelope.items:
        payload = body[item.start : item.end]
        if item.type == "event":
            parcel.add(
                _event(sent, payload, envelope.event_id, clock.sent_at, rules, maps)
            )
        elif item.type not in COUNTED:
            _add_unsupported(parcel, item)
        else:
            _count_item(parcel, item, payload, trace, rules.tenant_tags, clock)
    if parcel.requests:
        _filter_requests(parcel, sent, rules)
    _hide_secret_names(parcel)


def _filter_requests(parcel: Parcel, sent: Arrived, rules: ProjectRules) -> None:
    """Take what no denominator may hold out of the requests, counted."""
    wanted = []
    for request in parcel.requests:
        sender = request.sender
        if sent.from_page and not sender.user_agent:
            sender.user_agent = sent.user_agent  # a page's own
        name = filter_of_sender(sender, rules.inbound, sent.remote_addr)
        if name:
            parcel.outcomes[request.category, f"filtered:{name}"] += 1
        else:
            wanted.append(request)
    parcel.requests = wanted


def _count_item(
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
        case _:
            invalid = 1
    if invalid > 0:
        parcel.outcomes[category(item.type), "invalid"] += invalid


def _add_unsupported(parcel: Parcel, item: Item) -> None:
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


def _event(
    sent: Arrived,
    payload: bytes,
    event_id: str,
    sent_at: datetime | None,
    rules: ProjectRules,
    maps: Maps,
) -> ReadyEvent | FilteredEvent:
    event = normalise(
        payload,
        header_event_id=event_id,
        sent_at=sent_at,
        received=sent.received,
        remote_addr=sent.remote_addr,
        user_agent=sent.user_agent,
        tenant_tags=rules.tenant_tags,
    )
    return _ready(sent, event, rules, maps)


def _ready(
    sent: Arrived, event: NormalEvent, rules: ProjectRules, maps: Maps
) -> ReadyEvent | FilteredEvent:
    """Filter, scrub, symbolicate, group, cut and pack; lets go of the tree."""
    name = filter_of_event(event, rules.inbound, sent.remote_addr, sent.user_agent)
    if name:
        event.body, event.exceptions, event.threads_frames = {}, [], []
        return FilteredEvent(event, sent.project_id, sent.key_id, name)
    scrub_event(event, rules.scrubber, sent.remote_addr)
    awaited = symbolicate(event, sent.project_id, maps)
    grouping = group(event, rules.fingerprint_rules, rules.grouping_version)
    rule = apply_detail(event, rules.detail)
    body = pack(event.body)
    event.body, event.exceptions, event.threads_frames = {}, [], []
    return ReadyEvent(
        event,
        sent.project_id,
        sent.key_id,
        grouping,
        UUID(grouping.hash),
        body,
        sent.remote_addr,
        rule,
        awaited,
    )


def _hide_secret_names(parcel: Parcel) -> None:
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
