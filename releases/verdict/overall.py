"""The global test: is the whole release worse, whenever since the deploy that began?"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from releases.verdict.breadth import is_lasting, is_wide
from releases.verdict.likelihood import (
    alternatives,
    arm_cap,
    capped_total,
    log_evidence,
    log_sum,
)
from releases.verdict.values import Baseline, Evidence, GlobalTest, Minute, Rule

# Its part of the accepted chance of a false alarm; the guards share the rest.
GLOBAL_SHARE = 0.8
START_EVERY = 5  # minutes between the starts of late regressions
# From this error rate on nearly all is broken, however few tenants there are to see it.
MOST_FAIL = 0.5


@dataclass(slots=True)
class _Sums:
    """Suffix sums of the minutes: index s holds the sum from minute s to the end."""

    capped: list[float]
    raw: list[float]
    exposure: list[float]
    control_errors: list[float]
    control_exposure: list[float]


def _sums(minutes: Sequence[Minute], cap: int) -> _Sums:
    size = len(minutes) + 1
    sums = _Sums([0.0] * size, [0.0] * size, [0.0] * size, [0.0] * size, [0.0] * size)
    for i in range(size - 2, -1, -1):
        minute = minutes[i]
        sums.capped[i] = sums.capped[i + 1] + capped_total(minute.errors, cap)
        sums.raw[i] = sums.raw[i + 1] + sum(minute.errors.values())
        sums.exposure[i] = sums.exposure[i + 1] + minute.exposure
        sums.control_errors[i] = sums.control_errors[i + 1] + minute.control_errors
        sums.control_exposure[i] = (
            sums.control_exposure[i + 1] + minute.control_exposure
        )
    return sums


def global_test(rule: Rule, baseline: Baseline, evidence: Evidence) -> GlobalTest:
    """Is the whole release worse, whenever since the deploy that began?"""
    minutes = evidence.minutes
    last = len(minutes)
    if last <= rule.grace or not baseline.exposure:
        return GlobalTest()
    cap = arm_cap(baseline.cap, evidence.share)
    dispersion = 1 + (baseline.dispersion - 1) * evidence.share
    sums = _sums(minutes, cap)
    late = starts_after(rule)
    starts = [rule.grace, *late]
    grid = alternatives(rule.tolerated_drift)
    parts: list[float] = []
    best: tuple[float, int] | None = None
    for i, start in enumerate(starts):
        weight = (1.0 if not late else 0.5) if i == 0 else 0.5 / len(late)
        log_weight = math.log(weight)
        if start >= last:
            parts.append(log_weight)
            continue
        base_errors, base_exposure = _base(baseline, evidence, sums, start)
        found = log_evidence(
            sums.capped[start],
            sums.exposure[start],
            base_errors,
            base_exposure,
            rule.tolerated_drift,
            dispersion,
            grid,
        )
        parts.append(log_weight + found)
        if best is None or found > best[0]:
            best = (found, start)
    if best is None:
        return GlobalTest()
    return _gated(rule, baseline, evidence, sums, cap, log_sum(parts), best[1])


def needed_evidence(rule: Rule) -> float:
    """The log e-value from which the global test may fire."""
    return math.log(1 / (GLOBAL_SHARE * rule.alpha))


def starts_after(rule: Rule) -> list[int]:
    """The minutes, later than grace, from which the rule looks for a rise."""
    if not rule.late_starts:
        return []
    return list(range(rule.grace + START_EVERY, rule.window - 2, START_EVERY))


def _base(
    baseline: Baseline, evidence: Evidence, sums: _Sums, start: int
) -> tuple[float, float]:
    """Errors and exposure to compare with: the control since ``start``, or history."""
    if evidence.concurrent:
        return sums.control_errors[start], max(sums.control_exposure[start], 1.0)
    return baseline.errors, baseline.exposure


def _gated(
    rule: Rule,
    baseline: Baseline,
    evidence: Evidence,
    sums: _Sums,
    cap: int,
    total: float,
    since: int,
) -> GlobalTest:
    errors, exposure = sums.capped[since], sums.exposure[since]
    base_errors, base_exposure = _base(baseline, evidence, sums, since)
    base_rate = (base_errors + 0.5) / base_exposure
    ratio = errors / exposure / base_rate if exposure else 0.0
    tenants = _known_tenants_hit(evidence, rule.grace)
    sure = (
        total >= needed_evidence(rule)
        and ratio >= rule.ratio
        and errors >= rule.min_events
        and exposure > 0
        and sums.raw[since] / exposure >= rule.floor
    )
    wide = lasting = False
    held_back = ""
    if sure:
        outside = max(1.0, evidence.outside_ratio.get(since, 1.0))
        wide = is_wide(baseline, evidence, cap, since, base_rate)
        lasting = is_lasting(evidence, cap, since, base_rate, rule.ratio)
        if tenants is not None and tenants < rule.min_tenants:
            held_back = "few_tenants"
        elif not (wide or lasting or errors / exposure >= MOST_FAIL):
            held_back = "burst"
        elif ratio / outside < rule.ratio:
            held_back = "outside"
    return GlobalTest(
        hit=sure and not held_back,
        log_evidence=total,
        ratio=ratio,
        since=since,
        errors=errors,
        exposure=exposure,
        tenants=tenants or 0,
        wide=wide,
        lasting=lasting,
        held_back=held_back,
    )


def _known_tenants_hit(evidence: Evidence, start: int) -> int | None:
    """Distinct tenants with errors since ``start``; None where none is named at all."""
    named: set[int] = set()
    for minute in evidence.minutes[start:]:
        named.update(minute.errors)
    named = {tenant for tenant in named if tenant > 0}
    if not named:
        return None
    if evidence.known_tenants is not None:
        named &= evidence.known_tenants
    return len(named)
