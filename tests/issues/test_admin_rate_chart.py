from datetime import UTC, datetime, timedelta

import pytest

from issues.admin.rate_chart import rate_chart
from releases.exposure import Counts, Source
from releases.figures import Health, ReleaseFigures, Users
from releases.models import Deploy, Environment, Release

START = datetime(2026, 11, 25, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def figures(pk: int, *counts: tuple[int, float], source: str) -> ReleaseFigures:
    """A release with errors and traffic of each hour."""
    hours = [
        (START + HOUR * i, Counts(errors=errors, traffic=traffic))
        for i, (errors, traffic) in enumerate(counts)
    ]
    return ReleaseFigures(Release(pk=pk, version=f"v{pk}"), source, hours, Users())


def health(
    own: list[tuple[int, float]],
    previous: list[tuple[int, float]] | None = None,
    source: str = Source.TRAFFIC,
) -> Health:
    before = figures(1, *previous, source=source) if previous else None
    mine = figures(2, *own, source=source)
    return Health(Environment(name="production"), source, mine, before, None)


def test_the_highest_rate_fills_the_height() -> None:
    chart = rate_chart("2 hours", health([(1, 100.0), (4, 100.0)]), [])

    assert chart.lines[0].path == "M250.0 104.5h.1L750.0 4.0"
    assert (chart.peak, chart.label) == (
        "4.00%",
        "2 hours, error rate of v2, 4.00% at most",
    )


def test_hours_without_exposure_are_gaps() -> None:
    chart = rate_chart("", health([(1, 10.0), (9, 0.0), (1, 10.0)]), [])

    assert chart.lines[0].path.count("M") == 2


def test_a_rate_of_a_few_stragglers_is_not_drawn() -> None:
    chart = rate_chart("", health([(1, 1000.0)], [(9, 1.0)]), [])
    flattened = rate_chart("", health([(1, 1000.0)] * 2, [(10, 1000.0), (9, 9.0)]), [])

    assert chart.peak == "900.0%"
    assert flattened.peak == "1.00%"


def test_without_a_denominator_errors_are_drawn() -> None:
    chart = rate_chart("", health([(3, 0.0), (6, 0.0)], source=Source.NONE), [])

    assert chart.peak == "6 errors"


def test_nothing_at_all_is_a_flat_line() -> None:
    chart = rate_chart("", health([(0, 0.0)], source=Source.NONE), [])

    assert chart.lines[0].path == "M500.0 138.0h.1"


def test_deploys_are_marked_and_told_by_their_hour() -> None:
    mine = Deploy(release=Release(pk=2, version="<v2>"), started_at=START + HOUR / 2)
    other = Deploy(release=Release(pk=3, version="v3"), started_at=START + HOUR)
    chart = rate_chart("", health([(1, 10.0), (1, 10.0)]), [mine, other])

    assert [(mark.x, mark.own) for mark in chart.marks] == [
        (250.0, True),
        (500.0, False),
    ]
    assert "25 Nov 00:00 UTC: v2 10.0%, &lt;v2&gt; deployed</title>" in chart.columns


@pytest.mark.parametrize(("hours", "label"), [(24, "03:00"), (96, "25 Nov")])
def test_ticks_are_hours_or_days(hours: int, label: str) -> None:
    chart = rate_chart("", health([(1, 10.0)] * hours), [])

    assert label in [text for _, text in chart.ticks]
