"""Reads feedback and the older user reports: cleaned, filtered, scrubbed, bounded."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import blake2b
from typing import Any
from uuid import UUID

from issues.clean import any_text, decode, encode, kind
from issues.digest.context import ProjectRules
from issues.digest.inbound import filter_of_sender
from issues.digest.normalise import normalise
from issues.digest.senders import sender_of_event
from issues.normal_event import NormalEvent, NotAnEvent
from issues.scrubbing import FILTERED, holds_token, scrub_event
from issues.search import as_event_id
from tenants.names import one_line

KINDS = frozenset({"feedback", "user_report"})
# Of one envelope. The front door lets one feedback in, user reports without a limit.
MOST = 100
MESSAGE_CHARACTERS = 4096
NIL = UUID(int=0)


@dataclass(frozen=True, slots=True)
class ReadyFeedback:
    """Feedback in texts that can be stored; "" and None stand for what is untold.

    ``event_id`` is that of the event which it is about.
    """

    feedback_id: UUID
    event_id: UUID | None
    environment: str
    release: str
    tenant: str
    message: str
    name: str
    email: str
    url: str
    replay_id: str
    source: str
    user: str
    notes: list[str]


def read_feedback(
    item_type: str,
    payload: bytes,
    *,
    header_event_id: str,
    sent_at: datetime | None,
    received: datetime,
    remote_addr: str,
    user_agent: str,
    from_page: bool,
    rules: ProjectRules,
) -> ReadyFeedback | str:
    """The feedback that an item holds; else the reason why there is none.

    ``header_event_id`` is the envelope's: a feedback's own, and the event's of a user
    report. The filters that ask who sent it hold as for events; what an error may say
    a person may write. It never raises.
    """
    is_report = item_type == "user_report"
    try:
        if is_report:
            payload = _as_feedback(payload, header_event_id, from_page)
        event = normalise(
            payload,
            header_event_id="" if is_report else header_event_id,
            sent_at=sent_at,
            received=received,
            remote_addr=remote_addr,
            user_agent=user_agent,
            tenant_tags=rules.tenant_tags,
        )
    except NotAnEvent:
        return "invalid"
    if not _message(event):
        return "invalid"
    sender = sender_of_event(event, user_agent)
    name = filter_of_sender(sender, rules.inbound, remote_addr)
    if name:
        return f"filtered:{name}"
    scrub_event(event, rules.scrubber, remote_addr)
    told = _ready(event, personal=rules.scrubber.policy.personal)
    # A report tells no environment: the default would be a guess.
    return replace(told, environment="") if is_report else told


def _as_feedback(payload: bytes, event_id: str, from_page: bool) -> bytes:
    """A user report in the form of a feedback; the same report has the same id."""
    told, _ = decode(payload)
    if not isinstance(told, dict):
        raise NotAnEvent(f"a user report is a JSON object; this one is {kind(told)}")
    context = {
        "message": told.get("comments"),
        "name": told.get("name"),
        "contact_email": told.get("email"),
        "associated_event_id": told.get("event_id") or event_id,
        "source": "user_report",
    }
    return encode(
        {
            "event_id": blake2b(encode(context), digest_size=16).hexdigest(),
            "platform": "javascript" if from_page else "other",
            "contexts": {"feedback": context},
        }
    )


def _context(event: NormalEvent) -> Mapping[str, Any]:
    contexts = event.body.get("contexts") or {}
    told: Mapping[str, Any] = contexts.get("feedback") or {}
    return told


def _message(event: NormalEvent) -> str:
    return any_text(_context(event).get("message")).strip()


def _ready(event: NormalEvent, *, personal: bool) -> ReadyFeedback:
    """``personal``: the project keeps nobody's name and address."""
    told, notes = _context(event), event.notes
    name = _line(told, "name", 128, notes)
    email = _line(told, "contact_email", 254, notes)
    if personal and (name or email):
        name, email = FILTERED if name else "", FILTERED if email else ""
        notes.append(f"privacy: name and e-mail replaced by {FILTERED}")
    message = _message(event)
    if len(message) > MESSAGE_CHARACTERS:
        notes.append(
            f"message: cut from {len(message)} to {MESSAGE_CHARACTERS} characters"
        )
    replay = as_event_id(_line(told, "replay_id", 40, notes))
    return ReadyFeedback(
        UUID(event.event_id),
        _about(told, notes),
        event.environment if not holds_token(event.environment) else FILTERED,
        event.release if not holds_token(event.release) else FILTERED,
        event.tenant,
        message[:MESSAGE_CHARACTERS],
        name,
        email,
        _line(told, "url", 2000, notes) or event.url[:2000],
        replay.hex if replay else "",
        _line(told, "source", 50, notes),
        event.user[:200],
        notes,
    )


def _about(told: Mapping[str, Any], notes: list[str]) -> UUID | None:
    """The event that it is about."""
    named = any_text(told.get("associated_event_id")).strip()
    if not named:
        return None
    event_id = as_event_id(named)
    if event_id in (None, NIL):
        notes.append("associated_event_id: not 32 hex digits; no event is named")
        return None
    return event_id


def _line(told: Mapping[str, Any], key: str, limit: int, notes: list[str]) -> str:
    text = one_line(any_text(told.get(key))).strip()
    if len(text) > limit:
        notes.append(f"{key}: cut from {len(text)} to {limit} characters")
    return text[:limit]
