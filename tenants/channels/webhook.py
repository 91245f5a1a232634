"""A signed POST to an address of yours.

    X-Rush-Timestamp: seconds since 1970
    X-Rush-Signature: sha256=<hex HMAC-SHA256 of "<timestamp>.<body>" with the secret>
    Idempotency-Key: the same for each attempt of one message

A receiver that acts once per Idempotency-Key gets each message once. Edits of the head
are not sent: what changed comes as an update of its own.
"""

import orjson

from tenants.channels.post import Access, Post, unknown_fields
from tenants.outbound import Request
from tenants.signing import SHORTEST_SECRET, signed_headers
from tenants.talks import Outcome, Send, Sighting, Talk, called, outcome_of_telling

EDITS, UPDATES = False, True
REPEATS, LOOKS_UP = True, False
FIELDS = {"url": "where the POST goes"}


def problems(access: Access) -> dict[str, str]:
    found = unknown_fields(access, FIELDS)
    if not access.text("url").startswith(("https://", "http://")):
        found["config"] = 'Give the address, such as {"url": "https://…"}.'
    if len(access.secret) < SHORTEST_SECRET:
        found["secret"] = (
            f"Give a signing key of at least {SHORTEST_SECRET} letters, such as 32 "
            "random ones: the receiver checks with it that the call is ours."
        )
    return found


def deliver(access: Access, post: Post, send: Send) -> Outcome:
    return called(_talk(access, post), send)


def look_up(access: Access, post: Post, send: Send) -> Sighting:
    return Sighting(False, "A webhook cannot be asked what became of a call.")


def _talk(access: Access, post: Post) -> Talk[Outcome]:
    body = orjson.dumps(
        {
            "subject": post.subject,
            "event": post.state_key,
            "idempotency_key": post.key,
            **post.message.as_json(),
        }
    )
    headers = {
        "Content-Type": "application/json",
        "Idempotency-Key": post.key,
        **signed_headers(access.secret, body, post.at),
    }
    answer = yield Request("POST", access.text("url"), headers, body)
    return outcome_of_telling(answer)
