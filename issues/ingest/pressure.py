"""How full the inbox is: an estimate of each second, never a count."""

import asyncio
import logging
import time
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from psycopg import Error as PostgresError
from psycopg_pool import AsyncConnectionPool

from issues.disk import FULL, disk_use

log = logging.getLogger(__name__)

REFRESH_SECONDS = 1.0
STALE_SECONDS = 5.0
# Taking again begins below this share of a cap, so that it does not flutter.
REOPEN = 0.95

# Ids run on as rows come, so their span bounds the rows, and one row that stays long
# stretches it; the table's size bounds them too, and outlives a backlog until vacuum.
# The smaller bound holds. The newest rows tell what a row weighs: many of them, because
# a few with attachments may outweigh all others. No body is read: its length is known
# from the row, as bodies are stored outside of it and not compressed by PostgreSQL.
_ESTIMATE = """
SELECT coalesce((SELECT max(id) FROM issues_inboxenvelope)
              - (SELECT min(id) FROM issues_inboxenvelope) + 1, 0),
       pg_total_relation_size('issues_inboxenvelope'),
       coalesce((SELECT avg(octet_length(body)) FROM
           (SELECT body FROM issues_inboxenvelope ORDER BY id DESC LIMIT 400) newest),
           0)::float8,
       (SELECT received FROM issues_inboxenvelope ORDER BY id LIMIT 1)
"""
_ROW_OVERHEAD = 200


class Backlog(NamedTuple):
    """What waits for digest; ``oldest`` is the received time of the head."""

    envelopes: int
    bytes: int
    oldest: datetime | None

    def lag(self, now: datetime) -> float:
        """Seconds that the head of the inbox has waited."""
        return max((now - self.oldest).total_seconds(), 0.0) if self.oldest else 0.0


class Pressure:
    """Refreshes itself between ``start`` and ``stop``.

    ``full``: why no envelope is taken (``inbox_full``, ``disk_full``), "" if they are.
    ``data_dir``: where the embedded database lies, None for one elsewhere.
    """

    def __init__(
        self,
        pool: AsyncConnectionPool,
        *,
        max_envelopes: int,
        max_bytes: int,
        data_dir: Path | None,
    ) -> None:
        self._pool = pool
        self._max_envelopes, self._max_bytes = max_envelopes, max_bytes
        self._data_dir = data_dir
        self._read_at = float("-inf")
        self._task: asyncio.Task[None] | None = None
        self._stopping = False
        self.full = ""
        self.backlog = Backlog(0, 0, None)

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="inbox pressure")

    async def stop(self) -> None:
        # A cancelled query may end as an error of the database.
        self._stopping = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    @property
    def fresh(self) -> bool:
        """Whether the database answered lately."""
        return time.monotonic() - self._read_at < STALE_SECONDS

    async def refresh(self) -> None:
        """Read the estimate; raises what the database raises."""
        async with self._pool.connection(timeout=2) as connection:
            cursor = await connection.execute(_ESTIMATE)
            row = await cursor.fetchone()
        if row is not None:
            self.backlog = estimate(*row)
        self._read_at = time.monotonic()
        self.full = self._judge()

    def _judge(self) -> str:
        share = REOPEN if self.full else 1.0
        used = disk_use(self._data_dir) if self._data_dir else 0.0
        if used >= FULL:
            return "disk_full"
        if (
            self.backlog.envelopes >= self._max_envelopes * share
            or self.backlog.bytes >= self._max_bytes * share
        ):
            return "inbox_full"
        return ""

    async def _run(self) -> None:
        while not self._stopping:
            before = self.full
            try:
                await self.refresh()
            except (PostgresError, OSError) as error:
                log.debug("inbox not estimated: %s", error)
            if self.full != before:
                log.warning("ingest %s: %s", self.full or "open again", self.backlog)
            if not self._stopping:
                await asyncio.sleep(REFRESH_SECONDS)


def estimate(
    span: int, table_bytes: int, body_bytes: float, oldest: datetime | None
) -> Backlog:
    """The backlog from the span of ids, table size and mean body (bytes)."""
    row_bytes = body_bytes + _ROW_OVERHEAD
    envelopes = int(min(span, table_bytes / row_bytes)) if oldest else 0
    return Backlog(envelopes, int(envelopes * row_bytes), oldest)
