"""Sends a test event to a project through the real front door, as an SDK would."""

import uuid
from datetime import UTC, datetime
from ipaddress import IPv4Network, IPv6Network

import orjson
from django.conf import settings
from django.db import transaction

from tenants.audit import Actor, record
from tenants.models import ProjectKey
from tenants.outbound import Answer, OutboundError, Request, send
from tenants.refusals import Refusal

LOGGER = "rush_monitor.test-event"  # by which its issue is known
TITLE = "Test event from the set-up page"
# Not production: no test counts among its events.
ENVIRONMENT = "test"
SDK = {"name": "rush_monitor", "version": "1"}
SECONDS = 10.0
# The address is our own, not one that a person gave.
ANYWHERE = (IPv4Network("0.0.0.0/0"), IPv6Network("::/0"))


def send_test_event(key: ProjectKey, actor: Actor) -> str:
    """Send one with this key, to the address that its DSN names; the event's id.

    Raises Refusal with what the front door, or the way to it, has against it.
    """
    event_id = uuid.uuid4().hex
    base = settings.BASE_URL
    request = Request(
        "POST",
        f"{base}/api/{key.project_id}/envelope/",
        _headers(key),
        envelope(event_id, key.dsn(base), actor.name, datetime.now(UTC)),
    )
    try:
        answer = send(request, allowed=ANYWHERE, seconds=SECONDS)
    except OutboundError as error:
        raise Refusal(
            f"The front door did not answer at {base}: {error} BASE_URL must be the "
            "address at which SDKs, and this server, reach rush_monitor."
        ) from error
    if answer.status != 200:
        raise Refusal(
            f"The front door at {base} answered {answer.status}: {_detail(answer)}"
        )
    with transaction.atomic():
        changes = {"event_id": [None, event_id], "key": [None, str(key)]}
        record(actor, "sent a test event", key.project, changes)
    return event_id


def envelope(event_id: str, dsn: str, sender: str, now: datetime) -> bytes:
    """The request's body: one event that says what it is."""
    event = {
        "event_id": event_id,
        "timestamp": now.isoformat(),
        "platform": "other",
        "level": "info",
        "logger": LOGGER,
        "environment": ENVIRONMENT,
        "message": TITLE,
        "fingerprint": [LOGGER],
        "tags": {"test": "yes", "sent_by": sender},
        "sdk": SDK,
    }
    payload = orjson.dumps(event)
    header = {"event_id": event_id, "dsn": dsn, "sent_at": now.isoformat(), "sdk": SDK}
    item = {"type": "event", "length": len(payload)}
    return b"\n".join((orjson.dumps(header), orjson.dumps(item), payload, b""))


def _headers(key: ProjectKey) -> dict[str, str]:
    auth = f"Sentry sentry_version=7, sentry_key={key.public_key}"
    headers = {
        "Content-Type": "application/x-sentry-envelope",
        "X-Sentry-Auth": f"{auth}, sentry_client={SDK['name']}/{SDK['version']}",
    }
    if origin := _origin(key):
        headers["Origin"] = origin
    return headers


def _origin(key: ProjectKey) -> str:
    """A page that may send with this key; '' where any may."""
    if not key.allowed_origins or "*" in key.allowed_origins:
        return ""
    scheme, separator, host = key.allowed_origins[0].rpartition("://")
    if host.startswith("*."):
        host = f"test{host[1:]}"
    return f"{scheme}://{host}" if separator else f"https://{host}"


def _detail(answer: Answer) -> str:
    told = answer.json()
    detail = told.get("detail") if isinstance(told, dict) else None
    return str(detail or answer.text[:200] or "nothing more.")
