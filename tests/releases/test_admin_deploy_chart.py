from datetime import UTC, datetime, timedelta

import pytest

from releases.admin.deploy_chart import Limits, RateChart, axis, rate_chart
from releases.progress import Point, Progress

START = datetime(2026, 11, 25, 11, tzinfo=UTC)
NOON = START + timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def points(*rates: float | None, exposure: float = 1000) -> list[Point]:
    return [
        Point(
            START + MINUTE * i,
            1,
            0 if rate is None else round(rate * exposure),
            0 if rate is None else exposure,
        )
        for i, rate in enumerate(rates)
    ]


def drawn(
    release: list[Point], baseline: list[Point] | None = None, **limits: object
) -> RateChart:
    told = {"version": "1.1", "baseline": "1.0", "unit": "requests", **limits}
    end = START + MINUTE * len(release)
    progress = Progress(START, end, 1, release, baseline or [])
    return rate_chart(progress, Limits(**told))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("highest", "step", "top"),
    [(0.019, 0.005, 0.02), (0.0041, 0.002, 0.006), (1.0, 0.25, 1.0), (7.0, 2.0, 8.0)],
)
def test_an_axis_has_round_steps(highest: float, step: float, top: float) -> None:
    assert list(axis(highest)) == pytest.approx([step, top])


def test_the_line_breaks_where_nothing_was_served() -> None:
    chart = drawn(points(0.01, 0.01, None, 0.01, 0.01))

    (line,) = chart.lines
    assert line.path.count("M") == 2
    assert line.dots == ""


def test_a_point_that_stands_alone_is_a_dot() -> None:
    chart = drawn(points(None, 0.01, None))

    (line,) = chart.lines
    assert (line.path, line.dots.count("M")) == ("", 1)


def test_traffic_next_to_nothing_is_not_drawn() -> None:
    quiet = Point(START + 2 * MINUTE, 1, 5, 10)

    chart = drawn([*points(0.01, 0.01), quiet])

    assert chart.grid[-1].label == "1.5 %"
    assert "1.1: 50 % (5 errors in 10 requests)" in chart.columns


def test_the_baseline_lies_under_the_release() -> None:
    chart = drawn(points(0.02, 0.02), points(0.01, 0.01))

    assert [line.name for line in chart.lines] == ["1.0", "1.1"]


def test_the_threshold_always_fits() -> None:
    chart = drawn(points(0.001, 0.001), threshold=0.006)

    assert chart.threshold is not None
    assert (chart.threshold.label, 0 < chart.threshold.y < 50) == ("0.6 %", True)


def test_what_happened_is_marked() -> None:
    chart = drawn(
        points(*[0.01] * 100),
        deployed_at=NOON,
        judged_from=NOON + MINUTE,
        grace=2,
        verdict="degraded",
        decided_at=NOON + 5 * MINUTE,
    )

    assert [(mark.x, mark.kind) for mark in chart.moments] == [
        (60.0, "deploy"),
        (63.0, "grace"),
        (65.0, "degraded"),
    ]
    assert chart.grace == (600.0, 30.0)


def test_what_lies_outside_is_not_marked() -> None:
    chart = drawn(points(*[0.01] * 50), deployed_at=NOON, judged_from=NOON, grace=2)

    assert (chart.moments, chart.grace) == ([], None)


def test_a_span_says_its_numbers_when_pointed_at() -> None:
    chart = drawn(points(0.02), points(None))

    assert (
        "11:00–11:01 UTC\n1.1: 2 % (20 errors in 1,000 requests)\n1.0: nothing served"
        in chart.columns
    )


def test_a_version_is_escaped() -> None:
    chart = drawn(points(0.02), version="<b>&")

    assert "&lt;b&gt;&amp;" in chart.columns


def test_without_a_unit_rates_are_errors_a_minute() -> None:
    chart = drawn(points(0.003, 0.003), unit="")

    assert "0.003 a minute (3 errors)" in chart.columns
    assert [level.label for level in chart.grid[:2]] == ["0", "0.001"]


def test_times_stand_at_round_minutes() -> None:
    chart = drawn(points(*[0.01] * 70))

    assert [tick.label for tick in chart.ticks[:3]] == ["11:00", "11:10", "11:20"]


def test_nothing_counted_is_said() -> None:
    assert drawn(points(None, None)).is_empty
