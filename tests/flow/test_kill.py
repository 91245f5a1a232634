"""kill -9 of every process while events come in: the short form of benchmarks/faults.

Each process is killed once. An event whose answer never came is sent again.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks import kills
from benchmarks.kills import Outcome, Recovery
from benchmarks.sender import EVENT_ID, Sender
from benchmarks.system import System
from tests.envelopes import envelope, event, frame, item

pytestmark = pytest.mark.own_engines

TARGETS = (*kills.TARGETS, kills.SUPERVISOR)
EVENTS_PER_SECOND = 25
BETWEEN_SECONDS = 0.3
DIGEST_SECONDS = 60


@dataclass(frozen=True)
class Story:
    """What was killed, and what came of the events sent meanwhile."""

    recoveries: list[Recovery]
    sender: Sender
    outcome: Outcome


def bodies() -> list[bytes]:
    """Envelopes of a few faults that hit a few tenants; the id is filled in later."""
    made = []
    for number in range(12):
        place = frame(f"orders_{number % 4}", f"step_{number % 4}")
        error = {"type": "KeyError", "value": "'x'", "stacktrace": {"frames": [place]}}
        payload = event(
            # As long as the real one.
            event_id=EVENT_ID.decode().ljust(32, "0"),
            tags={"tenant": f"shop-{number % 3}.example"},
            user={"id": str(number)},
            exception={"values": [error]},
        )
        body = envelope(item("event", payload))
        made.append(body.replace(EVENT_ID.ljust(32, b"0"), EVENT_ID))
    return made


@pytest.fixture(scope="module")
def story(short_tmp: Path) -> Iterator[Story]:
    system = System(short_tmp / "kill")
    try:
        system.start()
        sender = Sender(
            system.port,
            system.project_id,
            system.public_key,
            bodies(),
            rate=EVENTS_PER_SECOND,
            connections=8,
        )
        recoveries = []
        with sender.running():
            for target in TARGETS:
                recoveries.append(kills.kill_and_recover(system, sender, target))
                time.sleep(BETWEEN_SECONDS)
        yield Story(recoveries, sender, kills.settle(system, sender, DIGEST_SECONDS))
    finally:
        system.stop()


def test_every_killed_process_comes_back_by_itself(story: Story) -> None:
    assert [recovery.target for recovery in story.recoveries] == list(TARGETS)


def test_no_acknowledged_event_is_lost(story: Story) -> None:
    assert story.outcome.acknowledged > 200
    assert story.outcome.lost == []


def test_no_event_is_counted_twice(story: Story) -> None:
    ledger = story.outcome.ledger
    assert ledger.rows == ledger.distinct == ledger.seen


def test_every_counter_equals_the_rows(story: Story) -> None:
    assert story.outcome.ledger.faults() == []
