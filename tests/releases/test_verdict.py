"""The rule, as tables; numbers of the reference stand in samples/verdict.json."""

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from releases.interval import anytime_lower, beta_cdf, beta_quantile, ratio_interval
from releases.verdict import (
    Baseline,
    Evidence,
    GlobalTest,
    Minute,
    NewIssue,
    Rule,
    block_minutes,
    cap_of,
    dispersion_of,
    global_test,
    guard_issue,
    guard_tenant,
    judge,
    log_evidence,
    without_denominator,
)

SAMPLES = Path(__file__).resolve().parent.parent / "samples" / "verdict.json"
REFERENCE: dict[str, Any] = orjson.loads(SAMPLES.read_bytes())

RULE = Rule()
# 6.4 errors a minute among 1,600 requests, over an hour.
BASE = Baseline(
    errors=384,
    exposure=96_000,
    tenants=1500,
    history_errors=9_200,
    history_exposure=2_300_000,
)


def minutes_with(
    errors: int, *, minutes: int = 5, tenants: int = 40, exposure: float = 1600
) -> list[Minute]:
    """Minutes whose errors are spread over as many tenants as there are errors."""
    return [Minute(exposure, spread(errors, tenants, first=m)) for m in range(minutes)]


def spread(errors: int, tenants: int, first: int = 0) -> dict[int, int]:
    counts: dict[int, int] = {}
    for i in range(errors):
        tenant = 1 + (first * 7 + i) % tenants
        counts[tenant] = counts.get(tenant, 0) + 1
    return counts


@pytest.mark.parametrize("case", REFERENCE["log_evidence"])
def test_evidence_is_that_of_the_reference(case: Mapping[str, Any]) -> None:
    assert log_evidence(*case["arguments"]) == pytest.approx(case["result"], abs=1e-9)


@pytest.mark.parametrize("case", REFERENCE["global"])
def test_the_global_test_is_that_of_the_reference(case: Mapping[str, Any]) -> None:
    # Unnamed errors are neither capped nor asked for width, as in the scalar reference.
    minutes = [
        Minute(n, {0: x}) if x else Minute(n)
        for x, n in zip(case["errors"], case["exposure"], strict=True)
    ]
    base = Baseline(case["x0"], case["n0"], dispersion=case["dispersion"])
    found = global_test(RULE, base, Evidence(minutes))
    assert found.hit == case["hit"]
    assert found.log_evidence == pytest.approx(case["log_evidence"], abs=1e-9)
    assert (found.ratio or 0.0) == pytest.approx(case["ratio"], rel=1e-9)


@pytest.mark.parametrize("case", REFERENCE["anytime_lower"])
def test_the_sure_lower_bound_is_that_of_the_reference(
    case: Mapping[str, Any],
) -> None:
    assert anytime_lower(*case["arguments"]) == pytest.approx(case["result"], rel=1e-6)


@pytest.mark.parametrize("case", REFERENCE["ratio_interval"])
def test_the_interval_is_that_of_a_statistics_library(case: Mapping[str, Any]) -> None:
    assert ratio_interval(*case["arguments"]) == pytest.approx(case["result"], rel=1e-6)


@pytest.mark.parametrize("case", REFERENCE["dispersion"])
def test_dispersion_is_that_of_the_reference(case: Mapping[str, Any]) -> None:
    blocks = [(x, n) for x, n in case["blocks"]]
    assert dispersion_of(blocks) == pytest.approx(case["result"], rel=1e-9)


@pytest.mark.parametrize(
    ("a", "b", "x", "expected"),
    [(1, 1, 0.3, 0.3), (2, 1, 0.5, 0.25), (1, 3, 0.5, 0.875), (0.5, 0.5, 0.5, 0.5)],
)
def test_the_beta_law_in_closed_form(
    a: float, b: float, x: float, expected: float
) -> None:
    assert beta_cdf(a, b, x) == pytest.approx(expected, abs=1e-12)
    assert beta_quantile(a, b, expected) == pytest.approx(x, abs=1e-9)


def test_the_beta_law_ends_at_0_and_1() -> None:
    assert (beta_cdf(2, 3, 0.0), beta_cdf(2, 3, 1.0)) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("per_minute", "cap"), [(0, 2), (6.4, 2), (10, 2), (10.1, 3), (100, 20)]
)
def test_one_tenant_counts_for_a_fifth_at_most(per_minute: float, cap: int) -> None:
    assert cap_of(per_minute) == cap


@pytest.mark.parametrize(
    ("per_minute", "minutes"), [(0, 120), (0.01, 120), (0.1, 50), (6.4, 30)]
)
def test_blocks_are_longer_where_errors_are_rare(
    per_minute: float, minutes: int
) -> None:
    assert block_minutes(per_minute) == minutes


def test_equal_blocks_are_not_dispersed() -> None:
    assert dispersion_of([(100, 1000)] * 48) == 1.0


def test_time_before_anything_was_counted_does_not_disperse() -> None:
    uncounted = [(1500.0, 0.0)] * 500
    assert dispersion_of([*uncounted, *[(100.0, 1000.0)] * 48]) == 1.0


def test_no_errors_are_not_dispersed() -> None:
    assert dispersion_of([(0, 1000)] * 48) == 1.0
    assert dispersion_of([]) == 1.0


@pytest.mark.parametrize(
    ("errors", "minutes", "rule"),
    [
        (6, 60, ""),  # as before
        (8, 60, ""),  # x1.25, below the threshold
        (32, 3, "global"),  # x5, after the first minute that counts
        (128, 3, "global"),
        (13, 10, "global"),  # x2
        (128, 2, ""),  # still in its grace
    ],
)
def test_how_much_worse_is_degraded(errors: int, minutes: int, rule: str) -> None:
    evidence = Evidence(minutes_with(errors, minutes=minutes, tenants=200))
    assert judge(RULE, BASE, evidence).rule == rule


def test_errors_of_the_grace_do_not_count() -> None:
    noise = minutes_with(100, minutes=2)
    evidence = Evidence([*noise, *minutes_with(6, minutes=20)])
    assert judge(RULE, BASE, evidence).rule == ""


def test_a_late_rise_is_found() -> None:
    evidence = Evidence(
        [*minutes_with(6, minutes=20), *minutes_with(25, minutes=8, tenants=100)]
    )
    found = judge(RULE, BASE, evidence)
    assert found.rule == "global"
    assert found.overall.since >= 17


def test_one_tenant_cannot_roll_back_everybody() -> None:
    minutes = [Minute(1600, {7: 500, **spread(6, 40, m)}) for m in range(30)]
    assert judge(RULE, BASE, Evidence(minutes)).rule == ""


def test_a_burst_of_ten_tenants_is_held_back() -> None:
    quiet = minutes_with(6, minutes=10, tenants=300)
    burst = [Minute(1600, dict.fromkeys(range(1, 11), 5)) for _ in range(3)]
    found = judge(RULE, BASE, Evidence([*quiet, *burst]))
    assert (found.rule, found.reason) == ("", "burst")


def test_a_rise_of_ten_tenants_that_lasts_is_degraded() -> None:
    minutes = [Minute(1600, dict.fromkeys(range(1, 11), 5)) for _ in range(12)]
    found = judge(RULE, BASE, Evidence(minutes))
    assert found.rule == "global"
    assert (found.overall.wide, found.overall.lasting) == (False, True)


def test_a_lasting_rise_is_seen_where_errors_are_many() -> None:
    base = Baseline(errors=12_000, exposure=96_000, cap=40, tenants=1500)
    usual = spread(200, 1500)
    broken = dict.fromkeys(range(1, 9), 40)
    minutes = [Minute(1600, {**usual, **broken}) for _ in range(30)]
    found = judge(RULE, base, Evidence(minutes))
    assert (found.rule, found.overall.lasting) == ("global", True)


def test_drops_alone_are_no_tenants() -> None:
    minutes = [Minute(1600, {0: 60, -1: 5})] * 5
    evidence = Evidence(minutes, known_tenants=frozenset())
    assert judge(RULE, BASE, evidence).rule == "global"


def test_tenants_that_nobody_knew_are_no_tenants() -> None:
    evidence = Evidence(minutes_with(60), known_tenants=frozenset({1, 2}))
    found = judge(RULE, BASE, evidence)
    assert (found.rule, found.reason) == ("", "few_tenants")


def test_without_named_tenants_their_number_is_not_asked_for() -> None:
    evidence = Evidence([Minute(1600, {0: 60})] * 5)
    assert judge(RULE, BASE, evidence).rule == "global"


def test_a_rise_that_others_share_is_not_the_releases() -> None:
    evidence = Evidence(minutes_with(20, minutes=6, tenants=200))
    assert judge(RULE, BASE, evidence).rule == "global"
    shared = replace(evidence, outside_ratio={2: 3.0})
    found = judge(RULE, BASE, shared)
    assert (found.rule, found.reason) == ("", "outside")


def test_a_rate_below_the_floor_is_never_degraded() -> None:
    base = Baseline(errors=1, exposure=1_000_000, tenants=1500)
    minutes = minutes_with(20, exposure=100_000, tenants=200)
    assert judge(RULE, base, Evidence(minutes)).rule == ""
    assert judge(replace(RULE, floor=0.0), base, Evidence(minutes)).rule == "global"


def test_a_canary_is_compared_with_the_rest_at_the_same_time() -> None:
    outage = [
        Minute(80, spread(2, 40, m), control_errors=38, control_exposure=1520)
        for m in range(20)
    ]
    evidence = Evidence(outage, share=0.05, concurrent=True)
    assert judge(RULE, BASE, evidence).rule == ""
    worse = [
        Minute(80, spread(6, 40, m), control_errors=6, control_exposure=1520)
        for m in range(10)
    ]
    evidence = Evidence(worse, share=0.05, concurrent=True)
    assert judge(RULE, BASE, evidence).rule == "global"


def test_nothing_is_judged_without_a_baseline() -> None:
    evidence = Evidence(minutes_with(100))
    assert global_test(RULE, Baseline(0, 0), evidence) == GlobalTest()
    assert judge(RULE, Baseline(0, 0), evidence).rule == ""


def new_issue(per_minute: int, tenants: int, minutes: int = 6) -> NewIssue:
    return NewIssue(
        9, {m: spread(per_minute, tenants, m) for m in range(2, 2 + minutes)}
    )


@pytest.mark.parametrize(
    ("per_minute", "tenants", "fires"),
    [(4, 30, True), (4, 4, False), (1, 30, False), (0, 30, False)],
)
def test_a_new_issue_must_hit_several_tenants_often(
    per_minute: int, tenants: int, fires: bool
) -> None:
    evidence = Evidence(minutes_with(8, minutes=8), [new_issue(per_minute, tenants)])
    hit = guard_issue(RULE, BASE, evidence)
    assert (hit is not None) == fires


def test_a_new_issue_names_itself_and_can_be_switched_off() -> None:
    evidence = Evidence(minutes_with(6, minutes=8), [new_issue(4, 30)])
    found = judge(RULE, BASE, evidence)
    assert found.rule == "new_issue"
    assert found.issue is not None and found.issue.subject == 9
    assert judge(replace(RULE, guard_new_issue=False), BASE, evidence).rule == ""


def of_one_tenant(minutes: int) -> Evidence:
    issue = NewIssue(9, {m: {3: 4} for m in range(2, 2 + minutes)})
    return Evidence(minutes_with(6, minutes=2 + minutes), [issue])


def one_tenant_base(share: float = 0.04, longest: int = 0) -> Baseline:
    return replace(
        BASE,
        tenant_share={3: share},
        tenant_errors={3: 9_200 * share},
        longest_episode=longest,
    )


@pytest.mark.parametrize(
    ("minutes", "longest", "fires"),
    [(2, 0, False), (3, 0, True), (6, 8, False), (12, 8, True), (15, 60, True)],
)
def test_one_tenant_must_be_hit_longer_than_episodes_last(
    minutes: int, longest: int, fires: bool
) -> None:
    hit = guard_tenant(RULE, one_tenant_base(0.01, longest), of_one_tenant(minutes))
    assert (hit is not None) == fires


def test_a_tenant_of_unknown_share_is_not_judged() -> None:
    base = replace(one_tenant_base(), tenant_share={})
    assert guard_tenant(RULE, base, of_one_tenant(10)) is None


def test_without_a_denominator_only_a_clear_rise_is_degraded() -> None:
    rule = without_denominator(RULE)
    base = Baseline(errors=768, exposure=768, dispersion=1.5, tenants=1500)
    double = minutes_with(13, minutes=20, exposure=6.4, tenants=200)
    assert judge(rule, base, Evidence(double)).rule == ""
    fivefold = minutes_with(32, minutes=5, exposure=6.4, tenants=200)
    assert judge(rule, base, Evidence(fivefold)).rule == "global"


def test_no_number_of_looks_reaches_the_evidence_by_chance() -> None:
    """At the boundary, where the rate is drift × base, the evidence stays low."""
    errors, exposure, highest = 0.0, 0.0, -math.inf
    for minute in range(60):
        errors += 7.04 + (1 if minute % 2 else -1)
        exposure += 1600
        highest = max(highest, log_evidence(errors, exposure, 384, 96_000, 1.1))
    assert highest < math.log(1 / 0.008)
