"""How event bodies lie in the database: JSON, zstd."""

from typing import Any

import orjson
import zstandard

_compressor = zstandard.ZstdCompressor(level=3)
_decompressor = zstandard.ZstdDecompressor()


def pack(body: dict[str, Any]) -> bytes:
    """The body as stored."""
    packed: bytes = _compressor.compress(orjson.dumps(body))
    return packed


def unpack(stored: bytes) -> dict[str, Any]:
    """The body that ``pack`` stored."""
    body: dict[str, Any] = orjson.loads(_decompressor.decompress(stored))
    return body
