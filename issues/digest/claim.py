"""Takes envelopes out of the inbox, so that a batch that dies is found again.

1. The ids are locked (``FOR UPDATE SKIP LOCKED``): no other worker sees them.
2. They are noted in a DigestRun on a second connection, which commits at once.
3. The batch deletes them and the note in its own transaction.

So a note whose envelopes nobody locks belongs to a process that died in the batch.
"""

import os
import socket
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import psycopg
from django.db import connection

from issues.models.inbox import ClaimedEnvelope

WORKER = f"{socket.gethostname()}:{os.getpid()}"
MAX_BATCH_BYTES = 64 << 20
# An envelope that ended its process this often, alone in the batch, is given up.
MAX_DEATHS = 2


COLUMNS = ", ".join(ClaimedEnvelope.__slots__)


class Journal:
    """The second connection, which notes what is about to be digested."""

    def __init__(self) -> None:
        self._connection: psycopg.Connection[tuple[int]] | None = None

    def _cursor(self) -> psycopg.Cursor[tuple[int]]:
        if self._connection is None or self._connection.closed:
            parameters = connection.get_connection_params()
            parameters.pop("cursor_factory", None)
            parameters.pop("context", None)
            self._connection = psycopg.connect(**parameters, autocommit=True)
        return self._connection.cursor()

    def note(self, ids: Sequence[int]) -> int:
        """Write the note; returns its id."""
        row = (
            self._cursor()
            .execute(
                "INSERT INTO issues_digestrun"
                " (envelope_ids, worker, deaths, started) VALUES (%s, %s, 0, now())"
                " RETURNING id",
                [list(ids), WORKER],
            )
            .fetchone()
        )
        if row is None:
            raise psycopg.OperationalError("the note of a digest run was not written")
        return row[0]

    def restart(self, run_id: int) -> None:
        """Note that a run which waited is being tried now."""
        self._cursor().execute(
            "UPDATE issues_digestrun SET started = now(), worker = %s WHERE id = %s",
            [WORKER, run_id],
        )

    def forget(self, run_id: int) -> None:
        """The batch was rolled back in good order."""
        self._cursor().execute("DELETE FROM issues_digestrun WHERE id = %s", [run_id])

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@dataclass(slots=True)
class Run:
    """A note: ``started`` is None while it waits to be tried."""

    id: int
    envelope_ids: list[int]
    started: datetime | None
    deaths: int


def noted_runs() -> list[Run]:
    """All notes, live ones of other workers included; almost always few."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, envelope_ids, started, deaths FROM issues_digestrun ORDER BY id"
        )
        return [Run(*row) for row in cursor.fetchall()]


def lock_next(limit: int, noted: Collection[int]) -> list[int]:
    """Lock the oldest free envelopes, at most ``limit`` and MAX_BATCH_BYTES."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, size FROM issues_inboxenvelope WHERE id <> ALL(%s)"
            " ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED",
            [list(noted), limit],
        )
        rows = cursor.fetchall()
    ids: list[int] = []
    total = 0
    for envelope_id, size in rows:
        total += size
        if ids and total > MAX_BATCH_BYTES:
            break
        ids.append(envelope_id)
    return ids


def lock(ids: Sequence[int]) -> list[int] | None:
    """Lock these envelopes; None while another worker holds any of them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM issues_inboxenvelope WHERE id = ANY(%s)"
            " ORDER BY id FOR UPDATE SKIP LOCKED",
            [list(ids)],
        )
        locked = [row[0] for row in cursor.fetchall()]
        cursor.execute(
            "SELECT count(*) FROM issues_inboxenvelope WHERE id = ANY(%s)", [list(ids)]
        )
        (present,) = cursor.fetchone() or (0,)
    return locked if len(locked) == present else None


def take(ids: Sequence[int]) -> list[ClaimedEnvelope]:
    """Delete the envelopes from the inbox and return them, oldest first."""
    statement = (
        "DELETE FROM issues_inboxenvelope WHERE id = ANY(%s::bigint[])"
        f" RETURNING {COLUMNS}"
    )
    # Not Django's cursor, which reads texts: bodies would travel in hexadecimal.
    with psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(statement.encode(), [list(ids)], binary=True)
        rows = [ClaimedEnvelope(*row) for row in cursor.fetchall()]
    rows.sort(key=lambda row: row.id)
    return rows


def forget_in_batch(run_id: int) -> None:
    """Delete the note in the batch's transaction: both go, or neither."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM issues_digestrun WHERE id = %s", [run_id])


def split(run: Run) -> None:
    """Replace a note by two halves that wait, or count one more death alone."""
    ids = run.envelope_ids
    middle = len(ids) // 2
    waiting = [(ids[:middle], 0), (ids[middle:], 0)] if middle else [(ids, run.deaths)]
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM issues_digestrun WHERE id = %s", [run.id])
        cursor.executemany(
            "INSERT INTO issues_digestrun (envelope_ids, worker, deaths, started)"
            " VALUES (%s, %s, %s, NULL)",
            [(half, WORKER, deaths) for half, deaths in waiting],
        )
