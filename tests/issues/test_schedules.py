from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from issues.schedules import (
    Schedule,
    ScheduleError,
    checked,
    next_run,
    next_run_after_start,
    read_schedule,
)

VIENNA, NEW_YORK, LORD_HOWE = "Europe/Vienna", "America/New_York", "Australia/Lord_Howe"


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def runs(schedule: Schedule, after: str, count: int) -> list[str]:
    """The next due times in UTC, each after the one before."""
    moment, found = utc(after), []
    for _ in range(count):
        due = next_run(schedule, moment)
        assert due is not None
        moment = due
        found.append(f"{due:%m-%d %H:%M}")
    return found


# Vienna: on 2026-03-29 02:00 becomes 03:00 at 01:00 UTC, on 2026-10-25 03:00 becomes
# 02:00 at 01:00 UTC.
@pytest.mark.parametrize(
    ("crontab", "timezone", "after", "due"),
    [
        ("*/5 * * * *", "UTC", "2026-06-01T12:03", ["06-01 12:05", "06-01 12:10"]),
        ("0 3 * * *", "UTC", "2026-06-01T03:00", ["06-02 03:00"]),
        ("0 3 * * *", VIENNA, "2026-06-01T12:00", ["06-02 01:00"]),
        ("@hourly", "UTC", "2026-06-01T12:03", ["06-01 13:00"]),
        ("@Weekly", "UTC", "2026-06-01T12:03", ["06-07 00:00"]),
        ("0 9 * * mon-fri", NEW_YORK, "2026-06-05T14:00", ["06-08 13:00"]),
        ("0 0 29 2 *", "UTC", "2026-01-01T00:00", ["02-29 00:00"]),  # of 2028
        # Winter to summer: a fixed time in the gap runs once, right after it.
        (
            *("30 2 * * *", VIENNA, "2026-03-28T00:00"),
            ["03-28 01:30", "03-29 01:00", "03-30 00:30"],
        ),
        ("0 3 * * *", VIENNA, "2026-03-28T12:00", ["03-29 01:00", "03-30 01:00"]),
        # Summer to winter: a fixed time in the hour that comes twice runs once.
        (
            *("30 2 * * *", VIENNA, "2026-10-24T00:00"),
            ["10-24 00:30", "10-25 00:30", "10-26 01:30"],
        ),
        # … also for a job that was late and started in the second of the two hours.
        ("30 2 * * *", VIENNA, "2026-10-25T01:10", ["10-26 01:30"]),
        # Real time for stars, over both changes.
        (
            *("0 * * * *", VIENNA, "2026-03-28T23:30"),
            ["03-29 00:00", "03-29 01:00", "03-29 02:00"],
        ),
        (
            *("*/30 * * * *", VIENNA, "2026-10-24T23:50"),
            ["10-25 00:00", "10-25 00:30", "10-25 01:00", "10-25 01:30"],
        ),
        # A change by half an hour, on 2026-04-05 at 15:00 UTC the day before.
        (
            *("45 1 * * *", LORD_HOWE, "2026-04-03T12:00"),
            ["04-03 14:45", "04-04 14:45", "04-05 15:15"],
        ),
    ],
)
def test_a_crontab_is_due_by_the_clock_of_its_zone(
    crontab: str, timezone: str, after: str, due: list[str]
) -> None:
    schedule = checked(Schedule(crontab=crontab, timezone=timezone))
    assert runs(schedule, after, len(due)) == due


@pytest.mark.parametrize(
    ("value", "unit", "timezone", "after", "due"),
    [
        (10, "minute", "UTC", "2026-06-01T12:03", ["06-01 12:13", "06-01 12:23"]),
        (2, "hour", VIENNA, "2026-03-29T00:30", ["03-29 02:30"]),  # real time
        (1, "day", "UTC", "2026-06-01T12:03", ["06-02 12:03"]),
        (1, "day", VIENNA, "2026-03-28T02:00", ["03-29 01:00", "03-30 01:00"]),
        (1, "day", VIENNA, "2026-10-24T02:00", ["10-25 03:00", "10-26 03:00"]),
        (1, "day", VIENNA, "2026-03-28T01:30", ["03-29 01:30"]),  # 02:30 is not there
        (1, "week", VIENNA, "2026-10-24T02:00", ["10-31 03:00"]),
        (1, "month", "UTC", "2026-01-31T12:00", ["02-28 12:00", "03-28 12:00"]),
        (11, "month", "UTC", "2026-03-15T12:00", ["02-15 12:00"]),
        (1, "year", "UTC", "2028-02-29T12:00", ["02-28 12:00"]),
    ],
)
def test_an_interval_follows_the_last_run(
    value: int, unit: str, timezone: str, after: str, due: list[str]
) -> None:
    schedule = checked(Schedule(value=value, unit=unit, timezone=timezone))
    assert runs(schedule, after, len(due)) == due


@pytest.mark.parametrize(
    ("started", "due"),
    [("12:00:00", "12:01"), ("11:59:45", "12:01"), ("11:59:20", "12:00")],
)
def test_a_run_that_starts_a_little_early_is_the_one_that_was_due(
    started: str, due: str
) -> None:
    schedule = Schedule(crontab="* * * * *")
    after = next_run_after_start(schedule, utc(f"2026-06-01T{started}"))
    assert after == utc(f"2026-06-01T{due}")


def test_nothing_is_due_without_a_schedule() -> None:
    assert next_run(Schedule(), datetime.now(UTC)) is None


def test_a_zone_that_is_gone_counts_as_utc() -> None:
    schedule = Schedule(crontab="0 3 * * *", timezone="Gone/Nowhere")
    assert next_run(schedule, utc("2026-06-01T12:00")) == utc("2026-06-02T03:00")


@pytest.mark.parametrize(
    ("told", "timezone", "schedule"),
    [
        (
            {"type": "crontab", "value": " 0  3 * * * "},
            VIENNA,
            Schedule("0 3 * * *", timezone=VIENNA),
        ),
        ({"type": "crontab", "value": "@daily"}, None, Schedule("@daily")),
        (
            {"type": "interval", "value": 10, "unit": "minute"},
            None,
            Schedule(value=10, unit="minute"),
        ),
    ],
)
def test_what_sdks_tell_is_read(told: Any, timezone: Any, schedule: Schedule) -> None:
    assert read_schedule(told, timezone) == schedule


@pytest.mark.parametrize(
    ("told", "timezone", "message"),
    [
        (None, None, "no object"),
        ({"type": "moon"}, None, "neither a crontab"),
        ({"type": "crontab", "value": ""}, None, "neither a crontab"),
        ({"type": "crontab", "value": "0 3 * *"}, None, "write minute, hour"),
        ({"type": "crontab", "value": "* 0 3 * * *"}, None, "write minute, hour"),
        ({"type": "crontab", "value": "61 3 * * *"}, None, "Bad minute"),
        ({"type": "crontab", "value": "0 0 31 2 *"}, None, "no crontab"),
        ({"type": "crontab", "value": "0 " * 99}, None, "at most 100"),
        ({"type": "crontab", "value": "0 3 * * *"}, "Mars/Base", "no time zone"),
        ({"type": "crontab", "value": "0 3 * * *"}, "../etc", "no time zone"),
        ({"type": "interval", "value": 0, "unit": "day"}, None, "neither"),
        ({"type": "interval", "value": 10**9, "unit": "day"}, None, "1 to 10000"),
        ({"type": "interval", "value": 1, "unit": "moon"}, None, "is no unit"),
        ({"type": "interval", "value": 1}, None, "is no unit"),
    ],
)
def test_a_schedule_that_cannot_be_kept_says_why(
    told: Any, timezone: Any, message: str
) -> None:
    with pytest.raises(ScheduleError, match=message):
        read_schedule(told, timezone)


@pytest.mark.parametrize(
    ("schedule", "text"),
    [
        (Schedule(), "no schedule"),
        (Schedule("0 3 * * *"), "0 3 * * *"),
        (Schedule("0 3 * * *", timezone=VIENNA), "0 3 * * * (Europe/Vienna)"),
        (Schedule(value=1, unit="day"), "every day"),
        (Schedule(value=10, unit="minute"), "every 10 minutes"),
    ],
)
def test_a_schedule_reads_as_people_say_it(schedule: Schedule, text: str) -> None:
    assert str(schedule) == text


def test_the_next_run_is_always_later() -> None:
    start = utc("2026-10-24T20:00")
    for schedule in (
        Schedule("30 2 * * *", timezone=VIENNA),
        Schedule("*/7 2,3 * * *"),
    ):
        for minutes in range(0, 720, 7):
            after = start + timedelta(minutes=minutes)
            due = next_run(schedule, after)
            assert due is not None
            assert due > after
