"""Reads session and sessions items: who started, and what went wrong."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from issues.clean import parse_time
from issues.digest.clock import Clock
from tenants.names import one_line

# Ranks of releases.models.SessionState.State: errored, abnormal, unhandled, crashed.
RANKS = {"errored": 1, "abnormal": 2, "unhandled": 3, "crashed": 4}
# The protocol allows 100 buckets in one sessions item.
MAX_BUCKETS = 100
MAX_QUANTITY = 10_000_000


@dataclass(slots=True)
class SessionState:
    """One update of one session; ``rank`` 0 is healthy, 4 crashed."""

    sid: UUID
    init: bool
    rank: int
    minute: int
    release: str
    environment: str


@dataclass(slots=True)
class SessionBucket:
    """Sessions that a server counted itself, four disjoint states in a minute."""

    sessions: int
    errored: int
    abnormal: int
    unhandled: int
    crashed: int
    minute: int
    release: str
    environment: str


def read_session(payload: dict[str, Any], clock: Clock) -> SessionState | None:
    """One session's state; None without a session id, start or release."""
    try:
        sid = UUID(str(payload.get("sid")))
    except ValueError:
        return None
    named = _names(payload.get("attrs"))
    started = parse_time(payload.get("started"))
    if named is None or started is None:
        return None
    return SessionState(
        sid=sid,
        init=payload.get("init") is True,
        rank=_rank(payload),
        minute=clock.minute(started),
        release=named[0],
        environment=named[1],
    )


def _rank(payload: dict[str, Any]) -> int:
    """A handled error makes a session errored even when it ends as exited."""
    status = payload.get("status")
    rank = RANKS.get(status, 0) if isinstance(status, str) else 0
    return rank or int(_quantity(payload.get("errors")) > 0)


def read_buckets(payload: dict[str, Any], clock: Clock) -> list[SessionBucket]:
    """The buckets of a sessions item; those without a start are left out."""
    named = _names(payload.get("attrs"))
    aggregates = payload.get("aggregates")
    if named is None or not isinstance(aggregates, list):
        return []
    buckets = []
    for bucket in aggregates[:MAX_BUCKETS]:
        started = (
            parse_time(bucket.get("started")) if isinstance(bucket, dict) else None
        )
        if started is not None:
            buckets.append(_bucket(bucket, clock.minute(started), *named))
    return buckets


def _bucket(
    bucket: dict[str, Any], minute: int, release: str, environment: str
) -> SessionBucket:
    states = {name: _quantity(bucket.get(name)) for name in RANKS}
    return SessionBucket(
        sessions=_quantity(bucket.get("exited")) + sum(states.values()),
        **states,
        minute=minute,
        release=release,
        environment=environment,
    )


def _names(attrs: Any) -> tuple[str, str] | None:
    """Release (required) and environment of a session."""
    if not isinstance(attrs, dict) or not isinstance(attrs.get("release"), str):
        return None
    release = one_line(attrs["release"]).strip()[:250]
    environment = attrs.get("environment")
    if not release:
        return None
    named = one_line(environment) if isinstance(environment, str) else ""
    return release, named.strip()[:64] or "production"


def _quantity(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0
    return int(min(value, MAX_QUANTITY)) if value > 0 else 0
