"""The clock's arithmetic: a table, and what holds whatever happens in what order."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from issues.incidents.clock import Mark, Moment, Reading, read

NOON = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
TARGET = timedelta(minutes=10)


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def reading(
    *told: tuple[float, Mark],
    now: float,
    began: float = 0.0,
    detected: float = 0.0,
    target: timedelta = TARGET,
) -> Reading:
    return read(
        [Moment(at(minutes), mark) for minutes, mark in told],
        began=at(began),
        detected=at(detected),
        target=target,
        now=at(now),
    )


@pytest.mark.parametrize(
    ("told", "now", "spent", "running"),
    [
        ([], 4, 4, True),
        ([(3, Mark.ACKNOWLEDGED)], 4, 4, True),
        ([(3, Mark.MITIGATED)], 8, 3, False),
        ([(3, Mark.MITIGATED), (30, Mark.RESOLVED)], 60, 3, False),
        ([(5, Mark.RESOLVED)], 60, 5, False),
        ([(3, Mark.MITIGATED), (20, Mark.REOPENED)], 24, 7, True),
        ([(3, Mark.RESOLVED), (20, Mark.REOPENED), (22, Mark.RESOLVED)], 60, 5, False),
        ([(3, Mark.REOPENED)], 4, 4, True),
        ([(9, Mark.MITIGATED)], 4, 4, True),
    ],
)
def test_it_runs_while_harm_is_done(
    told: list[tuple[float, Mark]], now: float, spent: float, running: bool
) -> None:
    found = reading(*told, now=now)
    assert found.spent == timedelta(minutes=spent)
    assert found.running is running
    assert found.left == TARGET - found.spent


def test_began_is_shown_beside_it_and_never_counts() -> None:
    found = reading(now=4, began=-6)
    assert (found.spent, found.since_began) == (
        timedelta(minutes=4),
        timedelta(minutes=10),
    )


def test_an_event_that_says_it_began_after_its_detection_changes_nothing() -> None:
    assert reading(now=4, began=2).began == NOON


def test_a_reopened_incident_is_neither_mitigated_nor_resolved() -> None:
    told = [(3, Mark.MITIGATED), (4, Mark.RESOLVED), (9, Mark.REOPENED)]
    found = reading(*told, now=10)
    assert (found.mitigated, found.resolved) == (None, None)


def test_resolved_without_being_mitigated_stays_without() -> None:
    found = reading((4, Mark.RESOLVED), now=10)
    assert (found.mitigated, found.resolved) == (None, at(4))


@pytest.mark.parametrize(
    ("told", "now", "over"),
    [
        ([], 4, 10),
        ([], 14, 10),
        ([(3, Mark.MITIGATED)], 30, None),
        ([(10, Mark.MITIGATED)], 30, None),
        ([(11, Mark.MITIGATED)], 30, 10),
        ([(3, Mark.MITIGATED), (20, Mark.REOPENED)], 22, 27),
    ],
)
def test_when_the_target_is_over(
    told: list[tuple[float, Mark]], now: float, over: float | None
) -> None:
    found = reading(*told, now=now)
    assert found.over_at == (None if over is None else at(over))


minutes = st.floats(0, 120).map(lambda value: round(value, 3))
histories = st.lists(st.tuples(minutes, st.sampled_from(list(Mark))), max_size=12)


@given(told=histories, now=minutes, later=minutes)
def test_time_spent_never_shrinks(
    told: list[tuple[float, Mark]], now: float, later: float
) -> None:
    first, second = sorted((now, later))
    before, after = reading(*told, now=first), reading(*told, now=second)
    grown = after.spent - before.spent
    assert timedelta(0) <= grown <= at(second) - at(first)


@given(told=histories, now=minutes, shuffled=st.randoms())
def test_the_order_in_which_it_is_told_does_not_matter(
    told: list[tuple[float, Mark]], now: float, shuffled: object
) -> None:
    other = list(told)
    shuffled.shuffle(other)  # type: ignore[attr-defined]
    assert reading(*told, now=now) == reading(*other, now=now)


@given(told=histories, now=minutes)
def test_told_twice_is_told_once(told: list[tuple[float, Mark]], now: float) -> None:
    assert reading(*told, *told, now=now) == reading(*told, now=now)


@given(told=histories, now=minutes, began=st.floats(-60, 60))
def test_a_late_event_moves_only_when_it_began(
    told: list[tuple[float, Mark]], now: float, began: float
) -> None:
    late, plain = reading(*told, now=now, began=began), reading(*told, now=now)
    assert (late.spent, late.over_at, late.left) == (
        plain.spent,
        plain.over_at,
        plain.left,
    )
    assert late.since_began >= plain.since_began


@given(told=histories, now=minutes, target=st.integers(1, 200))
def test_another_target_changes_what_is_left_and_nothing_that_was(
    told: list[tuple[float, Mark]], now: float, target: int
) -> None:
    other = reading(*told, now=now, target=timedelta(minutes=target))
    plain = reading(*told, now=now)
    assert other.spent == plain.spent
    assert other.left - plain.left == timedelta(minutes=target) - TARGET
    assert other.kept is (other.left >= timedelta(0))


@given(told=histories, now=minutes)
def test_a_running_clock_is_over_once_nothing_is_left(
    told: list[tuple[float, Mark]], now: float
) -> None:
    found = reading(*told, now=now)
    if found.running:
        assert found.over_at is not None
        assert (found.over_at < at(now)) is (found.left < timedelta(0))
    else:
        assert (found.over_at is not None) is (found.left < timedelta(0))


@given(told=histories, now=minutes)
def test_the_incident_is_running_or_ended(
    told: list[tuple[float, Mark]], now: float
) -> None:
    found = reading(*told, now=now)
    assert found.running is (found.mitigated is None and found.resolved is None)
