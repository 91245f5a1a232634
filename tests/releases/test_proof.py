"""When a rollback counts as proven: tables of cases."""

import random

import pytest

from releases.rollbacks.proof import (
    Bad,
    Slice,
    Usual,
    most_usual,
    prove,
    quantile,
    tail,
)

# 1,600 requests and 6.4 errors a minute for an hour.
USUAL = Usual(errors=384, exposure=96_000)
FIVE_TIMES = Bad(rate=0.02, share=1.0)


def minutes(count: int, errors: float, exposure: float = 1600, share: float = 0.0):  # type: ignore[no-untyped-def]
    return [Slice(errors, exposure, exposure, exposure * share) for _ in range(count)]


@pytest.mark.parametrize(
    ("after", "lacks"),
    [
        ([], "exposure"),
        (minutes(2, 6), "exposure"),
        (minutes(9, 0, exposure=0), "exposure"),
        (minutes(3, 6), ""),
        (minutes(3, 0), ""),
        (minutes(3, 32), "inside"),
        (minutes(3, 13), "inside"),
        (minutes(15, 11), "inside"),
        (minutes(3, 6, share=0.6), "share"),
        (minutes(3, 6, share=0.4), ""),
        # So little traffic that five times the usual rate would look the same.
        (minutes(10, 0, exposure=10), "below"),
        (minutes(10, 0, exposure=100), ""),
        (minutes(10, 0, exposure=30), "below"),
    ],
)
def test_what_proves_a_rollback(after: list[Slice], lacks: str) -> None:
    proof = prove(USUAL, FIVE_TIMES, after)

    assert (proof.lacks, proof.proven) == (lacks, lacks == "")


def test_the_newest_minutes_count_when_the_rollback_took_its_time() -> None:
    proof = prove(USUAL, FIVE_TIMES, minutes(5, 32, share=1.0) + minutes(3, 6))

    assert proof.proven
    assert (proof.minutes, proof.errors, proof.exposure) == (3, 18, 4800)
    assert proof.share == 0


def test_minutes_without_traffic_are_passed_over() -> None:
    quiet = minutes(1, 0, exposure=0)
    after = minutes(1, 6) + quiet + minutes(1, 6) + quiet + minutes(1, 6)

    assert prove(USUAL, FIVE_TIMES, after).proven


def test_one_quiet_minute_after_bad_ones_proves_nothing() -> None:
    assert not prove(USUAL, FIVE_TIMES, minutes(9, 32) + minutes(1, 0)).proven


def test_a_canary_must_lose_half_of_its_own_share() -> None:
    canary = Bad(rate=0.02, share=0.05)

    assert not prove(USUAL, canary, minutes(3, 6, share=0.05)).proven
    assert prove(USUAL, canary, minutes(3, 6, share=0.02)).proven


def test_where_no_traffic_is_told_apart_the_share_is_not_asked_for() -> None:
    after = [Slice(6, 1600)] * 3

    assert prove(USUAL, Bad(rate=0.02), after).proven


def test_a_share_that_is_not_known_any_more_proves_nothing() -> None:
    assert prove(USUAL, FIVE_TIMES, [Slice(6, 1600)] * 3).lacks == "share"


def test_a_verdict_of_a_guard_rests_on_no_overall_rate() -> None:
    assert prove(USUAL, Bad(share=1.0), minutes(3, 6)).proven


def test_bursty_errors_allow_more_and_need_more() -> None:
    bursty = Usual(384, 96_000, dispersion=6)

    assert most_usual(bursty, 4800) > most_usual(USUAL, 4800)
    assert prove(bursty, FIVE_TIMES, minutes(3, 13)).proven
    assert prove(bursty, Bad(0.008, 1.0), minutes(3, 6)).lacks == "below"


def test_without_a_baseline_nothing_is_proven() -> None:
    assert prove(Usual(0, 0), FIVE_TIMES, minutes(9, 0)).lacks == "exposure"


def test_a_baseline_without_an_error_allows_a_few() -> None:
    assert most_usual(Usual(0, 96_000), 4800) == 0
    assert most_usual(Usual(0, 96_000), 96_000) >= 2


@pytest.mark.parametrize(
    ("mean", "variance", "expected"),
    [
        # Of tables: Poisson 5 and 20; negative binomial r=2, p=0.2 and r=5, p=0.5.
        (5.0, 5.0, 10),
        (20.0, 20.0, 29),
        (8.0, 40.0, 24),
        (5.0, 10.0, 12),
        (0.0, 0.0, 0),
    ],
)
def test_the_quantile_is_that_of_the_tables(
    mean: float, variance: float, expected: int
) -> None:
    assert quantile(mean, variance, 0.975) == expected


@pytest.mark.parametrize(("mean", "variance"), [(3.0, 3.0), (40.0, 90.0), (900.0, 1e5)])
def test_tail_and_quantile_agree(mean: float, variance: float) -> None:
    bound = quantile(mean, variance, 0.975)

    assert tail(bound, mean, variance) >= 0.975 > tail(bound - 1, mean, variance)


def test_large_counts_are_no_trouble() -> None:
    assert 20_000 < quantile(20_000, 20_000, 0.975) < 20_400


def poisson(rate: float, chance: random.Random) -> int:
    count, left = 0, chance.expovariate(1)
    while left < rate:
        count += 1
        left += chance.expovariate(1)
    return count


def proven_within(
    minutes: int, rate: float, exposure: float, chance: random.Random
) -> bool:
    after = [Slice(poisson(rate * exposure, chance), exposure) for _ in range(minutes)]
    bad = Bad(rate=0.02)
    return any(prove(USUAL, bad, after[: n + 1]).proven for n in range(minutes))


@pytest.mark.parametrize(("exposure", "most"), [(1600, 0), (160, 2), (16, 2)])
def test_a_rollback_that_did_not_help_is_hardly_ever_proven(
    exposure: float, most: int
) -> None:
    chance = random.Random(7)

    proven = [proven_within(14, 0.02, exposure, chance) for _ in range(100)]

    assert sum(proven) <= most


def test_a_rollback_that_helped_is_proven_in_time() -> None:
    chance = random.Random(7)

    proven = [proven_within(6, 0.004, 1600, chance) for _ in range(100)]

    assert sum(proven) >= 99
