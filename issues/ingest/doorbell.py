"""Wakes digest after a commit, from a thread of its own.

The bell carries no data: digest asks the inbox, and beat rings every few seconds too.
So a dead broker costs time, never events, and never slows ingest.
"""

import logging
import threading
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

# Between two rings: from idle, and while commits keep coming (digest rings itself on).
GAP_FROM, GAP_TO = 0.05, 1.0
QUIET_SECONDS = 1.0
LOG_SECONDS = 60.0


def next_gap(gap: float, quiet: float) -> float:
    """Seconds to stay silent after a ring that came ``quiet`` seconds after one."""
    if quiet >= gap + QUIET_SECONDS:
        return GAP_FROM
    return min(gap * 2, GAP_TO)


class Doorbell:
    """Calls ``send`` soon after each ``ring``, as often as ``next_gap`` allows.

    ``send`` may block for its time-out and may raise anything.
    """

    def __init__(self, send: Callable[[], None]) -> None:
        self._send = send
        self._rung = threading.Event()
        self._stopped = threading.Event()
        self._logged_at = float("-inf")
        self._thread = threading.Thread(target=self._run, name="doorbell", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def ring(self, _stored: int = 0) -> None:
        """Ask for a ring; returns at once."""
        if not self._rung.is_set():
            self._rung.set()

    def stop(self, timeout: float = 2.0) -> None:
        """Ring once more for the last commits, then end the thread."""
        self._stopped.set()
        self._rung.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        gap, last = GAP_FROM, float("-inf")
        while self._rung.wait() and not self._stopped.is_set():
            self._rung.clear()
            now = time.monotonic()
            gap, last = next_gap(gap, now - last), now
            self._ring_once()
            self._stopped.wait(gap)
        self._ring_once()

    def _ring_once(self) -> None:
        try:
            self._send()
        except Exception as error:  # the broker's client raises its own kinds
            now = time.monotonic()
            if now - self._logged_at >= LOG_SECONDS:
                self._logged_at = now
                log.warning("digest not rung, beat will: %s", error)
