"""Deletes what is past its time, a piece at a time, so that nothing waits long."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from time import monotonic

from django.db import connection

from issues import partitions
from issues.disk import HIGH
from issues.models import (
    Alert,
    CheckIn,
    DeadLetter,
    DetailMinute,
    Feedback,
    IngestLagMinute,
    IssueHour,
    IssueMinute,
    Outcome,
    ScoreHour,
    SeenEvent,
    WaitingEvent,
)
from releases.models import (
    Evaluation,
    ReleaseMinute,
    ReleaseNetwork,
    ReleaseUser,
    SessionState,
    TenantMinute,
    TrafficMinute,
)
from tenants.models import KeyMinute

PIECE = 20_000
# Table, its time column, and how long a row is kept.
FIXED = [
    (DetailMinute._meta.db_table, "minute", timedelta(hours=48)),
    (SessionState._meta.db_table, "minute", timedelta(hours=48)),
    (KeyMinute._meta.db_table, "minute", timedelta(hours=48)),
    (TrafficMinute._meta.db_table, "minute", timedelta(hours=48)),
    (IssueMinute._meta.db_table, "minute", IssueMinute.KEPT),
    (ScoreHour._meta.db_table, "hour", timedelta(days=8)),
    (IngestLagMinute._meta.db_table, "minute", timedelta(days=8)),
    (ReleaseMinute._meta.db_table, "minute", timedelta(days=15)),
    (TenantMinute._meta.db_table, "minute", timedelta(days=15)),
    (ReleaseNetwork._meta.db_table, "first_seen", timedelta(days=15)),
    (ReleaseUser._meta.db_table, "day", timedelta(days=15)),
    (WaitingEvent._meta.db_table, "received", timedelta(days=7)),
    (Outcome._meta.db_table, "minute", timedelta(days=30)),
    (CheckIn._meta.db_table, "started", timedelta(days=30)),
    (Evaluation._meta.db_table, "at", timedelta(days=90)),
    (Alert._meta.db_table, "at", timedelta(days=90)),
    (IssueHour._meta.db_table, "hour", timedelta(days=396)),
]


def apply(
    now: datetime,
    *,
    event_days: int,
    seen_days: int,
    dead_letter_days: int,
    dead_letter_bytes: int,
    seconds: float,
    disk_use: Callable[[], float] = lambda: 0.0,
) -> dict[str, int]:
    """Delete for at most ``seconds``; returns rows (partitions: days) per table.

    ``disk_use`` tells the used share of the database's disk (0-1): while it is high the
    oldest days of events go before their time, today's never.
    """
    deadline = monotonic() + seconds
    partitions.ensure_ahead(now.date())
    dropped = partitions.retire_before(now.date() - timedelta(days=event_days))
    dropped += _free_disk(now.date(), disk_use, deadline)
    gone = {"issues_event": len(dropped)}
    kept = [
        *FIXED,
        (Feedback._meta.db_table, "received", timedelta(days=event_days)),
        (SeenEvent._meta.db_table, "received", timedelta(days=seen_days)),
        (DeadLetter._meta.db_table, "failed_at", timedelta(days=dead_letter_days)),
    ]
    for table, column, age in kept:
        gone[table] = _delete_pieces(table, column, now - age, deadline)
    gone[DeadLetter._meta.db_table] += _shrink_dead_letters(dead_letter_bytes)
    return {table: count for table, count in gone.items() if count}


def _free_disk(
    today: date, disk_use: Callable[[], float], deadline: float
) -> list[date]:
    """Drop the oldest days of events, one after another, while the disk is high."""
    dropped: list[date] = []
    while disk_use() >= HIGH and monotonic() < deadline:
        past = sorted(day for day in partitions.existing() if day < today)
        if not past:
            break
        dropped += partitions.retire_before(past[0] + timedelta(days=1))
    return dropped


def _delete_pieces(table: str, column: str, before: datetime, deadline: float) -> int:
    total = 0
    while monotonic() < deadline:
        with connection.cursor() as cursor:
            cursor.execute(
                f"DELETE FROM {table} WHERE ctid = ANY(ARRAY("
                f"SELECT ctid FROM {table} WHERE {column} < %s LIMIT {PIECE}))",
                [before],
            )
            deleted: int = cursor.rowcount
        total += deleted
        if deleted < PIECE:
            break
    return total


def _shrink_dead_letters(max_bytes: int) -> int:
    """Delete the oldest dead letters beyond ``max_bytes`` of bodies."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM issues_deadletter WHERE id IN (SELECT id FROM ("
            " SELECT id, sum(octet_length(body)) OVER (ORDER BY id DESC) AS total"
            " FROM issues_deadletter) sized WHERE total > %s)",
            [max_bytes],
        )
        deleted: int = cursor.rowcount
    return deleted
