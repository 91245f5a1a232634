"""Chains the steps. Each task asks the tables for due work; messages hold nothing."""

import logging

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from releases.artifacts.assembling import assemble_waiting
from releases.artifacts.expiry import expire
from releases.rollbacks import calling, proving
from tenants.ticks import only_one

logger = logging.getLogger(__name__)

# Others wait for the worker, too; what is left waits for the next ring.
ASSEMBLE_SECONDS = 60.0
EXPIRY_SECONDS = 60.0


@shared_task(name="releases.rollback")
def rollback() -> None:
    """Send the rollbacks that are due, then look whether those that were sent helped.

    Each call is claimed by its row, so that one that hangs does not hold the others.
    """
    calling.call_due()
    with only_one("releases.rollback.proof") as mine:
        if mine:
            proving.prove_due()


@shared_task(name="releases.assemble")
def assemble() -> None:
    """Unpack the artifact bundles that were uploaded."""
    with only_one("releases.assemble") as mine:
        if mine:
            assemble_waiting(ASSEMBLE_SECONDS)


@shared_task(name="releases.artifact_expiry")
def artifact_expiry() -> None:
    """Delete the artifact bundles that nobody used for long, and their files."""
    with only_one("releases.artifact_expiry") as mine:
        if mine:
            bundles, files = expire(
                timezone.now(),
                days=settings.ARTIFACT_RETENTION_DAYS,
                seconds=EXPIRY_SECONDS,
            )
            if bundles or files:
                logger.info("%s bundles, %s files were deleted", bundles, files)
