"""Seals bytes that must not be readable at rest, such as envelopes not yet scrubbed.

AES-256-GCM with a key derived from SECRET_KEY; after that was changed, what was sealed
before opens while the old one stands in SECRET_KEY_FALLBACKS. A key lasts a day: random
nonces of 96 bits are safe for 2^32 messages under one key (NIST SP 800-38D, 8.3).
"""

import os
import struct
import time
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

PURPOSE = b"rush_monitor sealing "
# Version and days since 1970, authenticated with what is sealed.
_HEAD = struct.Struct("!BH")
_VERSION = 1
_NONCE = 12
_DAY = 86_400


class SealBroken(Exception):
    """What was sealed cannot be opened: other key, or damaged."""

    tellable = True

    def __init__(self) -> None:
        super().__init__(
            "It was sealed under another SECRET_KEY, or is damaged. Put the former "
            "SECRET_KEY into SECRET_KEY_FALLBACKS."
        )


def seal(plain: bytes) -> bytes:
    """The bytes as only ``unseal`` can read them; 31 bytes longer."""
    day = int(time.time()) // _DAY
    head = _HEAD.pack(_VERSION, day)
    nonce = os.urandom(_NONCE)
    return head + nonce + _cipher(settings.SECRET_KEY, day).encrypt(nonce, plain, head)


def unseal(sealed: bytes) -> bytes:
    """What ``seal`` was given; raises SealBroken."""
    body = _HEAD.size + _NONCE
    if len(sealed) < body or sealed[0] != _VERSION:
        raise SealBroken
    head, nonce = sealed[: _HEAD.size], sealed[_HEAD.size : body]
    _, day = _HEAD.unpack(head)
    for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        try:
            return _cipher(key, day).decrypt(nonce, sealed[body:], head)
        except InvalidTag:
            continue
    raise SealBroken


@lru_cache(maxsize=256)
def _cipher(secret: str, day: int) -> AESGCM:
    info = PURPOSE + day.to_bytes(2, "big")
    return AESGCM(HKDF(SHA256(), 32, None, info).derive(secret.encode()))


def derived(purpose: str) -> bytes:
    """32 bytes for one purpose, which change with SECRET_KEY."""
    info = PURPOSE + purpose.encode()
    return HKDF(SHA256(), 32, None, info).derive(settings.SECRET_KEY.encode())
