"""Chains the steps. Each task asks the tables for due work; messages hold nothing."""

import logging
from collections.abc import Collection
from datetime import datetime
from time import monotonic

from celery import shared_task
from django.conf import settings
from django.db import DatabaseError, InterfaceError, transaction
from django.utils import timezone

from issues import (
    attachments,
    evidence,
    feedback,
    hitlist,
    partitions,
    retention,
    scoring,
    suspects,
    workflow,
)
from issues.alerts import reacting as alerts
from issues.digest.batch import OPERATIONAL, BatchResult, Digest
from issues.digest.source_maps import SourceMaps
from issues.digest.symbolicate_again import catch_up
from issues.disk import disk_use
from issues.failures import told
from issues.incidents import reacting, weekly
from issues.monitors import overdue
from releases import calibration
from releases import watch as watches
from releases.conclude import Told, conclude
from releases.look import look
from tenants.doorbell import ring
from tenants.ticks import only_one

logger = logging.getLogger(__name__)

# One wake-up works this long, then rings again, so that other messages get a turn.
SLICE_SECONDS = 2.0
# A doorbell older than this has nothing to say: beat rings every two seconds.
DOORBELL_EXPIRES = 3
RETRY_SECONDS = 1
RETENTION_SECONDS = 60.0
ATTACHMENT_SECONDS = 30.0
SYMBOLICATE_SECONDS = 20.0

_digest = Digest(settings.DIGEST_BATCH_SIZE)


@shared_task(name="issues.digest", time_limit=120)
def digest() -> None:
    """Digest what waits in the inbox, then judge the issues that changed."""
    try:
        result, empty = drain(_digest, SLICE_SECONDS)
    except OPERATIONAL as error:
        logger.warning("digest waits for the database: %s", told(error))
        _digest.close()
        digest.apply_async(countdown=RETRY_SECONDS, expires=DOORBELL_EXPIRES)
        return
    if empty:
        # Under load the rescore tick does this once for many batches.
        now = timezone.now()
        react(scoring.stale(result.issue_ids, now), now)
    else:
        digest.apply_async(expires=DOORBELL_EXPIRES)
    alert()


def alert() -> None:
    """Tell of new issues and regressions; what goes wrong here is the tick's."""
    try:
        alerts.react_to_issues(timezone.now())
    except (DatabaseError, InterfaceError) as error:
        logger.warning("alerts wait for their tick: %s", told(error))


def drain(digester: Digest, seconds: float) -> tuple[BatchResult, bool]:
    """Digest batches for ``seconds``; the flag says that the inbox is empty."""
    deadline = monotonic() + seconds
    total = BatchResult()
    while monotonic() < deadline:
        result = digester.batch()
        if not result.envelopes:
            return total, True
        total.add(result)
    return total, False


def react(issue_ids: Collection[int], now: datetime) -> None:
    """Score issues and draw the conclusions: archive limits and the hit list."""
    if not issue_ids:
        return
    scoring.rescore(issue_ids, now)
    workflow.reopen_due(now, issue_ids)
    hitlist.apply_rules(issue_ids, now)


@shared_task(name="issues.rescore")
def rescore() -> None:
    """Score what moved in the last seconds, and let quiet issues decay."""
    with only_one("issues.rescore") as mine:
        if mine:
            now = timezone.now()
            react(scoring.due(now), now)


@shared_task(name="issues.workflow")
def workflow_tick() -> None:
    """What time alone brings: archives that end, hit list entries that expire."""
    with only_one("issues.workflow") as mine:
        if mine:
            now = timezone.now()
            workflow.reopen_due(now)
            hitlist.expire(now)


@shared_task(name="issues.incidents")
def incidents_tick() -> None:
    """Open and follow incidents: verdicts, rollbacks, rates, and nobody's answer."""
    with only_one("issues.incidents") as mine:
        if mine:
            reacting.tick(timezone.now())


@shared_task(name="issues.alerts")
def alerts_tick() -> None:
    """Look at what alert rules ask for, and tell what is due."""
    with only_one("issues.alerts") as mine:
        if mine:
            alerts.tick(timezone.now())


@shared_task(name="issues.weekly")
def weekly_tick() -> None:
    """Send the figures of the week before where they are due."""
    with only_one("issues.weekly") as mine:
        if mine:
            weekly.send_due(timezone.now())


def disk() -> float:
    """The used share of the embedded database's disk; 0 for a database elsewhere."""
    return disk_use(settings.DATA_DIR) if settings.EMBEDDED_DATABASE else 0.0


@shared_task(name="issues.retention")
def retention_tick() -> None:
    """Make partitions ahead and delete what is past its time."""
    with only_one("issues.retention") as mine:
        if mine:
            gone = retention.apply(
                timezone.now(),
                event_days=settings.EVENT_RETENTION_DAYS,
                seen_days=settings.SEEN_EVENT_DAYS,
                dead_letter_days=settings.DEAD_LETTER_RETENTION_DAYS,
                dead_letter_bytes=settings.DEAD_LETTER_MAX_BYTES,
                seconds=RETENTION_SECONDS,
                disk_use=disk,
            )
            if gone:
                logger.info("retention deleted %s", gone)


@shared_task(name="issues.attachments")
def attachments_tick() -> None:
    """Move attachments into their storage; delete those of days that went."""
    with only_one("issues.attachments") as mine:
        if mine:
            deadline = monotonic() + ATTACHMENT_SECONDS
            moved = attachments.move_staged(deadline)
            gone = attachments.expire(partitions.oldest_day(), deadline)
            if moved or gone:
                logger.info("attachments: %s moved, %s deleted", moved, gone)


@shared_task(name="issues.feedback")
def feedback_tick() -> None:
    """Link feedback to events that came after it."""
    with only_one("issues.feedback") as mine:
        if mine:
            linked = feedback.link_waiting(timezone.now())
            if linked:
                logger.info("feedback: %s linked to their issues", linked)


@shared_task(name="issues.monitors")
def monitors_tick() -> None:
    """Find runs of monitored jobs that are missed or do not end."""
    with only_one("issues.monitors") as mine:
        if mine:
            now = timezone.now()
            found = overdue.look(now, evidence.digested_until(now))
            if found != overdue.Overdue():
                logger.info("monitors: %s", found)


@shared_task(name="issues.symbolicate_again")
def symbolicate_again() -> None:
    """Look again at the events that came before their source map."""
    with only_one("issues.symbolicate_again") as mine:
        if not mine:
            return
        maps = SourceMaps(settings.SOURCE_MAP_CACHE_MB << 20)
        try:
            events, done = catch_up(maps, timezone.now(), SYMBOLICATE_SECONDS)
        finally:
            maps.close()
    if events:
        logger.info("%s events were symbolicated again", events)
    if not done:
        ring("issues.symbolicate_again", "upkeep")


@shared_task(name="issues.watch")
def watch_tick() -> None:
    """Look at every open watch that is due. Several workers share them."""
    for deploy_id in watches.due(timezone.now()):
        try:
            watch_one(deploy_id)
        except Exception:
            # It is looked at again later; the other watches must not wait for it.
            logger.exception("the watch of deploy %s could not be looked at", deploy_id)
            watches.postpone(deploy_id, timezone.now())
    reacting.react_to_watches(timezone.now())


@transaction.atomic
def watch_one(deploy_id: int) -> None:
    """Look at one watch and write what it came to, under its lock."""
    watch = watches.claim(deploy_id)
    if watch is None:
        return
    now = timezone.now()
    found = look(watch, now, evidence.digested_until(now))
    told = Told()
    if found.minutes:
        told = Told(evidence.new_issues(found), evidence.drops(found))
    conclusion = conclude(found, told, now)
    blamed = suspects.suspects_of(found) if conclusion.numbers else []
    watches.record(watch, conclusion, blamed, now)


@shared_task(name="issues.calibration")
def calibration_tick() -> None:
    """Measure how each environment's errors usually behave, once a day."""
    with only_one("issues.calibration") as mine:
        if not mine:
            return
        now = timezone.now()
        for environment in calibration.due(now):
            episode = evidence.longest_episode(environment.project, environment.pk, now)
            try:
                calibration.calibrate(environment, now, episode)
            except DatabaseError:
                logger.exception("%s could not be calibrated", environment)
