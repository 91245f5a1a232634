"""Finds, cheaply, when a rule could have fired. Pure: counts in, minutes out.

A rule judges a release at every minute of its window, and a history of two weeks holds
thousands of such looks. Here nearly all of them are put aside by what the rule needs at
least; ``releases.conclude`` judges the few that remain.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from releases.verdict import (
    Baseline,
    Minute,
    Rule,
    arm_cap,
    capped_total,
    needed_evidence,
    starts_after,
)


def promising_looks(
    rule: Rule, baseline: Baseline, minutes: Sequence[Minute], share: float = 1.0
) -> Iterator[int]:
    """After how many minutes the global test may fire; it cannot after any other.

    The evidence is a mean over starts of means over alternatives, so it is never above
    that of the likeliest alternative of the best start; and that start must have the
    ratio and the events that the rule asks for.
    """
    if not baseline.exposure:
        return
    cap = arm_cap(baseline.cap, share)
    errors = _sums([capped_total(minute.errors, cap) for minute in minutes])
    exposure = _sums([minute.exposure for minute in minutes])
    dispersion = 1 + (baseline.dispersion - 1) * share
    needed = needed_evidence(rule) * dispersion
    starts = [rule.grace, *starts_after(rule)]
    for look in range(rule.grace + 1, min(len(minutes), rule.window) + 1):
        for start in starts:
            if start >= look:
                break
            x, n = errors[look] - errors[start], exposure[look] - exposure[start]
            if x < rule.min_events or n <= 0 or x < rule.ratio * baseline.rate * n:
                continue
            if _most_evidence(x, n, baseline, rule.tolerated_drift) >= needed:
                yield look
                break


def _sums(values: Sequence[float]) -> list[float]:
    return list(accumulate(values, initial=0.0))


def _most_evidence(
    errors: float, exposure: float, baseline: Baseline, drift: float
) -> float:
    """The log e-value of the alternative that fits best; see verdict.log_evidence."""
    a, b = baseline.errors + 0.5, baseline.exposure
    ratio = max(errors / exposure / (a / b), drift)
    grown = (b + ratio * exposure) / (b + drift * exposure)
    return errors * math.log(ratio / drift) - (a + errors) * math.log(grown)


@dataclass(frozen=True, slots=True)
class Usual:
    """How an environment usually behaves: see Calibration. ``tenants`` are active."""

    cap: int
    dispersion: float
    tenants: int


class History:
    """An environment's minutes, from which any time's baseline is taken cheaply."""

    def __init__(self, minutes: Sequence[Minute], usual: Usual) -> None:
        self.minutes, self.usual = minutes, usual
        self._errors = _sums([capped_total(m.errors, usual.cap) for m in minutes])
        self._exposure = _sums([m.exposure for m in minutes])

    def exposure(self, start: int, end: int) -> float:
        return self._exposure[end] - self._exposure[start]

    def baseline(
        self, before: int, windows: Sequence[int], enough: float
    ) -> tuple[Baseline, int]:
        """What was usual before a minute, and from which minute on that is.

        From the shortest of ``windows``, in minutes, whose errors over the dispersion
        are ``enough``; it lacks ``tenant_errors``.
        """
        start, errors, exposure = before, 0.0, 0.0
        for window in windows:
            start = max(before - window, 0)
            errors = self._errors[before] - self._errors[start]
            exposure = self.exposure(start, before)
            if start == 0 or (exposure and errors / self.usual.dispersion >= enough):
                break
        found = Baseline(
            errors,
            exposure,
            cap=self.usual.cap,
            dispersion=self.usual.dispersion,
            tenants=self.usual.tenants,
        )
        return found, start

    def tenant_errors(self, start: int, end: int) -> Mapping[int, float]:
        """The capped errors of each tenant, for ``Baseline.tenant_errors_capped``."""
        found: dict[int, float] = defaultdict(float)
        for minute in self.minutes[start:end]:
            for tenant, count in minute.errors.items():
                if tenant:
                    found[tenant] += min(count, self.usual.cap)
        return found
