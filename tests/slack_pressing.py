"""Presses buttons as Slack does: signed, with its payloads."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from django.test import Client

from tenants.slack_app.requests import signature_of
from tests.slack_server import TEAM, Slack
from tests.tenants.sending import SIGNING_SECRET

SAMPLES = Path(__file__).parent / "samples" / "slack"
URL = "/api/v1/slack/actions/"
ANNA_THERE = "U012AB3CD"


def sample(name: str) -> Any:
    """A documented payload."""
    return json.loads((SAMPLES / f"{name}.json").read_text(encoding="utf-8"))


def user_info(**changes: Any) -> Any:
    """What users.info says of Anna; ``email`` is of her profile."""
    user = sample("users_info")["user"]
    if "email" in changes:
        user["profile"]["email"] = changes.pop("email")
    return {**user, **changes}


def pressed(
    api: Slack, name: str, value: Any, user: str = ANNA_THERE, team: str = TEAM
) -> Any:
    """The payload of a button."""
    payload = sample("block_actions")
    payload["actions"][0] |= {"action_id": name, "value": str(value)}
    payload["user"] |= {"id": user, "team_id": team}
    payload["response_url"] = api.response_url
    payload["trigger_id"] = uuid4().hex
    return payload


def submitted(view: Mapping[str, Any], user: str = ANNA_THERE, **given: Any) -> Any:
    """The payload of a dialog that was opened; ``given`` by field, as Slack tells."""
    payload = sample("view_submission")
    payload["user"]["id"] = user
    payload["view"] |= {
        name: view[name] for name in ("callback_id", "private_metadata", "blocks")
    }
    payload["view"]["state"]["values"] = {
        name: {"field": element} for name, element in given.items()
    }
    return payload


def entered(text: str) -> Any:
    return {"type": "plain_text_input", "value": text}


def chosen(value: str) -> Any:
    text = {"type": "plain_text", "text": value, "emoji": True}
    return {"type": "static_select", "selected_option": {"text": text, "value": value}}


def named(user: str) -> Any:
    return {"type": "users_select", "selected_user": user}


def post(
    payload: Any,
    *,
    secret: str = SIGNING_SECRET,
    signed_at: float | None = None,
    **changes: str,
) -> Any:
    """What the endpoint answers to a signed payload; ``changes`` of headers."""
    body = urlencode({"payload": json.dumps(payload)}).encode()
    timestamp = str(int(signed_at or time.time()))
    headers = {
        "X-Slack-Request-Timestamp": timestamp,
        "X-Slack-Signature": signature_of(secret, timestamp, body),
        **changes,
    }
    return Client(enforce_csrf_checks=True).post(
        URL,
        body,
        content_type="application/x-www-form-urlencoded",
        headers=headers,
    )
