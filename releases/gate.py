"""The gate of CI: requests for a verdict wait here until it is final.

Django answers ``GET /api/v1/deploys/<id>/verdict`` and checks who asks. With ``wait``
and while the verdict is pending, the request waits in front of Django, without a
thread and without a database connection: one query a second looks for all who wait.
"""

import asyncio
import logging
import re
from typing import NamedTuple
from urllib.parse import parse_qs

import orjson
from psycopg import Error as PostgresError
from psycopg_pool import AsyncConnectionPool

from tenants.asgi_types import Application, Message, Receive, Scope, Send
from tenants.refusals import Refusal

log = logging.getLogger(__name__)

LONGEST_SECONDS = 3600
LOOK_SECONDS = 1.0
# A crowd that wakes at once must leave threads of Django to others.
ASKED_AT_ONCE = 2
FULL_RETRY_SECONDS = 10
VERDICT_HEADER = "X-Verdict"

_PATH = re.compile(r"/api/v1/deploys/(\d{1,18})/verdict/?")
_PENDING = (VERDICT_HEADER.lower().encode(), b"pending")
# A deploy without a watch is waited for as well: Django says pending of it.
_OPEN = """
SELECT deploy.id FROM releases_deploy deploy
LEFT JOIN releases_watch watch ON watch.deploy_id = deploy.id
WHERE deploy.id = ANY(%s) AND coalesce(watch.verdict, 'pending') = 'pending'
"""


class Wait(NamedTuple):
    """What a request waits for, and for how many seconds."""

    deploy_id: int
    seconds: int


def wait_seconds(text: str) -> int:
    """The value of ``wait``; raises Refusal unless it is from 1 to LONGEST_SECONDS."""
    if text.isascii() and text.isdigit() and 1 <= len(text) <= 4:
        seconds = int(text)
        if 1 <= seconds <= LONGEST_SECONDS:
            return seconds
    raise Refusal(
        f"wait={text[:20]}: give whole seconds from 1 to {LONGEST_SECONDS}, or leave "
        "it out for an answer at once."
    )


def wait_of(scope: Scope) -> Wait | None:
    """What a request waits for; None for one that Django alone answers.

    Such is also a request whose ``wait`` is not valid: Django says what is wrong.
    """
    found = _PATH.fullmatch(scope["path"])
    if found is None or scope["method"] != "GET":
        return None
    told = parse_qs(scope["query_string"].decode("latin-1")).get("wait")
    if told is None:
        return None
    try:
        return Wait(int(found[1]), wait_seconds(told[-1]))
    except Refusal:
        return None


class VerdictGate:
    """Holds the requests of ``wait_of``; at most ``most`` of them at a time.

    ``django`` answers them, ``pool`` is one that is open anyway.
    """

    def __init__(
        self, django: Application, pool: AsyncConnectionPool, most: int
    ) -> None:
        self._django, self._most = django, most
        self._lookout = _Lookout(pool)
        self._asking = asyncio.Semaphore(ASKED_AT_ONCE)
        self._visits: set[_Visit] = set()
        self._released = False

    def release(self) -> None:
        """Let nobody wait from now on.

        Who waits gets the answer that it came for, pending as it still is, without
        another look: a stop must not take long because of a crowd.
        """
        self._released = True
        for visit in self._visits:
            visit.woken.set()

    async def stop(self) -> None:
        """Leave nothing running."""
        self.release()
        await self._lookout.stop()

    async def __call__(
        self, scope: Scope, receive: Receive, send: Send, wait: Wait
    ) -> None:
        """Answer as Django does, once the verdict is final or the time over."""
        if len(self._visits) >= self._most:
            return await _send_full(send)
        visit = _Visit(receive)
        self._visits.add(visit)
        listening = asyncio.create_task(visit.listen())
        try:
            answer = await self._ask(scope, visit)
            if _is_pending(answer) and not self._released:
                await self._lookout.wait(wait, visit.woken)
                if not self._released:
                    answer = await self._ask(scope, visit)
        finally:
            listening.cancel()
            self._visits.discard(visit)
        for message in answer:
            await send(message)
        return None

    async def _ask(self, scope: Scope, visit: "_Visit") -> list[Message]:
        """Django's answer, held back; nothing when the client has left."""
        answer: list[Message] = []

        async def keep(message: Message) -> None:
            answer.append(message)

        async with self._asking:
            if not visit.left.is_set():
                await self._django(scope, visit.receiver(), keep)
        return answer


class _Visit:
    """One request while it is here; ``woken``: it need not wait any longer."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.left, self.woken = asyncio.Event(), asyncio.Event()

    async def listen(self) -> None:
        """Notice when the client leaves; what it sends as a body is of no use."""
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.left.set()
        self.woken.set()

    def receiver(self) -> Receive:
        """What one asking of Django reads: no body, then perhaps the leaving."""
        told = False

        async def receive() -> Message:
            nonlocal told
            if told:
                await self.left.wait()
                return {"type": "http.disconnect"}
            told = True
            return {"type": "http.request", "body": b"", "more_body": False}

        return receive


class _Lookout:
    """Looks for all who wait in one query, once a second, while somebody waits."""

    def __init__(self, pool: AsyncConnectionPool) -> None:
        self._pool = pool
        self._waiting: dict[int, set[asyncio.Event]] = {}
        self._looking: asyncio.Task[None] | None = None
        self._failed = False

    async def wait(self, wait: Wait, woken: asyncio.Event) -> None:
        """Return once the verdict is final, the time over, or ``woken`` set."""
        timer = asyncio.get_running_loop().call_later(wait.seconds, woken.set)
        others = self._waiting.setdefault(wait.deploy_id, set())
        others.add(woken)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look(), name="verdict lookout")
        try:
            await woken.wait()
        finally:
            timer.cancel()
            others.discard(woken)
            if not others:
                del self._waiting[wait.deploy_id]

    async def stop(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait([self._looking])

    async def _look(self) -> None:
        while self._waiting:
            await asyncio.sleep(LOOK_SECONDS)
            asked = list(self._waiting)
            try:
                still_open = await self._open(asked)
            except (PostgresError, OSError) as error:
                self._note_failure(error)
                continue
            self._failed = False
            for deploy_id in set(asked) - still_open:
                for woken in self._waiting.get(deploy_id, ()):
                    woken.set()

    async def _open(self, deploy_ids: list[int]) -> set[int]:
        async with self._pool.connection(timeout=2) as connection:
            cursor = await connection.execute(_OPEN, (deploy_ids,))
            return {row[0] for row in await cursor.fetchall()}

    def _note_failure(self, error: Exception) -> None:
        """Once per outage; those who wait go on waiting."""
        if not self._failed:
            log.warning("verdicts not looked for: %s", error)
        self._failed = True


def _is_pending(answer: list[Message]) -> bool:
    if not answer or answer[0]["status"] != 200:
        return False
    return _PENDING in ((name.lower(), value) for name, value in answer[0]["headers"])


async def _send_full(send: Send) -> None:
    problem = {
        "type": "about:blank",
        "title": "Service Unavailable",
        "status": 503,
        "detail": "Too many requests wait for a verdict (GATE_MAX_WAITING): ask again "
        "later, or without wait.",
    }
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"cache-control", b"no-store"),
        (b"retry-after", b"%d" % FULL_RETRY_SECONDS),
    ]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": orjson.dumps(problem)})
