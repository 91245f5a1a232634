"""The tick of monitors: runs that did not come, and runs that do not end."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import uuid4

from django.db import transaction

from issues.models import (
    CheckIn,
    CheckInStatus,
    MonitorClock,
    MonitorEnvironment,
)
from issues.monitors import report
from issues.monitors.runs import end_run, expect, locked_places, save_places
from issues.monitors.streak import overdue_status, watching_since
from issues.schedules import next_run

PIECE = 200
# Of one place at a time: the rest comes with the next tick.
MOST_MISSED = 20

CLOCK = 1
Status = CheckInStatus


@dataclass(slots=True)
class Overdue:
    """What one look found."""

    missed: int = 0
    timed_out: int = 0
    unknown: int = 0
    resolved: int = 0


@dataclass(frozen=True, slots=True)
class _Times:
    """Of one look; see ``look`` and ``watching_since``."""

    now: datetime
    digested: datetime
    since: datetime


@dataclass(slots=True)
class _Found:
    places: Sequence[MonitorEnvironment]
    runs: list[CheckIn] = field(default_factory=list)
    failed: list[tuple[MonitorEnvironment, CheckIn]] = field(default_factory=list)


def look(now: datetime, digested: datetime) -> Overdue:
    """Find what is overdue, and resolve what has recovered.

    Only what was due before ``digested`` is judged: until then all check-ins that came
    are known.
    """
    times = _Times(now, digested, _tick(now))
    total = Overdue()
    for find in (_missed, _timed_out):
        while find(times, total) == PIECE:
            pass
    total.resolved = report.resolve_recovered()
    return total


@transaction.atomic
def _tick(now: datetime) -> datetime:
    clock = MonitorClock.objects.filter(pk=CLOCK).first()
    if clock is None:
        clock = MonitorClock(pk=CLOCK, ticked=now, watching_since=now)
    since = watching_since(now, clock.ticked, clock.watching_since)
    MonitorClock(pk=CLOCK, ticked=now, watching_since=since).save()
    return since


@transaction.atomic
def _missed(times: _Times, total: Overdue) -> int:
    due = MonitorEnvironment.objects.filter(missed_at__lte=times.digested)
    ids = list(due.order_by("pk").values_list("pk", flat=True)[:PIECE])
    # A check-in may come before the places are locked.
    found = _Found(locked_places(pk__in=ids, missed_at__lte=times.digested))
    for place in found.places:
        for _ in range(MOST_MISSED):
            if place.missed_at is None or place.missed_at > times.digested:
                break
            _miss(place, times.since, found)
    CheckIn.objects.bulk_create(found.runs)
    _save(found, times.now, total)
    return len(ids)


def _miss(place: MonitorEnvironment, since: datetime, found: _Found) -> None:
    due, missed_at = place.expected_at, place.missed_at
    assert due is not None and missed_at is not None
    status = overdue_status(due, since, Status.MISSED)
    run = CheckIn(
        monitor_environment=place,
        check_in_id=uuid4(),
        status=status,
        started=due,
        expected_at=due,
    )
    found.runs.append(run)
    if end_run(place, run, missed_at):
        found.failed.append((place, run))
    # One unknown run stands for all that were due while nobody watched.
    after = due if status == Status.MISSED else max(due, since)
    expect(place, next_run(place.monitor.schedule, after))


@transaction.atomic
def _timed_out(times: _Times, total: Overdue) -> int:
    due = CheckIn.objects.filter(timeout_at__lte=times.digested)
    ids = dict(due.values_list("pk", "monitor_environment_id")[:PIECE])
    by_id = {place.pk: place for place in locked_places(pk__in=set(ids.values()))}
    found = _Found(list(by_id.values()))
    # A run may have ended before its place was locked.
    for run in due.filter(pk__in=ids).order_by("timeout_at", "pk"):
        place = by_id[run.monitor_environment_id]
        run.status = overdue_status(run.started, times.since, Status.TIMEOUT)
        run.finished, run.timeout_at = run.timeout_at, None
        found.runs.append(run)
        if end_run(place, run, times.now):
            found.failed.append((place, run))
    CheckIn.objects.bulk_update(found.runs, ["status", "finished", "timeout_at"])
    _save(found, times.now, total)
    return len(ids)


def _save(found: _Found, now: datetime, total: Overdue) -> None:
    report.send(found.failed, now)
    save_places(found.places)
    for run in found.runs:
        total.missed += run.status == Status.MISSED
        total.timed_out += run.status == Status.TIMEOUT
        total.unknown += run.status == Status.UNKNOWN
