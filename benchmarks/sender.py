"""A client that remembers every event that was acknowledged.

It behaves worse than an SDK: an event whose answer never came is sent again with the
same id, so that a server which had stored it must notice.
"""

import asyncio
import contextlib
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

EVENT_ID = b"@@EVENT_ID@@"
ANSWER_SECONDS = 30.0
PAUSE_SECONDS = 0.05


@dataclass(slots=True)
class Acknowledged:
    """An event that was answered with 200; Unix times in seconds."""

    event_id: uuid.UUID
    began: float  # the attempt that was answered
    answered: float


class Sender:
    """Sends ``bodies`` in turn over several connections until it is stopped.

    ``rate``: events per second over all connections together.
    """

    def __init__(
        self,
        port: int,
        project_id: int,
        public_key: str,
        bodies: Sequence[bytes],
        *,
        rate: float,
        connections: int = 16,
    ) -> None:
        self._port, self._bodies = port, bodies
        self._path = f"/api/{project_id}/envelope/?sentry_key={public_key}"
        self._rate, self._connections = rate, connections
        self._stopping = threading.Event()
        self._sent = 0
        self.acknowledged: list[Acknowledged] = []
        self.refused: Counter[int] = Counter()  # by status
        self.repeated = 0  # sent again because no answer came

    @contextlib.contextmanager
    def running(self) -> Iterator["Sender"]:
        """Send during the block; after it every request has its answer."""
        thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._stopping.set()
            thread.join(2 * ANSWER_SECONDS)

    def first_since(self, moment: float) -> Acknowledged | None:
        """The first answer to a request that began at ``moment`` or later."""
        later = [a for a in self.acknowledged[-5000:] if a.began >= moment]
        return min(later, key=lambda a: a.answered, default=None)

    async def _run(self) -> None:
        await asyncio.gather(*(self._send_on() for _ in range(self._connections)))

    async def _send_on(self) -> None:
        """One connection after the other, one event after the other."""
        interval = self._connections / self._rate
        line = Line(self._port)
        while not self._stopping.is_set():
            due = time.monotonic() + interval
            body = self._bodies[self._sent % len(self._bodies)]
            self._sent += 1
            await self._deliver(line, uuid.uuid4(), body)
            await asyncio.sleep(max(0.0, due - time.monotonic()))
        line.hang_up()

    async def _deliver(self, line: "Line", event_id: uuid.UUID, body: bytes) -> None:
        request = self._request(body.replace(EVENT_ID, event_id.hex.encode()))
        while True:
            began = time.time()
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    status = await line.ask(request)
            except (OSError, EOFError, TimeoutError):
                self.repeated += line.is_open
                line.hang_up()
                if self._stopping.is_set():
                    return
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            if status == 200:
                found = Acknowledged(event_id, began, time.time())
                self.acknowledged.append(found)
            else:
                self.refused[status] += 1
            return

    def _request(self, body: bytes) -> bytes:
        head = (
            f"POST {self._path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            "Content-Type: application/x-sentry-envelope\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


class Line:
    """A connection that is made when it is needed."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    @property
    def is_open(self) -> bool:
        return self._streams is not None

    async def ask(self, request: bytes) -> int:
        """Send a request; returns the answer's status."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        _, _, length = head.partition(b"content-length:")
        await reader.readexactly(int(length.split(b"\r\n")[0] or 0))
        return int(head.split(b" ", 2)[1])

    def hang_up(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None
