"""A front door as in production: granian in a process of its own, real sockets."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPResponse, RemoteDisconnected
from typing import NamedTuple
from urllib.parse import urlsplit

from django.core.management import call_command
from django.db import connection

from issues.digest.batch import BatchResult, Digest
from rush_monitor.listen import listen_tcp

# What was refused is written at once, so that nothing comes after forget_all.
OUTCOME_SECONDS = 0.1
SERVE = (
    f"from issues.ingest import outcomes; outcomes.FLUSH_SECONDS = {OUTCOME_SECONDS}; "
    "from rush_monitor.serve import serve"
)
START_SECONDS = 30
KEY_SECONDS = 5


class Answer(NamedTuple):
    """What the server said; header names are lower-case."""

    status: int
    headers: dict[str, str]
    body: bytes


class Wire:
    """A keep-alive connection that sends the bytes of requests as they are."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def send(self, raw: bytes, *, ends: bool = False) -> Answer:
        """Send one request; ``ends``: close our side after it. Raises OSError."""
        fresh = self._socket is None
        try:
            return self._send(raw, ends)
        except (RemoteDisconnected, ConnectionError):
            # The server may close behind an answer to a body that it did not read.
            self.close()
            if fresh:
                raise
        return self._send(raw, ends)

    def _send(self, raw: bytes, ends: bool) -> Answer:
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), 30)
        self._socket.sendall(raw)
        if ends:
            self._socket.shutdown(socket.SHUT_WR)
        response = HTTPResponse(self._socket, method="POST")
        response.begin()
        headers = {name.lower(): value for name, value in response.getheaders()}
        answer = Answer(response.status, headers, response.read())
        if response.will_close or ends:
            self.close()
        return answer

    def await_key(self, project: int, public_key: str) -> None:
        """Wait until a new key is known; the front door looks once a second."""
        target = f"/api/{project}/envelope/?sentry_key={public_key}"
        deadline = time.monotonic() + KEY_SECONDS
        while self.post(target, b"{}").status == 403:
            if time.monotonic() > deadline:
                raise RuntimeError(f"the front door does not know key {public_key}")
            time.sleep(0.05)

    def post(self, target: str, body: bytes, **headers: str) -> Answer:
        """POST a body; header names are written with ``_`` for ``-``."""
        named = {"host": "rush.example.com", "content-length": str(len(body))}
        named |= {name.replace("_", "-"): value for name, value in headers.items()}
        lines = [f"POST {target} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in named.items()]
        return self.send("\r\n".join((*lines, "", "")).encode("latin-1") + body)


@contextmanager
def serving_front() -> Iterator[int]:
    """Serve the front door on the tests' database; gives the port."""
    database = urlsplit(os.environ["DATABASE_URL"])
    name = connection.settings_dict["NAME"]
    environment = {
        **os.environ,
        "DATABASE_URL": database._replace(path=f"/{name}").geturl(),
        "DJANGO_SETTINGS_MODULE": "rush_monitor.settings",
    }
    with listen_tcp("127.0.0.1", 0) as listener:
        port: int = listener.getsockname()[1]
        fd = listener.fileno()
        server = subprocess.Popen(
            [sys.executable, "-c", f"{SERVE}; serve('asgi', {fd})"],
            env=environment,
            pass_fds=[fd],
        )
    try:
        _wait_until_ready(server, port)
        yield port
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(30)


def _wait_until_ready(server: "subprocess.Popen[bytes]", port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    request = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    while time.monotonic() < deadline and server.poll() is None:
        with Wire(port) as wire:
            if wire.send(request).status == 200:
                return
        time.sleep(0.05)
    raise RuntimeError(f"the front door is not ready: {server.poll()=}")


def digest_all() -> BatchResult:
    """Digest until the inbox is empty, as the worker does."""
    digest = Digest(500)
    total = BatchResult()
    try:
        while (result := digest.batch()).envelopes:
            total.add(result)
    finally:
        digest.close()
    return total


def forget_all() -> None:
    """Empty the tests' database once the front door has written its outcomes."""
    time.sleep(5 * OUTCOME_SECONDS)
    call_command("flush", verbosity=0, interactive=False)
