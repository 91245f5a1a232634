"""When so many tenants were hit within a span, as a table of cases."""

from collections.abc import Sequence

import pytest

from issues.alerts.sliding import Sought, times_told

A, B, C = 1, 2, 3


def told(
    hits: Sequence[tuple[int, Sequence[int]]],
    *,
    fewest: int = 2,
    closed: Sequence[int] = (),
) -> list[tuple[int, int]]:
    """Within 5 minutes, again after 10, from minute 0 to 100."""
    sought = Sought(
        fewest=fewest,
        span=5,
        repeat=10,
        start=0,
        end=100,
        may_tell=lambda at: at not in closed,
    )
    return list(times_told(hits, sought))


@pytest.mark.parametrize(
    ("hits", "expected"),
    [
        ([], []),
        ([(10, [A])], []),
        ([(10, [A, A]), (12, [A])], []),
        ([(10, [A, B])], [(11, 2)]),
        ([(10, [A]), (14, [B])], [(15, 2)]),
        ([(10, [A]), (15, [B])], []),
        # Who is hit again counts from the last time.
        ([(10, [A]), (14, [A]), (18, [B])], [(19, 2)]),
        ([(10, [A]), (11, [B]), (12, [C])], [(12, 2)]),
        # What began before is told, once it may be.
        ([(-3, [A]), (-1, [B])], [(1, 2)]),
        ([(-9, [A]), (-9, [B])], []),
        # What came at the end is told at the end.
        ([(99, [A, B])], [(100, 2)]),
    ],
)
def test_it_is_told_when_enough_tenants_were_hit(
    hits: Sequence[tuple[int, Sequence[int]]], expected: list[tuple[int, int]]
) -> None:
    assert told(hits) == expected


def test_what_still_stands_when_the_silence_ends_is_told_again() -> None:
    hits = [(minute, [A, B]) for minute in range(10, 33)]
    assert told(hits) == [(11, 2), (21, 2), (31, 2)]
    # At 21 the hits of 18 are still within the span; at 31 nothing is.
    assert told([(10, [A, B]), (18, [A, B, C])]) == [(11, 2), (21, 3)]


def test_while_it_may_not_tell_it_is_not_silent_either() -> None:
    hits = [(minute, [A, B]) for minute in range(10, 15)]
    assert told(hits, closed=range(11, 14)) == [(14, 2)]
