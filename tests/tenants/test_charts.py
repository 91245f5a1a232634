from datetime import UTC, datetime, timedelta

from tenants.charts import BASELINE, Mark, bar_chart, sparkline

START = datetime(2026, 11, 23, 9, tzinfo=UTC)


def hours(*counts: int) -> list[tuple[datetime, int]]:
    return [(START + timedelta(hours=i), n) for i, n in enumerate(counts)]


def test_the_highest_column_fills_the_height() -> None:
    chart = bar_chart("Hours", hours(5, 10, 0), time_format="%H:%M")

    assert [bar.height for bar in chart.bars] == [49.5, 99.0, BASELINE]
    assert (chart.peak, chart.total) == (10, 15)


def test_a_column_says_when_and_how_many() -> None:
    chart = bar_chart("Hours", hours(1200), time_format="%H:%M", parts=[200])

    assert chart.bars[0].label == "09:00 UTC: 1,200 events, 200 errors"


def test_columns_are_drawn_with_their_darker_part() -> None:
    chart = bar_chart("Hours", hours(10), time_format="%H:%M", parts=[5])

    assert chart.columns.count("<rect") == 3
    assert "<title>09:00 UTC: 10 events, 5 errors</title>" in chart.columns
    assert 'y="50.5" width="820.0" height="49.5"' in chart.columns


def test_moments_are_marked() -> None:
    mark = Mark(50.0, "deployed")

    chart = bar_chart("Hours", hours(1, 2), time_format="%H:%M", marks=[mark])

    assert chart.marks == [mark]


def test_a_quiet_time_draws_a_flat_line() -> None:
    chart = bar_chart("Hours", hours(0, 0), time_format="%H:%M", parts=[0, 0])

    assert [(bar.height, bar.part) for bar in chart.bars] == [(BASELINE, 0.0)] * 2


def test_a_sparkline_draws_the_newest_hour_apart() -> None:
    spark = sparkline([0, 4, 8], width=30, height=20)

    assert spark.past.count("M") == 2
    assert spark.newest == "M25.0 20V1.0"
    assert spark.label == "12 events in 3 hours, 8 in the highest hour"
