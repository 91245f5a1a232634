"""Instruments that watch a running system while load is on it."""

import contextlib
import threading
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field

import psycopg

from benchmarks import machine
from benchmarks.system import Connection, System

ENGINES = ("postgres", "valkey")
OLDEST = "SELECT received FROM issues_inboxenvelope ORDER BY id LIMIT 1"
LAG = f"SELECT coalesce(extract(epoch FROM now() - ({OLDEST})), 0)::float8"
DIGESTED = "SELECT coalesce(sum(events), 0)::bigint FROM issues_issuehour"
# Digest alone locks inbox rows, so it alone holds this lock on the table.
IN_BATCH = """
SELECT count(*), count(*) FILTER (WHERE wait_event_type = 'Lock')
FROM pg_stat_activity WHERE pid IN (
    SELECT pid FROM pg_locks WHERE mode = 'RowShareLock' AND granted
        AND relation = 'issues_inboxenvelope'::regclass)
"""
# A partitioned table itself is empty; its parts are counted.
TABLES = """
SELECT c.relname, pg_total_relation_size(c.oid) FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public'
WHERE c.relkind = 'r'
"""


def process_groups(system: System) -> dict[str, list[int]]:
    """Process ids by the name of the service."""
    groups = {name: machine.family(pid) for name, pid in system.pids().items()}
    return {"supervisor": [system.pid], **groups}


@dataclass
class Cpu:
    """CPU seconds by service since the start of the measurement."""

    system: System
    before: dict[str, float] = field(default_factory=dict)

    def start(self) -> None:
        self.before = self._read()

    def spent(self) -> dict[str, float]:
        now = self._read()
        return {name: now[name] - self.before.get(name, 0.0) for name in now}

    def _read(self) -> dict[str, float]:
        groups = process_groups(self.system)
        return {name: machine.cpu_seconds(pids) for name, pids in groups.items()}


def memory(system: System, meters: Collection[int]) -> dict[str, int]:
    """Proportional set size in bytes by service.

    Of PostgreSQL's processes that serve the ``meters`` only the shared buffers count.
    """
    groups = process_groups(system)
    return {
        name: machine.pss_bytes(pid for pid in pids if pid not in meters)
        + machine.pss_bytes((pid for pid in pids if pid in meters), "Pss_Shmem")
        for name, pids in groups.items()
    }


def table_sizes(connection: Connection) -> dict[str, int]:
    """Bytes by table, with indexes and TOAST; day partitions as one."""
    sizes: dict[str, int] = {}
    for name, size in connection.execute(TABLES).fetchall():
        table = "issues_event" if str(name).startswith("issues_event_") else str(name)
        sizes[table] = sizes.get(table, 0) + int(str(size))
    return sizes


def wal_bytes(connection: Connection) -> int:
    """All that was ever written ahead."""
    row = connection.execute(
        "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint"
    ).fetchone()
    return int(str(row[0])) if row else 0


@contextlib.contextmanager
def every(seconds: float, look: Callable[[], None]) -> Iterator[None]:
    """Call ``look`` in a thread of its own during the block."""
    stopped = threading.Event()

    def run() -> None:
        due = time.monotonic()
        while not stopped.is_set():
            with contextlib.suppress(psycopg.Error, OSError):
                look()
            due = max(due + seconds, time.monotonic())
            stopped.wait(due - time.monotonic())

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join(10)


class Progress:
    """Digested events and lag over time, once a second."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.digested: list[tuple[float, int]] = []  # Unix time, events so far
        self.lag: list[float] = []  # seconds that the oldest envelope has waited

    def look(self) -> None:
        lag = self._connection.execute(LAG).fetchone()
        events = self._connection.execute(DIGESTED).fetchone()
        if lag and events:
            self.lag.append(float(str(lag[0])))
            self.digested.append((time.time(), int(str(events[0]))))

    def thirds(self, begin: float, end: float) -> list[float]:
        """Digested events per second in each third of a time."""
        marks = [begin + (end - begin) * part / 3 for part in range(4)]
        counts = [self._at(mark) for mark in marks]
        third = (end - begin) / 3
        return [(b - a) / third for a, b in zip(counts, counts[1:], strict=False)]

    def _at(self, moment: float) -> float:
        before = (begin := (0.0, 0))
        for sample in self.digested:
            if sample[0] >= moment:
                if before is begin:
                    return float(sample[1])
                share = (moment - before[0]) / (sample[0] - before[0])
                return before[1] + share * (sample[1] - before[1])
            before = sample
        return float(before[1])


class LockWaits:
    """How often digest backends were seen inside a batch, and waiting for a lock."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.looks = self.in_batch = self.waiting = 0

    def look(self) -> None:
        row = self._connection.execute(IN_BATCH).fetchone()
        if row:
            self.looks += 1
            self.in_batch += int(str(row[0]))
            self.waiting += int(str(row[1]))

    @property
    def share(self) -> float:
        """Of the time inside batches, the part spent waiting for locks."""
        return self.waiting / self.in_batch if self.in_batch else 0.0


class Watch:
    """Every meter at once, between ``with`` and the end of the block."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._cpu = Cpu(system)
        self._stack = contextlib.ExitStack()
        self._memories: list[dict[str, int]] = []
        self._own: set[int] = set()  # PostgreSQL's processes that serve the meters
        self.connection = self._connect()
        self.server = self._version()
        self.progress = Progress(self._connect())
        self.locks = LockWaits(self._connect())
        self.cpu: dict[str, float] = {}
        self.grown: dict[str, int] = {}
        self.wal = 0

    def _connect(self) -> Connection:
        connection = self._stack.enter_context(self._system.connect())
        self._own.add(connection.info.backend_pid)
        return connection

    def _version(self) -> str:
        return str(self.connection.info.parameter_status("server_version"))

    @property
    def memory(self) -> dict[str, int]:
        """PSS in bytes by service when the sum was largest."""
        return max(self._memories, key=lambda sizes: sum(sizes.values()), default={})

    def __enter__(self) -> "Watch":
        self._sizes, self._wal = (
            table_sizes(self.connection),
            wal_bytes(self.connection),
        )
        self._cpu.start()
        self._looking = contextlib.ExitStack()
        for seconds, look in (
            (1.0, self.progress.look),
            (5.0, self._look_at_memory),
            (0.05, self.locks.look),
        ):
            self._looking.enter_context(every(seconds, look))
        return self

    def _look_at_memory(self) -> None:
        self._memories.append(memory(self._system, self._own))

    def __exit__(self, *_: object) -> None:
        self._looking.close()
        self.cpu = self._cpu.spent()
        sizes = table_sizes(self.connection)
        grown = {name: size - self._sizes.get(name, 0) for name, size in sizes.items()}
        self.grown = {name: size for name, size in grown.items() if size > 0}
        self.wal = wal_bytes(self.connection) - self._wal

    def close(self) -> None:
        """Close the connections, which outlive the block for what is still to count."""
        self._stack.close()
