"""Impact of an issue: who is hit, how badly, where, and whether it grows.

    score = 100 · (1 − e^(−20 · reach · severity · path · trend))

over the last 60 minutes. Lists are ordered by the exponent, because half and all of
the tenants both score near 100. Source: DESIGN, section 7 (Judgements).
"""

from dataclasses import dataclass
from math import exp
from typing import Any

STEEPNESS = 20.0
# A tenant counts by 1 − e^(−n/3) of its weight: one event is a third, ten are all.
EVENTS_SCALE = 3.0
# Few tenants are no reason to call one of them everybody.
MIN_ACTIVE_TENANTS = 20
MIN_ACTIVE_USERS = 100
MIN_PROJECT_ERRORS = 100
SEVERITIES = {50: 1.0, 40: 0.8, 30: 0.4, 20: 0.1, 10: 0.1}
HANDLED = 0.7


@dataclass(frozen=True, slots=True)
class Window:
    """An issue's last 60 minutes; weights are plan weight × the tenant's factor.

    ``weight_hit`` = Σ over tenants of weight · (1 − e^(−events/3)); they pay
    ``monthly_revenue`` where that is known. ``level`` is the worst; ``path_weight`` the
    mean over events; ``events_10m`` of ``events`` fell into the last ten minutes. The
    ``active`` and ``project`` numbers belong to all issues.
    """

    events: int = 0
    events_10m: int = 0
    unhandled: int = 0
    level: int = 0
    path_weight: float = 1.0
    tenants: int = 0
    weight_hit: float = 0.0
    monthly_revenue: float = 0.0
    weight_active: float = 0.0
    median_weight: float = 1.0
    users: int = 0
    users_active: int = 0
    project_errors: int = 0


@dataclass(frozen=True, slots=True)
class Impact:
    """``score`` 0-100; ``parts`` holds every number behind it and a sentence."""

    score: float
    exponent: float
    parts: dict[str, Any]


def impact(window: Window) -> Impact:
    """Judge an issue's last 60 minutes."""
    if not window.events:
        return Impact(0.0, 0.0, {"sentence": "No events within 60 minutes."})
    reach, basis = _reach(window)
    severity = SEVERITIES.get(window.level, 0.1) * (
        1.0 if window.unhandled else HANDLED
    )
    growth = trend(window.events_10m, window.events - window.events_10m)
    exponent = STEEPNESS * reach * severity * window.path_weight * growth
    score = 100.0 * (1.0 - exp(-exponent))
    parts = {
        "reach": round(reach, 6),
        "severity": round(severity, 3),
        "path": round(window.path_weight, 3),
        "trend": round(growth, 3),
        "basis": basis,
        "tenants_60m": window.tenants,
        "events_60m": window.events,
        "events_10m": window.events_10m,
        "users_60m": window.users,
        "revenue_60m": round(window.monthly_revenue, 2),
        "weight_hit": round(window.weight_hit, 3),
        "weight_active": round(_active_weight(window), 3),
        "level": window.level,
        "unhandled": window.unhandled,
        "sentence": _sentence(window, basis, reach),
    }
    return Impact(round(score, 2), exponent, parts)


def trend(last_10: int, before_50: int) -> float:
    """Events per minute now against the 50 minutes before, within ½ and 2."""
    rate_now = (last_10 + 1) / 10
    rate_before = (before_50 + 5) / 50
    return min(max(rate_now / rate_before, 0.5), 2.0)


def _reach(window: Window) -> tuple[float, str]:
    """The share of the business that is hit, 0-1, and what it was measured by."""
    if window.tenants:
        return min(window.weight_hit / _active_weight(window), 1.0), "tenants"
    if window.users:
        active = max(window.users_active, MIN_ACTIVE_USERS)
        return min(window.users / active, 1.0), "users"
    errors = max(window.project_errors, MIN_PROJECT_ERRORS)
    return min(window.events / errors, 1.0), "share"


def _active_weight(window: Window) -> float:
    floor = MIN_ACTIVE_TENANTS * window.median_weight
    return max(window.weight_active, floor, 1e-9)


def _sentence(window: Window, basis: str, reach: float) -> str:
    share = f"{reach:.1%}"
    events = f"{window.events:,} event{'s' * (window.events != 1)} within 60 minutes"
    if basis == "tenants":
        who = f"{window.tenants:,} tenant{'s' * (window.tenants != 1)}"
        return f"{events} hit {who}: {share} of the active tenants by weight."
    if basis == "users":
        who = f"{window.users:,} user{'s' * (window.users != 1)}"
        return f"{events} hit {who}: {share} of the active users; no tenant named."
    return f"{events}: {share} of the project's errors; no tenant or user named."
