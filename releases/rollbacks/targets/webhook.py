"""A signed POST to an address of yours.

    X-Rush-Timestamp: seconds since 1970
    X-Rush-Signature: sha256=<hex HMAC-SHA256 of "<timestamp>.<body>" with the secret>
    Idempotency-Key: the same for each attempt of one rollback

2xx says that the rollback is taken on. The answer may hold {"run_url": "https://…"}.
"""

from typing import Any

import orjson

from releases.rollbacks.targets.order import (
    Access,
    Order,
    Version,
    unknown_options,
)
from tenants.outbound import Request
from tenants.signing import SHORTEST_SECRET, signed_headers
from tenants.talks import (
    Fate,
    Outcome,
    Sighting,
    Talk,
    link,
    outcome_of,
    part,
)


def problems(access: Access) -> dict[str, str]:
    found = unknown_options(access, [])
    if len(access.secret) < SHORTEST_SECRET:
        found["secret"] = (
            f"Give a signing key of at least {SHORTEST_SECRET} letters, such as 32 "
            "random ones: the receiver checks with it that the call is ours."
        )
    return found


def preview(access: Access, order: Order) -> str:
    return (
        f"POST {access.url} with a signed order to bring {order.project} in "
        f"{order.environment} back to {order.to_release.version}"
    )


def call(access: Access, order: Order) -> Talk[Outcome]:
    answer = yield request(access, order)
    outcome = outcome_of(answer)
    if outcome.fate != Fate.CALLED:
        return outcome
    run_url = link(part(answer.json(), "run_url"))
    return Outcome(Fate.CALLED, outcome.told, run_url, answer=answer)


def probe(access: Access, order: Order) -> Talk[Outcome]:
    return call(access, order)


def looks_up(access: Access) -> bool:
    return False


def look_up(access: Access, order: Order) -> Talk[Sighting]:
    yield from ()
    return Sighting(False, "A webhook cannot be asked what became of a call.")


def request(access: Access, order: Order) -> Request:
    """The signed POST of an order."""
    body = orjson.dumps(document(order))
    return Request(
        "POST",
        access.url,
        {
            "Content-Type": "application/json",
            "Idempotency-Key": order.key,
            **signed_headers(access.secret, body, order.at),
        },
        body,
    )


def document(order: Order) -> dict[str, Any]:
    """The body of the POST."""
    return {
        "event": "test" if order.test else "rollback",
        "test": order.test,
        "rollback_id": order.id,
        "idempotency_key": order.key,
        "project": order.project,
        "environment": order.environment,
        "deploy": {
            "id": order.deploy_id,
            "name": order.deploy_name,
            "url": order.deploy_url,
        },
        "from_release": _release(order.from_release),
        "to_release": _release(order.to_release),
        "verdict": order.verdict,
        "reason": order.reason,
        "sentence": order.sentence,
        "numbers": dict(order.numbers),
        "suspects": list(order.suspects),
        "requested_by": order.requested_by,
    }


def _release(release: Version) -> dict[str, str]:
    return {"version": release.version, "commit": release.commit}
