"""The floor: the least that can take an event durably and hand it on.

A bare ASGI application under granian collects waiting bodies, COPYs them into a table
in one transaction and answers; a second process takes them out with DELETE … RETURNING
and drops them. Nothing is authenticated, parsed, compressed, grouped or counted. The
same PostgreSQL, load and machine as the real system, so the ratio says what our work
costs.

    python -m benchmarks.floor [--seconds 20]
"""

import argparse
import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from benchmarks import load
from benchmarks.page import publish, table
from benchmarks.system import ROOT, free_port
from rush_monitor.cluster import Postgres
from rush_monitor.spawn import start

URL = "FLOOR_DATABASE_URL"
BATCH = 500
CREATE = """
CREATE TABLE waiting (id bigserial PRIMARY KEY,
    received timestamptz NOT NULL DEFAULT now(), body bytea NOT NULL);
ALTER TABLE waiting ALTER COLUMN body SET STORAGE EXTERNAL;
ALTER TABLE waiting SET (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_cost_delay = 0,
    toast.autovacuum_vacuum_scale_factor = 0, toast.autovacuum_vacuum_threshold = 5000,
    toast.autovacuum_vacuum_cost_delay = 0);
CREATE TABLE taken (n bigint NOT NULL, first timestamptz NOT NULL);
"""
TAKE = f"""
WITH gone AS (
    DELETE FROM waiting WHERE id IN (
        SELECT id FROM waiting ORDER BY id LIMIT {BATCH} FOR UPDATE SKIP LOCKED)
    RETURNING received, body)
SELECT received, body FROM gone
"""

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class GroupCommit:
    """The ASGI application; granian runs ``application``."""

    def __init__(self) -> None:
        self._waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        parts = []
        more = True
        while more:
            message = await receive()
            parts.append(message.get("body", b""))
            more = message.get("more_body", False)
        if self._writer is None:
            self._writer = asyncio.create_task(self._write())
        stored = asyncio.get_running_loop().create_future()
        self._waiting.append((b"".join(parts), stored))
        self._wake.set()
        await stored
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"{}"})

    async def _write(self) -> None:
        connection = await psycopg.AsyncConnection.connect(os.environ[URL])
        while True:
            await self._wake.wait()
            self._wake.clear()
            batch, self._waiting = self._waiting, []
            async with connection.cursor() as cursor:
                statement = "COPY waiting (body) FROM STDIN (FORMAT BINARY)"
                async with cursor.copy(statement) as copy:
                    for body, _ in batch:
                        await copy.write_row((body,))
            await connection.commit()
            for _, stored in batch:
                if not stored.done():  # else its client has left
                    stored.set_result(None)


application = GroupCommit()


def consume() -> None:
    """Take bodies out for ever, and count them in the same transaction."""
    with psycopg.connect(os.environ[URL]) as connection:
        while True:
            rows = connection.execute(TAKE, binary=True).fetchall()
            if rows:
                first = min(received for received, _ in rows)
                connection.execute(
                    "INSERT INTO taken VALUES (%s, %s)", [len(rows), first]
                )
            connection.commit()
            if not rows:
                time.sleep(0.005)


@dataclass(frozen=True, slots=True)
class Floor:
    """What the floor reached; ``sustained`` is events per second to the last taken."""

    answers: load.Answers
    sustained: float
    server: str


def measure(workload: Path, seconds: float, connections: int) -> Floor:
    """One run with the embedded PostgreSQL, in a fresh directory."""
    with contextlib.ExitStack() as stack:
        directory = Path(tempfile.mkdtemp(prefix="rush-floor-"))
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        server = Postgres(directory, directory / "run")
        stack.enter_context(server.running())
        connection = stack.enter_context(psycopg.connect(server.url, autocommit=True))
        connection.execute(CREATE)
        port = free_port()
        consumer = stack.enter_context(
            _program(server.url, "benchmarks.floor", "--consume")
        )
        granian = ("granian", "--interface", "asgi", "--no-ws", "--log-level", "error")
        app = ("--port", str(port), "benchmarks.floor:application")
        stack.enter_context(_program(server.url, *granian, *app))
        time.sleep(3)  # until both are there
        target = ("1", "floor", str(workload))
        url = f"http://127.0.0.1:{port}/"
        answers = load.answers(load.start_wrk(url, target, seconds, connections))
        while connection.execute("SELECT 1 FROM waiting LIMIT 1").fetchone():
            if consumer.poll() is not None:
                sys.exit("the consumer ended; its reasons are above")
            time.sleep(0.02)
        last = time.time()
        row = connection.execute(
            "SELECT extract(epoch FROM min(first))::float8, sum(n)::int FROM taken"
        ).fetchone()
        if row is None or row[1] < answers.accepted:
            sys.exit(f"the floor took {row and row[1]} of {answers.accepted} bodies")
        version = str(connection.info.parameter_status("server_version"))
        return Floor(answers, answers.accepted / (last - row[0]), version)


@contextlib.contextmanager
def _program(database_url: str, *argv: str) -> Iterator[subprocess.Popen[bytes]]:
    process = start(
        [sys.executable, "-m", *argv],
        env={**os.environ, URL: database_url, "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


def main() -> None:
    """Measure the floor alone."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--dry", action="store_true", help="print, write no page")
    parser.add_argument("--consume", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.consume:
        consume()
    load.need_wrk()
    with tempfile.TemporaryDirectory(prefix="rush-load-") as directory:
        load.write_workload(Path(directory))
        bare = measure(Path(directory), args.seconds, args.connections)
    times = bare.answers
    rows = [
        ("sustained events/s", f"**{bare.sustained:.0f}**"),
        ("accepted/s", f"{bare.answers.accepted / bare.answers.seconds:.0f}"),
        (
            "accept p50, p99, max, ms",
            f"{times.p50:.1f}, {times.p99:.1f}, {times.max:.0f}",
        ),
    ]
    heading = f"{args.seconds:.0f} s of load"
    publish("floor", heading, bare.server, table(rows), keep=not args.dry)


if __name__ == "__main__":
    main()
