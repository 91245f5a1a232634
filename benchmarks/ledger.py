"""Do all counters tell the same story as the rows?"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import psycopg

from benchmarks.system import Connection

COUNT = """
SELECT (SELECT count(*) FROM issues_event),
    (SELECT count(DISTINCT (project_id, event_id)) FROM issues_event),
    (SELECT count(*) FROM issues_seenevent),
    (SELECT coalesce(sum(s.events), 0) FROM issues_issuestats s
        JOIN issues_issue i ON i.id = s.issue_id AND i.merged_into_id IS NULL),
    (SELECT coalesce(sum(events), 0) FROM issues_issueminute),
    (SELECT coalesce(sum(events), 0) FROM issues_issuehour),
    (SELECT coalesce(sum(events), 0) FROM releases_releaseminute),
    (SELECT coalesce(sum(events), 0) FROM tenants_keyminute),
    (SELECT count(*) FROM issues_event WHERE tenant_id IS NOT NULL),
    (SELECT coalesce(sum(events), 0) FROM issues_issuetenant),
    (SELECT coalesce(sum(quantity), 0) FROM issues_outcome WHERE reason = 'duplicate'),
    (SELECT count(*) FROM issues_deadletter),
    (SELECT count(*) FROM issues_inboxenvelope),
    (SELECT count(*) FROM issues_digestrun),
    (SELECT count(*) FROM issues_issue)
"""
IDLE = """
SELECT NOT EXISTS (SELECT FROM issues_inboxenvelope)
    AND NOT EXISTS (SELECT FROM issues_digestrun)
"""


@dataclass(frozen=True, slots=True)
class Ledger:
    """Rows of events, and every counter of them."""

    rows: int
    distinct: int
    seen: int
    issue_stats: int
    issue_minutes: int
    issue_hours: int
    release_minutes: int
    key_minutes: int
    rows_with_tenant: int
    issue_tenants: int
    duplicates: int
    dead_letters: int
    inbox: int
    runs: int
    issues: int

    def faults(self) -> list[str]:
        """Where a counter differs from the rows; empty when all is well."""
        wanted = {
            "distinct": self.rows,
            "seen": self.rows,
            "issue_stats": self.rows,
            "issue_minutes": self.rows,
            "issue_hours": self.rows,
            "release_minutes": self.rows,
            "key_minutes": self.rows,
            "issue_tenants": self.rows_with_tenant,
            "dead_letters": 0,
            "inbox": 0,
            "runs": 0,
        }
        return [
            f"{name} is {getattr(self, name)}, not {value}"
            for name, value in wanted.items()
            if getattr(self, name) != value
        ]


def read_ledger(connection: Connection) -> Ledger:
    """Count everything once."""
    row = connection.execute(COUNT).fetchone()
    if row is None:
        raise psycopg.OperationalError("no answer to the count")
    return Ledger(*(int(str(value)) for value in row))


def wait_until_digested(connect: Callable[[], Connection], seconds: float) -> float:
    """Wait until nothing is left to digest; returns the time of that (Unix, seconds).

    Connects anew when the server ends. Raises TimeoutError.
    """
    deadline = time.time() + seconds
    connection: Connection | None = None
    while time.time() < deadline:
        try:
            connection = connection or connect()
            row = connection.execute(IDLE).fetchone()
            if row and row[0]:
                moment = time.time()
                connection.close()
                return moment
        except psycopg.OperationalError:
            connection = None
        time.sleep(0.02)
    raise TimeoutError(f"events were still waiting for digest after {seconds:.0f} s")
