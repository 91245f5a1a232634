"""Figures in words: of few incidents it is said how few, and what they took."""

from datetime import timedelta

from issues.incidents.figures import ENOUGH, Share, Spread
from issues.incidents.telling import minutes_text

ENOUGH_FOR_PERCENT = 20


def spread_words(spread: Spread) -> tuple[str, str]:
    """What is told first, and beside it: percentiles, or what few incidents took."""
    if not spread.values:
        return "–", ""
    least, most = _time(spread.values[0]), _time(spread.values[-1])
    if spread.count < ENOUGH:
        told = least if least == most else f"{least} to {most}"
        return told, many(spread.count, "incident")
    p50 = f"p50 {_time(spread.p50 or 0.0)}"
    if spread.p90 is None:
        return p50, f"{most} at most, {many(spread.count, 'incident')}"
    return p50, f"p90 {_time(spread.p90)}"


def share_words(share: Share) -> tuple[str, str]:
    """``4 of 6``, and percent where there are enough."""
    if not share.whole:
        return "–", ""
    told = f"{share.part:,} of {share.whole:,}"
    percent = share.whole >= ENOUGH_FOR_PERCENT
    return told, f"{share.part / share.whole:.0%}" if percent else ""


def spread_text(spread: Spread) -> str:
    """``p50 4:00 (p90 9:30)``; ``2:10 to 8:00 (3 incidents)``; ``–`` for none."""
    return _joined(spread_words(spread))


def share_text(share: Share) -> str:
    """``4 of 6``; ``19 of 20 (95%)``; ``–`` for none."""
    return _joined(share_words(share))


def _joined(words: tuple[str, str]) -> str:
    told, beside = words
    return f"{told} ({beside})" if beside else told


def rate_text(deploys_a_week: float) -> str:
    return f"{deploys_a_week:.1f} a week"


def many(number: int, what: str) -> str:
    return f"1 {what}" if number == 1 else f"{number:,} {what}s"


def _time(seconds: float) -> str:
    return minutes_text(timedelta(seconds=seconds))
