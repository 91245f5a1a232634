"""Writes messages on their way: the first time, and again when a person says so."""

from datetime import datetime

from django.db import transaction

from tenants.audit import Actor, record
from tenants.doorbell import ring_on_commit
from tenants.message import Message
from tenants.models import Channel, Delivery
from tenants.refusals import Refusal

TASK, QUEUE = "tenants.deliver", "notify"
State = Delivery.State


def enqueue(
    channel: Channel, subject: str, state_key: str, message: Message, now: datetime
) -> Delivery | None:
    """Write a message on its way, in the caller's transaction.

    None when this subject and state is on its way to the channel already, or was; a
    channel that is off gets a row that says so.
    """
    off = not channel.is_active
    delivery, made = Delivery.objects.get_or_create(
        channel=channel,
        subject=subject,
        state_key=state_key,
        defaults={
            "message": message.as_json(),
            "thread": message.thread,
            "created": now,
            "queued_at": now,
            "state": State.SKIPPED if off else State.PENDING,
            "told": "The channel is switched off." if off else "",
            "next_try_at": None if off else now,
            "finished_at": now if off else None,
        },
    )
    if not made:
        return None
    if not off:
        ring_on_commit(TASK, QUEUE)
    return delivery


def send_again(delivery: Delivery, actor: Actor, now: datetime) -> None:
    """Put a message that failed, or of which nobody knows, on its way once more.

    Raises Refusal. Of an outcome unknown it may be there twice then: a person has
    looked.
    """
    channel = delivery.channel
    if not channel.is_active:
        raise Refusal(f"{channel} is switched off: switch it on first.")
    with transaction.atomic():
        moved = Delivery.objects.filter(pk=delivery.pk, state__in=Delivery.TROUBLE)
        if not moved.update(
            state=State.PENDING,
            in_doubt=False,
            told="",
            queued_at=now,
            next_try_at=now,
            finished_at=None,
        ):
            raise Refusal("Only what failed, or whose outcome is unknown, can be sent.")
        changes = {"state": [delivery.state, State.PENDING]}
        record(actor, "sent again", delivery, changes)
        ring_on_commit(TASK, QUEUE)
