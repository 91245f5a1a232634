"""How accepted envelopes lie in the inbox and the dead letters: sealed.

They are not scrubbed yet, so no table may hold anything of them that can be read: what
the connection told (address, agent, origin, query) is sealed along with the body.
"""

import struct
from dataclasses import astuple, dataclass

from tenants.sealing import seal, unseal

_LENGTHS = struct.Struct("!4H")


@dataclass(frozen=True, slots=True)
class Sender:
    """What the connection told of who sent an envelope, each at most 2,048 characters.

    ``query`` is the raw query string.
    """

    remote_addr: str = ""
    user_agent: str = ""
    origin: str = ""
    query: str = ""


def seal_envelope(sender: Sender, body: bytes) -> bytes:
    """What is stored of an envelope; ``body`` is compressed."""
    texts = [text.encode() for text in astuple(sender)]
    return seal(b"".join((_LENGTHS.pack(*map(len, texts)), *texts, body)))


def unseal_envelope(sealed: bytes) -> tuple[Sender, bytes]:
    """The sender and the compressed body; raises ``SealBroken``."""
    plain = unseal(sealed)
    at = _LENGTHS.size
    texts = []
    for length in _LENGTHS.unpack_from(plain):
        texts.append(plain[at : at + length].decode())
        at += length
    return Sender(*texts), plain[at:]
