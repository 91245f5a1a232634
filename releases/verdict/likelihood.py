"""Evidence, dispersion and caps: the arithmetic of counts and rates."""

import math
from collections.abc import Mapping, Sequence

ALTERNATIVES = 8
LARGEST_RATIO = 30.0
SMALLEST_STEP = 1.3


def log_evidence(
    errors: float,
    exposure: float,
    base_errors: float,
    base_exposure: float,
    drift: float,
    dispersion: float = 1.0,
    grid: Sequence[float] | None = None,
) -> float:
    """The log e-value of "the rate is above ``drift`` × the base rate".

    A mixture over alternatives of the conditional binomial test with a Gamma prior on
    the base rate (Lindon and Malek, NeurIPS 2022); P(ever >= log 1/alpha) <= alpha.
    """
    a, b = base_errors + 0.5, base_exposure
    below = b + drift * exposure
    terms = [
        (
            errors * math.log(ratio / drift)
            - (a + errors) * math.log((b + ratio * exposure) / below)
        )
        / dispersion
        for ratio in (grid or alternatives(drift))
    ]
    return _log_mean(terms)


def alternatives(drift: float) -> list[float]:
    step = (LARGEST_RATIO / SMALLEST_STEP) ** (1 / (ALTERNATIVES - 1))
    return [drift * SMALLEST_STEP * step**j for j in range(ALTERNATIVES)]


def _log_mean(values: Sequence[float]) -> float:
    return log_sum(values) - math.log(len(values))


def log_sum(values: Sequence[float]) -> float:
    top = max(values)
    return top + math.log(sum(math.exp(v - top) for v in values))


def cap_of(errors_per_minute: float) -> int:
    """The most errors that one tenant may count in a minute."""
    return max(2, math.ceil(0.2 * errors_per_minute))


def dispersion_of(blocks: Sequence[tuple[float, float]]) -> float:
    """How bursty counts are beyond chance: 1 for Poisson, larger for bursts.

    ``blocks``: capped errors and exposure of equal spans. Pearson's dispersion, shrunk
    to 1 with the weight of ten blocks, its excess enlarged by 30 %.
    """
    # What happened while nothing was counted has nothing to be put to.
    blocks = [(x, n) for x, n in blocks if n]
    errors = sum(x for x, _ in blocks)
    exposure = sum(n for _, n in blocks)
    if not errors:
        return 1.0
    rate = errors / exposure
    chi2 = sum((x - rate * n) ** 2 / (rate * n) for x, n in blocks)
    used = len(blocks)
    return 1 + 1.3 * max(0.0, (chi2 + 10) / (used - 1 + 10) - 1)


def block_minutes(errors_per_minute: float) -> int:
    """How long the blocks for ``dispersion_of`` must be, in minutes (30-120)."""
    if errors_per_minute <= 0:
        return 120
    return min(120, max(30, math.ceil(5 / errors_per_minute)))


def arm_cap(cap: int, share: float) -> int:
    """The cap of an arm that has ``share`` of the traffic."""
    return cap if share >= 1 else max(1, round(cap * share))


def capped_total(errors: Mapping[int, int], cap: int) -> float:
    """Errors of one minute, at most ``cap`` of each tenant; unnamed ones all count."""
    return sum(
        count if tenant == 0 or count < cap else cap for tenant, count in errors.items()
    )
