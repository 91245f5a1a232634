"""Figures with values computed by hand."""

from datetime import date
from typing import Any

import pytest

from issues.incidents.figure_texts import share_text, spread_text
from issues.incidents.figures import (
    Change,
    Course,
    Figures,
    Share,
    Spread,
    figures_of,
    week_name,
)

W46, W47 = date(2026, 11, 9), date(2026, 11, 16)


def course(spent: float = 240, **fields: Any) -> Course:
    return Course(
        **{
            "week": W47,
            "project": "shop",
            "severity": "high",
            "source": "rule",
            "spent": spent,
            "target": 600.0,
            "running": False,
            **fields,
        }
    )


def figures(*rows: Course | Change, elapsed: float = 2.0) -> Figures:
    return figures_of(
        [row for row in rows if isinstance(row, Course)],
        [row for row in rows if isinstance(row, Change)],
        weeks=[W46, W47],
        severities=["critical", "high"],
        sources=["rule", "deploy"],
        elapsed_weeks=elapsed,
    )


@pytest.mark.parametrize(
    ("values", "p50", "p90"),
    [
        ([], None, None),
        ([60, 120, 180, 240], None, None),
        ([300, 60, 240, 120, 180], 180, None),
        ([10, 20, 30, 40, 50, 60], 30, None),
        ([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 5, 9),
        ([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], 6, 10),
        (list(range(1, 21)), 10, 18),
        (list(range(1, 101)), 50, 90),
    ],
)
def test_percentiles_are_times_that_were_really_taken(
    values: list[float], p50: float | None, p90: float | None
) -> None:
    spread = Spread.of(values)
    assert (spread.p50, spread.p90) == (p50, p90)


def test_the_middle_is_told_to_charts_however_few_there_are() -> None:
    assert Spread.of([30, 10, 20]).middle == 20
    assert Spread.of([20, 10]).middle == 10
    assert Spread.of([None]).middle is None


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([], "–"),
        ([130], "2:10 (1 incident)"),
        ([130, 130.4], "2:10 (2 incidents)"),
        ([130, 480, 300], "2:10 to 8:00 (3 incidents)"),
        ([60, 120, 180, 240, 3900], "p50 3:00 (1:05:00 at most, 5 incidents)"),
        ([60 * i for i in range(1, 11)], "p50 5:00 (p90 9:00)"),
    ],
)
def test_of_few_incidents_it_says_how_few(values: list[float], text: str) -> None:
    assert spread_text(Spread.of(values)) == text


@pytest.mark.parametrize(
    ("part", "whole", "share", "text"),
    [
        (0, 0, None, "–"),
        (2, 3, None, "2 of 3"),
        (4, 5, 0.8, "4 of 5"),
        (19, 20, 0.95, "19 of 20 (95%)"),
        (1, 1500, 1 / 1500, "1 of 1,500 (0%)"),
    ],
)
def test_a_share_of_few_is_no_percentage(
    part: int, whole: int, share: float | None, text: str
) -> None:
    assert (Share(part, whole).share, share_text(Share(part, whole))) == (share, text)


@pytest.mark.parametrize(
    ("spent", "running", "within"),
    [
        (600, False, True),
        (600.5, False, False),
        (600, True, None),
        (601, True, False),
    ],
)
def test_a_clock_that_runs_is_judged_once_it_is_over(
    spent: float, running: bool, within: bool | None
) -> None:
    found = course(spent, running=running)
    assert found.within(600) is within
    assert found.mitigate == (None if running else spent)


def test_all_is_counted_by_hand() -> None:
    found = figures(
        course(120, detect=30, acknowledge=60, resolve=900),
        course(660, target=900.0, detect=90, severity="critical"),
        course(1200, source="deploy", restore=1300.0, week=W46, project="api"),
        course(700, running=True),
        course(100, running=True),
    ).all

    assert found.incidents == 5
    assert list(found.detect.values) == [30, 90]
    assert list(found.acknowledge.values) == [60]
    assert list(found.mitigate.values) == [120, 660, 1200]
    assert list(found.resolve.values) == [900]
    assert list(found.restore.values) == [1300]
    # Kept: 120 of 600 and 660 of 900; missed: 1200, and 700 that still runs.
    assert found.in_target == Share(2, 4)
    assert found.in_ten_minutes == Share(1, 4)


def test_groups_are_told_apart() -> None:
    found = figures(
        course(120),
        course(660, severity="critical"),
        course(1200, source="deploy", week=W46, project="api"),
        Change(W46, "api", judged=True),
        Change(W47, "web", judged=False),
    )

    assert [(g.name, g.incidents, g.deploys) for g in found.by_week] == [
        ("2026-W46", 1, 1),
        ("2026-W47", 2, 1),
    ]
    assert [(g.name, g.incidents, g.deploys) for g in found.by_project] == [
        ("api", 1, 1),
        ("shop", 2, 0),
        ("web", 0, 1),
    ]
    assert [(g.name, g.incidents, g.deploys) for g in found.by_severity] == [
        ("critical", 1, None),
        ("high", 2, None),
    ]
    assert [(g.name, g.incidents) for g in found.by_source] == [
        ("rule", 2),
        ("deploy", 1),
    ]


def test_the_change_failure_rate_is_of_judged_deploys() -> None:
    rows = [
        Change(W47, "shop", judged=True, failed=True),
        Change(W47, "shop", judged=True),
        Change(W47, "shop", judged=True),
        Change(W46, "shop", judged=False),
    ]
    found = figures(*rows, elapsed=1.6)

    assert found.all.failures == Share(1, 3)
    assert found.by_week[0].failures == Share(0, 0)
    assert (found.all.deploys, found.deploys_a_week) == (4, 2.5)


def test_nothing_is_no_figure() -> None:
    found = figures(elapsed=0.0)

    assert (found.all.incidents, found.deploys_a_week) == (0, 0.0)
    assert found.all.in_target == Share(0, 0)
    assert [group.incidents for group in found.by_week] == [0, 0]


@pytest.mark.parametrize(
    ("monday", "name"),
    [
        (date(2026, 11, 16), "2026-W47"),
        (date(2025, 12, 29), "2026-W01"),
        (date(2026, 12, 28), "2026-W53"),
    ],
)
def test_a_week_is_named_by_its_year(monday: date, name: str) -> None:
    assert week_name(monday) == name
