"""Unmodified SDKs send to a running ``manage.py up``; what arrives is read by REST."""

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tests.flow import npm
from tests.running import RunningUp, eventually, manage

pytestmark = pytest.mark.clients

CLIENTS = Path(__file__).parent.parent / "clients"
SHOP = "bella.example"
PAGE_HOST = "track.bella.example"
# Makes a project for each client and a token that may read.
PREPARE = """
import json, os
from tenants.models import Project, ProjectKey
from tenants.tokens import issue_token

url, dsns = os.environ["RUSH_URL"], {}
for slug in ("python", "node", "browser"):
    project, _ = Project.objects.get_or_create(slug=slug, defaults={"name": slug})
    dsns[slug] = ProjectKey.objects.create(project=project).dsn(url)
_, token = issue_token("tests", ["event:read"], base_url=url, organization="rush")
print(json.dumps({"dsns": dsns, "token": token}))
"""
COUNTS = """
SELECT coalesce(sum(m.sessions), 0), coalesce(sum(m.sessions_crashed), 0),
    coalesce(sum(m.sessions_unhandled), 0), coalesce(sum(m.transactions), 0)
FROM releases_releaseminute m JOIN releases_release r ON r.id = m.release_id
WHERE r.version = %s
"""


@dataclass(frozen=True)
class Counts:
    """What a release did, over all minutes."""

    sessions: int
    crashed: int
    unhandled: int
    requests: int


class Rush:
    """The running system as its clients and readers know it."""

    def __init__(self, up: RunningUp) -> None:
        command = ("shell", "-v", "0", "-c", PREPARE)
        told = manage(up.data_dir, *command, RUSH_URL=up.url)
        assert told.returncode == 0, told.stderr
        prepared = json.loads(told.stdout.splitlines()[-1])
        self.url = up.url
        self.dsns: dict[str, str] = prepared["dsns"]
        self._database_url = up.database_url
        token = {"authorization": f"Bearer {prepared['token']}"}
        self._api = httpx.Client(base_url=f"{up.url}/api/v1", headers=token)

    def event(self, event_id: str) -> dict[str, Any]:
        """The stored event, as soon as it is digested."""
        path = f"/events/{event_id}/"
        assert eventually(lambda: self._api.get(path).status_code == 200), path
        event: dict[str, Any] = self._api.get(path).json()
        return event

    def counts(self, release: str) -> Counts:
        with psycopg.connect(self._database_url) as connection:
            row = connection.execute(COUNTS, [release]).fetchone()
        assert row is not None
        return Counts(*row)


@pytest.fixture(scope="module")
def rush(up: RunningUp) -> Rush:
    return Rush(up)


def run(*command: str, cwd: Path | None = None) -> dict[str, Any]:
    """Run a client to its end; what it printed."""
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=90, check=False
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def raised(event: dict[str, Any]) -> list[tuple[str, str, list[str]]]:
    """Type, value and the functions of the last frames, innermost last."""
    return [
        (
            value["type"],
            value["value"],
            [frame["function"] for frame in value["stacktrace"]["frames"]][-3:],
        )
        for value in event["payload"]["exception"]["values"]
    ]


def told(event: dict[str, Any], *names: str) -> list[Any]:
    return [event[name] for name in names]


def test_a_django_view_that_fails(rush: Rush) -> None:
    client = run(sys.executable, str(CLIENTS / "python/shop.py"), rush.dsns["python"])
    assert client["answers"] == [200, 200, 200, 500]
    (event_id,) = client["sent"]
    event = rush.event(event_id)
    assert told(event, "level", "release", "environment", "tenant", "unhandled") == [
        *("error", "shop-python@1.0.0", "staging", SHOP, True)
    ]
    assert told(event, "title", "user", "transaction", "project") == [
        *("KeyError: 'CHF'", "id:merchant-7", "/checkout/", "python")
    ]
    assert event["tags"]["template"] == "minimal"
    assert raised(event) == [("KeyError", "'CHF'", ["total", "<genexpr>", "price"])]
    frame = event["payload"]["exception"]["values"][0]["stacktrace"]["frames"][-1]
    assert frame["context_line"].strip() == 'rate = RATES[line["currency"]]'
    assert frame["vars"]["line"]["currency"] == "'CHF'"
    assert event["payload"]["request"]["query_string"] == "utm=mail"
    release = "shop-python@1.0.0"
    assert eventually(lambda: rush.counts(release) == Counts(4, 1, 0, 4))


def test_an_express_route_that_fails(rush: Rush, packages: Path) -> None:
    # Modules are found from where the program lies.
    program = str(shutil.copy(CLIENTS / "node/shop.mjs", packages))
    client = run(npm.command("node"), program, rush.dsns["node"], cwd=packages)
    assert client["answers"] == [200, 200, 200, 500]
    (event_id,) = client["sent"]
    event = rush.event(event_id)
    assert told(event, "level", "release", "environment", "tenant", "unhandled") == [
        *("error", "shop-node@1.0.0", "staging", SHOP, True)
    ]
    assert told(event, "user", "transaction", "project") == [
        *("id:merchant-7", "POST /checkout", "node")
    ]
    assert event["tags"]["template"] == "minimal"
    ((kind, value, functions),) = raised(event)
    assert kind == "TypeError"
    assert value == "Cannot read properties of undefined (reading 'amount')"
    assert functions[-1] == "price"
    frame = event["payload"]["exception"]["values"][0]["stacktrace"]["frames"][-1]
    assert frame["context_line"].strip() == "return line.price.amount * line.quantity;"
    assert eventually(lambda: rush.counts("shop-node@1.0.0").sessions == 4)
    counts = rush.counts("shop-node@1.0.0")
    assert (counts.crashed, counts.requests) == (1, 4)


class PageServer:
    """Serves a shop's order page, and forwards what the page tunnels."""

    def __init__(self, files: dict[str, bytes], tunnel: str) -> None:
        outer = self
        self.forwarded: list[int] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                known = files.get(path)
                kind = "text/javascript" if path.endswith(".js") else "text/html"
                self.answer(200 if known else 404, known or b"", kind)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                kind = {"content-type": self.headers["content-type"]}
                response = httpx.post(tunnel, content=body, headers=kind)
                outer.forwarded.append(response.status_code)
                self.answer(response.status_code, response.content, "application/json")

            def answer(self, status: int, body: bytes, kind: str) -> None:
                self.send_response(status)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Requests are no news."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope="module")
def page(rush: Rush, packages: Path) -> Iterator[PageServer]:
    """The page, bundled and minified as shops ship it; ``/tunnel`` uses the tunnel."""
    source = shutil.copy(CLIENTS / "browser/page.js", packages)
    bundle = packages / "page.min.js"
    bundler = packages / "node_modules/.bin/esbuild"
    subprocess.run(
        [bundler, source, "--bundle", "--minify", f"--outfile={bundle}"],
        cwd=packages,
        check=True,
        capture_output=True,
    )
    config = {"dsn": rush.dsns["browser"], "shop": SHOP}
    html = (CLIENTS / "browser/page.html").read_text(encoding="utf-8")
    files = {"/page.js": bundle.read_bytes()}
    for path, tunnel in (("/order/1001", None), ("/tunnel", "/relay")):
        settings = json.dumps({**config, "tunnel": tunnel})
        files[path] = html.replace("__SHOP__", settings).encode()
    server = PageServer(files, f"{rush.url}/tunnel/")
    yield server
    server.stop()


def visit(page: PageServer, path: str) -> str:
    """Open the page, click, leave; the id of the event that the page sent."""
    program = str(CLIENTS / "browser/visit.py")
    url = f"http://{PAGE_HOST}{path}"
    client = run(sys.executable, program, npm.chromium(), str(page.port), url)
    (event_id,) = client["sent"]
    return str(event_id)


def test_a_page_that_fails_on_a_click(rush: Rush, page: PageServer) -> None:
    before = rush.counts("shop-page@1.0.0")
    event = rush.event(visit(page, "/order/1001"))
    assert told(event, "level", "release", "environment", "tenant", "unhandled") == [
        *("error", "shop-page@1.0.0", "staging", SHOP, True)
    ]
    assert told(event, "user", "transaction", "project") == [
        *("id:visitor-7", "/order/1001", "browser")
    ]
    assert event["tags"]["template"] == "minimal"
    assert event["tags"]["url"] == f"http://{PAGE_HOST}/order/1001"
    assert event["tags"]["browser"].startswith(("Headless Chrome", "Chrome"))
    ((kind, value, functions),) = raised(event)
    assert kind == "TypeError"
    assert value == "Cannot read properties of undefined (reading 'slice')"
    assert len(functions) == 3
    frame = event["payload"]["exception"]["values"][0]["stacktrace"]["frames"][-1]
    assert frame["filename"] == f"http://{PAGE_HOST}/page.js"
    assert frame["colno"] > 1
    release = "shop-page@1.0.0"
    assert eventually(lambda: rush.counts(release).unhandled == before.unhandled + 1)
    assert eventually(lambda: rush.counts(release).requests == before.requests + 1)
    assert rush.counts(release).sessions == before.sessions + 1


def test_a_page_that_sends_through_a_tunnel(rush: Rush, page: PageServer) -> None:
    event = rush.event(visit(page, "/tunnel"))
    assert set(page.forwarded) == {200}
    assert told(event, "level", "release", "tenant", "user", "project") == [
        *("error", "shop-page@1.0.0", SHOP, "id:visitor-7", "browser")
    ]
