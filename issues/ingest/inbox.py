"""Group commit: one writer takes all waiting rows and stores them in one transaction.

When idle a row waits for nobody; under load one commit serves many. A request is
answered after the commit returned, never before.
"""

import asyncio
import logging
import uuid
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from psycopg import Error as PostgresError

from issues.ingest.commit import CopyConnection, Lost, Refused

log = logging.getLogger(__name__)

MAX_BATCH_ROWS = 1000
MAX_BATCH_BYTES = 8 << 20
COMMIT_SECONDS = 8.0
RETRY_FROM, RETRY_TO = 0.05, 1.0
SWEEP_SECONDS = 0.25
# Events are some kilobytes; what is larger has attachments.
LARGE_ROW_BYTES = 256 << 10


class Unavailable(Exception):
    """The row was not known to be stored in time; it may be stored all the same."""


class RowRefused(Exception):
    """PostgreSQL refused this row; sending it again cannot help."""


class Waiting:
    """A row, its request, and the loop time until which the request waits."""

    __slots__ = ("deadline", "row", "stored")

    def __init__(
        self, row: bytes, stored: "asyncio.Future[None]", deadline: float
    ) -> None:
        self.row, self.stored, self.deadline = row, stored, deadline


class Inbox:
    """Rows in, commits out. ``start`` and ``stop`` bracket its use.

    ``stored(n)`` is called after each commit of ``n`` rows.
    """

    def __init__(
        self, conninfo: str, wait_seconds: float, stored: Callable[[int], None]
    ) -> None:
        self._conninfo = conninfo
        self._wait_seconds = wait_seconds
        self._notify = stored
        self._queue: deque[Waiting] = deque()
        self._batch: list[Waiting] = []
        self._wake = asyncio.Event()
        self._stopping = False
        self._connection: CopyConnection | None = None
        self._writer, self._number = uuid.uuid4(), 0
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        self._tasks = [
            asyncio.create_task(self._run(), name="inbox writer"),
            asyncio.create_task(self._sweep(), name="inbox sweep"),
        ]

    async def stop(self) -> None:
        """Store what waits, for as long as its requests wait, then close."""
        self._stopping = True
        self._wake.set()
        if self._tasks:
            writer, sweep = self._tasks
            await asyncio.wait([writer], timeout=self._wait_seconds + COMMIT_SECONDS)
            for task in (writer, sweep):
                task.cancel()
            await asyncio.gather(writer, sweep, return_exceptions=True)
        await self._disconnect()

    @property
    def waiting(self) -> int:
        """Requests that wait for their commit."""
        return len(self._queue) + len(self._batch)

    def put(self, row: bytes) -> "asyncio.Future[None]":
        """Queue a row; the future is done once it is committed.

        It raises Unavailable or RowRefused.
        """
        loop = asyncio.get_running_loop()
        stored = loop.create_future()
        deadline = loop.time() + self._wait_seconds
        self._queue.append(Waiting(row, stored, deadline))
        self._wake.set()
        return stored

    async def _run(self) -> None:
        while True:
            if not self._queue:
                self._wake.clear()
                if self._stopping:
                    return
                await self._wake.wait()
            self._batch = self._take()
            if self._batch:
                await self._store(self._batch)
                self._batch = []

    def _take(self) -> list[Waiting]:
        batch: list[Waiting] = []
        size = 0
        queue = self._queue
        while queue and len(batch) < MAX_BATCH_ROWS and size < MAX_BATCH_BYTES:
            waiting = queue.popleft()
            # A request that left or was answered needs no row.
            if not waiting.stored.done():
                batch.append(waiting)
                size += len(waiting.row)
        return batch

    async def _store(self, batch: list[Waiting]) -> None:
        """Store the batch, in halves where one row is refused."""
        try:
            await self._commit([waiting.row for waiting in batch], batch)
        except Refused as error:
            if len(batch) == 1:
                log.error("row refused by PostgreSQL: %s", error)
                _fail(batch, RowRefused(str(error)))
                return
            middle = len(batch) // 2
            await self._store(batch[:middle])
            await self._store(batch[middle:])
            return
        except Unavailable as error:
            _fail(batch, error)
            return
        for waiting in batch:
            if not waiting.stored.done():
                waiting.stored.set_result(None)
        self._notify(len(batch))

    async def _commit(self, rows: list[bytes], batch: list[Waiting]) -> None:
        """Commit the rows exactly once, through lost connections.

        Raises Refused for data, Unavailable once no request waits any more.
        """
        self._number += 1
        number, unknown, pause = self._number, False, RETRY_FROM
        while True:
            try:
                async with asyncio.timeout(COMMIT_SECONDS):
                    connection = await self._connect()
                    if unknown and await connection.committed(number):
                        return
                    # Until it answers, a hung server may have committed.
                    unknown = True
                    await connection.commit(rows, number)
                return
            except Refused as error:
                unknown = False
                if error.by_row:
                    raise
                problem: Exception = error
            except Lost as error:
                unknown, problem = error.unknown, error
                await self._disconnect()
            except (TimeoutError, OSError, PostgresError) as error:
                problem = error
                await self._disconnect()
            if all(waiting.stored.done() for waiting in batch):
                raise Unavailable(repr(problem))
            log.warning("inbox not written, trying again: %r", problem)
            await asyncio.sleep(pause)
            pause = min(pause * 2, RETRY_TO)

    async def _connect(self) -> CopyConnection:
        if self._connection is None:
            self._connection = await CopyConnection.open(self._conninfo, self._writer)
        return self._connection

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(OSError, PostgresError):
                await connection.close()

    async def _sweep(self) -> None:
        """Answer requests whose time is up; deadlines rise along the queue."""
        loop = asyncio.get_running_loop()
        error = Unavailable("the database did not answer in time")
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            now = loop.time()
            late = [waiting for waiting in self._batch if waiting.deadline < now]
            while self._queue and self._queue[0].deadline < now:
                late.append(self._queue.popleft())
            _fail(late, error)


class Lanes:
    """Two inboxes: the many small rows do not wait for the commit of a large one."""

    def __init__(
        self, conninfo: str, wait_seconds: float, stored: Callable[[int], None]
    ) -> None:
        self._small = Inbox(conninfo, wait_seconds, stored)
        self._large = Inbox(conninfo, wait_seconds, stored)

    async def start(self) -> None:
        await self._small.start()
        await self._large.start()

    async def stop(self) -> None:
        """Store what waits in both, then close."""
        await asyncio.gather(self._small.stop(), self._large.stop())

    @property
    def waiting(self) -> int:
        """Requests that wait for their commit."""
        return self._small.waiting + self._large.waiting

    def put(self, row: bytes) -> "asyncio.Future[None]":
        """As Inbox.put, in the lane of the row's size."""
        return (self._large if len(row) > LARGE_ROW_BYTES else self._small).put(row)


def _fail(batch: list[Waiting], error: Exception) -> None:
    for waiting in batch:
        if not waiting.stored.done():
            waiting.stored.set_exception(error)
