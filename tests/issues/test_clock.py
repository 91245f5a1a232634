from datetime import UTC, datetime, timedelta

import pytest

from issues.digest.clock import Clock

RECEIVED = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


@pytest.mark.parametrize(
    ("told", "sent_at", "expected"),
    [
        (-5, None, -5),
        (-5, 0, -5),
        (-5, -0.01, -5),
        (-5, -2, -3),
        (-5, -1e9, 0),
        (55, 60, -5),
        (-65, -60, -5),
        (30, None, 0),
        (-2000, None, -1440),
    ],
)
def test_occurred_is_told_time_by_our_clock(
    told: float, sent_at: float | None, expected: float
) -> None:
    sent = None if sent_at is None else RECEIVED + minutes(sent_at)
    occurred = Clock(RECEIVED, sent).occurred(RECEIVED + minutes(told))
    assert occurred == RECEIVED + minutes(expected)
