"""Switches channels off and on."""

import logging
from datetime import datetime

from django.db import transaction

from tenants.delivery.enqueueing import enqueue
from tenants.message import Message
from tenants.models import Channel, Delivery
from tenants.talks import storable

logger = logging.getLogger(__name__)


def switch_off(channel: Channel, reason: str, now: datetime) -> None:
    """Send nothing more to a channel that refuses for good, and say so elsewhere."""
    with transaction.atomic():
        turned = Channel.objects.usable().filter(pk=channel.pk)
        if not turned.update(
            is_active=False, disabled_at=now, disabled_reason=storable(reason)
        ):
            return
        _skip_waiting(channel, now)
        for other in _hearing_trouble(channel):
            enqueue(
                other,
                f"channel:{channel.pk}",
                f"off {now.isoformat()}",
                Message(
                    title=f"The channel {channel} is switched off",
                    text=f"It takes no messages any more: {reason} Mend it in the "
                    "admin, send a test, and switch it on again.",
                    severity="high",
                ),
                now,
            )
    logger.error("channel %s is switched off: %s", channel, reason)


def _skip_waiting(channel: Channel, now: datetime) -> None:
    channel.deliveries.filter(state=Delivery.State.PENDING).update(
        state=Delivery.State.SKIPPED,
        told="The channel was switched off.",
        next_try_at=None,
        finished_at=now,
    )


def _hearing_trouble(channel: Channel) -> list[Channel]:
    """Who is told; without anybody in charge, every other channel but persons'."""
    others = Channel.objects.usable().exclude(pk=channel.pk)
    return list(others.filter(hears_trouble=True)) or list(others.filter(person=None))


def switch_on(channel: Channel) -> None:
    """Take messages again; those that were skipped meanwhile stay so."""
    Channel.objects.filter(pk=channel.pk).update(
        is_active=True, disabled_at=None, disabled_reason="", paused_until=None
    )


def switched_by_hand(channel: Channel, who: str, now: datetime) -> None:
    """What follows when a person has changed ``is_active``, in that transaction.

    Without ``disabled_at``: it is meant, and no trouble that pages warn of.
    """
    if channel.is_active:
        switch_on(channel)
        return
    reason = f"Switched off by {who}."
    Channel.objects.filter(pk=channel.pk).update(
        disabled_at=None, disabled_reason=reason
    )
    _skip_waiting(channel, now)
