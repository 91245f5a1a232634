"""kill -9 of each process of a running system, and what became of the events."""

import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import psycopg

from benchmarks import machine
from benchmarks.ledger import Ledger, read_ledger, wait_until_digested
from benchmarks.sender import Sender
from benchmarks.system import Connection, System

RECOVERY_SECONDS = 60.0
BACKEND = """
SELECT pid FROM pg_stat_activity
WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'
ORDER BY query_start DESC NULLS LAST LIMIT 1
"""
STORED = "SELECT FROM issues_event WHERE event_id = %s LIMIT 1"

# What is killed: a child of ``up`` by its name, or one of these.
POOL_PROCESS = "digest's pool process"
BACKEND_PROCESS = "a backend of postgres"
SUPERVISOR = "up itself"
CHILDREN = ("front", "django", "digest", "worker", "beat", "valkey", "postgres")
TARGETS = (*CHILDREN, POOL_PROCESS, BACKEND_PROCESS)


@dataclass(frozen=True, slots=True)
class Recovery:
    """Seconds from the kill until things worked again.

    ``restarted``: the process runs anew; ``accepted``: an event sent after the kill
    was answered; ``digested``: that event was in the database.
    """

    target: str
    restarted: float
    accepted: float
    digested: float


@dataclass(slots=True)
class Outcome:
    """What the sender was told against what the database holds."""

    acknowledged: int
    ledger: Ledger
    lost: list[UUID] = field(default_factory=list)

    def faults(self) -> list[str]:
        lost = [f"{len(self.lost)} acknowledged events lost"] if self.lost else []
        return lost + self.ledger.faults()


def kill(system: System, target: str) -> None:
    """kill -9; ``up`` itself is started again, as nobody else does that."""
    os.kill(_victim(system, target), signal.SIGKILL)
    if target == SUPERVISOR:
        system.stop()
        system.start()


def _victim(system: System, target: str) -> int:
    if target == SUPERVISOR:
        return system.pid
    if target == POOL_PROCESS:
        return machine.family(system.pids()["digest"])[-1]
    if target == BACKEND_PROCESS:
        with system.connect() as connection:
            row = connection.execute(BACKEND).fetchone()
        if row is None:
            raise RuntimeError("no backend of postgres to kill")
        return int(str(row[0]))
    return system.pids()[target]


def kill_and_recover(system: System, sender: Sender, target: str) -> Recovery:
    """Kill while ``sender`` sends, and wait until the system is whole again.

    Raises TimeoutError when it is not.
    """
    before = system.pids()
    moment = time.time()
    kill(system, target)

    def restarted() -> bool:
        now = system.pids()
        if target == SUPERVISOR:
            return set(now) == set(before)
        return (
            target not in CHILDREN or now.get(target, before[target]) != before[target]
        )

    _wait(restarted, f"{target} was not started again")
    restart = time.time() - moment
    _wait(lambda: sender.first_since(moment) is not None, "no event was accepted")
    first = sender.first_since(moment)
    assert first is not None  # waited for
    _wait(_Stored(system, first.event_id), "an accepted event was not digested")
    return Recovery(target, restart, first.answered - moment, time.time() - moment)


def settle(system: System, sender: Sender, seconds: float) -> Outcome:
    """Wait until all is digested, then compare; the sender has stopped."""
    wait_until_digested(system.connect, seconds)
    with system.connect() as connection:
        rows = connection.execute("SELECT event_id FROM issues_event").fetchall()
        stored = {row[0] for row in rows}
        lost = [a.event_id for a in sender.acknowledged if a.event_id not in stored]
        return Outcome(len(sender.acknowledged), read_ledger(connection), lost)


class _Stored:
    """Whether an event is in the database; asks anew when the server ends."""

    def __init__(self, system: System, event_id: UUID) -> None:
        self._system, self._event_id = system, event_id
        self._connection: Connection | None = None

    def __call__(self) -> bool:
        try:
            self._connection = self._connection or self._system.connect()
            rows = self._connection.execute(STORED, [self._event_id]).fetchall()
        except psycopg.OperationalError:
            self._connection = None
            return False
        if rows:
            self._connection.close()
        return bool(rows)


def _wait(condition: Callable[[], bool], problem: str) -> None:
    deadline = time.monotonic() + RECOVERY_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{problem} within {RECOVERY_SECONDS:.0f} s")
        time.sleep(0.01)


def worst(recoveries: Sequence[Recovery], target: str) -> Recovery:
    """The longest times of a target."""
    mine = [r for r in recoveries if r.target == target]
    return Recovery(
        target,
        max(r.restarted for r in mine),
        max(r.accepted for r in mine),
        max(r.digested for r in mine),
    )
