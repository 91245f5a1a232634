"""What a channel must be before it is saved, in admin and REST alike."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import orjson

from tenants.channels import KINDS
from tenants.channels.post import Access
from tenants.models import Channel
from tenants.secrets import SecretUnreadable, decrypt
from tenants.signing import SHORTEST_SECRET

# Fields of a configuration that say where the secret goes.
ADDRESSES = ("url", "api")
# Whoever knows the signing secret presses buttons in the name of anybody mapped.
MAPS_PEOPLE = "tenants.change_slackaccount"
OWNERS_ONLY = (
    "Only owners set it, and no token: whoever knows it acts in the name of others."
)


def problems_of(
    before: Channel | None,
    given: Mapping[str, Any],
    new_secret: str,
    new_signing_secret: str = "",
) -> dict[str, str]:
    """Why a channel cannot be saved with ``given``, by field; {} when it can.

    A secret goes only where it was entered for: with another host or kind it is asked
    for again, else whoever may change the address could have it sent to a host of his.
    """
    present = before or Channel()
    kind = given.get("kind", present.kind)
    config = given.get("config", present.config)
    if not isinstance(config, dict):
        return {"config": "Give an object, such as {}."}
    if not _is_storable(config):
        return {"config": "It holds a letter that cannot be stored."}
    try:
        place = _place(kind, config)
    except ValueError as error:
        return {"config": f"This is no address: {error}."}
    if place != _place(present.kind, present.config):
        cleared = given.get("signing_secret") == ""
        if present.secret and not new_secret:
            told = "The messages would go to another host: enter the secret again."
            return {"secret": told}
        if present.signing_secret and not (new_signing_secret or cleared):
            told = "Another host would be asked who presses: enter it again."
            return {"signing_secret": told}
    found = _problems_of_kind(kind, config, present.secret, new_secret)
    return found | _problems_of_signing(kind, new_signing_secret)


def _problems_of_signing(kind: str, secret: str) -> dict[str, str]:
    if not secret:
        return {}
    if kind != Channel.Kind.SLACK:
        return {"signing_secret": "Only a Slack app has one."}
    if len(secret) < SHORTEST_SECRET:
        told = "Give the app's signing secret, found under Basic Information."
        return {"signing_secret": told}
    return {}


def _problems_of_kind(
    kind: str, config: dict[str, Any], stored: str, new_secret: str
) -> dict[str, str]:
    try:
        secret = new_secret or decrypt(stored)
        urlsplit(secret)
    except SecretUnreadable as error:
        return {"secret": str(error)}
    except ValueError as error:
        return {"secret": f"This is no address: {error}."}
    return KINDS[kind].problems(Access(config, secret))


def _is_storable(config: dict[str, Any]) -> bool:
    """Whether PostgreSQL keeps it: no NUL, no half of a pair."""
    try:
        return b"\\u0000" not in orjson.dumps(config)
    except TypeError:
        return False


def _place(kind: str, config: Mapping[str, Any]) -> tuple[str, ...]:
    """Where a secret goes; raises ValueError."""
    parts = [urlsplit(str(config.get(name) or "")) for name in ADDRESSES]
    return (kind, *(f"{part.scheme}://{part.netloc}" for part in parts))
