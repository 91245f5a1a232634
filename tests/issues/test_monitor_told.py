from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from issues.monitors.told import Config, ToldCheckIn, read_check_in, slug_of
from issues.schedules import Schedule

RECEIVED = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ID = UUID("76cb0d259eb74f008a18c950e15aee15")
BARE = {"monitor_slug": "nightly", "check_in_id": ID.hex, "status": "ok"}


def read(**fields: Any) -> ToldCheckIn | None:
    return read_check_in({**BARE, **fields}, RECEIVED)


def test_a_full_check_in_of_an_sdk() -> None:
    config = {
        "schedule": {"type": "crontab", "value": "0 3 * * *"},
        "timezone": "Europe/Vienna",
        "checkin_margin": 5,
        "max_runtime": 30,
        "failure_issue_threshold": 2,
        "recovery_threshold": 3,
    }
    told = read(
        monitor_slug="Nightly Sync",
        duration=1.5,
        environment="staging",
        release="api@1",
        monitor_config=config,
    )
    assert told == ToldCheckIn(
        slug="nightly-sync",
        name="Nightly Sync",
        check_in_id=ID,
        status="ok",
        received=RECEIVED,
        duration=1.5,
        environment="staging",
        release="api@1",
        config=Config(Schedule("0 3 * * *", timezone="Europe/Vienna"), 5, 30, 2, 3, ""),
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"monitor_slug": None},
        {"monitor_slug": "---"},
        {"monitor_slug": ["x"]},
        {"status": "fine"},
        {"status": None},
        {"status": ["ok"]},
        {"check_in_id": "42"},
        {"check_in_id": 42},
    ],
)
def test_what_names_no_monitor_or_status_is_no_check_in(fields: dict[str, Any]) -> None:
    assert read(**fields) is None


@pytest.mark.parametrize("value", [None, "", "0" * 32])
def test_an_id_may_be_left_to_the_server(value: Any) -> None:
    told = read(check_in_id=value)
    assert told is not None
    assert told.check_in_id is None


@pytest.mark.parametrize(
    ("fields", "started"),
    [
        ({"status": "ok"}, RECEIVED),
        ({"status": "ok", "duration": 60}, RECEIVED - timedelta(minutes=1)),
        ({"status": "error", "duration": 1e8}, RECEIVED - timedelta(hours=24)),
        ({"status": "in_progress", "duration": 60}, RECEIVED),
        ({"status": "ok", "duration": -1}, RECEIVED),
        ({"status": "ok", "duration": True}, RECEIVED),
        ({"status": "ok", "duration": "60"}, RECEIVED),
    ],
)
def test_a_run_that_is_over_began_its_duration_before(
    fields: dict[str, Any], started: datetime
) -> None:
    told = read(**fields)
    assert told is not None
    assert told.started == started


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ("x", None),
        (
            {
                "schedule": {"type": "interval", "value": 1, "unit": "hour"},
                "checkin_margin": -3,
                "max_runtime": 10**9,
                "failure_issue_threshold": 0,
                "recovery_threshold": "many",
            },
            Config(Schedule(value=1, unit="hour"), 0, 40320, 1, None, ""),
        ),
        (
            {"schedule": {"type": "crontab", "value": "never"}, "max_runtime": 2.5},
            Config(
                *(None, None, 2, None, None),
                "'never' is no crontab: write minute, hour, day, month and weekday, "
                "such as 0 3 * * *",
            ),
        ),
    ],
)
def test_settings_are_kept_within_limits_and_say_what_is_wrong(
    config: Any, told: Config | None
) -> None:
    found = read(monitor_config=config)
    assert found is not None
    assert found.config == told


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("nightly-sync", "nightly-sync"),
        ("Nightly Sync", "nightly-sync"),
        ("orders.sync_all", "orders-sync_all"),
        ("é", ""),
        ("-" * 60 + "x" * 60, "x" * 50),
        ("a/../b", "a-b"),
    ],
)
def test_a_slug_is_what_addresses_can_hold(name: str, slug: str) -> None:
    assert slug_of(name) == slug
