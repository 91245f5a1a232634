"""How event bodies lie in the database: JSON, zstd with a dictionary of SDK events.

Each frame names the dictionary it needs, so every one that was ever used must stay.
The dictionary saves a quarter of the bytes: benchmarks/results/dictionary.md.
"""

import threading
from pathlib import Path
from typing import Any

import orjson
import zstandard

from issues.clean import encode

DICTIONARY_FOLDER = Path(__file__).resolve().parent / "dictionaries"
LEVEL = 3

_dictionaries = {
    int(path.stem): zstandard.ZstdCompressionDict(path.read_bytes())
    for path in DICTIONARY_FOLDER.glob("*.zdict")
}
_newest = _dictionaries[max(_dictionaries)]
_newest.precompute_compress(level=LEVEL)


class _Codecs(threading.local):
    """Each thread's own: two that use one at once mix up bodies, or end the process."""

    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(level=LEVEL, dict_data=_newest)
        self.decompressors = {
            number: zstandard.ZstdDecompressor(dict_data=dictionary)
            for number, dictionary in _dictionaries.items()
        } | {0: zstandard.ZstdDecompressor()}


_codecs = _Codecs()


def pack(body: dict[str, Any]) -> bytes:
    """The body as stored."""
    packed: bytes = _codecs.compressor.compress(encode(body))
    return packed


def decompress(packed: bytes) -> bytes:
    """A frame without a dictionary, such as an accepted envelope's."""
    text: bytes = _codecs.decompressors[0].decompress(packed)
    return text


def unpack(stored: bytes) -> dict[str, Any]:
    """The body that ``pack`` stored, today or with an older dictionary."""
    number = zstandard.get_frame_parameters(stored).dict_id
    text = _codecs.decompressors[number].decompress(stored)
    body: dict[str, Any] = orjson.loads(text)
    return body
