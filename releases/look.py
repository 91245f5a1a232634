"""Reads what a watch must know now: the release's closed minutes and its baseline."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Max, Min, Q, QuerySet, Sum

from releases import baseline as reading
from releases import calibration, verdict
from releases.baseline import EXPOSURE, MINUTE, PREFERENCE, Source
from releases.choosing import choose_baseline
from releases.models import Deploy, Environment, ReleaseMinute, TrafficMinute, Watch
from releases.thresholds import rule_by
from releases.verdict import Baseline, Minute, Rule

# Errors arrive at once, what they are put to later: a minute is closed this long after
# its end. Sessions of servers are told once a minute.
CLOSING = {
    Source.TRAFFIC: timedelta(seconds=20),
    Source.REQUESTS: timedelta(seconds=30),
    Source.SESSIONS: timedelta(seconds=75),
    Source.NONE: timedelta(seconds=20),
}
# A source of posted traffic that said nothing for so long is gone; until then its last
# minutes are waited for.
SILENT = timedelta(minutes=3)
SOURCES_OF = timedelta(hours=1)
CLOSED_FOR_ALL = max(CLOSING.values())


@dataclass(frozen=True, slots=True)
class Look:
    """What the counters say of a release now; None-like parts where nothing is known.

    ``start`` is minute 0, ``end`` the first minute that is not closed yet.
    ``silent_sources`` posted traffic until lately and no longer do;
    ``added_sources`` began to post after the deploy, beyond those that they replace,
    and told ``added_exposure`` of what counts: the baseline lacks the like of it.
    """

    watch: Watch
    rule: Rule
    source: str
    start: datetime
    end: datetime
    baseline: Baseline | None
    baseline_release: int
    minutes: Sequence[Minute] = ()
    concurrent: bool = False
    served: bool = True
    silent_sources: Collection[str] = ()
    added_sources: Collection[str] = ()
    added_exposure: float = 0.0

    @property
    def over(self) -> bool:
        """Whether the whole window is closed."""
        return len(self.minutes) >= self.rule.window


def look(watch: Watch, now: datetime, digested_until: datetime) -> Look:
    """Read the closed minutes of a watch's release and what they are compared with.

    ``digested_until``: everything received before it is in the counters.
    """
    deploy = watch.deploy
    # The baseline is read once, so all that it rests on must be counted by then.
    if min(now, digested_until) >= minute_of(deploy.started_at) + CLOSED_FOR_ALL:
        _settle(watch, now)
    start = watch.serving_since or minute_of(deploy.started_at)
    source = watch.source or Source.NONE
    rule = rule_by(watch.settings, source)
    sources = _sources_of(deploy, now) if source == Source.TRAFFIC else Sources()
    end = min(
        [
            minute_of(now - CLOSING[Source(source)]),
            minute_of(digested_until),
            start + MINUTE * rule.window,
            *sources.told_until,
        ]
    )
    known = known_baseline(watch)
    base_id = int(watch.baseline_numbers.get("release_id", 0))
    found = Look(
        watch,
        rule,
        source,
        start,
        max(end, start),
        known,
        base_id,
        served=watch.serving_since is not None,
        silent_sources=sources.silent,
    )
    if watch.serving_since is None or known is None or end <= start:
        return found
    minutes = reading.read_minutes(
        [deploy.release_id], deploy.environment_id, start, end, source
    )
    if source == Source.NONE:
        share = deploy.traffic_share or 1.0
        minutes = with_profile(deploy.environment, minutes, start, share)
    found = replace(found, minutes=minutes)
    return with_control(_with_added(found, sources) if sources.added else found)


def minute_of(moment: datetime) -> datetime:
    """The minute that a moment lies in."""
    return moment.replace(second=0, microsecond=0)


def _settle(watch: Watch, now: datetime) -> None:
    """Find out, once, when the release began to serve, by what it is measured, and
    what it is compared with. Written to the watch, saved by ``record``.
    """
    if watch.serving_since is not None:
        return
    deploy = watch.deploy
    start = minute_of(deploy.started_at)
    rows = ReleaseMinute.objects.filter(
        release_id=deploy.release_id,
        environment_id=deploy.environment_id,
        minute__gte=start,
    ).order_by("minute")
    counted = Q(traffic__gt=0) | Q(sessions__gt=0) | Q(requests__gt=0)
    first = rows.filter(counted).first()
    chosen = choose_baseline(deploy, start)
    if chosen is None:
        if first is not None:
            watch.serving_since = max(first.minute, start)
        return
    release_id, had = chosen
    source = _source(rows, had)
    if source is None:
        return
    begin = first.minute if first is not None else None
    if begin is None:
        errors = rows.filter(errors__gt=0).first()
        begin = errors.minute if errors is not None else None
    if begin is None:
        return
    preferred = next((name for name in PREFERENCE if had.get(name)), source)
    if source != preferred and now < max(begin, start) + SILENT:
        return  # what both count best may only be slower to arrive
    watch.serving_since, watch.source = max(begin, start), source
    watch.baseline_id = release_id or None
    calibrated = calibration.calibration_of(deploy.environment, start)
    base = reading.read_baseline(
        [release_id], deploy.environment_id, start, source, calibrated
    )
    watch.baseline_numbers = _numbers_of(base, release_id)


def _source(rows: QuerySet[ReleaseMinute], had: Mapping[str, float]) -> Source | None:
    """The preferred exposure that baseline and release both have; NONE where the
    baseline has none at all; None while the release has not shown the baseline's.
    """
    sums = rows.aggregate(**{c: Sum(c, default=0) for c in EXPOSURE.values()})
    offered = [source for source in PREFERENCE if had.get(source)]
    for source in offered:
        if sums[EXPOSURE[source]]:
            return source
    return None if offered else Source.NONE


def _numbers_of(base: Baseline, release_id: int) -> dict[str, Any]:
    return {
        "release_id": release_id,
        "errors": base.errors,
        "exposure": base.exposure,
        "raw_errors": base.raw_errors,
        "rate": base.raw_errors / base.exposure if base.exposure else None,
        "cap": base.cap,
        "dispersion": base.dispersion,
        "longest_episode": base.longest_episode,
        "tenants": base.tenants,
        "history_errors": base.history_errors,
        "history_exposure": base.history_exposure,
        "tenant_share": {str(t): n for t, n in base.tenant_share.items()},
        "tenant_errors_capped": {
            str(t): n for t, n in base.tenant_errors_capped.items()
        },
    }


def known_baseline(watch: Watch) -> Baseline | None:
    """The baseline that ``_settle`` wrote; None where there is nothing to compare."""
    told = watch.baseline_numbers
    if not told or not told["exposure"]:
        return None
    return Baseline(
        errors=told["errors"],
        exposure=told["exposure"],
        raw_errors=told["raw_errors"],
        cap=told["cap"],
        dispersion=told["dispersion"],
        longest_episode=told["longest_episode"],
        tenants=told["tenants"],
        history_errors=told["history_errors"],
        history_exposure=told["history_exposure"],
        tenant_share={int(t): n for t, n in told["tenant_share"].items()},
        tenant_errors_capped={
            int(t): n for t, n in told["tenant_errors_capped"].items()
        },
    )


@dataclass(frozen=True, slots=True)
class Sources:
    """Who posts traffic: ``told_until`` are the first minutes that those who still do
    have not told whole; ``began`` are those that first posted after the deploy, of
    which ``added`` are more than ended.
    """

    told_until: Sequence[datetime] = ()
    silent: Sequence[str] = ()
    began: Sequence[str] = ()
    added: int = 0


def _sources_of(deploy: Deploy, now: datetime) -> Sources:
    """The sources of posted traffic lately.

    A source has told a minute once it posted after the minute's end; while it may still
    come, its minute stays open. A deploy often replaces the processes that post: as
    many begin as end.
    """
    posts = list(
        TrafficMinute.objects.filter(
            environment_id=deploy.environment_id,
            minute__gte=min(now, deploy.started_at) - SOURCES_OF,
        )
        .values_list("source")
        .annotate(Min("minute"), Max("posted_at"))
    )
    silent = sorted(source for source, _, last in posts if last < now - SILENT)
    deployed = minute_of(deploy.started_at)
    began = sorted(source for source, first, _ in posts if first >= deployed)
    return Sources(
        [minute_of(last) for source, _, last in posts if source not in silent],
        silent if len(silent) > len(began) else [],
        began,
        max(len(began) - len(silent), 0) if len(began) < len(posts) else 0,
    )


def _with_added(found: Look, sources: Sources) -> Look:
    """The look with what was added by sources beyond those they replace: the largest,
    as nothing tells which of them are the additional ones.
    """
    told = (
        TrafficMinute.objects.filter(
            release_id=found.watch.deploy.release_id,
            environment_id=found.watch.deploy.environment_id,
            minute__gte=found.start + MINUTE * found.rule.grace,
            minute__lt=found.end,
            source__in=sources.began,
            tenant_id=0,
        )
        .values_list("source")
        .annotate(sum=Sum("requests"))
        .order_by("-sum", "source")[: sources.added]
    )
    added = list(told)
    return replace(
        found,
        added_sources=sorted(source for source, _ in added),
        added_exposure=float(sum(requests for _, requests in added)),
    )


def with_profile(
    environment: Environment,
    minutes: Sequence[Minute],
    start: datetime,
    share: float = 1.0,
) -> list[Minute]:
    """Without a denominator the exposure is what the season expects of the share."""
    calibrated = calibration.calibration_of(environment, start)
    return [
        replace(
            minute,
            exposure=share * reading.profile_at(calibrated, start + MINUTE * i),
        )
        for i, minute in enumerate(minutes)
    ]


def with_control(found: Look) -> Look:
    """For a canary: the other releases in the same minutes, where they serve at least
    as much; they share every common cause.
    """
    deploy = found.watch.deploy
    share = deploy.traffic_share
    if share is None or share >= 1 or found.baseline is None:
        return found
    if found.source == Source.NONE:
        return found
    ran = reading.releases_that_ran(deploy.environment, found.start, found.end)
    others = [
        pk for pk, had in ran.items() if pk != deploy.release_id and had[found.source]
    ]
    control = reading.read_minutes(
        others, deploy.environment_id, found.start, found.end, found.source
    )
    grace = found.rule.grace
    if sum(m.exposure for m in control[grace:]) < sum(
        m.exposure for m in found.minutes[grace:]
    ):
        return found
    cap = found.baseline.cap
    minutes = [
        replace(
            mine,
            control_errors=verdict.capped_total(other.errors, cap),
            control_exposure=other.exposure,
        )
        for mine, other in zip(found.minutes, control, strict=True)
    ]
    return replace(found, minutes=minutes, concurrent=True)
