"""Tells users apart without telling who they are."""

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

from issues.scrubbing.addresses import truncated
from issues.scrubbing.scrubber import ON, TRUNCATED, Policy

_MARKS = (("id", "id:"), ("email", "email:"), ("username", "username:"))


def identity_after(
    told: str, before: Mapping[str, Any], after: Mapping[str, Any], policy: Policy
) -> str:
    """The user's identity once ``before`` became ``after`` by scrubbing.

    ``told`` is the identity made of ``before``, such as "email:a@b.example". One whose
    text was scrubbed becomes a keyed hash, so that users are still counted; one that is
    an address becomes its network, or nothing, as the policy says.
    """
    for key, mark in _MARKS:
        value = before.get(key)
        if value:
            if after.get(key) == value:
                return told
            digest = blake2b(str(value).encode(), key=policy.salt, digest_size=8)
            return f"{mark}#{digest.hexdigest()}"
    if not told or policy.addresses == ON:
        return told
    network = truncated(before.get("ip_address", ""))
    return f"ip:{network}" if policy.addresses == TRUNCATED and network else ""
