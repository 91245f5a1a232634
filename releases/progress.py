"""How the error rates of a deployed release and of its baseline went over time."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from releases.models import Deploy, ReleaseMinute, Watch

BEFORE = timedelta(minutes=60)
AFTER = timedelta(minutes=3)  # so that a verdict at the very end is seen
# Denominators arrive late: a minute is shown when its sessions had time to come.
CLOSED_AFTER = timedelta(seconds=75)
MINUTE = timedelta(minutes=1)
STEPS = (1, 2, 5, 10, 15, 30)
ERRORS_A_STEP = 4
MOST_POINTS = 200
EXPOSURES = {
    Watch.Source.TRAFFIC: "traffic",
    Watch.Source.SESSIONS: "sessions",
    Watch.Source.REQUESTS: "requests",
}

Counts = tuple[int, float]  # errors and exposure


@dataclass(frozen=True, slots=True)
class Point:
    """What happened in some minutes; without a denominator exposure is minutes."""

    start: datetime
    minutes: int
    errors: int
    exposure: float

    @property
    def end(self) -> datetime:
        return self.start + self.minutes * MINUTE

    @property
    def rate(self) -> float | None:
        """Errors per unit of exposure; None where nothing was served."""
        return self.errors / self.exposure if self.exposure > 0 else None


@dataclass(frozen=True, slots=True)
class Progress:
    """The rates of a deploy's release and baseline, in steps of ``step`` minutes."""

    start: datetime
    end: datetime
    step: int
    release: list[Point]
    baseline: list[Point]


def progress_of(deploy: Deploy, watch: Watch | None, now: datetime) -> Progress:
    """From an hour before the deploy to the end of its watch, or to now. One query.

    ``rate`` is per minute where the watch has no denominator.
    """
    start = deploy.started_at.replace(second=0, microsecond=0) - BEFORE
    last = (now - CLOSED_AFTER).replace(second=0, microsecond=0)
    until = window_end(deploy, watch)
    if watch and watch.decided_at:
        until = max(until, watch.decided_at + AFTER)
    until = until.replace(second=0, microsecond=0)
    end = max(min(until, last), start + BEFORE + MINUTE)
    baseline_id = baseline_of(watch) if watch else None
    releases = {deploy.release_id, *(() if baseline_id is None else (baseline_id,))}
    source = Watch.Source(watch.source) if watch and watch.source else None
    found = _minutes(releases, deploy.environment_id, start, end, source)
    own = found[deploy.release_id]
    base = {} if baseline_id in {None, deploy.release_id} else found[baseline_id or 0]
    step = _step(start, end, [own, base])
    return Progress(
        start,
        end,
        step,
        _points(own, start, end, step),
        _points(base, start, end, step) if base else [],
    )


def baseline_of(watch: Watch) -> int | None:
    """The release that a watch compares with, 0 for events that name none."""
    found: int | None = watch.baseline_numbers.get("release_id", watch.baseline_id)
    return found


def window_end(deploy: Deploy, watch: Watch | None) -> datetime:
    """When the watch is over, were nothing found; an hour where there is none."""
    if watch is None:
        return deploy.started_at + BEFORE
    minutes = int(watch.settings["window"])
    return (watch.serving_since or watch.opened_at) + minutes * MINUTE


def _minutes(
    releases: Collection[int],
    environment: int,
    start: datetime,
    end: datetime,
    source: Watch.Source | None,
) -> dict[int, dict[datetime, Counts]]:
    """Errors and exposure by release and minute."""
    column = EXPOSURES.get(source) if source else None
    found: dict[int, dict[datetime, Counts]] = {release: {} for release in releases}
    rows = ReleaseMinute.objects.filter(
        release_id__in=releases,
        environment_id=environment,
        minute__gte=start,
        minute__lt=end,
    ).values_list("release_id", "minute", "errors", column or "events")
    for release, minute, errors, exposure in rows:
        found[release][minute] = (errors, exposure if column else 1.0)
    if column is None:
        for counts in found.values():
            _fill(counts)
    return found


def _fill(counts: dict[datetime, Counts]) -> None:
    """Count each minute between the first and the last: quiet ones served as well."""
    if not counts:
        return
    minute, last = min(counts), max(counts)
    while minute < last:
        counts.setdefault(minute, (0, 1.0))
        minute += MINUTE


def _step(
    start: datetime, end: datetime, series: Sequence[Mapping[datetime, Counts]]
) -> int:
    """The shortest step with some errors each: fewer would draw noise."""
    minutes = (end - start) / MINUTE
    rates = [
        sum(errors for errors, _ in counts.values()) / len(counts)
        for counts in series
        if counts
    ]
    for step in STEPS:
        enough = all(rate * step >= ERRORS_A_STEP for rate in rates)
        if minutes / step <= MOST_POINTS and (enough or step >= 5):
            return step
    return STEPS[-1]


def _points(
    counts: Mapping[datetime, Counts], start: datetime, end: datetime, step: int
) -> list[Point]:
    """Whole steps from the start on; the last one may be shorter."""
    points = []
    while start < end:
        minutes = min(step, int((end - start) / MINUTE))
        inside = [counts.get(start + i * MINUTE, (0, 0.0)) for i in range(minutes)]
        points.append(
            Point(
                start,
                minutes,
                sum(errors for errors, _ in inside),
                sum(exposure for _, exposure in inside),
            )
        )
        start += step * MINUTE
    return points
