"""Did the rollback help? Pure: plain values in, plain values out.

The rollback is proven by the newest closed minutes since the call, as soon as enough of
them together

1. have no more errors than the baseline's usual rate gives 39 times of 40,
2. have fewer than the release that was rolled back would have had, and
3. that release has lost at least half of the traffic that it had.

The second keeps a little traffic from proving anything; the third, a mere lull.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

ENOUGH_MINUTES = 3
INSIDE = 0.975  # probability below the upper bound
BELOW = 0.002  # probability of so few errors at the bad rate, at one of many looks
SHARE_LOST = 0.5


@dataclass(frozen=True, slots=True)
class Usual:
    """The baseline: errors (capped) over exposure, and the dispersion of counts."""

    errors: float
    exposure: float
    dispersion: float = 1.0

    @property
    def rate(self) -> float:
        return (self.errors + 0.5) / self.exposure if self.exposure else 0.0


@dataclass(frozen=True, slots=True)
class Bad:
    """The release that was rolled back.

    ``rate`` errors per exposure while it was judged, None where its overall rate is
    not what the verdict rests on; ``share`` its part of the traffic then, 0-1, None
    where nothing tells the traffic of releases apart.
    """

    rate: float | None = None
    share: float | None = None


@dataclass(frozen=True, slots=True)
class Slice:
    """A closed minute of the environment.

    ``named`` is what its SDKs counted, with their releases, and ``bad`` the part of the
    release that was rolled back.
    """

    errors: float
    exposure: float
    named: float = 0.0
    bad: float = 0.0


@dataclass(frozen=True, slots=True)
class Proof:
    """Whether the rollback is proven, and the minutes that say so or come closest."""

    proven: bool
    minutes: int = 0
    errors: float = 0.0
    exposure: float = 0.0
    most: int = 0  # errors that are still usual
    share: float | None = None
    lacks: str = ""  # exposure, inside, below or share

    @property
    def rate(self) -> float:
        return self.errors / self.exposure if self.exposure else 0.0


def prove(usual: Usual, bad: Bad, minutes: Sequence[Slice]) -> Proof:
    """Judge the minutes since the call, oldest first."""
    served = [minute for minute in minutes if minute.exposure > 0]
    if len(served) < ENOUGH_MINUTES or not usual.exposure:
        return Proof(False, len(served), lacks="exposure")
    looks = [
        _look(usual, bad, served[-count:])
        for count in range(ENOUGH_MINUTES, len(served) + 1)
    ]
    return next((look for look in looks if look.proven), looks[-1])


def _look(usual: Usual, bad: Bad, minutes: Sequence[Slice]) -> Proof:
    errors = sum(minute.errors for minute in minutes)
    exposure = sum(minute.exposure for minute in minutes)
    named = sum(minute.named for minute in minutes)
    share = sum(minute.bad for minute in minutes) / named if named else None
    most = most_usual(usual, exposure)
    lacks = ""
    if errors > most:
        lacks = "inside"
    elif bad.rate is not None and not _is_below(errors, bad.rate * exposure, usual):
        lacks = "below"
    elif bad.share and (share is None or share > bad.share * SHARE_LOST):
        lacks = "share"
    return Proof(not lacks, len(minutes), errors, exposure, most, share, lacks)


def most_usual(usual: Usual, exposure: float) -> int:
    """The most errors that are usual in so much exposure (97.5 %).

    Counts vary ``dispersion`` times as much as chance, and the rate itself is known
    from ``errors`` only: a negative binomial of that mean and variance.
    """
    mean = usual.rate * exposure
    variance = usual.dispersion * (mean + mean * mean / (usual.errors + 0.5))
    return quantile(mean, variance, INSIDE)


def _is_below(errors: float, expected: float, usual: Usual) -> bool:
    """Whether so few errors would surprise at the bad rate."""
    return tail(errors, expected, usual.dispersion * expected) <= BELOW


def quantile(mean: float, variance: float, probability: float) -> int:
    """The smallest count that is not exceeded with ``probability``."""
    if mean <= 0:
        return 0
    total, count, last = 0.0, 0, mean + 60 * math.sqrt(variance) + 60
    while count < last:
        total += math.exp(_log_mass(count, mean, variance))
        if total >= probability:
            return count
        count += 1
    return count


def tail(errors: float, mean: float, variance: float) -> float:
    """The probability of at most ``errors``."""
    if mean <= 0:
        return 1.0
    return sum(
        math.exp(_log_mass(count, mean, variance))
        for count in range(math.floor(errors) + 1)
    )


def _log_mass(count: int, mean: float, variance: float) -> float:
    """The log probability of a count: negative binomial, Poisson where they are equal.

    With size r = mean² / (variance - mean) and p = mean / variance.
    """
    if variance <= mean * (1 + 1e-9):
        return count * math.log(mean) - mean - math.lgamma(count + 1)
    size = mean * mean / (variance - mean)
    return (
        math.lgamma(count + size)
        - math.lgamma(size)
        - math.lgamma(count + 1)
        + size * math.log(mean / variance)
        + count * math.log1p(-mean / variance)
    )
