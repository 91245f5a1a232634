"""A small S3: one bucket in memory that puts, gets, looks at and deletes objects."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LAST_MODIFIED = "Mon, 23 Nov 2026 12:00:00 GMT"


@dataclass
class FakeS3:
    """``objects`` by ``/<bucket>/<key>``, and the requests that came."""

    url: str = ""
    objects: dict[str, bytes] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    s3: FakeS3

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _told(self) -> str:
        name = self.path.partition("?")[0]
        self.s3.asked.append((self.command, name))
        return name

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if "aws-chunked" in self.headers.get("Content-Encoding", ""):
            body = _joined(body)
        self.s3.objects[self._told()] = body
        self._answer(200, ETag=_tag(body), Content_Length="0")

    def do_GET(self) -> None:
        body = self.s3.objects.get(self._told())
        if body is None:
            told = b"<Error><Code>NoSuchKey</Code></Error>"
            self._answer(404, told, Content_Length=str(len(told)))
        else:
            self._answer(
                200,
                body,
                ETag=_tag(body),
                Content_Length=str(len(body)),
                Last_Modified=LAST_MODIFIED,
            )

    do_HEAD = do_GET

    def do_DELETE(self) -> None:
        self.s3.objects.pop(self._told(), None)
        self._answer(204)


def _tag(body: bytes) -> str:
    return f'"{md5(body, usedforsecurity=False).hexdigest()}"'


def _joined(body: bytes) -> bytes:
    """The content of a body in chunks, each behind its size and signature."""
    parts = []
    while body:
        size, _, body = body.partition(b"\r\n")
        length = int(size.partition(b";")[0], 16)
        if not length:
            break
        parts.append(body[:length])
        body = body[length + 2 :]
    return b"".join(parts)


@contextmanager
def serving_s3() -> Iterator[FakeS3]:
    """Serve an empty S3 on a free port of this machine."""
    s3 = FakeS3()
    handler: Any = type("Handler", (_Handler,), {"s3": s3})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        s3.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield s3
        finally:
            server.shutdown()
            thread.join()
