"""Checks that a rollback helped: the error rate is back, or people are told it is not.

Also sees that the CD carried a rollback out: ``releases.deploys`` links its own deploy
to the rollback, which settles even an outcome that was unknown.
"""

import logging
from collections.abc import Callable, Collection
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone

from releases.baseline import MINUTE, profile_at, read_minutes, releases_that_ran
from releases.look import CLOSING, minute_of
from releases.models import Calibration, Deploy, Environment, Rollback, Watch
from releases.rollbacks.orders import Step, note
from releases.rollbacks.proof import Bad, Proof, Slice, Usual, prove
from releases.sentence import UNITS, percent
from releases.verdict import Minute, capped_total

logger = logging.getLogger(__name__)

State = Rollback.State
Source = Watch.Source
Clock = Callable[[], datetime]

LOOK_EVERY = timedelta(seconds=15)
PROVE_WITHIN = timedelta(minutes=15)
BEFORE_THE_CALL = timedelta(minutes=10)
ADOPTED_WITHIN = timedelta(hours=2)


def prove_due(clock: Clock = timezone.now) -> int:
    """Look at every rollback that is due, and return how many were decided."""
    now = clock()
    decided = sum(_adopt(rollback, now) for rollback in _carried_out(now))
    called = Rollback.objects.filter(state=State.CALLED, next_try_at__lte=now)
    for rollback in called.select_related("deploy__environment", "deploy__release"):
        decided += _look(rollback, now)
    return decided


def _carried_out(now: datetime) -> Collection[Rollback]:
    """Rollbacks whose call may not have arrived, but a deploy shows that it did."""
    return (
        Rollback.objects.filter(
            state__in=[State.UNKNOWN, State.SENDING],
            created__gt=now - ADOPTED_WITHIN,
            deploys__isnull=False,
        )
        .select_related("deploy")
        .distinct()
    )


def _adopt(rollback: Rollback, now: datetime) -> bool:
    deploy = Deploy.objects.filter(rollback=rollback).select_related("release")[:1][0]
    told = (
        f"The call arrived: release {deploy.release} was deployed at "
        f"{deploy.started_at:%H:%M} UTC."
    )
    try:
        with transaction.atomic():
            moved = Rollback.objects.filter(
                pk=rollback.pk, state=rollback.state
            ).update(
                state=State.CALLED,
                called_at=deploy.started_at,
                finished_at=None,
                next_try_at=now + MINUTE,
                explanation=told,
            )
            if moved:
                note(rollback, Step.CARRIED_OUT, told, now)
    except IntegrityError:
        # A person ordered it again meanwhile: that order is the one that counts.
        return False
    return bool(moved)


def _look(rollback: Rollback, now: datetime) -> bool:
    watch = Watch.objects.filter(deploy=rollback.deploy_id).first()
    over = now >= (rollback.called_at or now) + PROVE_WITHIN + MINUTE
    if watch is None or not watch.baseline_numbers.get("exposure"):
        told = "There is no baseline to compare the error rate with."
        return _decide(rollback, State.NOT_VERIFIED, told, now)
    column, share = share_before(rollback)
    minutes = minutes_since(rollback, watch, column, now)
    proof = prove(usual_of(watch), Bad(bad_rate(watch), share), minutes)
    told = sentence(proof, rollback, Source(watch.source or Source.NONE))
    if proof.proven:
        return _decide(rollback, State.VERIFIED, told, now)
    if over:
        return _decide(rollback, State.NOT_VERIFIED, told, now)
    Rollback.objects.filter(pk=rollback.pk, state=State.CALLED).update(
        next_try_at=now + LOOK_EVERY
    )
    return False


def _decide(rollback: Rollback, state: str, told: str, now: datetime) -> bool:
    proven = state == State.VERIFIED
    with transaction.atomic():
        moved = Rollback.objects.filter(pk=rollback.pk, state=State.CALLED).update(
            state=state, explanation=told, finished_at=now, next_try_at=None
        )
        if moved:
            step = Step.VERIFIED if proven else Step.NOT_VERIFIED
            note(rollback, step, told, now)
    if moved and not proven:
        logger.error("rollback %s of %s: %s", rollback.pk, rollback.deploy, told)
    return bool(moved)


def usual_of(watch: Watch) -> Usual:
    numbers = watch.baseline_numbers
    return Usual(
        float(numbers.get("errors") or 0.0),
        float(numbers.get("exposure") or 0.0),
        max(float(numbers.get("dispersion") or 1.0), 1.0),
    )


def bad_rate(watch: Watch) -> float | None:
    """Capped errors per exposure of the release while it was judged.

    None for a guard's verdict, which rests on one issue or tenant: the overall rate may
    have been usual all the time.
    """
    numbers = watch.numbers
    if watch.reason != "global" or not numbers.get("exposure"):
        return None
    return float(numbers["errors_capped"]) / float(numbers["exposure"])


def share_before(rollback: Rollback) -> tuple[Source | None, float | None]:
    """The release's part of the traffic before the call, and by what it is measured.

    By what SDKs count, as they name the release themselves: posted traffic without a
    release is put to the newest deploy, whatever runs.
    """
    called = rollback.called_at or rollback.created
    environment = rollback.deploy.environment
    ran = releases_that_ran(environment, called - BEFORE_THE_CALL, called)
    for column in (Source.SESSIONS, Source.REQUESTS):
        whole = sum(had[column] for had in ran.values())
        if whole:
            own = ran.get(rollback.deploy.release_id, {}).get(column, 0.0)
            return column, own / whole
    return None, None


def minutes_since(
    rollback: Rollback, watch: Watch, column: Source | None, now: datetime
) -> list[Slice]:
    """Closed minutes of all releases in the environment, from a minute after the call.

    ``column`` is what tells the traffic of releases apart.
    """
    source = Source(watch.source or Source.NONE)
    start = minute_of((rollback.called_at or now) + 2 * MINUTE)
    end = minute_of(now - CLOSING[source])
    if end <= start:
        return []
    environment = rollback.deploy.environment
    ran = list(releases_that_ran(environment, start, end))
    minutes = read_minutes(ran, environment.pk, start, end, source)
    exposures = _exposures(environment, source, start, minutes)
    cap = int(watch.baseline_numbers.get("cap") or 2)
    errors = [capped_total(minute.errors, cap) for minute in minutes]
    if column is None:
        return [Slice(*pair) for pair in zip(errors, exposures, strict=True)]
    named, bad = (
        [m.exposure for m in read_minutes(ids, environment.pk, start, end, column)]
        for ids in (ran, [rollback.deploy.release_id])
    )
    return [Slice(*row) for row in zip(errors, exposures, named, bad, strict=True)]


def _exposures(
    environment: Environment, source: Source, start: datetime, minutes: list[Minute]
) -> list[float]:
    """The exposure of each minute, without a denominator its usual errors."""
    if source != Source.NONE:
        return [minute.exposure for minute in minutes]
    calibration = Calibration.objects.filter(environment=environment).first()
    if calibration is None or not calibration.profile:
        return [0.0] * len(minutes)
    return [profile_at(calibration, start + MINUTE * i) for i in range(len(minutes))]


def sentence(proof: Proof, rollback: Rollback, source: Source) -> str:
    """What the proof says, for a person."""
    release = rollback.deploy.release
    if proof.lacks == "exposure":
        return (
            f"Only {proof.minutes} closed minutes with traffic are known since the "
            "call, too few to tell whether the rollback helped."
        )
    numbers = _numbers(proof, source)
    if proof.proven:
        return f"The error rate is usual again: {numbers}.{_share(proof, release)}"
    if proof.lacks == "inside":
        return f"The error rate is not usual again: {numbers}.{_share(proof, release)}"
    if proof.lacks == "share":
        return (
            f"Release {release} still has {_whole(proof.share)} of the traffic, so it "
            f"does not seem to be rolled back: {numbers}."
        )
    return (
        f"The traffic is too little to tell the usual error rate from that of release "
        f"{release}: {numbers}."
    )


def _numbers(proof: Proof, source: Source) -> str:
    minutes = f"in the last {proof.minutes} minutes"
    if source == Source.NONE:
        return (
            f"{proof.errors:.0f} errors {minutes}, up to {proof.most} are usual at "
            "this hour"
        )
    return (
        f"{percent(proof.rate)} of {proof.exposure:,.0f} {UNITS[source]} {minutes}, up "
        f"to {percent(proof.most / proof.exposure)} is usual"
    )


def _share(proof: Proof, release: object) -> str:
    if proof.share is None:
        return ""
    return f" Release {release} has {_whole(proof.share)} of the traffic."


def _whole(share: float | None) -> str:
    return f"{(share or 0) * 100:.0f} %"
