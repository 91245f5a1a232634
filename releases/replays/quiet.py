"""The time without a deploy, cut into windows in which nothing should fire.

Each is judged as if a release had begun to serve there: its counts are those of all
releases, its baseline is the time before.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from releases import baseline as reading
from releases.baseline import MINUTE, PREFERENCE, Source
from releases.calibration import calibration_of
from releases.look import CLOSING, Look, minute_of, with_profile
from releases.models import Action, Deploy, Environment, Watch
from releases.replays.firing import Firing, first_firing
from releases.replays.replay import History, Usual, promising_looks
from releases.thresholds import rule_by
from releases.verdict import Baseline, Minute, Rule

# The first tries need something to be compared with; counters are kept 15 days.
BEFORE = timedelta(hours=24)
TRY_EVERY = 60  # minutes, or as long as a window, so that tries do not overlap
# A bad release is not what usually happens.
BAD_FOR = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class FalseAlarm:
    """A firing without a deploy, in the window that began ``at``."""

    at: datetime
    firing: Firing


Times = Sequence[tuple[datetime, datetime]]


@dataclass(frozen=True, slots=True)
class Quiet:
    """An environment's minutes from ``start`` on, judged where nobody deployed."""

    environment: Environment
    settings: dict[str, Any]
    rule: Rule
    source: str
    start: datetime
    history: History
    windows: Sequence[int]
    watched: Times

    def begins(self, since: datetime) -> Iterator[int]:
        """The minutes at which tries begin, newest first."""
        length = self.rule.window
        begin = len(self.history.minutes) - length
        while begin >= (since - self.start) // MINUTE:
            if self._is_quiet(begin) and self._base(begin)[0].exposure:
                yield begin
            begin -= max(TRY_EVERY, length)

    def _is_quiet(self, begin: int) -> bool:
        start = self.start + MINUTE * begin
        end = start + MINUTE * self.rule.window
        return self.history.exposure(begin, begin + self.rule.window) > 0 and not any(
            first < end and start < last for first, last in self.watched
        )

    def _base(self, begin: int) -> tuple[Baseline, int]:
        return self.history.baseline(begin, self.windows, reading.ENOUGH)

    def alarm(self, begin: int) -> FalseAlarm | None:
        """What a release that does what everybody did would have set off."""
        base, since = self._base(begin)
        minutes = self.history.minutes[begin : begin + self.rule.window]
        candidates = list(promising_looks(self.rule, base, minutes))
        if not candidates:
            return None
        base = replace(
            base, tenant_errors_capped=self.history.tenant_errors(since, begin)
        )
        start = self.start + MINUTE * begin
        deploy = Deploy(
            project=self.environment.project,
            environment=self.environment,
            started_at=start,
        )
        watch = Watch(deploy=deploy, settings=self.settings)
        end = start + MINUTE * len(minutes)
        look = Look(watch, self.rule, self.source, start, end, base, 0, minutes)
        firing = first_firing(look, candidates)
        return FalseAlarm(start, firing) if firing else None


def quiet_times(
    environment: Environment,
    settings: dict[str, Any],
    deploys: Sequence[Deploy],
    since: datetime,
    now: datetime,
) -> Quiet:
    """An environment's time from ``since`` to now; ``deploys`` are those in it."""
    start = minute_of(since - BEFORE)
    end = minute_of(now - CLOSING[Source.SESSIONS])
    ran = reading.releases_that_ran(environment, start, end)
    source = _source_of(ran, deploys)
    minutes = reading.read_minutes(list(ran), environment.pk, start, end, source)
    calibrated = calibration_of(environment, now)
    rule, dispersion = rule_by(settings, source), calibrated.dispersion
    windows = [window // MINUTE for window in reading.WINDOWS]
    if source == Source.NONE:
        minutes = _since_errors(with_profile(environment, minutes, start))
        windows = [reading.FALLBACK_WINDOW // MINUTE]
        dispersion = max(reading.FALLBACK_DISPERSION, dispersion)
    usual = Usual(calibrated.cap, dispersion, reading.active_tenants(now))
    return Quiet(
        environment,
        # An alert asks for no more than the rule: whose keys sent does not matter.
        {**settings, "action": Action.ALERT.value},
        rule,
        source,
        start,
        History(_without(_bad_times(deploys), minutes, start), usual),
        windows,
        [_watched(deploy) for deploy in deploys],
    )


def watch_of(deploy: Deploy) -> Watch | None:
    """The deploy's watch, if it has one."""
    return getattr(deploy, "watch", None)


def _since_errors(minutes: list[Minute]) -> list[Minute]:
    """The minutes, empty before the first error: nothing ran, as far as is known."""
    known = False
    found = []
    for minute in minutes:
        known = known or bool(minute.errors)
        found.append(minute if known else Minute(0.0))
    return found


def _source_of(ran: dict[int, dict[str, float]], deploys: Sequence[Deploy]) -> str:
    """What the newest watch was measured by, else what the releases offer."""
    for deploy in deploys:
        watch = watch_of(deploy)
        if watch and watch.source:
            return watch.source
    offered = (s for s in PREFERENCE if any(had[s] for had in ran.values()))
    return next(offered, Source.NONE)


def _watched(deploy: Deploy) -> tuple[datetime, datetime]:
    """The time in which a deploy may have changed the rates."""
    watch = watch_of(deploy)
    window = watch.settings["window"] if watch else TRY_EVERY
    return deploy.started_at, deploy.started_at + MINUTE * window


def _bad_times(deploys: Sequence[Deploy]) -> list[tuple[datetime, datetime]]:
    """When a release ran that is not what usually happens."""
    watches = [watch for deploy in deploys if (watch := watch_of(deploy))]
    return [
        (watch.deploy.started_at, (watch.decided_at or watch.opened_at) + BAD_FOR)
        for watch in watches
        if watch.verdict == Watch.Verdict.DEGRADED
    ]


def _without(times: Times, minutes: list[Minute], start: datetime) -> list[Minute]:
    """The minutes with those of ``times`` emptied."""
    for first, last in times:
        for place in range((first - start) // MINUTE, (last - start) // MINUTE + 1):
            if 0 <= place < len(minutes):
                minutes[place] = Minute(0.0)
    return minutes
