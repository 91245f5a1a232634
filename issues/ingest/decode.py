"""Content-Encoding, undone in pieces, so that a bomb ends at the cap."""

import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress

import brotli
import zstandard

_PIECE = 256 << 10
# RFC 8878 asks decoders for windows of 8 MiB.
_ZSTD_WINDOW = 8 << 20
# Four bytes of zstd may stand for a block of 128 kB: small bites keep memory bounded.
_ZSTD_BITE = 128
_GZIP_MAGIC = b"\x1f\x8b"


class DecodeError(ValueError):
    """The bytes are not what Content-Encoding says; the text says why."""


class UnknownEncoding(ValueError):
    """A Content-Encoding that nobody here can read."""


class OverCap(ValueError):
    """More output than the cap."""


def encodings(header: str) -> list[str]:
    """The codings of a Content-Encoding header, in the order of undoing.

    Raises UnknownEncoding, also for more than three.
    """
    names = [name.strip().lower() for name in header.split(",")]
    names = [name for name in names if name not in {"", "identity"}]
    for name in names:
        if name not in _CODINGS:
            raise UnknownEncoding(
                f"Content-Encoding {name} is unknown; use gzip, deflate, br or zstd"
            )
    if len(names) > 3:
        raise UnknownEncoding("more than three content codings")
    return names[::-1]


def decode(raw: bytes, names: list[str], cap: int) -> bytes:
    """The body without its codings; raises DecodeError, or OverCap past ``cap``."""
    for name in names:
        pieces, size = [], 0
        try:
            for piece in _CODINGS[name](raw, cap + 1):
                size += len(piece)
                if size > cap:
                    raise OverCap(f"over {cap} bytes when decompressed")
                pieces.append(piece)
        except (zlib.error, brotli.error, zstandard.ZstdError) as error:
            raise DecodeError(f"the body is not {name}: {error}") from error
        raw = pieces[0] if len(pieces) == 1 else b"".join(pieces)
    return raw


def _inflate(raw: bytes, bits: int, limit: int) -> Generator[bytes, None, bytes]:
    """One zlib stream; returns what follows it."""
    stream = zlib.decompressobj(bits)
    while True:
        piece = stream.decompress(raw, min(limit, _PIECE))
        yield piece
        if stream.eof:
            return stream.unused_data
        raw = stream.unconsumed_tail
        if not piece and not raw:
            raise DecodeError("the compressed body is cut off")


def _gzip(raw: bytes, limit: int) -> Iterator[bytes]:
    rest = yield from _inflate(raw, 31, limit)
    while rest.startswith(_GZIP_MAGIC):
        rest = yield from _inflate(rest, 31, limit)
    if rest.strip(b"\0"):
        raise DecodeError("bytes follow the end of the gzip body")


def _deflate(raw: bytes, limit: int) -> Iterator[bytes]:
    # Some clients send the bare deflate stream that the name promises.
    zlib_header = len(raw) > 1 and raw[0] & 15 == 8 and (raw[0] << 8 | raw[1]) % 31 == 0
    rest = yield from _inflate(raw, 15 if zlib_header else -15, limit)
    if rest:
        raise DecodeError("bytes follow the end of the deflate body")


def _brotli(raw: bytes, limit: int) -> Iterator[bytes]:
    stream = brotli.Decompressor()
    limit = min(limit, _PIECE)
    piece = stream.process(raw, output_buffer_limit=limit)
    while not stream.is_finished():
        if not piece and stream.can_accept_more_data():
            raise DecodeError("the compressed body is cut off")
        yield piece
        piece = stream.process(b"", output_buffer_limit=limit)
    yield piece


def _zstd(raw: bytes, limit: int) -> Iterator[bytes]:
    decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    size = zstandard.frame_content_size(raw)
    if 0 <= size < min(limit, _PIECE):
        with suppress(zstandard.ZstdError):  # more frames follow, or it is broken
            yield decompressor.decompress(raw, allow_extra_data=False)
            return
    while raw:
        stream = decompressor.decompressobj()
        for at in range(0, len(raw), _ZSTD_BITE):
            yield stream.decompress(raw[at : at + _ZSTD_BITE])
            if stream.eof:
                break
        else:
            raise DecodeError("the compressed body is cut off")
        raw = stream.unused_data + raw[at + _ZSTD_BITE :]


_Coding = Callable[[bytes, int], Iterator[bytes]]
_CODINGS: dict[str, _Coding] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "br": _brotli,
    "zstd": _zstd,
}
