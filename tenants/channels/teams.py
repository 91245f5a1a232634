"""Microsoft Teams, by a workflow's webhook: an Adaptive Card for each message.

Its URL is the secret. It has no idempotency and cannot be searched: an attempt in doubt
ends as *outcome unknown*. Source: learn.microsoft.com, "Create incoming webhooks with
Workflows for Microsoft Teams"; adaptivecards.io, schema 1.4.
"""

from typing import Any

import orjson

from tenants.channels.post import Access, Post, unknown_fields
from tenants.message import Message
from tenants.outbound import Request
from tenants.talks import Outcome, Send, Sighting, Talk, called, outcome_of_telling

EDITS, UPDATES = False, True
REPEATS, LOOKS_UP = False, False
COLOURS = {"critical": "attention", "high": "warning"}
MOST_BYTES = 24_000  # Teams takes 28 kB


def problems(access: Access) -> dict[str, str]:
    found = unknown_fields(access, {})
    if not access.secret.startswith(("https://", "http://")):
        found["secret"] = (
            "Give the URL of the workflow “Post to a channel when a webhook request is "
            "received”; it is kept as a secret."
        )
    return found


def deliver(access: Access, post: Post, send: Send) -> Outcome:
    return called(_talk(access, post), send)


def look_up(access: Access, post: Post, send: Send) -> Sighting:
    return Sighting(False, "A workflow cannot be searched.")


def _talk(access: Access, post: Post) -> Talk[Outcome]:
    body = orjson.dumps(envelope(card(post.message)))
    if len(body) > MOST_BYTES:
        short = Message(
            post.message.title, post.message.text[:4000], url=post.message.url
        )
        body = orjson.dumps(envelope(card(short)))
    headers = {"Content-Type": "application/json"}
    answer = yield Request("POST", access.secret, headers, body)
    return outcome_of_telling(answer)


def envelope(content: dict[str, Any]) -> dict[str, Any]:
    """What the workflow takes: a message with one card."""
    kind = "application/vnd.microsoft.card.adaptive"
    attachment = {"contentType": kind, "contentUrl": None, "content": content}
    return {"type": "message", "attachments": [attachment]}


def card(message: Message) -> dict[str, Any]:
    """The message as an Adaptive Card."""
    resolved = message.status == "resolved"
    colour = "good" if resolved else COLOURS.get(message.severity, "default")
    body: list[dict[str, Any]] = [
        {**_text(message.title), "weight": "bolder", "size": "medium", "color": colour}
    ]
    if message.text:
        body.append(_text(message.text))
    if message.facts:
        facts = [{"title": label, "value": value} for label, value in message.facts]
        body.append({"type": "FactSet", "facts": facts})
    for heading, lines in message.sections:
        body.append({**_text(heading), "weight": "bolder"})
        body += [_text(f"- {line}") for line in lines]
    links = [(action.label, action.url) for action in message.actions if action.url]
    if message.url:
        links.insert(0, ("Open", message.url))
    return {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
        "actions": [
            {"type": "Action.OpenUrl", "title": label, "url": url}
            for label, url in links
        ],
    }


def _text(text: str) -> dict[str, Any]:
    return {"type": "TextBlock", "text": text, "wrap": True}
