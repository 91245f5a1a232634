"""An impact score taken apart for reading; tolerant of parts written by older code."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from issues.models import IssueStats, Level


@dataclass(frozen=True, slots=True)
class Factor:
    """One factor of the score: its value and what it is made of."""

    name: str
    value: str
    why: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """The sentence behind a score and its factors, as far as they were stored."""

    sentence: str
    factors: list[Factor]


def explained(stats: IssueStats) -> Explanation:
    """What ``stats.parts`` says, see impact.py."""
    parts: Mapping[str, Any] = stats.parts if isinstance(stats.parts, dict) else {}
    sentence = parts.get("sentence")
    if not isinstance(sentence, str) or not sentence:
        sentence = (
            "No events within 60 minutes."
            if stats.scored_at
            else "Not scored yet: the next scoring runs within seconds."
        )
    factors = [
        _reach(parts),
        _severity(parts),
        _factor(parts, "path", "Path", _path_reason(parts)),
        _factor(parts, "trend", "Trend", _trend_reason(parts)),
    ]
    return Explanation(sentence, [factor for factor in factors if factor])


def _factor(
    parts: Mapping[str, Any], key: str, name: str, why: str, style: str = "× {:.2g}"
) -> Factor | None:
    value = _number(parts, key)
    return None if value is None else Factor(name, style.format(value), why)


def _number(parts: Mapping[str, Any], key: str) -> float | None:
    value = parts.get(key)
    return float(value) if isinstance(value, int | float) else None


def _reach(parts: Mapping[str, Any]) -> Factor | None:
    hit, active = _number(parts, "weight_hit"), _number(parts, "weight_active")
    why = {
        "users": "of the active users; the events name no tenant",
        "share": "of the project's errors; the events name neither tenant nor user",
    }.get(str(parts.get("basis")), "of the active tenants, by weight")
    if parts.get("basis") == "tenants" and hit is not None and active:
        why += f": {hit:,.1f} of {active:,.1f}"
    return _factor(parts, "reach", "Reach", why, "{:.2%}")


def _severity(parts: Mapping[str, Any]) -> Factor | None:
    level = parts.get("level")
    name = Level(level).label if level in Level.values else str(level or "")
    why = f"worst level {name}" if name else ""
    if "unhandled" in parts:
        why += ", unhandled" if parts["unhandled"] else ", handled"
    return _factor(parts, "severity", "Severity", why.lstrip(", "))


def _path_reason(parts: Mapping[str, Any]) -> str:
    value = _number(parts, "path")
    if value is None or value == 1:
        return "no path rule weighs these events"
    return "path rules weigh these events " + ("more" if value > 1 else "less")


def _trend_reason(parts: Mapping[str, Any]) -> str:
    value = _number(parts, "trend") or 1.0
    if value > 1.1:
        words = "growing"
    elif value < 0.9:
        words = "fading"
    else:
        words = "steady"
    return f"{words}: the last 10 minutes against the 50 before"
