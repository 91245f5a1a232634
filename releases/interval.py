"""Intervals of a ratio of two rates, without a statistics library. Pure."""

import math

from releases.verdict import log_evidence

STEPS = 60  # of bisection: 18 digits


def ratio_interval(
    errors: float,
    exposure: float,
    base_errors: float,
    base_exposure: float,
    dispersion: float,
    level: float = 0.95,
) -> tuple[float, float]:
    """Lower and upper end of new rate ÷ base rate.

    The split of all errors between the two sides has a Beta law (Jeffreys); counts
    are deflated by the dispersion first.
    """
    a, b = errors / dispersion + 0.5, base_errors / dispersion + 0.5
    tail = (1 - level) / 2
    scale = base_exposure / exposure
    low, high = (beta_quantile(a, b, q) for q in (tail, 1 - tail))
    return _odds(low) * scale, _odds(high) * scale


def _odds(share: float) -> float:
    return share / (1 - share) if share < 1 else math.inf


def anytime_lower(
    errors: float,
    exposure: float,
    base_errors: float,
    base_exposure: float,
    dispersion: float,
    alpha: float = 0.025,
) -> float:
    """The largest ratio that the evidence still rejects, however often one looks."""
    low, high = 0.01, 1000.0
    needed = math.log(1 / alpha)
    for _ in range(STEPS):
        middle = math.sqrt(low * high)
        found = log_evidence(
            errors, exposure, base_errors, base_exposure, middle, dispersion
        )
        if found >= needed:
            low = middle
        else:
            high = middle
    return low


def beta_quantile(a: float, b: float, probability: float) -> float:
    """The value below which a Beta(a, b) variable lies with ``probability``."""
    low, high = 0.0, 1.0
    for _ in range(STEPS):
        middle = (low + high) / 2
        if beta_cdf(a, b, middle) < probability:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def beta_cdf(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function (DLMF 8.17.22, a continued fraction)."""
    if x <= 0:
        return 0.0
    if x >= 1:
        return 1.0
    if x > (a + 1) / (a + b + 2):
        return 1 - beta_cdf(b, a, 1 - x)
    front = math.exp(
        math.lgamma(a + b)
        - math.lgamma(a)
        - math.lgamma(b)
        + a * math.log(x)
        + b * math.log1p(-x)
    )
    return front / a * _fraction(a, b, x)


def _fraction(a: float, b: float, x: float) -> float:
    """Lentz's method; converges fast for x below the mean."""
    tiny = 1e-300
    c, d = 1.0, 1 / _nonzero(1 - (a + b) * x / (a + 1), tiny)
    value = d
    for m in range(1, 500):
        for step in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / _nonzero(1 + step * d, tiny)
            c = _nonzero(1 + step / c, tiny)
            change = c * d
            value *= change
        if abs(change - 1) < 1e-13:
            break
    return value


def _nonzero(value: float, tiny: float) -> float:
    return value if abs(value) > tiny else tiny
