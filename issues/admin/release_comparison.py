"""A release against the one before it, figure by figure."""

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt

from issues.admin.rate_chart import UNITS
from releases.figures import Health, ReleaseFigures

# With fewer errors on both sides together a ratio says nothing.
ENOUGH_ERRORS = 10
# Standard errors between two shares from which on chance hardly explains it (1 %).
BEYOND_CHANCE = 2.58


@dataclass(frozen=True, slots=True)
class Compared:
    """One figure of both releases; ``change`` "" where it says nothing.

    ``trend`` is better, worse, or "" where chance explains the difference.
    """

    name: str
    own: str
    previous: str = "–"
    change: str = ""
    trend: str = ""


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many: errors of requests, crashes of sessions."""

    part: float
    whole: float

    @property
    def value(self) -> float | None:
        return self.part / self.whole if self.whole > 0 else None


NOTHING = Share(0, 0)


def trend(own: Share, previous: Share) -> str:
    """Whether a share of bad things got better or worse, beyond chance."""
    if not own.whole or not previous.whole:
        return ""
    rise = own.part / own.whole - previous.part / previous.whole
    together = (own.part + previous.part) / (own.whole + previous.whole)
    error = sqrt(together * (1 / own.whole + 1 / previous.whole))
    if abs(rise) <= BEYOND_CHANCE * error:
        return ""
    return "worse" if rise > 0 else "better"


def comparison(health: Health) -> list[Compared]:
    """The rows of the table; without a denominator there is no rate."""
    own, previous = health.own, health.previous
    unit = UNITS.get(health.source)
    rows = []
    if unit:
        rows.append(_error_rate(own, previous))
    rows.append(_count("Errors", own, previous, lambda one: one.counts.errors))
    rows.append(
        _count("Unhandled errors", own, previous, lambda one: one.counts.unhandled)
    )
    if unit:
        name = f"{unit.capitalize()}s"
        rows.append(_count(name, own, previous, lambda one: round(one.exposure)))
    rows.append(
        _crash_free(
            "Crash-free sessions",
            Share(own.counts.crashed, own.counts.sessions),
            Share(previous.counts.crashed, previous.counts.sessions)
            if previous
            else NOTHING,
        )
    )
    rows.append(
        _crash_free(
            "Crash-free users",
            Share(own.users.crashed, own.users.users),
            Share(previous.users.crashed, previous.users.users)
            if previous
            else NOTHING,
        )
    )
    rows.append(_count("Users", own, previous, lambda one: one.users.users))
    return rows


def _error_rate(own: ReleaseFigures, previous: ReleaseFigures | None) -> Compared:
    now = Share(own.counts.errors, own.exposure)
    then = Share(previous.counts.errors, previous.exposure) if previous else NOTHING
    change, direction = "", ""
    if now.value is not None and then.value is not None:
        if now.part + then.part < ENOUGH_ERRORS:
            change = "too few errors to compare"
        else:
            ratio = now.value / then.value if then.value else None
            change = f"× {ratio:.2f}" if ratio is not None else "none before"
            direction = trend(now, then)
    return Compared(
        "Error rate", _percent(now.value), _percent(then.value), change, direction
    )


def _crash_free(name: str, own: Share, previous: Share) -> Compared:
    free, before = _free(own), _free(previous)
    change = ""
    if free is not None and before is not None:
        change = f"{(free - before) * 100:+.2f} points"
    return Compared(
        name, _percent(free), _percent(before), change, trend(own, previous)
    )


def _free(crashed: Share) -> float | None:
    return None if crashed.value is None else max(1 - crashed.value, 0.0)


def _count(
    name: str,
    own: ReleaseFigures,
    previous: ReleaseFigures | None,
    count: Callable[[ReleaseFigures], int],
) -> Compared:
    before = f"{count(previous):,}" if previous else "–"
    return Compared(name, f"{count(own):,}", before)


def _percent(share: float | None) -> str:
    if share is None:
        return "–"
    return f"{share:.3%}" if share < 0.01 else f"{share:.2%}"
