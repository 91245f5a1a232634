from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from issues import tasks
from issues.models import (
    CheckIn,
    InboxEnvelope,
    Monitor,
    MonitorClock,
    MonitorEnvironment,
)
from issues.monitors import overdue
from issues.monitors.overdue import Overdue
from issues.monitors.runs import reschedule
from tests.factories import make_check_in, make_place, make_project

pytestmark = pytest.mark.django_db

NOW = timezone.now().replace(microsecond=0)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture(autouse=True)
def _watched() -> None:
    """The tick has looked for days."""
    MonitorClock.objects.create(pk=1, ticked=NOW, watching_since=NOW - 3 * DAY)


def hourly(**fields: Any) -> MonitorEnvironment:
    """A place whose run was due half an hour ago."""
    due = NOW - 30 * MINUTE
    told = {"expected_at": due, "missed_at": due + MINUTE, "last_status": "ok"}
    return make_place(every=(1, "hour"), **{**told, **fields})


def look(at: timedelta = timedelta(0), digested: timedelta | None = None) -> Overdue:
    now = NOW + at
    return overdue.look(now, now if digested is None else NOW + digested)


def test_a_run_that_did_not_come_is_missed_and_reported() -> None:
    place = hourly()
    assert look() == Overdue(missed=1)
    run = CheckIn.objects.get()
    assert (run.status, run.started, run.expected_at) == (
        *("missed", place.expected_at, place.expected_at),
    )
    place.refresh_from_db()
    assert place.expected_at == NOW + 30 * MINUTE
    assert (place.last_status, place.failures) == ("missed", 1)
    assert place.failing_since == NOW - 29 * MINUTE
    assert InboxEnvelope.objects.get().key_id == 0


def test_a_run_within_its_margin_is_not_missed() -> None:
    hourly(missed_at=NOW + MINUTE)
    assert look() == Overdue()


def test_each_due_time_is_missed_once() -> None:
    hourly()
    assert [look().missed, look().missed] == [1, 0]
    MonitorClock.objects.update(ticked=NOW + 2 * HOUR)
    assert look(2 * HOUR).missed == 2


def test_what_digest_has_not_seen_is_not_missed() -> None:
    hourly()
    assert look(digested=-HOUR) == Overdue()
    assert look() == Overdue(missed=1)


def test_after_a_pause_of_the_ticks_what_was_due_is_unknown() -> None:
    place = hourly()
    MonitorClock.objects.update(ticked=NOW - 5 * HOUR)
    assert look() == Overdue(unknown=1)
    place.refresh_from_db()
    assert (place.failures, place.last_status) == (0, "unknown")
    assert place.expected_at == NOW + HOUR
    assert not InboxEnvelope.objects.exists()


def test_a_restart_of_a_minute_is_no_pause() -> None:
    hourly()
    MonitorClock.objects.update(ticked=NOW - MINUTE)
    assert look() == Overdue(missed=1)


def test_the_first_look_ever_misses_nothing() -> None:
    hourly()
    MonitorClock.objects.all().delete()
    assert look() == Overdue(unknown=1)


def test_many_missed_runs_take_several_looks() -> None:
    due = NOW - 50 * MINUTE
    make_place(every=(1, "minute"), expected_at=due, missed_at=due + MINUTE)
    found = [look().missed for _ in range(4)]
    assert found == [20, 20, 10, 0]


def test_a_disabled_monitor_misses_nothing() -> None:
    place = hourly()
    Monitor.objects.update(is_disabled=True)
    place.monitor.refresh_from_db()
    reschedule(place.monitor, NOW)
    assert look(DAY) == Overdue()


def test_a_monitor_that_is_switched_on_again_expects_runs_from_then_on() -> None:
    place = hourly()
    place.monitor.is_disabled = False
    reschedule(place.monitor, NOW)
    place.refresh_from_db()
    assert place.expected_at == NOW + HOUR


def test_a_run_that_does_not_end_times_out_and_is_reported() -> None:
    place = make_place(running_since=NOW - HOUR)
    run = make_check_in(place, started=NOW - HOUR, timeout_at=NOW - 30 * MINUTE)
    assert look() == Overdue(timed_out=1)
    run.refresh_from_db()
    assert (run.status, run.finished) == ("timeout", NOW - 30 * MINUTE)
    place.refresh_from_db()
    assert (place.last_status, place.running_since) == ("timeout", None)
    assert InboxEnvelope.objects.count() == 1
    assert look() == Overdue()


def test_a_run_within_its_limit_goes_on() -> None:
    make_check_in(make_place(), started=NOW, timeout_at=NOW + MINUTE)
    assert look() == Overdue()


def test_a_run_over_a_pause_of_the_ticks_has_an_unknown_end() -> None:
    make_check_in(make_place(), started=NOW - HOUR, timeout_at=NOW - MINUTE)
    MonitorClock.objects.update(ticked=NOW - 30 * MINUTE)
    assert look() == Overdue(unknown=1)
    assert not InboxEnvelope.objects.exists()


def test_more_than_a_piece_is_found_in_one_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(overdue, "PIECE", 2)
    project = make_project()
    for number in range(5):
        place = hourly(project=project, slug=f"job-{number}")
        make_check_in(place, check_in_id=uuid4(), timeout_at=NOW)
    assert look() == Overdue(missed=5, timed_out=5)


def test_the_tick_looks() -> None:
    hourly()
    MonitorClock.objects.update(ticked=timezone.now())
    tasks.monitors_tick()
    assert CheckIn.objects.get().status == "missed"
