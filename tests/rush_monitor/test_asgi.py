import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import httpx
import pytest
from django.conf import LazySettings
from django.core.exceptions import ImproperlyConfigured

from issues.ingest.doorbell import Doorbell
from issues.ingest.endpoint import Ingest
from issues.ingest.remote import TrustedProxies
from issues.ingest.routes import Router
from issues.models import InboxEnvelope
from rush_monitor.asgi import DigestBell, FrontDoor, InProcessDjango
from rush_monitor.celery import app as celery_app
from rush_monitor.settings import networks
from rush_monitor.upstream import Upstream
from tenants.asgi_types import Message
from tests.door import EVENT, EVENT_ID, KEY, make_key, options

T = TypeVar("T")
POST = f"/api/7/envelope/?sentry_key={KEY}"
AWAY = "http://127.0.0.1:1"


def front_door(
    django: Upstream | InProcessDjango | None = None, prefix: str = "", **changes: Any
) -> FrontDoor:
    doorbell = Doorbell(lambda: None)
    return FrontDoor(
        ingest=Ingest(options(**changes), stored=doorbell.ring),
        doorbell=doorbell,
        router=Router(prefix, "/tunnel/"),
        django=django or Upstream(AWAY, TrustedProxies([])),
        most_waiting=10,
    )


class Lifespan:
    """Starts and stops an application as a server does."""

    def __init__(self, app: FrontDoor) -> None:
        self._app = app
        self._to_app: asyncio.Queue[Message] = asyncio.Queue()
        self._from_app: asyncio.Queue[Message] = asyncio.Queue()

    async def __aenter__(self) -> httpx.AsyncClient:
        self._task = asyncio.ensure_future(
            self._app({"type": "lifespan"}, self._to_app.get, self._from_app.put)
        )
        await self._step("startup")
        transport = httpx.ASGITransport(self._app)
        return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1")

    async def __aexit__(self, *_: object) -> None:
        await self._step("shutdown")
        await self._task

    async def _step(self, step: str) -> None:
        await self._to_app.put({"type": f"lifespan.{step}"})
        answer = await self._from_app.get()
        assert answer["type"] == f"lifespan.{step}.complete"


def visit(
    scenario: Callable[[httpx.AsyncClient], Awaitable[T]], app: FrontDoor | None = None
) -> T:
    async def run() -> T:
        async with Lifespan(app or front_door()) as client:
            return await scenario(client)

    return asyncio.run(run())


@pytest.mark.django_db(transaction=True)
def test_envelopes_are_taken_while_django_is_away() -> None:
    make_key()

    async def scenario(client: httpx.AsyncClient) -> tuple[Any, int]:
        taken = await client.post(POST, content=EVENT)
        return taken.json(), (await client.get("/admin/")).status_code

    assert visit(scenario) == ({"id": EVENT_ID}, 503)
    assert InboxEnvelope.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_prefix_leads_to_the_same_places() -> None:
    make_key()

    async def scenario(client: httpx.AsyncClient) -> list[int]:
        return [
            (await client.post(f"/rush{POST}", content=EVENT)).status_code,
            (await client.get("/rush/healthz")).status_code,
        ]

    assert visit(scenario, front_door(prefix="/rush")) == [200, 200]


@pytest.mark.django_db(transaction=True)
def test_shutdown_stores_what_was_not_answered_yet() -> None:
    make_key()

    async def run() -> list[int]:
        async with Lifespan(front_door()) as client:
            await client.post(POST, content=EVENT)  # the key is known from here on
            posts = [client.post(POST, content=EVENT) for _ in range(20)]
            answers = asyncio.gather(*posts)
            await asyncio.sleep(0)
        return [answer.status_code for answer in await answers]

    assert asyncio.run(run()) == [200] * 20
    assert InboxEnvelope.objects.count() == 21


@pytest.mark.django_db(transaction=True)
def test_the_front_door_tells_its_health() -> None:
    async def scenario(client: httpx.AsyncClient) -> tuple[Any, httpx.Response]:
        live = (await client.get("/healthz")).json()
        for _ in range(50):
            ready = await client.get("/readyz")
            if ready.status_code == 200:
                break
            await asyncio.sleep(0.1)
        return live, ready

    live, ready = visit(scenario)
    assert (live, ready.status_code) == ({"status": "ok"}, 200)
    assert ready.json()["inbox"]["envelopes"] == 0


def test_without_database_it_lives_and_is_not_ready() -> None:
    async def scenario(client: httpx.AsyncClient) -> list[int]:
        paths = ("/healthz", "/readyz")
        return [(await client.get(path)).status_code for path in paths]

    away = front_door(conninfo="host=127.0.0.1 port=1 dbname=x", wait_seconds=0.1)
    assert visit(scenario, away) == [200, 503]


def test_django_may_share_the_process() -> None:
    async def scenario(client: httpx.AsyncClient) -> httpx.Response:
        return await client.get("/nowhere/", headers={"x-forwarded-proto": "https"})

    app = front_door(InProcessDjango(TrustedProxies([])))
    assert visit(scenario, app).status_code == 404


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", ["/rush/admin/", "/admin/"])
def test_django_in_the_process_knows_the_prefix(
    path: str, settings: LazySettings
) -> None:
    settings.FORCE_SCRIPT_NAME = "/rush"

    async def scenario(client: httpx.AsyncClient) -> httpx.Response:
        return await client.get(path)

    app = front_door(InProcessDjango(TrustedProxies([])), prefix="/rush")
    location = visit(scenario, app).headers["location"]
    assert location == "/rush/admin/login/?next=/rush/admin/"


def test_websockets_are_closed() -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(front_door()({"type": "websocket", "path": "/"}, receive, send))
    assert [message["type"] for message in sent] == ["websocket.close"]


def test_the_bell_rings_for_a_digest() -> None:
    DigestBell()()
    with celery_app.connection_for_read() as connection:
        queue = connection.SimpleQueue("digest")
        message = queue.get(timeout=2)
        message.ack()
    assert message.headers["task"] == "issues.digest"
    assert message.headers["expires"]


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("", []),
        ("10.0.0.0/8, 127.0.0.1", ["10.0.0.0/8", "127.0.0.1/32"]),
        ("10.1.2.3/8,fd00::/8", ["10.0.0.0/8", "fd00::/8"]),
    ],
)
def test_trusted_proxies_are_networks(
    value: str, found: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRUSTED_PROXIES", value)
    assert [str(net) for net in networks("TRUSTED_PROXIES")] == found


def test_a_network_that_is_none_names_the_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TRUSTED_PROXIES", "10.0.0.0/8,nonsense")
    with pytest.raises(ImproperlyConfigured, match="TRUSTED_PROXIES: nonsense"):
        networks("TRUSTED_PROXIES")
