import asyncio
import json
import socketserver
import threading
import time
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.core.exceptions import ImproperlyConfigured

from issues.ingest.remote import TrustedProxies
from rush_monitor import upstream
from rush_monitor.upstream import Upstream
from tenants.asgi_types import Message

NOBODY = TrustedProxies([])
PROXIES = TrustedProxies([ip_network("203.0.113.0/24")])


class Echo(BaseHTTPRequestHandler):
    """Answers with what it was asked; ``/slow`` says when its client has gone."""

    protocol_version = "HTTP/1.1"
    left = threading.Event()

    def do_GET(self) -> None:
        if self.path == "/slow":
            return self._wait()
        length = int(self.headers.get("content-length", 0))
        asked = {
            "method": self.command,
            "path": self.path,
            "headers": [[name.lower(), value] for name, value in self.headers.items()],
            "body": self.rfile.read(length).decode("latin-1"),
        }
        body = json.dumps(asked).encode()
        self.send_response(418 if self.path == "/teapot" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Set-Cookie", "a=1")
        self.send_header("Set-Cookie", "b=2")
        self.send_header("Keep-Alive", "timeout=5")
        if self.path == "/close":
            self.close_connection = True
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        return None

    do_POST = do_HEAD = do_PUT = do_GET

    def _wait(self) -> None:
        self.connection.settimeout(5)
        self.connection.recv(1)
        self.left.set()

    def log_message(self, *_: Any) -> None:
        """Quiet."""

    def address_string(self) -> str:
        return "django"


class UnixServer(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

    def get_request(self) -> tuple[Any, Any]:
        request, _ = super().get_request()
        return request, ("unix", 0)


@pytest.fixture
def django() -> Iterator[str]:
    """The address of a server that stands for Django."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def ask(
    address: str,
    method: str = "GET",
    path: str = "/admin/",
    proxies: TrustedProxies = NOBODY,
    **request: Any,
) -> httpx.Response:
    async def run() -> httpx.Response:
        app = Upstream(address, proxies)
        transport = httpx.ASGITransport(app, client=("203.0.113.9", 1))
        base = "http://rush.example.com"
        async with httpx.AsyncClient(transport=transport, base_url=base) as client:
            answer = await client.request(method, path, **request)
        await app.stop()
        return answer

    return asyncio.run(run())


def headers_seen(answer: httpx.Response) -> dict[str, str]:
    return dict(answer.json()["headers"])


def test_a_request_is_passed_on_as_it_is(django: str) -> None:
    answer = ask(django, "PUT", "/a%20b/%E4?q=%2F&x", content=b"\0body")
    asked = answer.json()
    assert asked["method"] == "PUT"
    assert asked["path"] == "/a%20b/%E4?q=%2F&x"
    assert asked["body"] == "\0body"
    assert headers_seen(answer)["host"] == "rush.example.com"


def test_the_answer_is_passed_back_as_it_is(django: str) -> None:
    answer = ask(django, path="/teapot")
    assert answer.status_code == 418
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert "keep-alive" not in answer.headers


def test_head_is_answered_without_body(django: str) -> None:
    answer = ask(django, "HEAD")
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) > 0


def test_a_body_of_unknown_length_gets_one(django: str) -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield b"ab"
        yield b"cd"

    answer = ask(django, "POST", content=parts())
    assert answer.json()["body"] == "abcd"
    assert headers_seen(answer)["content-length"] == "4"
    assert "transfer-encoding" not in headers_seen(answer)


def test_a_long_body_of_unknown_length_is_refused(
    django: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upstream, "MAX_CHUNKED_BYTES", 3)

    async def parts() -> AsyncIterator[bytes]:
        yield b"ab"
        yield b"cd"

    assert ask(django, "POST", content=parts()).status_code == 411


def test_what_a_stranger_says_of_proxies_is_dropped(django: str) -> None:
    forged = {
        "x-forwarded-for": "1.2.3.4",
        "x-forwarded-proto": "https",
        "x-forwarded-host": "evil.example",
        "x-real-ip": "1.2.3.4",
        "forwarded": "for=1.2.3.4",
        "x_forwarded_proto": "https",
    }
    seen = headers_seen(ask(django, headers=forged))
    assert seen["x-forwarded-for"] == seen["x-real-ip"] == "203.0.113.9"
    assert seen["x-forwarded-proto"] == "http"
    assert seen["x-forwarded-host"] == "rush.example.com"
    assert not {"forwarded", "x_forwarded_proto"} & seen.keys()


def test_what_a_trusted_proxy_says_is_believed(django: str) -> None:
    told = {
        "x-forwarded-for": "198.51.100.1",
        "x-forwarded-proto": "https",
        "x-forwarded-host": "rush.example.org",
    }
    seen = headers_seen(ask(django, proxies=PROXIES, headers=told))
    assert seen["x-forwarded-for"] == "198.51.100.1, 203.0.113.9"
    assert seen["x-real-ip"] == "198.51.100.1"
    assert seen["x-forwarded-proto"] == "https"
    assert seen["x-forwarded-host"] == "rush.example.org"


def test_headers_of_the_connection_stay_on_it(django: str) -> None:
    told = {"connection": "x-private, keep-alive", "x-private": "1", "te": "trailers"}
    seen = headers_seen(ask(django, headers=told))
    assert not {"x-private", "te", "keep-alive"} & seen.keys()


def test_nothing_is_added_that_the_client_did_not_ask_for(django: str) -> None:
    async def run() -> list[str]:
        sent: list[Message] = []
        body = [{"type": "http.request", "body": b""}]

        async def receive() -> Message:
            if not body:
                await asyncio.sleep(10)
            return body.pop()

        async def send(message: Message) -> None:
            sent.append(message)

        app = Upstream(django, NOBODY)
        await app(scope("/x"), receive, send)
        await app.stop()
        return [name for name, _ in json.loads(sent[1]["body"])["headers"]]

    names = asyncio.run(run())
    assert not {"accept", "accept-encoding", "user-agent"} & set(names)


def scope(path: str, *headers: tuple[bytes, bytes]) -> dict[str, Any]:
    return {
        "type": "http",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"host", b"rush.example.com"), *headers],
        "client": ("203.0.113.9", 1),
    }


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_while_django_starts_people_are_told(accept: str) -> None:
    answer = ask("http://127.0.0.1:1", headers={"accept": accept})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "3")
    assert "starting" in answer.text
    assert ("refresh" in answer.text) == (accept == "text/html")


def test_a_connection_that_django_closed_is_replaced(django: str) -> None:
    async def run() -> list[int]:
        app = Upstream(django, NOBODY)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://rush"
        ) as client:
            found = [(await client.get("/close")).status_code for _ in range(5)]
        await app.stop()
        return found

    assert asyncio.run(run()) == [200] * 5


def test_a_client_that_leaves_ends_the_request_to_django(django: str) -> None:
    Echo.left.clear()

    async def run() -> float:
        body = [{"type": "http.request", "body": b""}]

        async def receive() -> Message:
            if body:
                return body.pop()
            await asyncio.sleep(0.2)
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            raise AssertionError(message)

        started = time.monotonic()
        app = Upstream(django, NOBODY)
        await app(scope("/slow"), receive, send)
        await app.stop()
        return time.monotonic() - started

    assert asyncio.run(run()) < 2
    assert Echo.left.wait(2)


def test_django_may_listen_on_a_unix_socket(tmp_path_factory: Any) -> None:
    path = Path(tmp_path_factory.mktemp("s")) / "d.sock"
    with UnixServer(str(path), Echo) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        answer = ask(f"unix:{path}", "POST", content=b"abc")
        server.shutdown()
    assert answer.json()["body"] == "abc"
    assert headers_seen(answer)["host"] == "rush.example.com"


@pytest.mark.parametrize("url", ["127.0.0.1:8001", "unix:", "ftp://x", "http://"])
def test_an_address_that_cannot_be_used_names_the_variable(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="DJANGO_UPSTREAM"):
        Upstream(url, NOBODY)
