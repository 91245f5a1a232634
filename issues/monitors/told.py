"""What a check-in tells. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import isfinite
from typing import Any
from uuid import UUID

from issues.clean import UNSTORABLE
from issues.ingest.cron import STATUSES
from issues.schedules import (
    MOST_IN_A_ROW,
    MOST_MINUTES,
    Schedule,
    ScheduleError,
    read_schedule,
)
from issues.scrubbing import FILTERED, Policy, holds_token, scrub_text, scrubber_of
from tenants.names import one_line

SLUG_CHARACTERS = 50
LONGEST = timedelta(hours=24)
NIL = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Config:
    """A monitor's settings as an SDK sends them; None: it says nothing about it.

    ``problem`` says what of them cannot be used.
    """

    schedule: Schedule | None
    margin_minutes: int | None = None
    max_runtime_minutes: int | None = None
    failure_threshold: int | None = None
    recovery_threshold: int | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class ToldCheckIn:
    """``check_in_id`` None: the newest run in progress, if there is one.

    ``started`` and ``received`` are by our clock: what is over when it is first heard
    of began its ``duration`` (seconds) before.
    """

    slug: str
    name: str
    check_in_id: UUID | None
    status: str  # in_progress, ok or error
    received: datetime
    duration: float | None = None
    environment: str = "production"
    release: str = ""
    config: Config | None = None

    @property
    def started(self) -> datetime:
        if self.status == "in_progress" or not self.duration:
            return self.received
        return self.received - min(timedelta(seconds=self.duration), LONGEST)


def read_check_in(told: dict[str, Any], received: datetime) -> ToldCheckIn | None:
    """The check-in in an item's payload; None where it names no monitor or status."""
    name = _text(told.get("monitor_slug"), 100)
    slug, status = slug_of(name), told.get("status")
    check_in_id = _id(told.get("check_in_id"))
    if not isinstance(status, str) or status not in STATUSES:
        return None
    if not slug or check_in_id is None:
        return None
    return ToldCheckIn(
        slug=slug,
        name=name,
        check_in_id=None if check_in_id == NIL else check_in_id,
        status=status,
        received=received,
        duration=_seconds(told.get("duration")),
        environment=_text(told.get("environment"), 64) or "production",
        release=_text(told.get("release"), 250),
        config=_config(told.get("monitor_config")),
    )


def slug_of(name: str) -> str:
    """Small letters, digits, ``_`` and ``-``, as a monitor is named in addresses."""
    kept = (c if c.isascii() and (c.isalnum() or c == "_") else "-" for c in name)
    parts = "".join(kept).lower().split("-")
    return "-".join(part for part in parts if part)[:SLUG_CHARACTERS].strip("-")


def _id(value: Any) -> UUID | None:
    """NIL where none is given, None for what is no id."""
    if value is None or value == "":
        return NIL
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _seconds(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value < 1e9 else None


def _config(told: Any) -> Config | None:
    if not isinstance(told, dict):
        return None
    schedule, problem = None, ""
    try:
        schedule = read_schedule(told.get("schedule"), told.get("timezone"))
    except ScheduleError as error:
        # It quotes what the client sent.
        problem = scrub_text(UNSTORABLE.sub("", str(error)), scrubber_of(Policy()))[0]
    return Config(
        schedule,
        _between(told.get("checkin_margin"), 0, MOST_MINUTES),
        _between(told.get("max_runtime"), 1, MOST_MINUTES),
        _between(told.get("failure_issue_threshold"), 1, MOST_IN_A_ROW),
        _between(told.get("recovery_threshold"), 1, MOST_IN_A_ROW),
        problem,
    )


def _between(value: Any, least: int, most: int) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(min(max(value, least), most)) if isfinite(value) else None


def _text(value: Any, limit: int) -> str:
    """One line; names become rows that outlive every event: none may be a token."""
    text = one_line(value).strip()[:limit].strip() if isinstance(value, str) else ""
    return FILTERED if holds_token(text) else text
