"""What the scrubber changes in the events of real clients, without anybody's rules.

Each changed value was looked at: those that hold one of ``PLANTED`` are secrets which
the recorded apps have on purpose, the others are changed for nothing.
"""

import copy
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from issues.digest.normalise import normalise
from issues.ingest.envelope import frame
from issues.normal_event import NormalEvent, NotAnEvent
from issues.scrubbing import Policy, scrub_event, scrubber_of
from tests import wire

PLANTED = ("4242424242424242", "sk_live_should_be_filtered", "token=abc")
MOST = 0.01
SENDER = "203.0.113.9"


def recorded_events() -> Iterator[NormalEvent]:
    for path in sorted(wire.CAPTURES.glob("*/*.http")):
        envelope = wire.load(path).plain
        if b'"event"' not in envelope[:2000]:
            continue
        framed = frame(envelope)
        for item in framed.items:
            if item.type != "event":
                continue
            try:
                yield normalise(
                    envelope[item.start : item.end],
                    header_event_id=framed.event_id,
                    sent_at=None,
                    received=datetime.now(UTC),
                    remote_addr=SENDER,
                    user_agent="",
                    tenant_tags=("tenant",),
                )
            except NotAnEvent:
                continue


def texts(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Each text in a tree with its place."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from texts(inner, f"{path}.{name}")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from texts(inner, f"{path}[{number}]")


def test_at_most_one_value_in_a_hundred_is_scrubbed_for_nothing() -> None:
    total = 0
    secrets: list[tuple[str, str]] = []
    false: list[tuple[str, str]] = []
    for event in recorded_events():
        event.body.pop("_rush", None)
        before = copy.deepcopy(event.body)
        scrub_event(event, scrubber_of(Policy()), SENDER)
        after = dict(texts(event.body))
        for path, text in texts(before):
            total += 1
            if after.get(path) != text:
                held = any(planted in text for planted in PLANTED)
                (secrets if held else false).append((path, text))
    assert total > 20_000
    assert len(secrets) > 50
    assert len(false) / total <= MOST, false
