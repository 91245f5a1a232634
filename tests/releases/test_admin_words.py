import math
from datetime import timedelta

import pytest

from releases.admin.words import chance, clock, rate_label, short, times


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (0.05, "0.05"), (0.6151, "0.615"), (1.25, "1.25"), (12.34, "12.3")]
    + [(1234.5, "1,234"), (0.0000004, "0"), (2.0, "2")],
)
def test_a_number_keeps_the_digits_that_matter(number: float, text: str) -> None:
    assert short(number) == text


def test_a_rate_is_percent_or_errors_a_minute() -> None:
    assert rate_label(0.019, "requests") == "1.9 %"
    assert rate_label(3.2, "") == "3.2 a minute"


def test_a_ratio_is_a_multiple() -> None:
    assert (times(4.63), times(1234.0)) == ("4.6x", "1,234x")


@pytest.mark.parametrize(
    ("evidence", "text"),
    [
        (-1.0, "none yet"),
        (math.log(125), "1 in 125"),
        (math.log(3e6), "1 in 3 million"),
        (math.log(1e9), "1 in 1 billion"),
        (500.0, "1 in 10^217"),
    ],
)
def test_evidence_is_told_as_a_chance(evidence: float, text: str) -> None:
    assert chance(evidence) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (-5, "0:00"), (65, "1:05"), (3725, "1:02:05")]
)
def test_what_is_left_is_minutes_and_seconds(seconds: int, text: str) -> None:
    assert clock(timedelta(seconds=seconds)) == text
