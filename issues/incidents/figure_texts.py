"""Figures in words: of few incidents it is said how few, and what they took."""

from datetime import timedelta

from issues.incidents.figures import ENOUGH, Share, Spread
from issues.incidents.telling import minutes_text

ENOUGH_FOR_PERCENT = 20


def spread_text(spread: Spread, what: str = "incident") -> str:
    """``p50 4:00, p90 9:30``; ``2:10 to 8:00 (3 incidents)``; ``–`` for none."""
    if not spread.values:
        return "–"
    least, most = _time(spread.values[0]), _time(spread.values[-1])
    if spread.count < ENOUGH:
        told = least if spread.count == 1 else f"{least} to {most}"
        return f"{told} ({many(spread.count, what)})"
    p50 = f"p50 {_time(spread.p50 or 0.0)}"
    if spread.p90 is None:
        return f"{p50}, {most} at most ({many(spread.count, what)})"
    return f"{p50}, p90 {_time(spread.p90)}"


def share_text(share: Share) -> str:
    """``4 of 6``; with percent where there are enough; ``–`` for none."""
    if not share.whole:
        return "–"
    told = f"{share.part:,} of {share.whole:,}"
    if share.whole < ENOUGH_FOR_PERCENT:
        return told
    return f"{told} ({share.part / share.whole:.0%})"


def rate_text(deploys_a_week: float) -> str:
    return f"{deploys_a_week:.1f} a week"


def many(number: int, what: str) -> str:
    return f"1 {what}" if number == 1 else f"{number:,} {what}s"


def _time(seconds: float) -> str:
    return minutes_text(timedelta(seconds=seconds))
