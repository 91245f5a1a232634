import pytest

from releases.exposure import Counts, Source, source_of


def minutes(*, traffic: int = 0, sessions: int = 0, requests: int = 0) -> Counts:
    return Counts(
        traffic_minutes=traffic, session_minutes=sessions, request_minutes=requests
    )


@pytest.mark.parametrize(
    ("counts", "source"),
    [
        ([], Source.NONE),
        ([minutes()], Source.NONE),
        ([minutes(requests=3)], Source.REQUESTS),
        ([minutes(sessions=60, requests=60)], Source.SESSIONS),
        ([minutes(traffic=60, sessions=60, requests=60)], Source.TRAFFIC),
        # Traffic that is posted since a few minutes is no denominator of the hour.
        ([minutes(traffic=5, sessions=60)], Source.SESSIONS),
        ([minutes(traffic=40, sessions=60)], Source.TRAFFIC),
        # One source serves for both sides, or none does.
        ([minutes(traffic=60, sessions=60), minutes(sessions=60)], Source.SESSIONS),
        ([minutes(traffic=60), minutes(sessions=60)], Source.NONE),
        # What has nothing at all does not stand in the way.
        ([minutes(traffic=60), minutes()], Source.TRAFFIC),
        # The best of bad ones.
        (
            [minutes(traffic=60, sessions=20), minutes(traffic=9, sessions=60)],
            Source.SESSIONS,
        ),
    ],
)
def test_one_source_serves_as_denominator(counts: list[Counts], source: str) -> None:
    assert source_of(counts) == source


def test_errors_are_counted_per_exposure_of_the_source() -> None:
    counts = Counts(errors=5, traffic=100.0, sessions=10, requests=50.0)

    assert [counts.error_rate(source) for source in Source] == [0.05, 0.5, 0.1, None]


@pytest.mark.parametrize(
    ("sessions", "crashed", "share"), [(0, 0, None), (10, 1, 0.9), (10, 12, 0.0)]
)
def test_sessions_are_free_of_crashes_or_nothing_is_known(
    sessions: int, crashed: int, share: float | None
) -> None:
    assert Counts(sessions=sessions, crashed=crashed).crash_free == share


def test_counts_add_up() -> None:
    counts = Counts(errors=1, traffic=1.5)
    counts.add(Counts(errors=2, traffic=0.5, traffic_minutes=1))

    assert (counts.errors, counts.traffic, counts.traffic_minutes) == (3, 2.0, 1)
