"""Chains the steps. Each task asks the tables for due work; messages hold nothing."""

from celery import shared_task

from releases.rollbacks import calling, proving
from tenants.ticks import only_one


@shared_task(name="releases.rollback")
def rollback() -> None:
    """Send the rollbacks that are due, then look whether those that were sent helped.

    Each call is claimed by its row, so that one that hangs does not hold the others.
    """
    calling.call_due()
    with only_one("releases.rollback.proof") as mine:
        if mine:
            proving.prove_due()
