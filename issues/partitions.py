"""Day partitions of the event table, by ``received`` in UTC."""

import re
from datetime import UTC, date, datetime, timedelta

from django.db import connection

DAYS_AHEAD = 14
PARTITION = re.compile(r"issues_event_(\d{8})\Z")


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


def create(day: date) -> None:
    """Make the partition of ``day`` unless it is there; two callers may race."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE TABLE IF NOT EXISTS {name_of(day)} PARTITION OF issues_event"
            f" FOR VALUES FROM ('{day} 00:00+00') TO ('{day + timedelta(1)} 00:00+00')"
        )


def ensure_ahead(today: date) -> list[date]:
    """Make the partitions of today and the days ahead; returns the new days."""
    wanted = [today + timedelta(days) for days in range(DAYS_AHEAD + 1)]
    missing = sorted(set(wanted) - existing())
    for day in missing:
        create(day)
    return missing


def drop_before(day: date) -> list[date]:
    """Drop the partitions of the days before ``day``; returns what went."""
    old = sorted(past for past in existing() if past < day)
    with connection.cursor() as cursor:
        for past in old:
            cursor.execute(f"DROP TABLE IF EXISTS {name_of(past)}")
    return old
