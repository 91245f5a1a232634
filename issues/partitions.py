"""Day partitions of the event table, by ``received`` in UTC.

A day past retention is dropped, but of each issue the first and newest event and one
per release stay as samples, in one more partition that holds all the days before.
"""

import re
from datetime import UTC, date, datetime, time, timedelta

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

DAYS_AHEAD = 14
PARTITION = re.compile(r"issues_event_(\d{8})\Z")

TARGET = 25
COLUMNS = """
SELECT attname FROM pg_attribute
WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped
"""
MAKE_SAMPLES = """
CREATE TABLE IF NOT EXISTS issues_event_samples
    (LIKE issues_event INCLUDING STORAGE INCLUDING INDEXES)
"""
DETACH_SAMPLES = """
DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_inherits
            WHERE inhrelid = 'issues_event_samples'::regclass) THEN
        ALTER TABLE issues_event DETACH PARTITION issues_event_samples;
    END IF;
END $$
"""
# The first of a release is new to the samples; the newest has none after it.
KEEP_SAMPLES = """
INSERT INTO issues_event_samples
SELECT past.* FROM {day} past
WHERE past.id IN (
    SELECT min(id) FROM {day} p WHERE NOT EXISTS (
        SELECT FROM issues_event_samples s WHERE s.issue_id = p.issue_id
            AND s.release_id IS NOT DISTINCT FROM p.release_id)
    GROUP BY issue_id, release_id
) OR past.id IN (
    SELECT newest.id FROM (SELECT issue_id, max(id) AS id FROM {day} GROUP BY 1) newest
    WHERE NOT EXISTS (SELECT FROM issues_event e
        WHERE e.issue_id = newest.issue_id AND e.id > newest.id)
)
"""


def name_of(day: date) -> str:
    return f"issues_event_{day:%Y%m%d}"


def existing() -> set[date]:
    """The days that have a partition."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits"
            " WHERE inhparent = 'issues_event'::regclass"
        )
        names = [row[0] for row in cursor.fetchall()]
    matches = (PARTITION.search(name) for name in names)
    return {
        datetime.strptime(match[1], "%Y%m%d").replace(tzinfo=UTC).date()
        for match in matches
        if match
    }


def oldest_day() -> datetime:
    """The start of the oldest day whose events are all kept."""
    days = existing()
    first = min(days) if days else datetime.now(UTC).date()
    return datetime.combine(first, time.min, UTC)


def create(day: date) -> None:
    """Make the partition of ``day`` unless it is there; two callers may race."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE TABLE IF NOT EXISTS {name_of(day)} PARTITION OF issues_event"
            f" FOR VALUES FROM ('{day} 00:00+00') TO ('{day + timedelta(1)} 00:00+00')"
        )
        _sample_less(cursor, name_of(day))


def _sample_less(cursor: CursorWrapper, table: str) -> None:
    """Let ANALYZE read 300 × TARGET rows, which it holds in memory with their bodies.

    PostgreSQL's own target of 100 takes 45 MB for each look at a day of 2 kB bodies.
    """
    cursor.execute(COLUMNS, [table])
    changes = ", ".join(
        f'ALTER COLUMN "{name}" SET STATISTICS {TARGET}'
        for (name,) in cursor.fetchall()
    )
    cursor.execute(f"ALTER TABLE {table} {changes}")


def ensure_ahead(today: date) -> list[date]:
    """Make the partitions of today and the days ahead; returns the new days."""
    wanted = [today + timedelta(days) for days in range(DAYS_AHEAD + 1)]
    missing = sorted(set(wanted) - existing())
    for day in missing:
        create(day)
    return missing


def retire_before(day: date) -> list[date]:
    """Drop the partitions of the days before ``day`` except for samples.

    Returns the days that went. Each day is a transaction of its own; it waits at most
    five seconds for the batches in work (OperationalError: try at the next tick).
    """
    old = sorted(past for past in existing() if past < day)
    for past in old:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '5s'")
            cursor.execute(MAKE_SAMPLES)
            cursor.execute("LOCK TABLE issues_event IN ACCESS EXCLUSIVE MODE")
            cursor.execute(DETACH_SAMPLES)
            cursor.execute(KEEP_SAMPLES.format(day=name_of(past)))
            cursor.execute(f"DROP TABLE {name_of(past)}")
            cursor.execute(
                "ALTER TABLE issues_event ATTACH PARTITION issues_event_samples"
                f" FOR VALUES FROM (MINVALUE) TO ('{past + timedelta(1)} 00:00+00')"
            )
    return old
