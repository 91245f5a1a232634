"""Loads recorded requests: ``.http`` files as they came over the socket.

``tests/samples/captures/<client>/`` holds envelopes and reports of real clients
(sentry-sdk 2.75 and 1.45, @sentry/node and @sentry/browser 11 and 7, sentry-cli 3.8).
Projects and keys in them: 1 python (key 111…), 2 browser and cli (222…), 3 node (333…).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from issues.ingest.decode import decode, encodings

CAPTURES = Path(__file__).parent / "samples" / "captures"


@dataclass(frozen=True)
class Request:
    """One request; ``body`` is de-chunked and still compressed."""

    name: str
    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str:
        """The header's value, "" where it was not sent."""
        found = [value for key, value in self.headers if key.lower() == name.lower()]
        return ", ".join(found)

    @property
    def plain(self) -> bytes:
        """The body without its content codings."""
        return decode(self.body, encodings(self.header("content-encoding")), 100 << 20)

    @property
    def sent_headers(self) -> list[tuple[str, str]]:
        """The headers without those that belong to the recorded connection."""
        left_out = {"host", "connection", "content-length", "transfer-encoding"}
        return [pair for pair in self.headers if pair[0].lower() not in left_out]


def load(path: Path) -> Request:
    """Read one recorded request."""
    head, _, body = path.read_bytes().partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ", 2)
    pairs = [line.partition(":") for line in lines]
    headers = [(name.strip(), value.strip()) for name, _, value in pairs]
    name = f"{path.parent.name}/{path.stem}"
    request = Request(name, method, target, headers, body)
    if "chunked" in request.header("transfer-encoding").lower():
        return Request(name, method, target, headers, dechunked(body))
    return request


def load_all() -> Iterator[Request]:
    """Every recorded request, by client and number."""
    for path in sorted(CAPTURES.glob("*/*.http")):
        yield load(path)


def dechunked(body: bytes) -> bytes:
    """The content of a body sent with ``Transfer-Encoding: chunked``."""
    parts = []
    while body:
        size, _, body = body.partition(b"\r\n")
        length = int(size.partition(b";")[0], 16)
        if not length:
            break
        parts.append(body[:length])
        body = body[length + 2 :]
    return b"".join(parts)
