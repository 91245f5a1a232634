"""The Slack app: one message per subject, edited in place, updates in its thread.

docs.slack.dev: chat.postMessage, chat.update, conversations.history and .replies. Slack
has no idempotency key, so each message carries ours as metadata: what was left in doubt
is searched before it is sent again. An edit may be made twice without harm.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import orjson

from tenants.channels.post import Access, Post, unknown_fields
from tenants.channels.slack_blocks import blocks, fallback
from tenants.outbound import Answer, Request
from tenants.talks import (
    Fate,
    Outcome,
    Send,
    Sighting,
    Talk,
    called,
    looked_up,
    outcome_of_telling,
    part,
    parts,
    retry_after,
)

EDITS, UPDATES = True, True
REPEATS, LOOKS_UP = False, True
FIELDS = {
    "channel": "the id of the channel, such as C0123456789",
    "api": "another address than https://slack.com/api, such as a proxy's",
}
API = "https://slack.com/api"
EVENT_TYPE = "rush_delivery"
# Nothing works before somebody mends the token or the channel.
BROKEN = {
    "account_inactive",
    "channel_not_found",
    "invalid_auth",
    "is_archived",
    "missing_scope",
    "no_permission",
    "not_authed",
    "not_in_channel",
    "org_login_required",
    "token_expired",
    "token_revoked",
}
# Slack's own trouble: the same request may work soon.
PASSING = {
    "fatal_error",
    "internal_error",
    "ratelimited",
    "rate_limited",
    "request_timeout",
    "service_unavailable",
    "team_added_to_org",
}
HISTORY = 100  # messages that a look-up reads
EARLIER = 60  # seconds that clocks may differ


def problems(access: Access) -> dict[str, str]:
    found = unknown_fields(access, FIELDS)
    if not access.text("channel"):
        found["config"] = 'Name the channel by its id: {"channel": "C0123456789"}.'
    if not access.secret.startswith(("xoxb-", "xoxe.xoxb-")):
        found["secret"] = (
            "Give the app's bot token (xoxb-…), found under OAuth & Permissions; it "
            "needs the scopes chat:write, channels:history and groups:history."
        )
    return found


def deliver(access: Access, post: Post, send: Send) -> Outcome:
    return called(_talk(access, post), send)


def _talk(access: Access, post: Post) -> Talk[Outcome]:
    body: dict[str, Any] = {
        "channel": access.text("channel"),
        "text": fallback(post.message),
        "blocks": blocks(post.message, buttons=access.interactive),
        "unfurl_links": False,
        "metadata": {"event_type": EVENT_TYPE, "event_payload": {"key": post.key}},
    }
    method = "chat.postMessage"
    if post.is_edit:
        method, body["ts"] = "chat.update", post.head
    elif post.head:
        body["thread_ts"] = post.head
    answer = yield call(access, method, body)
    return outcome_of_call(answer)


def call(access: Access, method: str, body: Mapping[str, Any]) -> Request:
    """A call of Slack's Web API."""
    return Request(
        "POST",
        f"{access.text('api') or API}/{method}",
        {
            "Content-Type": "application/json; charset=utf-8",
            "Authorization": f"Bearer {access.secret}",
        },
        orjson.dumps(body),
    )


def outcome_of_call(answer: Answer) -> Outcome:
    """Slack answers 200 to nearly everything: ``ok`` and ``error`` tell."""
    found = answer.json()
    error = part(found, "error")
    if answer.status != 200 or not isinstance(found, dict):
        return outcome_of_telling(answer)
    if found.get("ok"):
        ts = str(part(found, "ts") or "")
        return Outcome(Fate.CALLED, "Slack took it.", ts, answer=answer)
    told = f"Slack says {error}."
    if error in PASSING:
        return Outcome(Fate.LATER, told, wait=retry_after(answer), answer=answer)
    return Outcome(Fate.REFUSED, told, answer=answer, broken=error in BROKEN)


def look_up(access: Access, post: Post, send: Send) -> Sighting:
    return looked_up(_search(access, post), send)


def _search(access: Access, post: Post) -> Talk[Sighting]:
    query = {
        "channel": access.text("channel"),
        "oldest": f"{post.since.timestamp() - EARLIER:.6f}",
        "include_all_metadata": "true",
        "limit": str(HISTORY),
    }
    method = "conversations.history"
    if post.head:
        method, query["ts"] = "conversations.replies", post.head
    answer = yield Request(
        "GET",
        f"{access.text('api') or API}/{method}?{urlencode(query)}",
        {"Authorization": f"Bearer {access.secret}"},
    )
    found = answer.json()
    if not part(found, "ok"):
        error = part(found, "error") or f"HTTP {answer.status}"
        return Sighting(False, f"Slack could not be searched: {error}.")
    for message in parts(found, "messages"):
        if part(message, "metadata", "event_payload", "key") == post.key:
            ts = str(part(message, "ts") or "")
            return Sighting(True, "It was found in Slack's history.", ts)
    whole = not part(found, "has_more")
    return Sighting(False, "It is not in Slack's history.", sure=whole)
