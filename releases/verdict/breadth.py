"""Is a rise wide or lasting? A burst of ten tenants for three minutes is neither."""

import math

from releases.verdict.likelihood import capped_total
from releases.verdict.values import Baseline, Evidence

# How many tenants, or minutes, are left out, and what must remain.
MOST_HIT_TENANTS = 10
WORST_MINUTES = 4
REMAINING_RATIO = 1.25
REMAINING_CHANCE = 0.35
# Beyond it exp(-expected) is no longer a number, and chance is small against it.
LARGE = 700


def is_wide(
    baseline: Baseline, evidence: Evidence, cap: int, since: int, base_rate: float
) -> bool:
    """Whether the effect remains without the tenants that are hit the most.

    Their usual share of the errors is left out of the baseline as well.
    """
    totals: dict[int, float] = {}
    exposure = 0.0
    for minute in evidence.minutes[since:]:
        exposure += minute.exposure
        for tenant, count in minute.errors.items():
            counted = count if tenant == 0 or count < cap else cap
            totals[tenant] = totals.get(tenant, 0.0) + counted
    unnamed = totals.pop(0, 0.0)
    if not totals:
        return True  # nobody is named: width cannot be asked for
    expected = base_rate * exposure
    usual = baseline.tenant_errors_capped
    scale = expected / (baseline.errors + 0.5)
    excess = sorted(
        (
            (count - usual.get(tenant, 0.0) * scale, tenant)
            for tenant, count in totals.items()
        ),
        reverse=True,
    )
    left_out = [tenant for _, tenant in excess[: _most_hit(baseline.tenants)]]
    remaining = unnamed + sum(totals.values()) - sum(totals[t] for t in left_out)
    expected -= sum(usual.get(t, 0.0) for t in left_out) * scale
    return remaining >= 2 and remaining >= REMAINING_RATIO * max(expected, 0.0)


def _most_hit(tenants: int) -> int:
    """How many tenants are left out: ten, fewer where there are not a hundred."""
    return min(MOST_HIT_TENANTS, max(1, math.ceil(tenants / 10)))


def is_lasting(
    evidence: Evidence, cap: int, since: int, base_rate: float, ratio: float
) -> bool:
    """Whether the effect remains without the minutes in which it was worst."""
    minutes = [
        (capped_total(minute.errors, cap) - base_rate * minute.exposure, minute)
        for minute in evidence.minutes[since:]
    ]
    minutes.sort(key=lambda pair: -pair[0])
    rest = [minute for _, minute in minutes[WORST_MINUTES:]]
    exposure = sum(minute.exposure for minute in rest)
    errors = sum(capped_total(minute.errors, cap) for minute in rest)
    expected = base_rate * exposure
    return errors >= ratio * expected and _chance(errors, expected) <= REMAINING_CHANCE


def _chance(errors: float, expected: float) -> float:
    """How probable that many errors, or more, are by Poisson's law."""
    if expected > LARGE:
        return 0.0 if errors > expected else 1.0
    term = below = math.exp(-expected)
    if errors < 1:
        return 1.0
    for k in range(1, math.ceil(errors)):
        term *= expected / k
        below += term
    return 1 - below
