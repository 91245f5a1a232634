import gzip
import os
import tracemalloc
import zlib
from collections.abc import Callable

import brotli
import pytest
import zstandard

from issues.ingest.decode import (
    DecodeError,
    OverCap,
    UnknownEncoding,
    decode,
    encodings,
)

CAP = 4 << 20
BODY = os.urandom(5000) + b"envelope" * 4000 + os.urandom(5000)


def raw_deflate(data: bytes) -> bytes:
    stream = zlib.compressobj(6, zlib.DEFLATED, -15)
    return stream.compress(data) + stream.flush()


def zstd_stream(data: bytes) -> bytes:
    """As a streaming client writes it: the frame does not tell its size."""
    compressor = zstandard.ZstdCompressor(write_content_size=False)
    return compressor.compress(data)


CODECS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("x-gzip", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "raw deflate": ("deflate", raw_deflate),
    "br": ("br", brotli.compress),
    "zstd": ("zstd", zstandard.compress),
    "zstd stream": ("zstd", zstd_stream),
}
codecs = pytest.mark.parametrize(
    ("name", "compress"), list(CODECS.values()), ids=list(CODECS)
)


@codecs
@pytest.mark.parametrize("body", [BODY, b"x", b"", b"a" * CAP])
def test_each_coding_is_undone(
    name: str, compress: Callable[[bytes], bytes], body: bytes
) -> None:
    assert decode(compress(body), [name], CAP) == body


@codecs
@pytest.mark.parametrize("kept", [0, 1, 7, 100, 5000, -1])
def test_a_cut_body_is_refused(
    name: str, compress: Callable[[bytes], bytes], kept: int
) -> None:
    with pytest.raises(DecodeError):
        decode(compress(BODY)[:kept], [name], CAP)


@codecs
def test_junk_is_refused(name: str, compress: Callable[[bytes], bytes]) -> None:
    with pytest.raises(DecodeError):
        decode(b'{"event_id": "plain text"}', [name], CAP)


@codecs
def test_a_bomb_ends_at_the_cap_with_bounded_memory(
    name: str, compress: Callable[[bytes], bytes]
) -> None:
    bomb = compress(bytes(200 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(OverCap):
            decode(bomb, [name], CAP)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * CAP


@codecs
def test_one_byte_over_the_cap_is_over(
    name: str, compress: Callable[[bytes], bytes]
) -> None:
    with pytest.raises(OverCap):
        decode(compress(b"a" * 1001), [name], 1000)


def test_a_zstd_frame_of_empty_promises_is_over_the_cap() -> None:
    block = (0x1FFFF << 3 | 2).to_bytes(3, "little") + b"\0"  # 128 kB in four bytes
    with pytest.raises(OverCap):
        decode(b"\x28\xb5\x2f\xfd\x00\x58" + block * 2000, ["zstd"], CAP)


@pytest.mark.parametrize("name", ["gzip", "zstd", "zstd stream"])
def test_parts_compressed_one_by_one_are_one_body(name: str) -> None:
    coding, compress = CODECS[name]
    parts = compress(BODY) + compress(b"and more")
    assert decode(parts, [coding], CAP) == BODY + b"and more"


@pytest.mark.parametrize("name", ["gzip", "deflate", "raw deflate", "zstd"])
def test_bytes_after_the_end_are_refused(name: str) -> None:
    coding, compress = CODECS[name]
    with pytest.raises(DecodeError):
        decode(compress(BODY) + b"junk", [coding], CAP)


def test_codings_are_undone_in_reverse() -> None:
    body = brotli.compress(gzip.compress(BODY, mtime=0))
    assert decode(body, encodings("gzip, BR"), CAP) == BODY


@pytest.mark.parametrize("header", ["", "identity", " , Identity"])
def test_identity_is_no_coding(header: str) -> None:
    assert encodings(header) == []


@pytest.mark.parametrize("header", ["compress", "gzip, snappy", "gzip,gzip,gzip,gzip"])
def test_unknown_codings_are_refused(header: str) -> None:
    with pytest.raises(UnknownEncoding):
        encodings(header)
