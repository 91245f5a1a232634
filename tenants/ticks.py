"""One tick at a time: periodic work takes an advisory lock, so two beats do no harm."""

from collections.abc import Iterator
from contextlib import contextmanager
from zlib import crc32

from django.db import connection, transaction

# The first key of every advisory lock that rush_monitor takes.
NAMESPACE = 0x72757368  # "rush"


def key_of(name: str) -> int:
    """The second key of the lock of this name."""
    return crc32(name.encode()) - 2**31


@contextmanager
def only_one(name: str) -> Iterator[bool]:
    """True for the one process that may do the tick ``name`` now, else False."""
    key = key_of(name)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [NAMESPACE, key])
        (mine,) = cursor.fetchone() or (False,)
    try:
        yield mine
    finally:
        if mine:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [NAMESPACE, key])


@contextmanager
def one_after_another(name: str) -> Iterator[None]:
    """A transaction for which others of this name wait."""
    key = key_of(name)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [NAMESPACE, key])
        yield
