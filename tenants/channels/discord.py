"""A Discord webhook: one message per subject, edited in place, updates as messages.

Its URL is the secret. Discord has no idempotency for webhooks and cannot be searched by
them: a new message in doubt ends as *outcome unknown*; an edit is made again. Source:
discord.com/developers/docs/resources/webhook.
"""

from typing import Any
from urllib.parse import urlsplit

import orjson

from tenants.channels.post import Access, Post, unknown_fields
from tenants.message import Message
from tenants.outbound import Request
from tenants.talks import (
    Fate,
    Outcome,
    Send,
    Sighting,
    Talk,
    called,
    outcome_of_telling,
    part,
)

EDITS, UPDATES = True, True
REPEATS, LOOKS_UP = False, False
COLOURS = {"critical": 0xD92D20, "high": 0xF79009, "low": 0x2E90FA}
RESOLVED = 0x12B76A
TITLE, TEXT, NAME, VALUE, MOST_FIELDS = 256, 4000, 256, 1024, 25


def problems(access: Access) -> dict[str, str]:
    found = unknown_fields(access, {})
    if not access.secret.startswith(("https://", "http://")):
        found["secret"] = (
            "Give the webhook's URL, such as https://discord.com/api/webhooks/…; it is "
            "kept as a secret."
        )
    return found


def deliver(access: Access, post: Post, send: Send) -> Outcome:
    return called(_talk(access, post), send)


def look_up(access: Access, post: Post, send: Send) -> Sighting:
    return Sighting(False, "A Discord webhook cannot be searched.")


def _talk(access: Access, post: Post) -> Talk[Outcome]:
    url = urlsplit(access.secret)
    path, method = url.path, "POST"
    if post.is_edit:
        path, method = f"{url.path}/messages/{post.head}", "PATCH"
    target = url._replace(path=path, query="wait=true").geturl()
    # Nobody is mentioned by a text that anybody may have sent.
    body = {"embeds": [embed(post.message)], "allowed_mentions": {"parse": []}}
    headers = {"Content-Type": "application/json"}
    answer = yield Request(method, target, headers, orjson.dumps(body))
    outcome = outcome_of_telling(answer)
    if outcome.fate == Fate.CALLED:
        ref = str(part(answer.json(), "id") or post.head)
        return Outcome(Fate.CALLED, "Discord took it.", ref, answer=answer)
    return outcome


def embed(message: Message) -> dict[str, Any]:
    """The message as an embed."""
    resolved = message.status == "resolved"
    colour = RESOLVED if resolved else COLOURS.get(message.severity, 0x667085)
    fields = [
        {"name": label[:NAME], "value": value[:VALUE] or "-", "inline": True}
        for label, value in message.facts
    ]
    fields += [
        {
            "name": heading[:NAME],
            "value": "\n".join(f"• {line}" for line in lines)[:VALUE],
        }
        for heading, lines in message.sections
        if lines
    ]
    found: dict[str, Any] = {
        "title": message.title[:TITLE],
        "description": message.text[:TEXT],
        "color": colour,
        "fields": fields[:MOST_FIELDS],
    }
    if message.url:
        found["url"] = message.url
    return found
