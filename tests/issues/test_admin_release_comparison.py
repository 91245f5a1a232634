import pytest

from issues.admin.release_comparison import Compared, Share, comparison, trend
from releases.exposure import Counts, Source
from releases.figures import Health, ReleaseFigures, Users
from releases.models import Environment, Release

Side = tuple[Counts, Users]


def figures(side: Side, source: str) -> ReleaseFigures:
    counts, users = side
    release = ReleaseFigures(Release(version="v"), source, [], users)
    release.counts = counts
    return release


def rows(
    previous: Side | None, own: Side, source: str = Source.TRAFFIC
) -> dict[str, Compared]:
    before = figures(previous, source) if previous else None
    health = Health(Environment(), source, figures(own, source), before, None)
    return {row.name: row for row in comparison(health)}


def errors(count: int, traffic: float = 1000.0) -> Side:
    return Counts(errors=count, traffic=traffic), Users()


@pytest.mark.parametrize(
    ("old", "new", "change", "trend"),
    [
        (10, 40, "× 4.00", "worse"),
        (40, 10, "× 0.25", "better"),
        (10, 14, "× 1.40", ""),
        (2, 7, "too few errors to compare", ""),
        (0, 20, "none before", "worse"),
    ],
)
def test_error_rates_are_compared_where_enough_is_known(
    old: int, new: int, change: str, trend: str
) -> None:
    row = rows(errors(old), errors(new))["Error rate"]

    assert (row.change, row.trend) == (change, trend)


def test_rates_are_shown_as_percent() -> None:
    row = rows(errors(5), errors(50))["Error rate"]

    assert (row.own, row.previous) == ("5.00%", "0.500%")


def test_crash_free_sessions_are_compared_in_points() -> None:
    found = rows(
        (Counts(sessions=10_000, crashed=100), Users()),
        (Counts(sessions=10_000, crashed=200), Users(users=10)),
    )

    assert found["Crash-free sessions"] == Compared(
        "Crash-free sessions", "98.00%", "99.00%", "-1.00 points", "worse"
    )
    assert found["Crash-free users"] == Compared("Crash-free users", "100.00%")


def test_without_a_release_before_there_are_only_its_own_figures() -> None:
    found = rows(None, errors(1200))

    assert found["Errors"] == Compared("Errors", "1,200")
    assert found["Requests"] == Compared("Requests", "1,000")
    assert found["Error rate"].change == ""


def test_without_a_denominator_there_is_no_rate() -> None:
    found = rows(errors(50), errors(90), Source.NONE)

    assert "Error rate" not in found
    assert found["Errors"] == Compared("Errors", "90", "50")


@pytest.mark.parametrize(
    ("own", "previous", "expected"),
    [
        (Share(20, 1000), Share(10, 1000), ""),
        (Share(200, 10_000), Share(100, 10_000), "worse"),
        (Share(0, 10_000), Share(100, 10_000), "better"),
        (Share(0, 100), Share(0, 100), ""),
        (Share(5, 0), Share(1, 100), ""),
    ],
)
def test_only_what_chance_does_not_explain_is_a_trend(
    own: Share, previous: Share, expected: str
) -> None:
    assert trend(own, previous) == expected
