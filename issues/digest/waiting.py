"""Notes which events wait for a source map, within bounds.

A project that never uploads maps must not pay for each of its events: what a process
knows to be full it does not ask for again within a minute.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from time import monotonic
from uuid import UUID

from django.db import connection

from issues.digest.bounded_cache import BoundedCache
from issues.digest.map_finder import without_host
from issues.digest.symbolicate import Script
from issues.models import WaitingEvent
from tenants.arrays import columns

MOST_EVENTS = 1_000  # of one file
MOST_ROWS = 50_000  # of one project
URL_CHARACTERS = 500
COUNTED_SECONDS = 60.0
REMEMBERED = 20_000

COUNT = f"""
SELECT p, f, (SELECT count(*) FROM (
    SELECT 1 FROM issues_waitingevent w WHERE w.project_id = p AND w.file = f
    LIMIT {MOST_EVENTS}) counted)
FROM unnest(%s::bigint[], %s::uuid[]) AS wanted (p, f)
"""
COUNT_PROJECT = f"""
SELECT p, (SELECT count(*) FROM (
    SELECT 1 FROM issues_waitingevent w WHERE w.project_id = p
    LIMIT {MOST_ROWS}) counted)
FROM unnest(%s::bigint[]) AS wanted (p)
"""

FileKey = tuple[int, UUID | None]  # a project's file, or the project itself


class Room:
    """How many more events each file and each project may wait with."""

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        self._now = now
        self._left: BoundedCache[FileKey, tuple[int, float]] = BoundedCache(REMEMBERED)

    def count(self, files: Collection[tuple[int, UUID]]) -> None:
        """Count the rows of what was not counted within a minute."""
        unknown = sorted(key for key in files if self._is_old(key))
        projects = sorted({p for p, _ in files if self._is_old((p, None))})
        with connection.cursor() as cursor:
            if projects:
                cursor.execute(COUNT_PROJECT, [projects])
                for project_id, rows in cursor.fetchall():
                    self._set((project_id, None), MOST_ROWS - rows)
            if unknown:
                cursor.execute(COUNT, columns(unknown))
                for project_id, file, rows in cursor.fetchall():
                    self._set((project_id, file), MOST_EVENTS - rows)

    def take(self, project_id: int, file: UUID) -> bool:
        """Whether one more event may wait; it is counted as waiting."""
        keys: tuple[FileKey, FileKey] = ((project_id, file), (project_id, None))
        known = [(key, self._left.get(key) or (0, 0.0)) for key in keys]
        if any(left < 1 for _, (left, _) in known):
            return False
        for key, (left, until) in known:
            self._left.put(key, (left - 1, until))
        return True

    def _is_old(self, key: FileKey) -> bool:
        known = self._left.get(key)
        return known is None or known[1] < self._now()

    def _set(self, key: FileKey, left: int) -> None:
        self._left.put(key, (left, self._now() + COUNTED_SECONDS))


@dataclass(frozen=True, slots=True)
class Waiter:
    """A stored event with the scripts whose map it waits for."""

    project_id: int
    event_id: UUID
    received: datetime
    release: str
    dist: str
    scripts: Sequence[Script]


def note(waiters: Sequence[Waiter], room: Room) -> None:
    """Write which events wait for which files; three queries at most."""
    wanted = [
        (waiter, script, file_of(script, waiter.release, waiter.dist))
        for waiter in waiters
        for script in waiter.scripts
        if len(script.url) <= URL_CHARACTERS
    ]
    if not wanted:
        return
    room.count({(waiter.project_id, file) for waiter, _, file in wanted})
    WaitingEvent.objects.bulk_create(
        WaitingEvent(
            project_id=waiter.project_id,
            file=file,
            debug_id=script.debug_id,
            release=waiter.release,
            dist=waiter.dist,
            url=without_host(script.url),
            event_id=waiter.event_id,
            received=waiter.received,
        )
        for waiter, script, file in wanted
        if room.take(waiter.project_id, file)
    )


def file_of(script: Script, release: str, dist: str) -> UUID:
    """What stands for a script: its debug id, else release, dist and path."""
    if script.debug_id:
        return script.debug_id
    text = "\0".join([release, dist, without_host(script.url)])
    return UUID(bytes=blake2b(text.encode(), digest_size=16).digest())
