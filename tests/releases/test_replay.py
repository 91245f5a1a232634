import random
from dataclasses import replace

import pytest

from releases.replays.replay import History, Usual, promising_looks
from releases.verdict import Baseline, Evidence, Minute, Rule, global_test

USUAL = Baseline(errors=1000, exposure=250_000, cap=3, dispersion=1.2, tenants=100)


def minutes(chance: random.Random, rate: float, count: int = 60) -> list[Minute]:
    """A release with 100 requests a minute, each wrong with this probability."""
    found = []
    for _ in range(count):
        errors: dict[int, int] = {}
        for _ in range(sum(chance.random() < rate for _ in range(100))):
            tenant = chance.randrange(100) + 1
            errors[tenant] = errors.get(tenant, 0) + 1
        found.append(Minute(100.0, errors))
    return found


@pytest.mark.parametrize("rate", [0.004, 0.008, 0.012, 0.02, 0.08])
@pytest.mark.parametrize("share", [1.0, 0.2])
def test_no_look_at_which_the_rule_fires_is_put_aside(
    rate: float, share: float
) -> None:
    chance, rule = random.Random(f"{rate} {share}"), Rule(confidence=0.9)
    fired = 0
    for _ in range(6):
        release = minutes(chance, rate)
        kept = set(promising_looks(rule, USUAL, release, share))
        for look in range(1, 61):
            evidence = Evidence(release[:look], share=share)
            if global_test(rule, USUAL, evidence).hit:
                fired += 1
                assert look in kept
    assert fired or rate < 0.012


def test_a_release_like_its_baseline_leaves_next_to_nothing_to_judge() -> None:
    chance = random.Random(7)
    looks = sum(
        len(list(promising_looks(Rule(), USUAL, minutes(chance, 0.004))))
        for _ in range(50)
    )

    assert looks < 30  # of 2,900


@pytest.mark.parametrize("baseline", [Baseline(0, 0), replace(USUAL, exposure=0)])
def test_without_a_baseline_nothing_is_judged(baseline: Baseline) -> None:
    release = minutes(random.Random(1), 0.5)

    assert list(promising_looks(Rule(), baseline, release)) == []


def test_looks_end_with_the_window() -> None:
    release = minutes(random.Random(1), 0.5, count=90)

    looks = list(promising_looks(Rule(grace=2, window=30), USUAL, release))

    assert (looks[0], looks[-1]) == (3, 30)


def history(*counts: int, cap: int = 2) -> History:
    """Minutes with 100 requests and so many errors of tenant 7."""
    usual = Usual(cap=cap, dispersion=1.0, tenants=50)
    return History([Minute(100.0, {7: n} if n else {}) for n in counts], usual)


def test_a_baseline_is_the_shortest_window_with_enough_errors() -> None:
    past = history(*[1] * 10, cap=9)

    base, start = past.baseline(10, windows=[2, 4, 8], enough=4)

    assert (base.errors, base.exposure, start) == (4.0, 400.0, 6)
    assert (base.cap, base.tenants) == (9, 50)


def test_a_baseline_of_few_errors_is_the_longest_window() -> None:
    base, start = history(0, 1, 0, 0).baseline(4, windows=[1, 2, 8], enough=50)

    assert (base.errors, base.exposure, start) == (1.0, 400.0, 0)


def test_history_is_capped_by_tenant() -> None:
    past = history(9, 1, 0)

    base, start = past.baseline(3, windows=[3], enough=1)

    assert base.errors == 3.0
    assert past.tenant_errors(start, 3) == {7: 3.0}
