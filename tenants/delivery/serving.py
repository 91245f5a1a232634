"""Serves channels: takes the steps that are due, of each subject in order."""

from collections.abc import Callable
from datetime import datetime, timedelta

from django.db.models import OuterRef, Q, Subquery
from django.utils import timezone

from tenants.channels import KINDS, Kind
from tenants.delivery.attempting import attempt, head_of, look_up
from tenants.delivery.outcomes import (
    after_look_up,
    finish,
    give_up,
    is_old,
    move,
    settle,
)
from tenants.models import Channel, Delivery
from tenants.outbound import SECONDS, send
from tenants.talks import Send
from tenants.ticks import only_one

State = Delivery.State
Clock = Callable[[], datetime]

# A delivery takes two requests at most; an older row was left by a dead process.
STALE = timedelta(seconds=2 * SECONDS + 5)
SLICE = timedelta(seconds=30)
NOT_EDITED = "This kind of channel does not edit what it has sent."
NOT_UPDATED = "This kind of channel has no place for updates."
NOT_OFFERED = (NOT_EDITED, NOT_UPDATED)


def due_channels(now: datetime) -> list[int]:
    """Channels with something to do now, the longest waiting first.

    Also those that are off: what was in doubt when they were switched off ends there.
    """
    due = (
        Channel.objects.filter(Q(paused_until=None) | Q(paused_until__lte=now))
        .filter(
            deliveries__state__in=Delivery.UNFINISHED,
            deliveries__next_try_at__lte=now,
        )
        .order_by("deliveries__next_try_at")
        .values_list("pk", flat=True)
    )
    return list(dict.fromkeys(due))


def serve(channel_id: int, clock: Clock = timezone.now, send: Send = send) -> int:
    """Take the steps that are due on one channel; returns how many were taken.

    0 at once when another process serves the channel.
    """
    taken, until = 0, clock() + SLICE
    while clock() < until:
        with only_one(f"tenants.channel.{channel_id}") as mine:
            if not mine:
                break
            while clock() < until and (delivery := _next(channel_id, clock())):
                taken += _step(delivery, clock, send)
        # A ring that came before the lock was let go found the channel served.
        if _next(channel_id, clock()) is None:
            break
    return taken


def _next(channel_id: int, now: datetime) -> Delivery | None:
    """The first due row of those that are the oldest unfinished of their subject."""
    channel = Channel.objects.filter(pk=channel_id).first()
    if channel is None or (channel.paused_until and channel.paused_until > now):
        return None
    unfinished = Delivery.objects.filter(
        channel=channel_id, state__in=Delivery.UNFINISHED
    )
    first = unfinished.filter(subject=OuterRef("subject")).order_by("pk")
    return (
        unfinished.filter(next_try_at__lte=now, pk=Subquery(first.values("pk")[:1]))
        .select_related("channel")
        .order_by("pk")
        .first()
    )


def _step(delivery: Delivery, clock: Clock, send: Send) -> bool:
    now = clock()
    if not delivery.channel.is_active:
        return _end_at_a_closed_door(delivery, now)
    kind = KINDS[delivery.channel.kind]
    if delivery.state == State.SENDING or delivery.in_doubt:
        return _resolve_doubt(delivery, kind, clock, send)
    if reason := _not_to_be_sent(delivery, kind):
        return finish(delivery, State.SKIPPED, reason, now)
    if delivery.attempts and is_old(delivery, now):
        return give_up(delivery, delivery.told, now)
    return _claim(delivery, now) and _attempt(delivery, kind, clock, send)


def _not_to_be_sent(delivery: Delivery, kind: Kind) -> str:
    """Why nothing is sent, "" when it is."""
    if delivery.thread:
        return "" if kind.UPDATES else NOT_UPDATED
    if not head_of(delivery):
        return ""
    if not kind.EDITS:
        return NOT_EDITED
    return "A newer edit says more." if _has_newer_edit(delivery) else ""


def _end_at_a_closed_door(delivery: Delivery, now: datetime) -> bool:
    """The channel was switched off while this was on its way."""
    if delivery.state == State.SENDING:
        told = f"The channel was switched off before it was known. {delivery.told}"
        return finish(delivery, State.UNKNOWN, told.strip(), now)
    return finish(delivery, State.SKIPPED, "The channel was switched off.", now)


def _has_newer_edit(delivery: Delivery) -> bool:
    newer = Delivery.objects.filter(
        channel=delivery.channel_id,
        subject=delivery.subject,
        thread=False,
        state=State.PENDING,
        pk__gt=delivery.pk,
    )
    return newer.exists()


def _claim(delivery: Delivery, now: datetime) -> bool:
    """Committed when this returns: what follows may have reached the channel.

    A row that was claimed before and not settled stays in doubt from then on.
    """
    return move(
        delivery,
        state=State.SENDING,
        in_doubt=delivery.state == State.SENDING,
        attempts=delivery.attempts + 1,
        next_try_at=now + STALE,
    )


def _attempt(delivery: Delivery, kind: Kind, clock: Clock, send: Send) -> bool:
    outcome = attempt(delivery, kind, clock(), send)
    return settle(delivery, kind, outcome, clock())


def _resolve_doubt(delivery: Delivery, kind: Kind, clock: Clock, send: Send) -> bool:
    """It may be there: a process died over it, or no answer came."""
    now = clock()
    is_edit = kind.EDITS and not delivery.thread and head_of(delivery) is not None
    if (kind.REPEATS or is_edit) and not is_old(delivery, now):
        return _claim(delivery, now) and _attempt(delivery, kind, clock, send)
    if not kind.LOOKS_UP:
        told = "The process that sent it ended before it noted an answer."
        return finish(delivery, State.UNKNOWN, delivery.told or told, now)
    if not move(delivery, in_doubt=True, next_try_at=now + STALE):
        return False
    return after_look_up(delivery, look_up(delivery, kind, now, send), clock())
