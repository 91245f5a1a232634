import logging
import threading
import time

import pytest

from issues.ingest import doorbell
from issues.ingest.doorbell import GAP_FROM, GAP_TO, Doorbell, next_gap


@pytest.mark.parametrize(
    ("gap", "quiet", "expected"),
    [
        (GAP_FROM, float("inf"), GAP_FROM),
        (0.05, 0.05, 0.1),
        (0.4, 0.4, 0.8),
        (0.8, 0.9, GAP_TO),
        (1.0, 1.0, GAP_TO),
        (1.0, 2.1, GAP_FROM),
    ],
)
def test_the_gap_grows_while_commits_keep_coming(
    gap: float, quiet: float, expected: float
) -> None:
    assert next_gap(gap, quiet) == expected


class Bell:
    """Notes when it is rung."""

    def __init__(self) -> None:
        self.rings = 0
        self.rung = threading.Event()

    def __call__(self) -> None:
        self.rings += 1
        self.rung.set()


def test_a_ring_from_idle_is_sent_at_once() -> None:
    bell = Bell()
    door = Doorbell(bell)
    door.start()
    door.ring()
    assert bell.rung.wait(1)
    door.stop()


def test_many_commits_are_few_rings() -> None:
    bell = Bell()
    door = Doorbell(bell)
    door.start()
    for _ in range(300):
        door.ring(5)
        time.sleep(0.001)
    door.stop()
    assert 2 <= bell.rings <= 6


def test_the_last_commits_are_rung_for_at_the_end() -> None:
    bell = Bell()
    door = Doorbell(bell)
    door.start()
    door.ring()
    assert bell.rung.wait(1)
    bell.rung.clear()
    door.ring()
    door.stop()
    assert bell.rung.is_set()


def test_a_dead_broker_is_logged_once_and_recovers(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(doorbell, "GAP_FROM", 0.001)
    monkeypatch.setattr(doorbell, "GAP_TO", 0.001)
    alive = threading.Event()
    answered = threading.Event()
    tries = 0

    def send() -> None:
        nonlocal tries
        tries += 1
        if not alive.is_set():
            raise ConnectionError("no broker")
        answered.set()

    door = Doorbell(send)
    with caplog.at_level(logging.WARNING):
        door.start()
        while tries < 5:
            door.ring()
            time.sleep(0.002)
        alive.set()
        while not answered.is_set():
            door.ring()
            time.sleep(0.002)
        door.stop()
    assert len(caplog.records) == 1


def test_a_broker_that_hangs_does_not_hold_up_who_rings() -> None:
    release = threading.Event()
    door = Doorbell(lambda: void(release.wait(5)))
    door.start()
    started = time.monotonic()
    for _ in range(1000):
        door.ring()
    assert time.monotonic() - started < 0.5
    release.set()
    door.stop()


def void(_: object) -> None:
    return None
