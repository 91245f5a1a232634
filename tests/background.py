"""Work at the same time, for tests of what two transactions do to each other."""

import threading
from collections.abc import Callable

from django.db import connection


def in_background(work: Callable[[], object]) -> threading.Thread:
    """Start ``work`` in a thread with a database connection of its own."""

    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread
