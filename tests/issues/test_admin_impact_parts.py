from typing import Any

import pytest
from django.utils import timezone

from issues.admin.impact_parts import explained
from issues.impact import Window, impact
from issues.models import IssueStats


def test_the_parts_of_the_scoring_become_a_sentence_and_four_factors() -> None:
    window = Window(
        events=120,
        events_10m=60,
        unhandled=1,
        level=40,
        path_weight=2.0,
        tenants=12,
        weight_hit=15.0,
        weight_active=150.0,
    )
    stats = IssueStats(parts=impact(window).parts, scored_at=timezone.now())

    found = explained(stats)

    assert found.sentence == stats.parts["sentence"]
    assert [(f.name, f.value) for f in found.factors] == [
        ("Reach", "10.00%"),
        ("Severity", "× 0.8"),
        ("Path", "× 2"),
        ("Trend", "× 2"),
    ]
    assert found.factors[0].why.endswith("15.0 of 150.0")
    assert found.factors[1].why == "worst level error, unhandled"


def test_an_issue_that_was_never_scored_says_so() -> None:
    assert explained(IssueStats()).sentence.startswith("Not scored yet")


@pytest.mark.parametrize(
    "parts",
    [
        None,
        [],
        {"reach": "much"},
        {"level": 999, "severity": 0.5},
        {"basis": "users", "reach": 1},
    ],
)
def test_parts_of_any_shape_are_read(parts: Any) -> None:
    found = explained(IssueStats(parts=parts, scored_at=timezone.now()))

    assert found.sentence == "No events within 60 minutes."
