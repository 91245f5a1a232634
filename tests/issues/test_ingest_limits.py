import pytest

from issues.ingest.envelope import EnvelopeError, frame
from issues.ingest.limits import (
    MAX_ATTACHMENTS,
    MAX_EVENT_BYTES,
    AttachmentBounds,
    TooLarge,
    category,
    check_items,
    discards,
    stop_limits,
)


def envelope(*items: tuple[str, int]) -> bytes:
    lines = [b"{}"]
    for kind, size in items:
        lines += [b'{"type":"%s","length":%d}' % (kind.encode(), size), b"x" * size]
    return b"\n".join(lines)


def check(*items: tuple[str, int]) -> None:
    check_items(frame(envelope(*items)))


@pytest.mark.parametrize(
    "items",
    [
        [("event", 9), ("session", 9), ("client_report", 9), ("attachment", 0)],
        [("profile", 9), ("transaction", 9)],
        [("event", MAX_EVENT_BYTES)],
        [("session", 9)] * 100,
        [("attachment", 20 << 20), ("event", 9)],
        [("unknown", 20 << 20), ("event", 9)],
    ],
)
def test_usual_mixtures_are_taken(items: list[tuple[str, int]]) -> None:
    check(*items)


@pytest.mark.parametrize(
    "items",
    [
        [("event", 9), ("event", 9)],
        [("event", 9), ("transaction", 9)],
        [("session", 9), ("feedback", 9), ("event", 9)],
    ],
)
def test_two_events_in_one_envelope_are_refused(items: list[tuple[str, int]]) -> None:
    with pytest.raises(EnvelopeError, match="at most one"):
        check(*items)


def test_an_event_without_payload_is_refused() -> None:
    with pytest.raises(EnvelopeError, match="no payload"):
        check(("event", 0))


@pytest.mark.parametrize(
    "items",
    [
        [("event", MAX_EVENT_BYTES + 1)],
        [("session", 9)] * 101,
        [("session", (1 << 20) + 1)],
    ],
)
def test_what_is_over_a_cap_is_too_large(items: list[tuple[str, int]]) -> None:
    with pytest.raises(TooLarge):
        check(*items)


@pytest.mark.parametrize(
    ("kinds", "limits"),
    [
        (["event", "session", "transaction", "span", "client_report"], ""),
        (["attachment", "check_in", "unknown"], ""),
        (["event", "log"], "3600:log_item;log_byte:project:unsupported"),
        (["replay_event", "replay_recording"], "3600:replay:project:unsupported"),
        (
            ["profile", "transaction", "statsd"],
            "3600:metric_bucket:project:unsupported, 3600:profile:project:unsupported",
        ),
    ],
)
def test_only_kinds_that_are_not_kept_are_stopped(
    kinds: list[str], limits: str
) -> None:
    assert stop_limits(kinds) == limits


def test_unknown_kinds_count_as_default() -> None:
    assert (category("event"), category("brand_new")) == ("error", "default")


def test_only_so_many_attachments_are_taken() -> None:
    items = [("attachment", 1)] * (MAX_ATTACHMENTS + 1)
    left_out = discards(frame(envelope(*items)), AttachmentBounds(10, 1000))
    assert left_out == {MAX_ATTACHMENTS: "too_large"}


def test_what_is_never_kept_is_left_out_whatever_the_bounds() -> None:
    items = [("event", 9), ("profile", 9), ("form_data", 9), ("brand_new", 9)]
    left_out = discards(frame(envelope(*items)), AttachmentBounds(10, 1000))
    assert left_out == {1: "unsupported", 2: "unsupported"}
