"""What the end of a run does to its place, and when the next one is due."""

from collections.abc import Collection
from datetime import datetime, timedelta

from django.db import transaction

from issues.models import CheckIn, CheckInStatus, Monitor, MonitorEnvironment
from issues.monitors.streak import Streak, after_run
from issues.schedules import EARLY, next_run, next_run_after_start

PLACE_FIELDS = [
    *("last_status", "last_check_in", "running_since", "expected_at", "missed_at"),
    *("failures", "recoveries", "failing_since", "minute", "minute_runs"),
    *("reported_event", "resolves"),
]


def end_run(place: MonitorEnvironment, run: CheckIn, at: datetime) -> bool:
    """Note how a run ended; true where its failure is to be reported."""
    monitor = place.monitor
    place.last_status = run.status
    if place.running_since is not None and place.running_since <= run.started:
        place.running_since = None
    before = Streak(
        place.failures, place.recoveries, failing=place.failing_since is not None
    )
    turn = after_run(
        before, run.status, monitor.failure_threshold, monitor.recovery_threshold
    )
    place.failures, place.recoveries = turn.streak.failures, turn.streak.recoveries
    if not turn.streak.failing:
        place.failing_since = None
    elif place.failing_since is None:
        place.failing_since = at
    if turn.recovered:
        place.resolves = True
    elif turn.reports:
        place.resolves = False
    return turn.reports and not (monitor.is_muted or monitor.is_disabled)


def expect(place: MonitorEnvironment, due: datetime | None) -> None:
    place.expected_at = due
    place.missed_at = None if due is None else due + place.monitor.margin


def expect_after_start(place: MonitorEnvironment, started: datetime) -> None:
    """Expect the run after the one that started then; never an earlier one again."""
    due = next_run_after_start(place.monitor.schedule, started)
    if due is not None and (place.expected_at is None or due > place.expected_at):
        expect(place, due)


def expected_at(place: MonitorEnvironment, started: datetime) -> datetime | None:
    """The due time that a run which started then is for; None for one between."""
    due = place.expected_at
    return due if due is not None and due <= started + EARLY else None


def save_places(places: Collection[MonitorEnvironment]) -> None:
    MonitorEnvironment.objects.bulk_update(places, PLACE_FIELDS, batch_size=200)


def locked_places(**lookups: object) -> list[MonitorEnvironment]:
    """Places with their monitors, locked in the order that all lock them in."""
    rows = MonitorEnvironment.objects.select_related("monitor", "environment")
    rows = rows.select_for_update(of=("self",), no_key=True)
    return list(rows.filter(**lookups).order_by("pk"))


@transaction.atomic
def reschedule(monitor: Monitor, now: datetime) -> None:
    """Expect the next runs by the monitor's schedule as it is now."""
    places = locked_places(monitor=monitor)
    for place in places:
        place.monitor = monitor
        _expect_anew(place, now)
    save_places(places)


def _expect_anew(place: MonitorEnvironment, now: datetime) -> None:
    monitor = place.monitor
    due = None
    if not monitor.is_disabled:
        schedule = monitor.schedule
        after = now if schedule.crontab else (place.last_check_in or now)
        due = next_run(schedule, after)
        if due is not None and due < now:
            due = next_run(schedule, now)
    expect(place, due)


def timeout_of(monitor: Monitor, started: datetime) -> datetime:
    # At least a second: a limit of 0 would time out whatever is begun.
    return started + max(monitor.max_runtime, timedelta(seconds=1))


def is_over(run: CheckIn) -> bool:
    return run.status != CheckInStatus.IN_PROGRESS
