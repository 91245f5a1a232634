import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import httpx
import pytest
from django.db import connection
from psycopg_pool import AsyncConnectionPool

from issues.ingest.commit import conninfo
from releases import gate
from releases.gate import VerdictGate, Wait, wait_of, wait_seconds
from tenants.asgi_types import Message, Receive, Scope, Send
from tenants.refusals import Refusal
from tests.factories import make_deploy, make_watch

pytestmark = pytest.mark.django_db(transaction=True)

T = TypeVar("T")
NOBODY = 10**9
SETTLE = "UPDATE releases_watch SET verdict = 'healthy' WHERE deploy_id = %s"


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "LOOK_SECONDS", 0.02)


class Django:
    """Stands for Django: answers ``verdict`` with the number of the asking."""

    def __init__(self) -> None:
        self.asked = self.at_once = self.most_at_once = 0
        self.status, self.verdict = 200, "pending"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await receive()
        await asyncio.sleep(0)
        body = b'{"asked": %d, "verdict": "%s"}' % (self.asked, self.verdict.encode())
        headers = [(b"X-Verdict", self.verdict.encode())]
        await send(
            {"type": "http.response.start", "status": self.status, "headers": headers}
        )
        await send({"type": "http.response.body", "body": body})
        self.at_once -= 1


class Place:
    """A gate on the tests' database, and what asks it."""

    def __init__(self, most: int, database: str) -> None:
        self.django = Django()
        self.pool = AsyncConnectionPool(
            database, min_size=1, max_size=2, open=False, kwargs={"autocommit": True}
        )
        self.gate = VerdictGate(self.django, self.pool, most)

    async def ask(self, deploy_id: int = NOBODY, wait: int = 5) -> httpx.Response:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await self.gate(scope, receive, send, Wait(deploy_id, wait))

        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://rush"
        ) as client:
            return await client.get("/api/v1/deploys/1/verdict")

    async def execute(self, query: str, *values: object) -> None:
        async with self.pool.connection() as session:
            await session.execute(query.encode(), values)

    @property
    def looks(self) -> int:
        """How often a connection was borrowed."""
        return int(self.pool.get_stats().get("requests_num", 0))


def at(
    scenario: Callable[[Place], Awaitable[T]], most: int = 100, database: str = ""
) -> T:
    async def run() -> T:
        place = Place(most, database or conninfo(connection.settings_dict))
        await place.pool.open()
        try:
            return await scenario(place)
        finally:
            await place.gate.stop()
            await place.pool.close()

    return asyncio.run(run())


def a_pending_one() -> int:
    return int(make_watch().pk)


@pytest.mark.parametrize(("text", "seconds"), [("1", 1), ("55", 55), ("3600", 3600)])
def test_a_wait_is_whole_seconds(text: str, seconds: int) -> None:
    assert wait_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "-1", "3601", "1.5", "1e3", "٣", "99999"])
def test_a_wait_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Refusal, match="1 to 3600"):
        wait_seconds(text)


@pytest.mark.parametrize(
    ("path", "query", "method", "found"),
    [
        ("/api/v1/deploys/7/verdict", b"wait=5", "GET", Wait(7, 5)),
        ("/api/v1/deploys/7/verdict/", b"a=b&wait=5", "GET", Wait(7, 5)),
        ("/api/v1/deploys/7/verdict/", b"wait=5&wait=6", "GET", Wait(7, 6)),
        ("/api/v1/deploys/7/verdict/", b"", "GET", None),
        ("/api/v1/deploys/7/verdict/", b"wait=0", "GET", None),
        ("/api/v1/deploys/7/verdict/", b"wait=5", "HEAD", None),
        ("/api/v1/deploys/7/verdict/x", b"wait=5", "GET", None),
        ("/api/v1/deploys/x/verdict/", b"wait=5", "GET", None),
        ("/api/v1/deploys/7/", b"wait=5", "GET", None),
    ],
)
def test_only_requests_for_a_verdict_wait(
    path: str, query: bytes, method: str, found: Wait | None
) -> None:
    scope: dict[str, Any] = {"path": path, "query_string": query, "method": method}
    assert wait_of(scope) == found


def test_a_final_verdict_is_answered_at_once() -> None:
    async def scenario(place: Place) -> httpx.Response:
        place.django.verdict = "degraded"
        return await place.ask()

    assert at(scenario).json() == {"asked": 1, "verdict": "degraded"}


@pytest.mark.parametrize("status", [401, 403, 404, 503])
def test_an_error_of_django_is_answered_at_once(status: int) -> None:
    async def scenario(place: Place) -> httpx.Response:
        place.django.status = status
        return await place.ask()

    answer = at(scenario)
    assert (answer.status_code, answer.json()["asked"]) == (status, 1)


def test_a_pending_verdict_is_answered_when_it_is_final() -> None:
    deploy = a_pending_one()

    async def scenario(place: Place) -> tuple[bool, httpx.Response]:
        waiting = asyncio.create_task(place.ask(deploy))
        await asyncio.sleep(0.2)
        waits = not waiting.done()
        await place.execute(SETTLE, deploy)
        place.django.verdict = "healthy"
        return waits, await waiting

    waited, answer = at(scenario)
    assert waited
    assert answer.json() == {"asked": 2, "verdict": "healthy"}


def test_when_the_time_is_over_the_present_state_is_answered() -> None:
    deploy = a_pending_one()

    async def scenario(place: Place) -> tuple[float, httpx.Response]:
        began = time.monotonic()
        answer = await place.ask(deploy, wait=1)
        return time.monotonic() - began, answer

    seconds, answer = at(scenario)
    assert 0.9 < seconds < 3
    assert answer.json() == {"asked": 2, "verdict": "pending"}


def test_a_deploy_that_is_not_watched_yet_is_waited_for() -> None:
    deploy = make_deploy()

    async def scenario(place: Place) -> bool:
        waiting = asyncio.create_task(place.ask(deploy.pk))
        await asyncio.sleep(0.2)
        return waiting.done()

    assert at(scenario) is False


def test_a_deploy_that_is_deleted_is_not_waited_for() -> None:
    deploy = a_pending_one()

    async def scenario(place: Place) -> httpx.Response:
        waiting = asyncio.create_task(place.ask(deploy))
        await asyncio.sleep(0.1)
        await place.execute("DELETE FROM releases_watch WHERE deploy_id = %s", deploy)
        await place.execute("DELETE FROM releases_deploy WHERE id = %s", deploy)
        return await waiting

    assert at(scenario).json()["asked"] == 2


def test_each_waits_for_its_own_deploy() -> None:
    one, other = a_pending_one(), a_pending_one()

    async def scenario(place: Place) -> list[bool]:
        waiting = [asyncio.create_task(place.ask(deploy)) for deploy in (one, other)]
        await asyncio.sleep(0.1)
        await place.execute(SETTLE, one)
        await waiting[0]
        return [task.done() for task in waiting]

    assert at(scenario) == [True, False]


def test_all_who_wait_share_one_query_at_a_time() -> None:
    deploys = [a_pending_one() for _ in range(10)]

    async def scenario(place: Place) -> int:
        waiting = [asyncio.create_task(place.ask(n)) for n in deploys * 5]
        await asyncio.sleep(0.2)
        before = place.looks
        await asyncio.sleep(0.5)
        looks = place.looks - before
        place.gate.release()
        await asyncio.gather(*waiting)
        return looks

    assert 1 <= at(scenario) <= 25


def test_nobody_looks_when_nobody_waits() -> None:
    deploy = a_pending_one()

    async def scenario(place: Place) -> int:
        await place.ask(deploy, wait=1)
        await asyncio.sleep(0.1)
        before = place.looks
        await asyncio.sleep(0.2)
        return place.looks - before

    assert at(scenario) == 0


def test_django_is_asked_by_few_at_once() -> None:
    deploy = a_pending_one()

    async def scenario(place: Place) -> int:
        waiting = [asyncio.create_task(place.ask(deploy)) for _ in range(40)]
        await asyncio.sleep(0.2)
        await place.execute(SETTLE, deploy)
        await asyncio.gather(*waiting)
        return place.django.most_at_once

    assert at(scenario) == gate.ASKED_AT_ONCE


def test_too_many_are_told_when_to_come_back() -> None:
    deploy = a_pending_one()

    async def scenario(place: Place) -> list[httpx.Response]:
        waiting = [asyncio.create_task(place.ask(deploy)) for _ in range(3)]
        await asyncio.sleep(0.1)
        refused = await place.ask(deploy)
        place.gate.release()
        return [refused, *await asyncio.gather(*waiting)]

    refused, *others = at(scenario, most=3)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "10")
    assert "GATE_MAX_WAITING" in refused.json()["detail"]
    assert [answer.status_code for answer in others] == [200] * 3


def test_released_requests_are_answered_at_once_and_later_ones_do_not_wait() -> None:
    deploy = a_pending_one()

    async def scenario(place: Place) -> list[httpx.Response]:
        waiting = asyncio.create_task(place.ask(deploy))
        await asyncio.sleep(0.1)
        place.gate.release()
        return [await waiting, await place.ask(deploy)]

    first, later = at(scenario)
    assert first.json() == {"asked": 1, "verdict": "pending"}
    assert later.json() == {"asked": 2, "verdict": "pending"}


def test_a_client_that_leaves_is_forgotten() -> None:
    deploy = a_pending_one()

    async def scenario(place: Place) -> tuple[int, list[Message]]:
        sent: list[Message] = []
        left = asyncio.Event()

        async def receive() -> Message:
            await left.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            sent.append(message)

        scope: Scope = {"path": "/"}
        request = asyncio.ensure_future(
            place.gate(scope, receive, send, Wait(deploy, 5))
        )
        await asyncio.sleep(0.1)
        left.set()
        await asyncio.wait_for(request, 1)
        return place.django.asked, sent

    assert at(scenario) == (1, [])


def test_a_lost_connection_to_the_database_is_replaced() -> None:
    deploy = a_pending_one()
    others = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND application_name = 'gate test' "
        "AND pid <> pg_backend_pid()"
    )

    async def scenario(place: Place) -> httpx.Response:
        waiting = asyncio.create_task(place.ask(deploy))
        await asyncio.sleep(0.1)
        await place.execute(others)
        await place.execute(SETTLE, deploy)
        return await waiting

    named = conninfo(connection.settings_dict) + " application_name='gate test'"
    assert at(scenario, database=named).json()["asked"] == 2


def test_while_the_database_is_away_requests_wait_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario(place: Place) -> httpx.Response:
        await place.pool.close()
        return await place.ask(wait=1)

    answer = at(scenario)
    assert answer.json() == {"asked": 2, "verdict": "pending"}
    told = [record for record in caplog.records if record.name == "releases.gate"]
    assert len(told) == 1
