"""Who sent an event, or made a request: what tells robots and visitors apart."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from issues.digest.interfaces import user_agent_of
from issues.normal_event import NormalEvent

# Kinds of transactions that a probe can be; pages and tasks are of others.
_SERVED = frozenset({"", "http.server"})


@dataclass(slots=True)
class Sender:
    """The visitor's side of an event, a transaction or a segment span.

    "" stands for what is untold. ``path`` is the name of a request that a server
    answered. ``headers`` have their names as sent: read them by ``header_of``.
    """

    user_agent: str = ""
    url: str = ""
    release: str = ""
    address: str = ""
    path: str = ""
    headers: Mapping[str, Any] = field(default_factory=dict)


def sender_of_event(event: NormalEvent, user_agent: str) -> Sender:
    """``user_agent`` is that of the request which brought the event.

    It is the visitor's where a page sent, elsewhere an SDK's.
    """
    body = event.body
    request, user = body.get("request"), body.get("user")
    named = user_agent_of(body) if request else ""
    return Sender(
        named or (user_agent if event.platform == "javascript" else ""),
        event.url,
        event.release,
        user.get("ip_address", "") if user else "",
        "",  # errors of a health check stay
        (request.get("headers") or {}) if request else {},
    )


def sender_of_transaction(
    payload: Mapping[str, Any], trace: Mapping[str, Any], release: str
) -> Sender:
    """``trace`` is its trace context; nothing of the payload has been checked yet."""
    request, user = _object(payload, "request"), _object(payload, "user")
    sender = sender_of_attributes(_object(trace, "data"), release)
    headers = _headers(request.get("headers"))
    sender.user_agent = header_of(headers, "user-agent") or sender.user_agent
    sender.url = text_of(request.get("url")) or sender.url
    sender.address = text_of(user.get("ip_address")) or sender.address
    served = text_of(trace.get("op")) in _SERVED
    sender.path = text_of(payload.get("transaction")) if served else ""
    sender.headers = {**sender.headers, **headers}
    return sender


def sender_of_span(
    span: Mapping[str, Any], attributes: Mapping[str, Any], release: str
) -> Sender:
    """Of a segment; ``attributes`` are its plain values."""
    sender = sender_of_attributes(attributes, release)
    if text_of(attributes.get("sentry.op")) in _SERVED:
        name = attributes.get("sentry.segment.name")
        sender.path = text_of(name) or text_of(span.get("name"))
    return sender


def sender_of_attributes(told: Mapping[str, Any], release: str) -> Sender:
    """By the names of OpenTelemetry."""
    header = "http.request.header."
    forwarded = ("x-forwarded-host", "x-forwarded-for")
    return Sender(
        user_agent=text_of(told.get("user_agent.original"))
        or text_of(told.get(header + "user-agent")),
        url=text_of(told.get("url.full")),
        release=release,
        address=text_of(told.get("client.address"))
        or text_of(told.get("user.ip_address")),
        headers={n: told[header + n] for n in forwarded if header + n in told},
    )


def header_of(headers: Mapping[str, Any], name: str) -> str:
    """The header of this name, which is in small letters; "" where it was not sent."""
    for told, value in headers.items():
        if told.lower() == name:
            return text_of(value)
    return ""


def text_of(value: Any) -> str:
    """The text, or the first of several; "" for what is none."""
    if isinstance(value, list) and value:
        value = value[0]
    return value[:2048] if isinstance(value, str) else ""


def _object(owner: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = owner.get(key)
    return value if isinstance(value, dict) else {}


def _headers(raw: Any) -> dict[str, Any]:
    """Headers of an object or of pairs."""
    if isinstance(raw, dict):
        return raw
    return {
        pair[0]: pair[1]
        for pair in (raw if isinstance(raw, list) else ())
        if isinstance(pair, list) and len(pair) == 2 and type(pair[0]) is str
    }
