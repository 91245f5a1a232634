"""One COPY and one commit for many inbox rows, over libpq without a layer between."""

import asyncio
import struct
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import AsyncConnection, OperationalError, pq
from psycopg.conninfo import make_conninfo

COLUMNS = "project_id, key_id, kind, received, size, body"
# One simple query, so that a batch costs two round trips. The writer's row tells after
# a lost connection whether the batch was committed. pg_xact_status cannot: after a
# crash PostgreSQL gives the number of a lost transaction out again.
_BATCH = """
BEGIN;
INSERT INTO issues_inboxwriter (id, batch, seen) VALUES ('{writer}', {batch}, now())
ON CONFLICT (id) DO UPDATE SET batch = excluded.batch, seen = excluded.seen;
COPY issues_inboxenvelope ({columns}) FROM STDIN (FORMAT binary);
COMMIT
"""
_SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = b"\xff\xff"
# Options of Django's that libpq does not know.
_NOT_LIBPQ = frozenset(
    {"assume_role", "isolation_level", "pool", "server_side_binding"}
)
# SQLSTATE classes that blame the row: data, constraint, and program limit errors.
_ROW_ERRORS = ("22", "23", "54")
# Seconds from the Unix epoch to PostgreSQL's, 2000-01-01.
_EPOCH = 946_684_800

_IDS = struct.Struct("!hiqiqi")
_REST = struct.Struct("!iqiii")


def conninfo(database: Mapping[str, Any]) -> str:
    """The libpq connection string of an entry of Django's DATABASES."""
    names = {"NAME": "dbname", "USER": "user", "PASSWORD": "password"}
    names |= {"HOST": "host", "PORT": "port"}
    parts = {names[name]: database[name] for name in names if database.get(name)}
    told = database.get("OPTIONS") or {}
    parts |= {name: value for name, value in told.items() if name not in _NOT_LIBPQ}
    return make_conninfo(**parts)


class Lost(Exception):
    """The connection ended. ``unknown``: the batch may have been committed."""

    def __init__(self, message: str, *, unknown: bool) -> None:
        super().__init__(message)
        self.unknown = unknown


class Refused(Exception):
    """PostgreSQL refused the batch and rolled it back.

    ``by_row``: the data is to blame, else the state of the database is.
    """

    def __init__(self, message: str, sqlstate: str) -> None:
        super().__init__(message)
        self.by_row = sqlstate.startswith(_ROW_ERRORS)


def copy_row(
    project_id: int,
    key_id: int,
    kind: bytes,
    received: float,
    size: int,
    body: bytes,
) -> bytes:
    """One row in the format of a binary COPY.

    ``received``: Unix time in seconds. ``size``: bytes before compression. ``body``:
    sealed.
    """
    microseconds = int((received - _EPOCH) * 1_000_000)
    return b"".join(
        (
            _IDS.pack(6, 8, project_id, 8, key_id, len(kind)),
            kind,
            _REST.pack(8, microseconds, 4, size, len(body)),
            body,
        )
    )


class CopyConnection:
    """A connection of one writer; use ``open`` to make it."""

    def __init__(self, connection: AsyncConnection, writer: uuid.UUID) -> None:
        self._connection = connection
        self._pgconn = connection.pgconn
        self._writer = writer
        self._loop = asyncio.get_running_loop()

    @classmethod
    async def open(cls, conninfo: str, writer: uuid.UUID) -> "CopyConnection":
        """Connect and note the writer; raises psycopg.OperationalError.

        The writer's row must stand before its first batch: only a row that was there
        can be waited for.
        """
        connection = await AsyncConnection.connect(conninfo, autocommit=True)
        try:
            await make_durable(connection)
            await connection.execute(
                "DELETE FROM issues_inboxwriter WHERE seen < now() - interval '7 days'"
            )
            await connection.execute(
                "INSERT INTO issues_inboxwriter (id, batch, seen) "
                "VALUES (%s, 0, now()) ON CONFLICT (id) DO NOTHING",
                (writer,),
            )
        except BaseException:
            await connection.close()
            raise
        return cls(connection, writer)

    async def close(self) -> None:
        await self._connection.close()

    async def committed(self, batch: int) -> bool:
        """Whether the writer's last batch, ``batch``, was committed.

        Waits for a former connection that still holds the writer's row.
        """
        cursor = await self._connection.execute(
            "SELECT batch FROM issues_inboxwriter WHERE id = %s FOR UPDATE",
            (self._writer,),
        )
        row = await cursor.fetchone()
        return row is not None and row[0] == batch

    async def commit(self, rows: Sequence[bytes], batch: int) -> None:
        """Store the rows in one transaction; raises Refused or Lost.

        A cancelled call leaves the connection unusable and the outcome unknown.
        """
        sent = False
        try:
            query = _BATCH.format(writer=self._writer, batch=batch, columns=COLUMNS)
            self._pgconn.send_query(query.encode())
            await self._results(until_copy=True)
            sent = True
            self._pgconn.put_copy_data(b"".join((_SIGNATURE, *rows, _TRAILER)))
            self._pgconn.put_copy_end()
            await self._results(until_copy=False)
        except OperationalError as error:
            raise Lost(str(error), unknown=sent) from error

    async def _results(self, *, until_copy: bool) -> None:
        """Take the answers to the batch, up to the start of COPY or to the end."""
        await self._flush()
        tag, failure = b"", None
        while True:
            while self._pgconn.is_busy():
                await self._ready(read=True)
                self._pgconn.consume_input()
            result = self._pgconn.get_result()
            if result is None:
                break
            if result.status == pq.ExecStatus.COPY_IN:
                return
            if result.status == pq.ExecStatus.FATAL_ERROR:
                failure = failure or result
            tag = result.command_status or b""
        if failure is not None:
            await self._rolled_back(failure)
        elif until_copy or tag != b"COMMIT":
            raise OperationalError(f"unexpected answer to the batch: {tag!r}")

    async def _rolled_back(self, failure: pq.abc.PGresult) -> None:
        message = failure.error_message or b""
        text = message.decode(errors="replace").strip()
        state = failure.error_field(pq.DiagnosticField.SQLSTATE) or b""
        if self._pgconn.status != pq.ConnStatus.OK:
            raise OperationalError(text)
        await self._connection.execute("ROLLBACK")
        raise Refused(text, state.decode())

    async def _flush(self) -> None:
        while self._pgconn.flush():
            await self._ready(read=False)
            self._pgconn.consume_input()

    async def _ready(self, *, read: bool) -> None:
        """Wait until the socket can be read, or else written or read."""
        socket = self._pgconn.socket
        ready = self._loop.create_future()
        self._loop.add_reader(socket, _wake, ready)
        if not read:
            self._loop.add_writer(socket, _wake, ready)
        try:
            await ready
        finally:
            self._loop.remove_reader(socket)
            if not read:
                self._loop.remove_writer(socket)


async def make_durable(connection: AsyncConnection) -> None:
    """Short statements, and commits that are on disk when they return."""
    await connection.execute(
        "SELECT set_config('statement_timeout', '5s', false),"
        " set_config('lock_timeout', '2s', false),"
        " set_config('idle_in_transaction_session_timeout', '10s', false)"
    )
    # Off would answer 200 before the commit is on disk. What is stricter stays.
    await connection.execute(
        "SELECT set_config('synchronous_commit', 'on', false)"
        " WHERE current_setting('synchronous_commit') = 'off'"
    )


def _wake(ready: "asyncio.Future[None]") -> None:
    if not ready.done():
        ready.set_result(None)
