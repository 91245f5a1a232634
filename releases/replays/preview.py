"""What a threshold would have done lately: to the deploys there were, and to none.

Past deploys are judged again as they were, minute by minute, from the counters. Times
without a deploy are cut into windows, and each is judged as if a release had begun to
serve all of the traffic there. What issues did by the minute is kept for 8 of the 14
days, so the guards are not replayed: a deploy that one of them caught is taken to be
caught again.
"""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet

from releases import baseline as reading
from releases.baseline import MINUTE, Source
from releases.conclude import Told, conclude
from releases.look import (
    CLOSING,
    Look,
    known_baseline,
    minute_of,
    with_control,
    with_profile,
)
from releases.models import Deploy, Environment, Threshold, Watch
from releases.replays.firing import Firing, first_firing
from releases.replays.quiet import FalseAlarm, quiet_times, watch_of
from releases.replays.replay import promising_looks
from releases.thresholds import rule_by, settings_of
from releases.verdict import Baseline

SPAN = timedelta(days=14)
ENVIRONMENTS = 8
DEPLOYS = 100
NAMED = 5
GUARDS = {"new_issue": "guard_new_issue", "tenant": "guard_tenant"}


@dataclass(frozen=True, slots=True)
class Again:
    """A past deploy: what was said then, and what would be said now."""

    deploy: Deploy
    then: str
    verdict: str
    firing: Firing | None


@dataclass(frozen=True, slots=True)
class EnvironmentPreview:
    """One environment: ``tries`` windows without a deploy, and the deploys."""

    environment: Environment
    source: str
    tries: int
    alarms: list[FalseAlarm]
    deploys: list[Again]


@dataclass(frozen=True, slots=True)
class Preview:
    """All environments where the threshold would hold; ``left_out`` were too many."""

    environments: list[EnvironmentPreview]
    left_out: int

    @property
    def tries(self) -> int:
        return sum(found.tries for found in self.environments)

    @property
    def alarms(self) -> int:
        return sum(len(found.alarms) for found in self.environments)

    @property
    def deploys(self) -> list[Again]:
        return [again for found in self.environments for again in found.deploys]

    @property
    def fired(self) -> list[Again]:
        return [again for again in self.deploys if again.firing]

    @property
    def sentence(self) -> str:
        """Both halves of the answer: false alarms, and deploys that it catches."""
        if not self.environments:
            return (
                "No environment is known where it would hold: there is none yet, or a "
                "more specific threshold holds."
            )
        if not self.tries and not self.deploys:
            return (
                "Nothing to go by: where it would hold, no release served in the last "
                f"{SPAN.days} days."
            )
        alarms = f"{self.alarms} time{'' if self.alarms == 1 else 's'}"
        quiet = (
            f"Without a deploy it would have fired {alarms} in {SPAN.days} days "
            f"({self.tries:,} windows tried)."
        )
        if not self.deploys:
            return f"{quiet} No deploy was watched."
        fired = ", ".join(
            f"{again.deploy.release.version} at minute {again.firing.minute}"
            for again in self.fired[:NAMED]
            if again.firing
        )
        more = len(self.fired) - NAMED
        fired += f" and {more} more" if more > 0 else ""
        caught = f"{len(self.fired)} of {len(self.deploys)} past deploys"
        return f"{quiet} It would have fired at {caught}{': ' if fired else ''}{fired}."


def preview(threshold: Threshold, now: datetime) -> Preview:
    """Replay a threshold, saved or not, over the last 14 days where it would hold."""
    environments = _where_it_holds(threshold)
    shown = environments[:ENVIRONMENTS]
    return Preview(
        [_replay(threshold, environment, now) for environment in shown],
        len(environments) - len(shown),
    )


def _where_it_holds(threshold: Threshold) -> list[Environment]:
    """Environments for which no other threshold is more specific, by their name."""
    rows: QuerySet[Environment] = Environment.objects.select_related("project")
    if threshold.project_id:
        rows = rows.filter(project=threshold.project_id)
    if threshold.environment:
        rows = rows.filter(name=threshold.environment)
    others = [row for row in Threshold.objects.all() if row.pk != threshold.pk]
    return [
        environment
        for environment in rows.order_by("project__name", "name")
        if not any(
            _holds(other, environment) and _specific(other) > _specific(threshold)
            for other in others
        )
    ]


def _holds(threshold: Threshold, environment: Environment) -> bool:
    return threshold.project_id in {
        None,
        environment.project_id,
    } and threshold.environment in {"", environment.name}


def _specific(threshold: Threshold) -> tuple[bool, bool]:
    return threshold.project_id is not None, bool(threshold.environment)


def _replay(
    threshold: Threshold, environment: Environment, now: datetime
) -> EnvironmentPreview:
    deploys = list(
        Deploy.objects.select_related("release", "environment", "project", "watch")
        .filter(environment=environment, started_at__gte=now - SPAN)
        .order_by("-started_at", "-pk")
    )
    settings = settings_of(threshold)
    quiet = quiet_times(environment, settings, deploys, now - SPAN, now)
    begins = list(quiet.begins(now - SPAN))
    alarms = (quiet.alarm(begin) for begin in begins)
    return EnvironmentPreview(
        environment,
        quiet.source,
        len(begins),
        [alarm for alarm in alarms if alarm],
        list(_again(settings, deploys, now)),
    )


def _again(
    settings: dict[str, Any], deploys: Sequence[Deploy], now: datetime
) -> Iterator[Again]:
    """The deploys that were compared with something, newest first."""
    until = minute_of(now - CLOSING[Source.SESSIONS])
    for deploy in deploys[:DEPLOYS]:
        watch = watch_of(deploy)
        base = known_baseline(watch) if watch else None
        if watch and base and watch.serving_since:
            look = _look_again(watch, settings, base, until)
            if look.minutes:
                yield _told_again(look, watch)
        until = minute_of(deploy.started_at)


def _look_again(
    watch: Watch, settings: dict[str, Any], base: Baseline, until: datetime
) -> Look:
    """The watch under other settings, with all its minutes up to ``until``."""
    deploy, start, source = watch.deploy, watch.serving_since, Source(watch.source)
    assert start is not None
    rule = rule_by(settings, source)
    end = min(start + MINUTE * rule.window, until)
    minutes = reading.read_minutes(
        [deploy.release_id], deploy.environment_id, start, end, source
    )
    if source == Source.NONE:
        minutes = with_profile(deploy.environment, minutes, start)
    told = copy.copy(watch)
    told.settings = settings
    release = int(watch.baseline_numbers["release_id"])
    look = Look(told, rule, source, start, max(end, start), base, release, minutes)
    return with_control(look)


def _told_again(look: Look, watch: Watch) -> Again:
    assert look.baseline is not None
    share = watch.deploy.traffic_share or 1.0
    firing = first_firing(
        look,
        # A control of the same minutes leaves no short cut.
        range(look.rule.grace + 1, len(look.minutes) + 1)
        if look.concurrent
        else promising_looks(look.rule, look.baseline, look.minutes, share),
    )
    caught = _caught_by_guard(watch, look.watch.settings)
    if caught and (firing is None or caught.minute < firing.minute):
        firing = caught
    if firing:
        return Again(watch.deploy, watch.verdict, Watch.Verdict.DEGRADED, firing)
    decided = conclude(look, Told(), look.end).verdict
    if decided == Watch.Verdict.PENDING and watch.is_final:
        decided = Watch.Verdict.INCONCLUSIVE  # another deploy followed too soon
    return Again(watch.deploy, watch.verdict, decided, None)


def _caught_by_guard(watch: Watch, settings: dict[str, Any]) -> Firing | None:
    guard = GUARDS.get(watch.reason)
    if watch.verdict != Watch.Verdict.DEGRADED or not guard or not settings[guard]:
        return None
    numbers = watch.numbers
    return Firing(numbers["minutes"], watch.reason, numbers["ratio"])
