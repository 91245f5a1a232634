"""Opens one claimed envelope: which events, sessions, requests and drops it tells."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from issues.bodies import decompress, pack
from issues.clean import parse_time
from issues.digest.clock import Clock
from issues.digest.context import ProjectRules
from issues.digest.counted import (
    COUNTED,
    count_item,
    count_unsupported,
    filter_requests,
    hide_secret_names,
)
from issues.digest.detail import apply_detail
from issues.digest.feedback import KINDS, MOST, ReadyFeedback, read_feedback
from issues.digest.files import ReadyFile, read_file, why_left_out
from issues.digest.inbound import filter_of_event
from issues.digest.normalise import event_from_security_report, normalise
from issues.digest.parcel import FilteredEvent, Parcel, ReadyEvent
from issues.digest.symbolicate import Maps, symbolicate
from issues.grouping import group
from issues.ingest.envelope import Envelope, Item, frame
from issues.models.inbox import ClaimedEnvelope
from issues.normal_event import NormalEvent
from issues.scrubbing import scrub_event
from issues.sealed_envelopes import unseal_envelope


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
        decompress(packed),
    )


def _open_items(parcel: Parcel, sent: Arrived, rules: ProjectRules, maps: Maps) -> None:
    body = sent.body
    envelope = frame(body)
    header = envelope.header
    clock = Clock(sent.received, parse_time(header.get("sent_at")))
    trace = header.get("trace")
    trace = trace if isinstance(trace, dict) else {}
    files: list[ReadyFile] = []
    refused = ""
    for item in envelope.items:
        payload = body[item.start : item.end]
        if item.type == "event":
            parcel.add(
                _event(sent, payload, envelope.event_id, clock.sent_at, rules, maps)
            )
        elif item.type == "attachment":
            _add_file(parcel, files, item, payload)
        elif item.type in KINDS:
            told = _feedback(sent, item.type, payload, envelope.event_id, clock, rules)
            refused = _add_feedback(parcel, told) or refused
        elif item.type not in COUNTED:
            count_unsupported(parcel, item)
        else:
            count_item(parcel, item, payload, trace, rules.tenant_tags, clock)
    if files:
        _deliver(parcel, files, envelope, refused)
    if parcel.requests:
        filter_requests(parcel, rules.inbound, sent.remote_addr, sent.user_agent)
    hide_secret_names(parcel)


def _add_file(
    parcel: Parcel, files: list[ReadyFile], item: Item, payload: bytes
) -> None:
    why = why_left_out(item.header, payload)
    if why:
        parcel.outcomes["attachment", why] += 1
    else:
        files.append(read_file(item.header, payload))


def _add_feedback(parcel: Parcel, told: ReadyFeedback | str) -> str:
    """Why it is not kept, "" where it is."""
    if isinstance(told, ReadyFeedback) and len(parcel.feedback) == MOST:
        told = "too_many"
    if isinstance(told, ReadyFeedback):
        parcel.feedback.append(told)
        return ""
    parcel.outcomes["feedback", told] += 1
    return told


def _deliver(
    parcel: Parcel, files: list[ReadyFile], envelope: Envelope, refused: str
) -> None:
    """Give the files to their event, in the envelope or sent apart from it.

    ``refused`` tells why a feedback of the envelope is not kept: its files go with it.
    """
    arrived: list[ReadyEvent | FilteredEvent] = [*parcel.events, *parcel.filtered]
    kinds = {item.type for item in envelope.items}
    if arrived:
        arrived[0].files = files
    elif refused and not parcel.feedback:
        parcel.outcomes["attachment", refused] += len(files)
    elif "transaction" in kinds:
        parcel.outcomes["attachment", "unsupported"] += len(files)
    elif envelope.event_id:
        parcel.files += [(envelope.event_id, file) for file in files]
    else:
        parcel.outcomes["attachment", "invalid"] += len(files)


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


def _feedback(
    sent: Arrived,
    item_type: str,
    payload: bytes,
    event_id: str,
    clock: Clock,
    rules: ProjectRules,
) -> ReadyFeedback | str:
    return read_feedback(
        item_type,
        payload,
        header_event_id=event_id,
        sent_at=clock.sent_at,
        received=sent.received,
        remote_addr=sent.remote_addr,
        user_agent=sent.user_agent,
        from_page=sent.from_page,
        rules=rules,
    )


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
