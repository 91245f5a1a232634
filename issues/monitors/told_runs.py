"""The runs that a batch of check-ins tells: those that are there, and new ones."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID, uuid4

from django.db.models import Q

from issues.models import CheckIn, CheckInStatus, MonitorEnvironment
from issues.monitors import report
from issues.monitors.runs import (
    end_run,
    expect_after_start,
    expected_at,
    is_over,
    save_places,
    timeout_of,
)
from issues.monitors.told import ToldCheckIn

# The key stands in public pages: what it may make is bounded.
MOST_RUNS_A_MINUTE = 20  # of a monitor in an environment

RUN_FIELDS = ["status", "started", "finished", "duration", "timeout_at"]

Status = CheckInStatus


@dataclass(slots=True)
class Runs:
    """The runs that a batch touches: those that are there, and those that it makes."""

    by_id: dict[tuple[int, UUID], CheckIn]
    open: dict[int, list[CheckIn]]  # in progress by place, the newest last
    places: dict[int, MonitorEnvironment]
    new: list[CheckIn] = field(default_factory=list)
    changed: dict[int, CheckIn] = field(default_factory=dict)
    failed: list[tuple[MonitorEnvironment, CheckIn]] = field(default_factory=list)

    @classmethod
    def of(cls, told: Sequence[tuple[ToldCheckIn, MonitorEnvironment]]) -> "Runs":
        """The runs that these may be about; their places are locked."""
        places = {place.pk for _, place in told}
        ids = {one.check_in_id for one, _ in told if one.check_in_id}
        nameless = {place.pk for one, place in told if not one.check_in_id}
        rows = CheckIn.objects.filter(
            Q(monitor_environment__in=places, check_in_id__in=ids)
            | Q(monitor_environment__in=nameless, status=Status.IN_PROGRESS)
        )
        runs = cls({}, defaultdict(list), {place.pk: place for _, place in told})
        for row in rows.order_by("started", "pk"):
            runs._know(row)
        return runs

    def _know(self, run: CheckIn) -> None:
        self.by_id[run.monitor_environment_id, run.check_in_id] = run
        if not is_over(run):
            self.open[run.monitor_environment_id].append(run)

    def write(self, now: datetime) -> None:
        """Save the runs and their places, and report the failures."""
        report.send(self.failed, now)
        CheckIn.objects.bulk_create(self.new)
        CheckIn.objects.bulk_update(self.changed.values(), RUN_FIELDS)
        save_places(self.places.values())

    def tell(self, place: MonitorEnvironment, told: ToldCheckIn) -> str:
        """Take in one check-in; returns why it changes nothing, "" where it does."""
        run = self._find(place, told)
        if run is None:
            return self._begin(place, told)
        if told.status == Status.IN_PROGRESS:
            return self._late_start(run, told)
        if run.status in {Status.OK, Status.ERROR}:
            return "duplicate"
        late = is_over(run)
        run.finished = told.received
        run.duration = _duration(run, told)
        if not late:
            run.status, run.timeout_at = told.status, None
            self.open[place.pk] = [
                other for other in self.open[place.pk] if other is not run
            ]
            self._end(place, run, told.received)
        self._change(run)
        return ""

    def _find(self, place: MonitorEnvironment, told: ToldCheckIn) -> CheckIn | None:
        if told.check_in_id is not None:
            return self.by_id.get((place.pk, told.check_in_id))
        running = self.open[place.pk]
        if told.status == Status.IN_PROGRESS or not running:
            return None
        return running[-1]

    def _begin(self, place: MonitorEnvironment, told: ToldCheckIn) -> str:
        if not _may_begin(place, told.received):
            return "rate_limit"
        ongoing = told.status == Status.IN_PROGRESS
        run = CheckIn(
            monitor_environment=place,
            check_in_id=told.check_in_id or uuid4(),
            status=told.status,
            started=told.started,
            finished=None if ongoing else told.received,
            duration=None if ongoing else told.duration,
            expected_at=expected_at(place, told.started),
            timeout_at=timeout_of(place.monitor, told.started) if ongoing else None,
            release=told.release,
        )
        self.new.append(run)
        self._know(run)
        place.last_check_in = max(place.last_check_in or told.started, told.started)
        expect_after_start(place, told.started)
        if ongoing:
            place.running_since = told.started
        else:
            self._end(place, run, told.received)
        return ""

    def _late_start(self, run: CheckIn, told: ToldCheckIn) -> str:
        """The start of a run whose end came first."""
        if not is_over(run) or told.started >= run.started:
            return "duplicate"
        run.started = told.started
        self._change(run)
        return ""

    def _end(self, place: MonitorEnvironment, run: CheckIn, at: datetime) -> None:
        if end_run(place, run, at):
            self.failed.append((place, run))

    def _change(self, run: CheckIn) -> None:
        if run.pk:
            self.changed[run.pk] = run


def _may_begin(place: MonitorEnvironment, received: datetime) -> bool:
    minute = received.replace(second=0, microsecond=0)
    if place.minute is None or place.minute < minute:
        place.minute, place.minute_runs = minute, 0
    if place.minute_runs >= MOST_RUNS_A_MINUTE:
        return False
    place.minute_runs += 1
    return True


def _duration(run: CheckIn, told: ToldCheckIn) -> float:
    if told.duration is not None:
        return told.duration
    return max((told.received - run.started).total_seconds(), 0.0)
