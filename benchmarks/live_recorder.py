"""A proxy in front of ``up`` that keeps what clients sent and was accepted."""

import http.client
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import NamedTuple

from issues.ingest.decode import decode, encodings

CAP = 200 << 20
NOT_PASSED_ON = {"host", "connection", "transfer-encoding", "content-length"}


class Taken(NamedTuple):
    """An accepted request: its path and its decoded body."""

    path: str
    body: bytes


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is none of ours to tell."""


class Recorder:
    """Listens on ``port`` and passes everything on to another port of this machine."""

    def __init__(self, upstream: int) -> None:
        self._taken: list[Taken] = []
        taken = self._taken

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = _body(self)
                status, headers, answer = _ask(upstream, self, body)
                if status == 200 and self.command == "POST":
                    names = encodings(self.headers.get("content-encoding", ""))
                    plain = decode(body, names, CAP) if names else body
                    taken.append(Taken(self.path, plain))
                self.send_response(status)
                for name, value in headers:
                    if name.lower() not in NOT_PASSED_ON:
                        self.send_header(name, value)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_GET = do_OPTIONS = do_PUT = do_POST

            def log_message(self, format: str, *args: object) -> None:
                """Nothing: the report is what counts."""

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]

    def take(self) -> list[Taken]:
        """What came since the last call."""
        taken = list(self._taken)
        self._taken.clear()
        return taken

    def __enter__(self) -> "Recorder":
        Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


def _body(handler: BaseHTTPRequestHandler) -> bytes:
    if handler.headers.get("transfer-encoding", "").lower() != "chunked":
        return handler.rfile.read(int(handler.headers.get("content-length") or 0))
    parts = []
    while size := int(handler.rfile.readline().split(b";")[0], 16):
        parts.append(handler.rfile.read(size))
        handler.rfile.readline()
    handler.rfile.readline()
    return b"".join(parts)


def _ask(
    upstream: int, handler: BaseHTTPRequestHandler, body: bytes
) -> tuple[int, list[tuple[str, str]], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", upstream, timeout=60)
    headers = {
        name: value
        for name, value in handler.headers.items()
        if name.lower() not in NOT_PASSED_ON
    }
    connection.request(handler.command, handler.path, body, headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, answer.getheaders(), content
