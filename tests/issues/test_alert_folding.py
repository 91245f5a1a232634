"""Which alerts are told alone, which together, and which wait."""

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from issues.alerts.folding import (
    WINDOW,
    Manner,
    Plan,
    Quiet,
    Waiting,
    plan,
    replay,
)

START = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
VIENNA = ZoneInfo("Europe/Vienna")
NIGHT = Quiet(time(22), time(7), VIENNA)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def waiting(*seconds: float, held: bool = False) -> list[Waiting]:
    return [Waiting(i, at(s), held) for i, s in enumerate(seconds)]


def test_the_first_two_are_told_alone_and_the_rest_waits() -> None:
    found = plan(waiting(0, 0, 0, 0), [], Manner(), at(0))

    assert found.messages == [[0], [1]]
    assert found.next_at == at(30)


def test_what_was_collected_is_told_in_one_message() -> None:
    found = plan(waiting(1, 5, 30), [at(0), at(0)], Manner(), at(31))

    assert found == Plan(messages=[[0, 1, 2]])


def test_while_some_are_collected_none_is_told_alone() -> None:
    found = plan(waiting(40, 61), [at(0), at(0)], Manner(), at(61))

    assert (found.messages, found.next_at) == ([], at(70))


def test_a_minute_later_one_is_told_alone_again() -> None:
    found = plan(waiting(61), [at(0), at(0)], Manner(), at(61))

    assert found.messages == [[0]]


def test_a_digest_waits_for_its_time() -> None:
    manner = Manner(digest=timedelta(minutes=10))

    assert plan(waiting(0, 60), [], manner, at(599)).next_at == at(600)
    assert plan(waiting(0, 60), [], manner, at(600)).messages == [[0, 1]]


def test_in_quiet_hours_all_is_held_and_told_at_their_end() -> None:
    manner = Manner(quiet=Quiet(time(8), time(10), ZoneInfo("UTC")))

    quiet = plan(waiting(0, 1), [], manner, at(2))
    assert (quiet.messages, quiet.hold, quiet.next_at) == ([], [0, 1], at(3600))
    ended = plan(waiting(0, 1, held=True), [], manner, at(3600))
    assert ended.messages == [[0, 1]]


@pytest.mark.parametrize(
    ("moment", "end"),
    [
        # Summer: Vienna is two hours ahead.
        ("2026-05-04T19:59:59", None),
        ("2026-05-04T20:00:00", "2026-05-05T05:00:00"),
        ("2026-05-05T04:59:59", "2026-05-05T05:00:00"),
        ("2026-05-05T05:00:00", None),
        # The night in which clocks go forward has eight hours, the other one ten.
        ("2026-03-28T21:00:00", "2026-03-29T05:00:00"),
        ("2026-03-29T04:30:00", "2026-03-29T05:00:00"),
        ("2026-10-24T20:00:00", "2026-10-25T06:00:00"),
        ("2026-10-25T05:30:00", "2026-10-25T06:00:00"),
    ],
)
def test_quiet_hours_go_by_the_local_clock_over_midnight(
    moment: str, end: str | None
) -> None:
    ends = NIGHT.end_of(datetime.fromisoformat(moment).replace(tzinfo=UTC))

    assert ends == (datetime.fromisoformat(end).replace(tzinfo=UTC) if end else None)


def played(
    moments: Sequence[float], manner: Manner, tick: float
) -> list[tuple[datetime, list[Waiting]]]:
    """What is told when alerts come at these seconds and ``plan`` is asked then and
    every ``tick`` seconds, until nothing waits."""
    coming = [Waiting(i, at(s)) for i, s in enumerate(sorted(moments))]
    looks = {alert.at for alert in coming} | {
        at(i * tick) for i in range(int(max(moments) // tick) + 500)
    }
    waits: dict[int, Waiting] = {}
    messages: list[tuple[datetime, list[Waiting]]] = []
    for now in sorted(looks):
        while coming and coming[0].at <= now:
            alert = coming.pop(0)
            waits[alert.id] = alert
        found = plan(waits.values(), [m for m, _ in messages], manner, now)
        for pk in found.hold:
            waits[pk] = Waiting(pk, waits[pk].at, held=True)
        messages += [(now, [waits.pop(pk) for pk in ids]) for ids in found.messages]
    assert not waits
    return messages


def most_in_a_minute(moments: Sequence[datetime]) -> int:
    return max(
        sum(first <= moment < first + WINDOW for moment in moments) for first in moments
    )


@given(st.lists(st.floats(0, 300), min_size=1, max_size=120), st.floats(1, 10))
def test_none_is_lost_none_told_twice_and_none_late(
    moments: list[float], tick: float
) -> None:
    messages = played(moments, Manner(), tick)

    told = sorted(alert.id for _, alerts in messages for alert in alerts)
    assert told == list(range(len(moments)))
    latest = max(now - alert.at for now, alerts in messages for alert in alerts)
    assert latest <= timedelta(seconds=30 + tick)
    assert most_in_a_minute([now for now, _ in messages]) <= 5


@given(
    st.lists(st.floats(0, 7200), min_size=1, max_size=40),
    st.integers(0, 30),
    st.integers(5, 59),
)
def test_none_is_lost_in_digests_and_quiet_hours(
    moments: list[float], digest: int, length: int
) -> None:
    # The alerts come from 11:00 on in Vienna.
    start = datetime.combine(START, time(11, 10))
    quiet = Quiet(start.time(), (start + timedelta(minutes=length)).time(), VIENNA)
    manner = Manner(timedelta(minutes=digest), quiet)

    messages = played(moments, manner, 10)

    told = sorted(alert.id for _, alerts in messages for alert in alerts)
    assert told == list(range(len(moments)))
    assert all(quiet.end_of(now) is None for now, _ in messages)
    assert most_in_a_minute([now for now, _ in messages]) <= 5


def test_a_storm_of_a_minute_is_two_alerts_alone_and_two_messages() -> None:
    messages = played([i / 10 for i in range(601)], Manner(), 10)

    assert [len(alerts) for _, alerts in messages][:2] == [1, 1]
    assert len(messages) == 4


@given(st.lists(st.floats(0, 300), min_size=1, max_size=120))
def test_a_replay_tells_each_once_and_as_few_messages(moments: list[float]) -> None:
    messages = replay(waiting(*moments), Manner(), at(1000))

    told = sorted(pk for _, ids in messages for pk in ids)
    assert told == list(range(len(moments)))
    assert most_in_a_minute([now for now, _ in messages]) <= 5


def test_a_replay_ends_with_its_time() -> None:
    messages = replay(waiting(0, 0, 0), Manner(), at(29))

    assert [ids for _, ids in messages] == [[0], [1]]
