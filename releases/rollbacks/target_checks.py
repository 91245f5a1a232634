"""What a rollback target must be before it is saved, in admin and REST alike."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from releases.models import RollbackTarget
from releases.rollbacks.targets import KINDS, Access
from tenants.secrets import SecretUnreadable, decrypt


def problems_of(
    before: RollbackTarget | None, given: Mapping[str, Any], new_secret: str
) -> dict[str, str]:
    """Why a target cannot be saved with the ``given`` fields, by field; {} when it can.

    A secret goes only where it was entered for: with another host it is asked for
    again, else whoever may change the URL could have it sent to a host of his.
    """
    present = before or RollbackTarget()
    kind = given.get("kind", present.kind)
    url = given.get("url", present.url)
    options = given.get("options", present.options)
    moved = before is not None and _origin(url) != _origin(before.url)
    if before is not None and before.secret and moved and not new_secret:
        return {"secret": "The URL leads to another host: enter the secret again."}
    try:
        secret = new_secret or decrypt(present.secret)
    except SecretUnreadable as error:
        return {"secret": str(error)}
    if _origin(url)[0] not in {"http", "https"}:
        return {"url": "Use https:// or http://."}
    return KINDS[kind].problems(Access(url, secret, options))


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc
