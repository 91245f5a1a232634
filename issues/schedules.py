"""When a monitored job is due: crontabs and intervals in a time zone. Pure."""

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

CRONTAB, INTERVAL = "crontab", "interval"
UNITS = ("minute", "hour", "day", "week", "month", "year")
MOST_CHARACTERS = 100
MOST_UNITS = 10_000
# Of the limits of a monitor: minutes late or running, failed or good runs in a row.
MOST_MINUTES = 28 * 24 * 60
MOST_IN_A_ROW = 720

# Names that Vixie's cron knows for whole schedules.
NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
# A clock that runs ahead starts a job before its minute: that run is the minute's.
EARLY = timedelta(seconds=30)


class ScheduleError(ValueError):
    """A schedule that cannot be understood; the text says why."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """``crontab`` where that is set, else every ``value`` ``unit``s; neither: none."""

    crontab: str = ""
    value: int = 0
    unit: str = ""
    timezone: str = "UTC"

    def __bool__(self) -> bool:
        return bool(self.crontab or self.value)

    def __str__(self) -> str:
        if self.crontab:
            zone = f" ({self.timezone})" if self.timezone != "UTC" else ""
            return f"{self.crontab}{zone}"
        if not self.value:
            return "no schedule"
        if self.value == 1:
            return f"every {self.unit}"
        return f"every {self.value} {self.unit}s"


def checked(schedule: Schedule) -> Schedule:
    """The schedule as it is kept; raises ScheduleError."""
    zone_named(schedule.timezone)
    if schedule.crontab:
        crontab = " ".join(schedule.crontab.split())
        if len(crontab) > MOST_CHARACTERS:
            raise ScheduleError(f"a crontab has at most {MOST_CHARACTERS} characters")
        fields = NICKNAMES.get(crontab.lower(), crontab)
        if len(fields.split()) != 5:
            raise ScheduleError(
                f"{crontab!r} is no crontab: write minute, hour, day, month and "
                "weekday, such as 0 3 * * *"
            )
        try:
            next(CronSim(fields, datetime(2024, 1, 1)))
        except CronSimError as error:
            raise ScheduleError(f"{crontab!r} is no crontab: {error}") from error
        except StopIteration as error:
            raise ScheduleError(f"{crontab!r} never comes") from error
        return Schedule(crontab, 0, "", schedule.timezone)
    if schedule.value and schedule.unit not in UNITS:
        raise ScheduleError(
            f"{schedule.unit!r} is no unit: write one of {', '.join(UNITS)}"
        )
    if not 0 <= schedule.value <= MOST_UNITS:
        raise ScheduleError(f"an interval has 1 to {MOST_UNITS} units")
    return schedule


def read_schedule(told: Any, timezone: Any) -> Schedule:
    """From ``{"type": "crontab", "value": "0 3 * * *"}`` or ``{"type": "interval",
    "value": 10, "unit": "minute"}``, as SDKs send it; raises ScheduleError.
    """
    zone = timezone if isinstance(timezone, str) and timezone else "UTC"
    if not isinstance(told, dict):
        raise ScheduleError("the schedule is no object with type and value")
    kind, value = told.get("type"), told.get("value")
    if kind == CRONTAB and isinstance(value, str) and value.strip():
        return checked(Schedule(crontab=value, timezone=zone))
    if kind == INTERVAL and isinstance(value, int) and value > 0:
        return checked(Schedule(value=value, unit=str(told.get("unit")), timezone=zone))
    raise ScheduleError(
        "the schedule is neither a crontab with a text nor an interval with a number"
    )


def next_run(schedule: Schedule, after: datetime) -> datetime | None:
    """The first due time after this moment, in UTC; None without a schedule.

    Crontabs follow Debian's cron over changes of the clock: a job at a fixed time that
    is skipped runs right after the gap, one that comes twice runs once; jobs with a
    star for the hour or minute follow real time.
    """
    if schedule.crontab:
        fields = NICKNAMES.get(schedule.crontab.lower(), schedule.crontab)
        for run in CronSim(fields, after.astimezone(zone_or_utc(schedule.timezone))):
            # In the hour that comes twice it may find the first for the second.
            if run > after:
                return run.astimezone(UTC)
        return None
    if schedule.value:
        return _interval_later(schedule, after)
    return None


def next_run_after_start(schedule: Schedule, started: datetime) -> datetime | None:
    """When the run after the one that started then is due, in UTC."""
    if schedule.crontab:
        return next_run(schedule, started + EARLY)
    return next_run(schedule, started)


def _interval_later(schedule: Schedule, after: datetime) -> datetime:
    """Minutes and hours are real time; the others keep the time of day of the zone."""
    value, unit = schedule.value, schedule.unit
    if unit in {"minute", "hour"}:
        return (after + timedelta(**{f"{unit}s": value})).astimezone(UTC)
    zone = zone_or_utc(schedule.timezone)
    local = after.astimezone(zone).replace(tzinfo=None)
    if unit in {"day", "week"}:
        local += timedelta(**{f"{unit}s": value})
    else:
        local = _months_later(local, value * (12 if unit == "year" else 1))
    return local.replace(tzinfo=zone).astimezone(UTC)


def _months_later(local: datetime, months: int) -> datetime:
    """The same day of a later month, or its last day."""
    year, month = divmod(local.year * 12 + local.month - 1 + months, 12)
    year, month = min(year, 9000), month + 1
    day = min(local.day, monthrange(year, month)[1])
    return local.replace(year=year, month=month, day=day)


def zone_named(name: str) -> ZoneInfo:
    """The zone; raises ScheduleError."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ScheduleError(
            f"{name!r} is no time zone: write one such as Europe/Vienna"
        ) from error


def zone_or_utc(name: str) -> ZoneInfo:
    """UTC for a zone that this machine has no longer."""
    try:
        return zone_named(name)
    except ScheduleError:
        return ZoneInfo("UTC")
