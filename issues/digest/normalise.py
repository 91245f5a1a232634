"""Turn one event payload, whatever a client made of it, into a NormalEvent."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

from issues.clean import (
    any_text,
    decode,
    kind,
    parse_time,
    scalar_text,
)
from issues.digest.browsers import browser_and_system
from issues.digest.clock import Clock
from issues.digest.frames import (
    dict_at,
    mend_text,
    read_exceptions,
    read_thread_frames,
)
from issues.digest.interfaces import (
    lift_legacy,
    read_breadcrumbs,
    read_fingerprint,
    read_message,
    read_request,
    read_tags,
    read_user,
    user_agent_of,
)
from issues.digest.requests import find_tenant
from issues.digest.security import payloads_from_report
from issues.digest.trim import MAX_STORED, trim
from issues.normal_event import ExceptionValue, NormalEvent, NotAnEvent
from tenants.names import one_line

# A smaller correction is not worth a note.
NOTED_SKEW = timedelta(seconds=60)
MAX_NOTES = 40

_EVENT_ID = re.compile(r"[0-9a-f]{32}")
_LEVELS = {
    **{name: name for name in ("fatal", "error", "warning", "info", "debug")},
    **{"warn": "warning", "critical": "fatal", "log": "info", "trace": "debug"},
    **{"notice": "info", "alert": "fatal", "emergency": "fatal", "exception": "error"},
}
_OBJECTS = ("contexts", "extra", "sdk", "modules", "debug_meta")


@dataclass(frozen=True, slots=True)
class Arrival:
    """What is known of a payload besides its bytes; see ``normalise``."""

    received: datetime
    remote_addr: str
    user_agent: str
    tenant_tags: Sequence[str]
    header_event_id: str = ""
    spare_event_id: str = ""
    sent_at: datetime | None = None
    release: str = ""
    environment: str = ""


def normalise(
    payload: bytes,
    *,
    header_event_id: str,
    sent_at: datetime | None,
    received: datetime,
    remote_addr: str,
    user_agent: str,
    tenant_tags: Sequence[str],
    spare_event_id: str = "",
    release: str = "",
    environment: str = "",
) -> NormalEvent:
    """The event in ``payload``: JSON bytes of at most 4 MiB, of any quality.

    ``header_event_id`` is the envelope's and wins over the payload's; where neither
    is an id, ``spare_event_id`` (32 hex digits) is used, else one derived from payload
    and time of receipt, the same at each try. ``sent_at`` is the sender's clock when
    it sent, ``received`` ours, both aware. ``user_agent`` is the HTTP request's. The
    first of ``tenant_tags`` that the event carries names its tenant. ``release`` and
    ``environment`` serve where the event has none.

    Raises NotAnEvent for what is not a JSON object; every other oddity is mended,
    and noted in ``notes``. Bodies above 1 MiB are trimmed.
    """
    data, notes = decode(payload)
    if not isinstance(data, dict):
        raise NotAnEvent(f"an event is a JSON object; this payload is {kind(data)}")
    arrival = Arrival(
        received,
        remote_addr,
        user_agent,
        tenant_tags,
        header_event_id,
        spare_event_id,
        sent_at,
        release,
        environment,
    )
    return _normal_event(data, notes, payload, arrival)


def event_from_security_report(
    body: bytes,
    *,
    query: str,
    received: datetime,
    remote_addr: str,
    user_agent: str,
    tenant_tags: Sequence[str],
) -> list[NormalEvent]:
    """One event for each violation that a browser reports; see ``security``."""
    arrival = Arrival(received, remote_addr, user_agent, tenant_tags)
    return [
        _normal_event(payload, [], b"%d:%b" % (number, body), arrival, silent=True)
        for number, payload in enumerate(payloads_from_report(body, query, tenant_tags))
    ]


def _normal_event(
    data: dict[str, Any],
    notes: list[str],
    payload: bytes,
    arrival: Arrival,
    *,
    silent: bool = False,
) -> NormalEvent:
    lift_legacy(data)
    exceptions = read_exceptions(data, notes)
    threads_frames = read_thread_frames(data, notes)
    message, template = read_message(data, notes)
    tags = read_tags(data, notes)
    read_breadcrumbs(data, notes)
    _read_objects(data, notes)
    event = NormalEvent(
        event_id=_event_id(data, payload, arrival, [] if silent else notes),
        received=arrival.received,
        occurred=_occurred(data, arrival.sent_at, arrival.received, notes),
        level=_level(data, notes),
        platform=_line(data, "platform", 64, notes) or "other",
        environment=_environment(data, arrival.environment, notes),
        release=_release(data, arrival.release, notes),
        dist=_line(data, "dist", 64, notes),
        logger=_line(data, "logger", 200, notes),
        transaction=_line(data, "transaction", 200, notes),
        culprit=_line(data, "culprit", 200, notes),
        server_name=_line(data, "server_name", 200, notes),
        message=message,
        message_template=template,
        exceptions=exceptions,
        threads_frames=threads_frames,
        fingerprint=read_fingerprint(data, notes),
        handled=_handled(exceptions),
        tags=tags,
        tenant=_tenant(tags, data, arrival.tenant_tags),
        sdk=_sdk(data),
        notes=notes,
        body=data,
    )
    event.url = read_request(data, notes)
    event.user = read_user(data, event.platform, arrival.remote_addr, notes)
    event.browser, event.os = _browser_and_system(
        data, event.platform, arrival.user_agent
    )
    _finish(event, len(payload))
    return event


def _finish(event: NormalEvent, size: int) -> None:
    """Trim what is too large and write the notes into the body."""
    body, notes = event.body, event.notes
    body["level"], body["platform"] = event.level, event.platform
    body["event_id"], body["environment"] = event.event_id, event.environment
    # Numbers and replaced characters can grow when written anew.
    if size > MAX_STORED // 4:
        trim(event)
    if len(notes) > MAX_NOTES:
        notes[MAX_NOTES - 1 :] = [f"and {len(notes) - MAX_NOTES + 1} more notes"]
    if notes:
        body["_rush"] = {"notes": notes}
    else:
        body.pop("_rush", None)


def _event_id(
    data: dict[str, Any], payload: bytes, arrival: Arrival, notes: list[str]
) -> str:
    for candidate in (arrival.header_event_id, data.get("event_id")):
        if candidate:
            found = str(candidate).replace("-", "").lower()
            if _EVENT_ID.fullmatch(found) and found.strip("0"):
                return found
            notes.append(
                f"event_id: {str(candidate)[:40]!r} is not 32 hex digits; not used"
            )
    notes.append("event_id: none was sent; the server made one")
    if arrival.spare_event_id:
        return arrival.spare_event_id
    seed = f"{arrival.received.isoformat()} {arrival.remote_addr} ".encode()
    return blake2b(seed + payload, digest_size=16).hexdigest()


def _occurred(
    data: dict[str, Any],
    sent_at: datetime | None,
    received: datetime,
    notes: list[str],
) -> datetime:
    """When it happened, by our clock, within the 24 h before ``received``."""
    sent = data.get("timestamp")
    if sent is None:
        return received
    occurred = parse_time(sent)
    if occurred is None:
        notes.append("timestamp: not a time; the time of receipt is used")
        data["timestamp"] = received.isoformat()
        return received
    clock = Clock(received, sent_at)
    if abs(clock.skew) > NOTED_SKEW:
        notes.append(
            f"timestamp: corrected by {clock.skew.total_seconds():+.0f} s, the "
            "difference between the sender's clock and ours"
        )
    moved = clock.occurred(occurred)
    if abs(moved - clock.corrected(occurred)) > NOTED_SKEW:
        notes.append(
            f"timestamp: {any_text(sent)[:40]} is not within the 24 h before its "
            "receipt; moved there"
        )
        data["timestamp"] = moved.isoformat()
    return moved


def _level(data: dict[str, Any], notes: list[str]) -> str:
    raw = data.get("level")
    if raw is None:
        return "error"
    if type(raw) is str:
        level = _LEVELS.get(raw) or _LEVELS.get(raw.strip().lower())
        if level:
            return level
        if raw.isdigit() and len(raw) <= 3:
            raw = int(raw)
    if type(raw) is int:
        # Python's logging levels, as raven sent them.
        steps = ((50, "fatal"), (40, "error"), (30, "warning"), (20, "info"))
        return next((name for floor, name in steps if raw >= floor), "debug")
    notes.append("level: not a level; error is assumed")
    return "error"


def _line(data: dict[str, Any], key: str, limit: int, notes: list[str]) -> str:
    """The text under ``key`` as one printable line of at most ``limit`` characters."""
    value = data.get(key)
    if value is None:
        data.pop(key, None)
        return ""
    if type(value) is not str:
        mend_text(data, key, "event", notes)
        value = data.get(key, "")
    value = one_line(value)
    if len(value) > limit:
        notes.append(f"{key}: cut from {len(value)} to {limit} characters")
        value = value[:limit]
    data[key] = value
    return str(value)


def _environment(data: dict[str, Any], fallback: str, notes: list[str]) -> str:
    environment = _line(data, "environment", 64, notes).strip()
    return environment or fallback.strip()[:64] or "production"


def _release(data: dict[str, Any], fallback: str, notes: list[str]) -> str:
    release = _line(data, "release", 250, notes).strip() or fallback.strip()[:250]
    if release:
        data["release"] = release
    return release


def _read_objects(data: dict[str, Any], notes: list[str]) -> None:
    for key in _OBJECTS:
        if type(data.get(key, data)) is not dict:
            value = data[key]
            if key == "extra" and value is not None:
                data[key] = {"value": value}
                notes.append(f"extra: expected an object, got {kind(value)}; wrapped")
            else:
                dict_at(data, key, "event", notes)
    contexts = data.get("contexts")
    if contexts and not set(map(type, contexts.values())) <= {dict}:
        for key in [k for k, value in contexts.items() if type(value) is not dict]:
            dict_at(contexts, key, "contexts", notes)
    modules = data.get("modules")
    if modules and not set(map(type, modules.values())) <= {str}:
        for key in [k for k, value in modules.items() if type(value) is not str]:
            mend_text(modules, key, "modules", notes)


def _handled(exceptions: list[ExceptionValue]) -> bool:
    return all(exception.handled is not False for exception in exceptions)


def _tenant(tags: dict[str, str], data: dict[str, Any], names: Sequence[str]) -> str:
    """From the tags; else from the span attributes, the only ones streams carry."""
    found = find_tenant(tags, names)
    if found:
        return found
    trace = (data.get("contexts") or {}).get("trace") or {}
    attributes = trace.get("data")
    if type(attributes) is dict:
        for name in names:
            value = attributes.get(name)
            if type(value) is dict:
                value = value.get("value")
            found = find_tenant({name: scalar_text(value)}, (name,))
            if found:
                return found
    return ""


def _sdk(data: dict[str, Any]) -> str:
    sdk = data.get("sdk") or {}
    name, version = sdk.get("name"), sdk.get("version")
    if type(name) is not str:
        return ""
    return (f"{name} {version}" if type(version) is str else name)[:200]


def _browser_and_system(
    data: dict[str, Any], platform: str, user_agent: str
) -> tuple[str, str]:
    """The visitor's, by the request's header; else those of the contexts.

    The sending request's own header counts in browsers only: elsewhere it is the
    SDK's.
    """
    contexts = data.get("contexts") or {}
    sent = user_agent_of(data) or (user_agent if platform == "javascript" else "")
    browser, system = browser_and_system(sent) if sent else ("", "")
    return (
        _named(contexts.get("browser")) or browser,
        _named(contexts.get("client_os")) or system or _named(contexts.get("os")),
    )


def _named(context: dict[str, Any] | None) -> str:
    """Such as "Chrome 156" from {"name": "Chrome", "version": "156.0.0.0"}."""
    name = (context or {}).get("name")
    if type(name) is not str or not context:
        return ""
    version = context.get("version")
    major = version.split(".")[0] if type(version) is str else ""
    return f"{name} {major}".strip()[:200]
