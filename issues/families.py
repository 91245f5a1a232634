"""Keeps merges and digests apart while either depends on who belongs to whom.

A batch reads early which issue shows an event and adds its counters late. A merge
between the two would miss the batch, and the batch the merge: the root's event count
would be wrong for good. So batches share an advisory lock, and a merge takes it alone:
it waits for the batches that run (below a second) and the next ones wait for it.
"""

from django.db import connection

from tenants.ticks import NAMESPACE, key_of

_KEY = key_of("issues.families")


def hold() -> None:
    """Let no issue be merged or unmerged until this transaction ends."""
    _lock("SELECT pg_advisory_xact_lock_shared(%s, %s)")


def change() -> None:
    """Wait until no batch counts by the present families; before any other lock."""
    _lock("SELECT pg_advisory_xact_lock(%s, %s)")


def _lock(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, [NAMESPACE, _KEY])
