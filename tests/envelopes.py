"""Builds envelopes as SDKs send them, and puts them into the inbox."""

import json
import uuid
from datetime import datetime
from typing import Any

import zstandard
from django.utils import timezone

from issues.models import InboxEnvelope
from issues.sealed_envelopes import Sender, seal_envelope, unseal_envelope
from tenants.models import ProjectKey


def event(**fields: Any) -> dict[str, Any]:
    """An error event of a Python service; keywords replace or add fields."""
    return {
        "event_id": uuid.uuid4().hex,
        "platform": "python",
        "timestamp": timezone.now().isoformat(),
        "level": "error",
        "environment": "production",
        "release": "shop@1.0.0",
        "transaction": "/checkout",
        "tags": {"tenant": "shop-1.example"},
        "user": {"id": "7"},
        "exception": {
            "values": [
                {
                    "type": "KeyError",
                    "value": "'CHF'",
                    "mechanism": {"type": "django", "handled": False},
                    "stacktrace": {"frames": [frame("pricing", "rate_for")]},
                }
            ]
        },
        **fields,
    }


def frame(module: str, function: str, **fields: Any) -> dict[str, Any]:
    return {
        "module": module,
        "function": function,
        "filename": f"{module}.py",
        "lineno": 12,
        "context_line": "    return RATES[currency]",
        "in_app": True,
        **fields,
    }


def item(kind: str, payload: dict[str, Any] | bytes, **header: Any) -> bytes:
    """One envelope item: header line and payload with its length."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    head = json.dumps({"type": kind, "length": len(body), **header}).encode()
    return head + b"\n" + body + b"\n"


def envelope(*items: bytes, **header: Any) -> bytes:
    return json.dumps(header).encode() + b"\n" + b"".join(items)


def sealed(body: bytes, sender: Sender | None = None) -> bytes:
    """A body as the inbox and the dead letters hold it."""
    return seal_envelope(sender or Sender(), zstandard.compress(body))


def unsealed(stored: bytes | memoryview) -> bytes:
    """The body that was sealed."""
    body: bytes = zstandard.decompress(unseal_envelope(bytes(stored))[1])
    return body


def put(
    key: ProjectKey,
    body: bytes,
    *,
    kind: str = "envelope",
    received: datetime | None = None,
    query: str = "",
    remote_addr: str = "203.0.113.9",
    origin: str = "",
    user_agent: str = "test",
) -> InboxEnvelope:
    """Accept a body as ingest does."""
    return InboxEnvelope.objects.create(
        project_id=key.project_id,
        key_id=key.pk,
        kind=kind,
        received=received or timezone.now(),
        size=len(body),
        body=sealed(body, Sender(remote_addr, user_agent, origin, query)),
    )


def put_event(key: ProjectKey, **fields: Any) -> InboxEnvelope:
    """Accept one envelope with one event."""
    return put(key, envelope(item("event", event(**fields))))
