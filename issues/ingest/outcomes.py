"""Refusals, counted per minute, key, category and reason."""

import asyncio
import logging
import time
from collections import Counter
from datetime import UTC, datetime

from psycopg import Error as PostgresError
from psycopg_pool import AsyncConnectionPool

from issues.ingest.keys import Key
from issues.ingest.limits import category

log = logging.getLogger(__name__)

FLUSH_SECONDS = 5.0
# A database that is away for long may not fill the memory of this process.
MAX_ENTRIES = 50_000

_ADD = """
INSERT INTO issues_outcome (project_id, key_id, minute, category, reason, quantity)
VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT (project_id, key_id, minute, category, reason)
DO UPDATE SET quantity = issues_outcome.quantity + excluded.quantity
"""

Entry = tuple[int, int, int, str, str]


class Outcomes:
    """Counts in memory, written every few seconds and by ``stop``."""

    def __init__(self, pool: AsyncConnectionPool) -> None:
        self._pool = pool
        self._counts: Counter[Entry] = Counter()
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    def refused(self, key: Key, kinds: tuple[str, ...], reason: str) -> None:
        """Count one refused envelope: each item in its category."""
        minute = int(time.time()) // 60 * 60
        for kind in kinds or ("",):
            entry = (key.project_id, key.id, minute, category(kind), reason)
            if entry in self._counts or len(self._counts) < MAX_ENTRIES:
                self._counts[entry] += 1

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="outcomes")

    async def stop(self) -> None:
        """Write what is left; a database that is away loses it."""
        # A cancelled statement may end as an error of the database.
        self._stopping = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self.flush()

    async def flush(self) -> None:
        """Write the counts; they stay for the next time where that fails."""
        counts, self._counts = self._counts, Counter()
        if not counts:
            return
        # Sorted, so that two processes lock the rows in one order.
        rows = [
            (project, key, datetime.fromtimestamp(minute, UTC), kind, reason, quantity)
            for (project, key, minute, kind, reason), quantity in sorted(counts.items())
        ]
        try:
            async with (
                self._pool.connection(timeout=2) as connection,
                connection.transaction(),
                connection.cursor() as cursor,
            ):
                await cursor.executemany(_ADD, rows)
        except (PostgresError, OSError) as error:
            self._counts.update(counts)
            log.warning("outcomes not written, %s kept: %s", len(counts), error)
        except asyncio.CancelledError:
            self._counts.update(counts)
            raise

    async def _run(self) -> None:
        while not self._stopping:
            await asyncio.sleep(FLUSH_SECONDS)
            await self.flush()
