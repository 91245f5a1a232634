"""Events in the shape that digest works on, made from few words."""

import json
from datetime import UTC, datetime
from typing import Any

from issues.digest.normalise import normalise
from issues.normal_event import ExceptionValue, Frame, NormalEvent

RECEIVED = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)


def normal(payload: Any, **arrival: Any) -> NormalEvent:
    """The payload (a JSON value, or raw bytes) as digest normalises it."""
    known: dict[str, Any] = {
        "header_event_id": "",
        "spare_event_id": "5" * 32,
        "sent_at": None,
        "received": RECEIVED,
        "remote_addr": "198.51.100.7",
        "user_agent": "",
        "tenant_tags": ("tenant", "shop"),
    }
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return normalise(raw, **{**known, **arrival})


def python_frame(function: str = "quote", **fields: Any) -> Frame:
    """An in-app frame of orders.pricing."""
    known: dict[str, Any] = {
        "module": "orders.pricing",
        "filename": "orders/pricing.py",
        "in_app": True,
    }
    return Frame(function=function, **{**known, **fields})


def page_frame(function: str = "x", **fields: Any) -> Frame:
    """A minified frame of a shop's page."""
    known: dict[str, Any] = {
        "filename": "https://shop-1.example.com/assets/index-ok-s_Bct.js",
        "lineno": 1,
        "colno": 2051,
        "in_app": True,
    }
    return Frame(function=function, **{**known, **fields})


def event(
    *frames: Frame,
    type: str = "PricingError",
    value: str = "no price for order 1001",
    platform: str = "python",
    **fields: Any,
) -> NormalEvent:
    """An event with one exception raised through ``frames``."""
    known: dict[str, Any] = {
        "event_id": "e" * 32,
        "received": RECEIVED,
        "occurred": RECEIVED,
        "exceptions": [ExceptionValue(type=type, value=value, frames=list(frames))],
    }
    return NormalEvent(platform=platform, **{**known, **fields})
