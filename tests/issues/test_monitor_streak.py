from datetime import UTC, datetime, timedelta

import pytest

from issues.monitors.streak import (
    PAUSE,
    Streak,
    after_run,
    overdue_status,
    state_of,
    watching_since,
)

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
LATER, EARLIER = NOW + timedelta(minutes=5), NOW - timedelta(minutes=5)


def told(statuses: str, failures: int, recoveries: int) -> str:
    """What the runs come to: ``!`` reported, ``+`` recovered, ``.`` neither."""
    names = {"o": "ok", "e": "error", "m": "missed", "t": "timeout", "?": "unknown"}
    streak, marks = Streak(), []
    for letter in statuses:
        turn = after_run(streak, names[letter], failures, recoveries)
        streak = turn.streak
        marks.append("!" if turn.reports else "+" if turn.recovered else ".")
    return "".join(marks)


@pytest.mark.parametrize(
    ("statuses", "failures", "recoveries", "marks"),
    [
        ("ooo", 1, 1, "..."),
        ("oeo", 1, 1, ".!+"),
        ("oeeo", 1, 1, ".!!+"),
        ("emt", 3, 1, "..!"),
        ("eoeoe", 2, 1, "....."),
        ("eeo", 2, 1, ".!+"),
        ("eeeooeoo", 2, 2, ".!!.+..."),
        ("eeoeoo", 2, 2, ".!.!.+"),
        ("e?eo", 2, 1, "..!+"),
        ("ee?oo", 2, 2, ".!..+"),
        ("e" + "?" * 9 + "o", 1, 1, "!" + "." * 9 + "+"),
    ],
)
def test_failures_are_reported_from_their_threshold_until_recovered(
    statuses: str, failures: int, recoveries: int, marks: str
) -> None:
    assert told(statuses, failures, recoveries) == marks


@pytest.mark.parametrize(
    ("ticked", "since"),
    [
        (NOW - timedelta(seconds=10), EARLIER),
        (NOW - PAUSE, EARLIER),
        (NOW - PAUSE - timedelta(seconds=1), NOW),
    ],
)
def test_a_pause_of_the_ticks_begins_anew(ticked: datetime, since: datetime) -> None:
    assert watching_since(NOW, ticked, EARLIER) == since


def test_what_was_due_while_nobody_watched_is_unknown() -> None:
    assert overdue_status(EARLIER, NOW, "missed") == "unknown"
    assert overdue_status(NOW, NOW, "missed") == "missed"


@pytest.mark.parametrize(
    ("last_status", "running_since", "expected_at", "state"),
    [
        ("", None, None, "waiting"),
        ("", None, LATER, "waiting"),
        ("ok", None, LATER, "ok"),
        ("ok", None, None, "ok"),
        ("ok", None, EARLIER, "late"),
        ("", None, EARLIER, "late"),
        ("ok", EARLIER, EARLIER, "in_progress"),
        ("error", EARLIER, LATER, "in_progress"),
        ("error", None, EARLIER, "error"),
        ("missed", None, LATER, "missed"),
        ("timeout", None, None, "timeout"),
        ("unknown", None, LATER, "unknown"),
    ],
)
def test_a_monitor_has_one_state(
    last_status: str,
    running_since: datetime | None,
    expected_at: datetime | None,
    state: str,
) -> None:
    assert state_of(last_status, running_since, expected_at, NOW) == state
