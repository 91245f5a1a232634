"""A Slack incoming webhook: messages one after another, none edited, no buttons back.

Its URL is the secret. It has no idempotency and cannot be searched: an attempt in doubt
ends as *outcome unknown*, as sending again might say everything twice.
"""

import orjson

from tenants.channels.post import Access, Post, unknown_fields
from tenants.channels.slack_blocks import blocks, fallback
from tenants.outbound import Request
from tenants.talks import Outcome, Send, Sighting, Talk, called, outcome_of_telling

EDITS, UPDATES = False, True
REPEATS, LOOKS_UP = False, False


def problems(access: Access) -> dict[str, str]:
    found = unknown_fields(access, {})
    if not access.secret.startswith(("https://", "http://")):
        found["secret"] = (
            "Give the webhook's URL, such as https://hooks.slack.com/services/…; it is "
            "kept as a secret."
        )
    return found


def deliver(access: Access, post: Post, send: Send) -> Outcome:
    return called(_talk(access, post), send)


def look_up(access: Access, post: Post, send: Send) -> Sighting:
    return Sighting(False, "A webhook cannot be searched.")


def _talk(access: Access, post: Post) -> Talk[Outcome]:
    body = {
        "text": fallback(post.message),
        "blocks": blocks(post.message, buttons=False),
    }
    headers = {"Content-Type": "application/json"}
    answer = yield Request("POST", access.secret, headers, orjson.dumps(body))
    return outcome_of_telling(answer)
