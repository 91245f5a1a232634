"""What follows from an answer: the row moves on by one committed UPDATE."""

import logging
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from tenants.channels import Kind
from tenants.delivery.switching import switch_off
from tenants.models import Channel, Delivery
from tenants.talks import Fate, Outcome, Sighting, storable

logger = logging.getLogger(__name__)

State = Delivery.State

# Seconds after each attempt, the last for all further ones.
BACK_OFF = (2, 5, 15, 60, 300, 900)
GIVE_UP_AFTER = timedelta(hours=6)
# A message may be found some time after it was sent.
LOOK_UP_FOR = timedelta(minutes=2)
KEPT_CHARACTERS = 2000


def settle(delivery: Delivery, kind: Kind, outcome: Outcome, now: datetime) -> bool:
    """Note what came of an attempt."""
    fields = answer_fields(outcome)
    if outcome.fate == Fate.CALLED:
        return finish(delivery, State.SENT, outcome.told, now, **fields)
    if outcome.fate == Fate.LATER:
        return _later(delivery, outcome, now, **fields)
    if outcome.fate == Fate.DOUBT:
        if not (kind.REPEATS or kind.LOOKS_UP):
            return finish(delivery, State.UNKNOWN, outcome.told, now, **fields)
        again = now + timedelta(seconds=back_off(delivery))
        fields |= {"in_doubt": True, "told": outcome.told, "next_try_at": again}
        return move(delivery, **fields)
    done = finish(delivery, _not_sent(delivery), outcome.told, now, **fields)
    if outcome.broken:
        switch_off(delivery.channel, outcome.told, now)
    return done


def answer_fields(outcome: Outcome) -> dict[str, Any]:
    """The columns that keep an answer."""
    answer = outcome.answer
    fields: dict[str, Any] = {
        "response_status": answer.status if answer else None,
        "response": storable(answer.text[:KEPT_CHARACTERS]) if answer else "",
    }
    if outcome.fate == Fate.CALLED:
        fields["external_id"] = storable(outcome.ref[:300])
    return fields


def _not_sent(delivery: Delivery) -> Delivery.State:
    """Failed, unless an earlier attempt may have arrived."""
    return State.UNKNOWN if delivery.in_doubt else State.FAILED


def back_off(delivery: Delivery) -> int:
    """Seconds until the next attempt."""
    return BACK_OFF[min(max(delivery.attempts, 1), len(BACK_OFF)) - 1]


def is_old(delivery: Delivery, now: datetime) -> bool:
    """Whether it has been tried for long enough."""
    return now - delivery.queued_at > GIVE_UP_AFTER


def give_up(delivery: Delivery, told: str, now: datetime, **fields: Any) -> bool:
    """End what was tried for hours."""
    hours = GIVE_UP_AFTER.total_seconds() / 3600
    told = f"Given up after {hours:.0f} hours: {told}"
    return finish(delivery, _not_sent(delivery), told, now, **fields)


def _later(delivery: Delivery, outcome: Outcome, now: datetime, **fields: Any) -> bool:
    """Surely not there, perhaps the next time."""
    if is_old(delivery, now):
        return give_up(delivery, outcome.told, now, **fields)
    wait = timedelta(seconds=max(back_off(delivery), outcome.wait))
    if outcome.wait:
        Channel.objects.filter(pk=delivery.channel_id).update(paused_until=now + wait)
    # An earlier attempt in doubt stays so: this one only was not taken.
    state = State.SENDING if delivery.in_doubt else State.PENDING
    fields |= {"state": state, "told": outcome.told, "next_try_at": now + wait}
    return move(delivery, **fields)


def after_look_up(delivery: Delivery, found: Sighting, now: datetime) -> bool:
    """Note what a look-up found: it is there, it is not, or not to be seen yet."""
    if found.seen:
        ref = storable(found.ref[:300])
        return finish(delivery, State.SENT, found.told, now, external_id=ref)
    if found.sure:
        fields = {"state": State.PENDING, "in_doubt": False, "next_try_at": now}
        return move(delivery, told=found.told, **fields)
    if now - delivery.queued_at > LOOK_UP_FOR:
        return finish(delivery, State.UNKNOWN, found.told, now)
    again = now + timedelta(seconds=back_off(delivery))
    return move(delivery, told=found.told, next_try_at=again)


def finish(
    delivery: Delivery, state: Delivery.State, told: str, now: datetime, **fields: Any
) -> bool:
    """The last move of a row."""
    if state in Delivery.TROUBLE:
        logger.error("delivery %s, %s: %s", delivery.pk, delivery, told)
    return move(
        delivery,
        state=state,
        told=told,
        finished_at=now,
        next_try_at=None,
        **fields,
    )


def move(delivery: Delivery, **fields: Any) -> bool:
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
