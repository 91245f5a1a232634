"""Brings messages to channels: each once, in order, and nothing fails in silence.

1. ``enqueue`` writes a row in the transaction of its cause. The same subject and state
   is one row, however often its cause is looked at.
2. One process serves a channel at a time (an advisory lock, which ends with it). Of
   each subject the oldest unfinished row comes first.
3. A row becomes ``sending`` by a committed UPDATE before its request goes out.
4. The answer decides: *sent*; *failed* (surely not there, and trying again is of no
   use); later again; or it is *in doubt*. So is what a dead process left ``sending``.
5. In doubt, a kind that acts once per key is asked again with the same key; one that
   can be searched is searched; any other ends as *outcome unknown*, not sent twice.

A channel that refuses for good is switched off, and the others hear of it.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import OuterRef, Q, Subquery
from django.utils import timezone

from tenants.channels import KINDS, Access, Kind, Post
from tenants.doorbell import ring_on_commit
from tenants.message import Message
from tenants.models import Channel, Delivery
from tenants.outbound import SECONDS, send
from tenants.secrets import SecretUnreadable, decrypt
from tenants.talks import Fate, Outcome, Send, Sighting, storable
from tenants.ticks import only_one

logger = logging.getLogger(__name__)

State = Delivery.State
Clock = Callable[[], datetime]

TASK, QUEUE = "tenants.deliver", "notify"
# Seconds after each attempt, the last for all further ones.
BACK_OFF = (2, 5, 15, 60, 300, 900)
GIVE_UP_AFTER = timedelta(hours=6)
# A delivery takes two requests at most; an older row was left by a dead process.
STALE = timedelta(seconds=2 * SECONDS + 5)
# A message may be found some time after it was sent.
LOOK_UP_FOR = timedelta(minutes=2)
KEPT_CHARACTERS = 2000
SLICE = timedelta(seconds=30)


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


def due_channels(now: datetime) -> list[int]:
    """Channels with something to do now, the longest waiting first."""
    due = (
        Channel.objects.usable()
        .filter(Q(paused_until=None) | Q(paused_until__lte=now))
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
    with only_one(f"tenants.channel.{channel_id}") as mine:
        while mine and clock() < until:
            delivery = _next(channel_id, clock())
            if delivery is None:
                break
            taken += _step(delivery, clock, send)
    return taken


def _next(channel_id: int, now: datetime) -> Delivery | None:
    """The first due row of those that are the oldest unfinished of their subject."""
    channel = Channel.objects.filter(pk=channel_id).first()
    if channel is None or not channel.is_active:
        return None
    if channel.paused_until and channel.paused_until > now:
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
    kind = KINDS[delivery.channel.kind]
    if delivery.state == State.SENDING or delivery.in_doubt:
        return _resolve_doubt(delivery, kind, clock, send)
    if not delivery.thread and _head_of(delivery):
        if not kind.EDITS:
            told = "This kind of channel does not edit what it has sent."
            return _finish(delivery, State.SKIPPED, told, now)
        if _has_newer_edit(delivery):
            return _finish(delivery, State.SKIPPED, "A newer edit says more.", now)
    return _claim(delivery, now) and _attempt(delivery, kind, clock, send)


def _head_of(delivery: Delivery) -> Delivery | None:
    """The head message of the subject that is there."""
    heads = Delivery.objects.filter(
        channel=delivery.channel_id,
        subject=delivery.subject,
        thread=False,
        state=State.SENT,
        pk__lt=delivery.pk,
    )
    return heads.order_by("pk").first()


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
    """Committed when this returns: what follows may have reached the channel."""
    return _move(
        delivery,
        state=State.SENDING,
        attempts=delivery.attempts + 1,
        next_try_at=now + STALE,
    )


def _attempt(delivery: Delivery, kind: Kind, clock: Clock, send: Send) -> bool:
    try:
        access = access_of(delivery.channel)
    except SecretUnreadable as error:
        outcome = Outcome(Fate.REFUSED, str(error), broken=True)
    else:
        outcome = kind.deliver(access, _post(delivery, clock()), send)
    return _settle(delivery, kind, outcome, clock())


def access_of(channel: Channel) -> Access:
    """How to get in; raises SecretUnreadable."""
    return Access(channel.config, decrypt(channel.secret))


def _post(delivery: Delivery, at: datetime) -> Post:
    head = _head_of(delivery)
    return Post(
        key=str(delivery.key),
        subject=delivery.subject,
        state_key=delivery.state_key,
        message=Message.from_json(delivery.message),
        at=at,
        since=delivery.created,
        head=head.external_id if head else "",
    )


def _settle(delivery: Delivery, kind: Kind, outcome: Outcome, now: datetime) -> bool:
    answer = outcome.answer
    fields: dict[str, Any] = {
        "response_status": answer.status if answer else None,
        "response": storable(answer.text[:KEPT_CHARACTERS]) if answer else "",
    }
    if outcome.fate == Fate.CALLED:
        fields["external_id"] = outcome.ref[:300]
        return _finish(delivery, State.SENT, outcome.told, now, **fields)
    if outcome.fate == Fate.LATER:
        return _later(delivery, outcome, now, **fields)
    if outcome.fate == Fate.DOUBT:
        if not (kind.REPEATS or kind.LOOKS_UP):
            return _finish(delivery, State.UNKNOWN, outcome.told, now, **fields)
        wait = timedelta(seconds=_back_off(delivery))
        fields |= {"in_doubt": True, "told": outcome.told, "next_try_at": now + wait}
        return _move(delivery, **fields)
    done = _finish(delivery, State.FAILED, outcome.told, now, **fields)
    if outcome.broken:
        switch_off(delivery.channel, outcome.told, now)
    return done


def _back_off(delivery: Delivery) -> int:
    return BACK_OFF[min(delivery.attempts, len(BACK_OFF)) - 1]


def _later(delivery: Delivery, outcome: Outcome, now: datetime, **fields: Any) -> bool:
    """Surely not there, perhaps the next time."""
    if now - delivery.created > GIVE_UP_AFTER:
        told = f"Given up after {GIVE_UP_AFTER.total_seconds() / 3600:.0f} hours: "
        return _finish(delivery, State.FAILED, told + outcome.told, now, **fields)
    wait = timedelta(seconds=max(_back_off(delivery), outcome.wait))
    if outcome.wait:
        Channel.objects.filter(pk=delivery.channel_id).update(paused_until=now + wait)
    # An earlier attempt in doubt stays so: this one only was not taken.
    state = State.SENDING if delivery.in_doubt else State.PENDING
    fields |= {"state": state, "told": outcome.told, "next_try_at": now + wait}
    return _move(delivery, **fields)


def _resolve_doubt(delivery: Delivery, kind: Kind, clock: Clock, send: Send) -> bool:
    """It may be there: a process died over it, or no answer came."""
    now = clock()
    if kind.REPEATS and now - delivery.created < GIVE_UP_AFTER:
        return _claim(delivery, now) and _attempt(delivery, kind, clock, send)
    if not kind.LOOKS_UP:
        told = "The process that sent it ended before it noted an answer."
        return _finish(delivery, State.UNKNOWN, delivery.told or told, now)
    if not _move(delivery, in_doubt=True, next_try_at=now + STALE):
        return False
    try:
        found = kind.look_up(access_of(delivery.channel), _post(delivery, now), send)
    except SecretUnreadable as error:
        found = Sighting(False, str(error))
    return _after_look_up(delivery, found, clock())


def _after_look_up(delivery: Delivery, found: Sighting, now: datetime) -> bool:
    if found.seen:
        ref = found.ref[:300]
        return _finish(delivery, State.SENT, found.told, now, external_id=ref)
    if found.sure:
        fields = {"state": State.PENDING, "in_doubt": False, "next_try_at": now}
        return _move(delivery, told=found.told, **fields)
    if now - delivery.created > LOOK_UP_FOR:
        return _finish(delivery, State.UNKNOWN, found.told, now)
    again = now + timedelta(seconds=_back_off(delivery))
    return _move(delivery, told=found.told, next_try_at=again)


def _finish(
    delivery: Delivery, state: State, told: str, now: datetime, **fields: Any
) -> bool:
    if state in {State.FAILED, State.UNKNOWN}:
        logger.error("delivery %s, %s: %s", delivery.pk, delivery, told)
    return _move(
        delivery,
        state=state,
        told=told,
        finished_at=now,
        next_try_at=None,
        **fields,
    )


def _move(delivery: Delivery, **fields: Any) -> bool:
    """Change the row if it is as it was read; committed when this returns."""
    if "told" in fields:
        fields["told"] = storable(fields["told"])
    with transaction.atomic(durable=True):
        moved = Delivery.objects.filter(
            pk=delivery.pk,
            state=delivery.state,
            attempts=delivery.attempts,
            next_try_at=delivery.next_try_at,
        ).update(**fields)
    if not moved:
        return False
    for name, value in fields.items():
        setattr(delivery, name, value)
    return True


def switch_off(channel: Channel, reason: str, now: datetime) -> None:
    """Send nothing more to a channel that refuses for good, and say so elsewhere."""
    with transaction.atomic():
        turned = Channel.objects.usable().filter(pk=channel.pk)
        if not turned.update(
            is_active=False, disabled_at=now, disabled_reason=storable(reason)
        ):
            return
        waiting = channel.deliveries.filter(state=State.PENDING)
        waiting.update(
            state=State.SKIPPED,
            told="The channel was switched off.",
            next_try_at=None,
            finished_at=now,
        )
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


def _hearing_trouble(channel: Channel) -> list[Channel]:
    """Who is told; without anybody in charge, every other channel but persons'."""
    others = Channel.objects.usable().exclude(pk=channel.pk)
    return list(others.filter(hears_trouble=True)) or list(others.filter(person=None))


def switch_on(channel: Channel) -> None:
    """Take messages again; those that were skipped meanwhile stay so."""
    Channel.objects.filter(pk=channel.pk).update(
        is_active=True, disabled_at=None, disabled_reason="", paused_until=None
    )
