"""Sends a test to a channel at once, so that a person sees the channel's own answer."""

from datetime import datetime
from functools import partial
from uuid import uuid4

from django.db import transaction

from tenants.audit import Actor, record
from tenants.channels import KINDS
from tenants.delivery.attempting import attempt
from tenants.delivery.enqueueing import enqueue
from tenants.delivery.outcomes import answer_fields, finish
from tenants.delivery.serving import STALE
from tenants.message import Message
from tenants.models import Channel, Delivery
from tenants.outbound import send
from tenants.talks import Fate, Send

State = Delivery.State
SECONDS = 10.0  # that a person waits for the answer

# A test is tried once: what would come later is not there now.
ENDS = {
    Fate.CALLED: State.SENT,
    Fate.REFUSED: State.FAILED,
    Fate.LATER: State.FAILED,
    Fate.DOUBT: State.UNKNOWN,
}
in_time: Send = partial(send, seconds=SECONDS)


def send_test(
    channel: Channel, actor: Actor, now: datetime, send: Send = in_time
) -> Delivery:
    """Send a test, to a channel that is off too; returns its finished row.

    It switches nothing off or on. As for each message, the row comes first.
    """
    with transaction.atomic():
        delivery = Delivery.objects.create(
            channel=channel,
            subject=f"test:{uuid4()}",
            state_key="sent",
            message=message_of(channel, actor).as_json(),
            state=State.SENDING,
            attempts=1,
            created=now,
            queued_at=now,
            next_try_at=now + STALE,
        )
        record(actor, "tested", channel, {"delivery": [None, delivery.pk]})
    outcome = attempt(delivery, KINDS[channel.kind], now, send)
    finish(delivery, ENDS[outcome.fate], outcome.told, now, **answer_fields(outcome))
    if channel.kind == Channel.Kind.PAGERDUTY and delivery.state == State.SENT:
        _close(delivery, now)
    return delivery


def message_of(channel: Channel, actor: Actor) -> Message:
    """What a test says."""
    return Message(
        title=f"Test of the channel {channel}",
        text=f"{actor.name} has sent this from rush_monitor: messages arrive here.",
        facts=[("Channel", channel.name), ("Kind", channel.get_kind_display())],
    )


def _close(delivery: Delivery, now: datetime) -> None:
    """Resolve the alert that a test has opened, so that nobody has to."""
    told = Message(title="The test is over", status="resolved")
    enqueue(delivery.channel, delivery.subject, "closed", told, now)
