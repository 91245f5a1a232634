"""The numbers of a watch in plain words: the page's figures and its facts."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from releases.admin.words import (
    REASONS,
    SOURCES,
    UNITS,
    chance,
    rate_label,
    short,
    times,
)
from releases.models import Action, Watch
from releases.thresholds import rule_by


def unit_of(watch: Watch) -> str:
    """What exposure counts, such as requests; "" without a denominator."""
    return UNITS.get(Watch.Source(watch.source), "") if watch.source else ""


def limit_of(watch: Watch) -> float | None:
    """The ratio that is too much; without a denominator never less than three."""
    return rule_by(watch.settings, watch.source).ratio if watch.settings else None


def threshold_rate(watch: Watch) -> float | None:
    """The error rate from which the release counts as worse: ratio × baseline."""
    numbers, limit = watch.numbers, limit_of(watch)
    base = numbers.get("baseline_rate") or watch.baseline_numbers.get("rate")
    if not base or not limit:
        return None
    if unit_of(watch):
        return float(max(limit * base, watch.settings["floor"]))
    # Exposure is the errors that these minutes usually have.
    minutes = judged_minutes(watch)
    return float(limit * base * numbers["exposure"] / minutes) if minutes else None


def judged_minutes(watch: Watch) -> int:
    """Closed minutes after the grace."""
    return max(int(watch.numbers.get("minutes", 0)) - int(watch.settings["grace"]), 0)


@dataclass(frozen=True, slots=True)
class Figure:
    """A number of the page's head with its name and what it is held against."""

    label: str
    value: str
    small: str


def figures(watch: Watch) -> list[Figure]:
    """The numbers of the newest look, in few words; none before the first."""
    numbers, settings = watch.numbers, watch.settings
    if not numbers:
        return []
    limit = times_or_dash(limit_of(watch))
    found = [
        *_rates(watch),
        Figure("Ratio", times_or_dash(numbers.get("ratio")), f"limit {limit}"),
    ]
    evidence, needed = numbers.get("log_evidence"), numbers.get("log_needed")
    if evidence is not None and needed:
        small = f"by chance; needed {chance(needed)}"
        found.append(Figure("Evidence", chance(evidence), small))
    tenants = numbers.get("tenants")
    if tenants is not None:
        least = settings.get("min_tenants", 0)
        found.append(Figure("Tenants hit", f"{tenants:,}", f"at least {least} needed"))
    judged, grace = judged_minutes(watch), settings["grace"]
    found.append(Figure("Judged", f"{judged} min", f"after {grace} min of grace"))
    return found


def _rates(watch: Watch) -> list[Figure]:
    numbers, unit = watch.numbers, unit_of(watch)
    if not unit:
        expected = short(numbers.get("exposure", 0.0))
        return [Figure("Errors", f"{numbers['errors']:,}", f"{expected} expected")]
    base = numbers.get("baseline_rate")
    return [
        Figure("Error rate", rate_or_dash(numbers.get("rate")), "since the grace"),
        Figure("Baseline", rate_or_dash(base), _baseline_name(watch)),
    ]


def _baseline_name(watch: Watch) -> str:
    return watch.baseline.version if watch.baseline else "releases before"


def rate_or_dash(rate: float | None) -> str:
    """Errors per unit of exposure in percent, or a dash for None."""
    return "–" if rate is None else rate_label(rate, "exposure")


def times_or_dash(ratio: float | None) -> str:
    return "–" if ratio is None else times(ratio)


@dataclass(frozen=True, slots=True)
class Fact:
    """One number in plain words."""

    name: str
    text: str


def facts(watch: Watch) -> list[Fact]:
    """What the judgement rests on, each in a sentence."""
    told = {
        "Errors": _errors(watch),
        "Baseline": _baseline(watch),
        "Ratio": _ratio(watch),
        "Evidence": _evidence(watch),
        "Tenants": _tenants(watch.numbers, watch.settings),
        "Gaps": _gaps(watch.numbers),
        "Held back": REASONS.get(watch.numbers.get("held_back") or "", ""),
        "Counted by": SOURCES[Watch.Source(watch.source)] if watch.source else "",
        "Threshold": _threshold(watch.settings),
    }
    return [Fact(name, text) for name, text in told.items() if text]


def _errors(watch: Watch) -> str:
    numbers, unit = watch.numbers, unit_of(watch)
    if "errors" not in numbers:
        return ""
    text = f"{numbers['errors']:,} since the grace"
    if unit:
        text += f", in {numbers.get('exposure', 0):,.0f} {unit}"
    capped = numbers.get("errors_capped")
    if capped is not None and capped < numbers["errors"]:
        cap = watch.baseline_numbers.get("cap")
        text += f"; {capped:,.0f} make the ratio: no tenant counts above {cap} a minute"
    return text + "."


def _baseline(watch: Watch) -> str:
    base, unit = watch.baseline_numbers, unit_of(watch)
    if not base.get("exposure"):
        return ""
    text = f"{base.get('raw_errors', base['errors']):,.0f} errors"
    if unit:
        text += f" in {base['exposure']:,.0f} {unit}"
    text += f" of {_baseline_name(watch)}"
    dispersion = base.get("dispersion", 1.0)
    if dispersion > 1.05:
        text += f". Errors come in bursts here: {short(dispersion)} times chance"
    return text + "."


def _ratio(watch: Watch) -> str:
    numbers = watch.numbers
    if numbers.get("ratio") is None:
        return ""
    text = times(numbers["ratio"])
    if numbers.get("ratio_low") is not None and numbers.get("ratio_high") is not None:
        low, high = times(numbers["ratio_low"]), times(numbers["ratio_high"])
        text += f", with 95 % certainty between {low} and {high}"
    if numbers.get("surely_above"):
        text += f"; surely above {times(numbers['surely_above'])}, at any look"
    return text + "."


def _evidence(watch: Watch) -> str:
    evidence, needed = (watch.numbers.get(n) for n in ("log_evidence", "log_needed"))
    if evidence is None or not needed:
        return ""
    if evidence < math.log(2):
        return f"Nothing beyond chance so far; needed is {chance(needed)}."
    drift = watch.settings.get("tolerated_drift", 1.0)
    return (
        f"A release that is at most {short(drift)}x as bad would show this by chance "
        f"{chance(evidence)}; needed is {chance(needed)}."
    )


def _tenants(numbers: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    if numbers.get("tenants") is None:
        return ""
    text = f"{numbers['tenants']:,} known tenants hit since the grace, "
    text += f"{settings.get('min_tenants', 0)} are needed"
    held = [
        words
        for key, words in (
            ("wide", "without the tenants that are hit most"),
            ("lasting", "without its worst minutes"),
        )
        if numbers.get(key)
    ]
    return text + (f". The rise remains {' and '.join(held)}." if held else ".")


def _gaps(numbers: Mapping[str, Any]) -> str:
    missing = numbers.get("incomplete_minutes") or 0
    if not missing:
        return ""
    what = "minute is" if missing == 1 else "minutes are"
    return f"{missing} {what} incomplete; such never support healthy."


def _threshold(settings: Mapping[str, Any]) -> str:
    if "ratio" not in settings:
        return ""
    floor = rate_label(settings.get("floor", 0.0), "requests")
    return (
        f"From {times(settings['ratio'])} the baseline and {floor} of errors, "
        f"{short(100 * settings.get('confidence', 0.0))} % sure, at least "
        f"{settings.get('min_events', 0)} errors; watched {settings.get('window', 0)} "
        f"minutes; then {Action(settings['action']).label}."
    )
