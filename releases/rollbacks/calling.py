"""Sends ordered rollbacks: one call arrives, or it is said that nobody knows.

1. An order is claimed: ``pending`` becomes ``sending`` by a conditional UPDATE that is
   committed before anything leaves. Whoever changed the row makes the call.
2. The answer decides: *called*; *failed* (surely not done, and trying again is of no
   use); back to ``pending`` (surely not done, later perhaps); or it is *in doubt*.
3. In doubt, and for a row that a dead process left in ``sending``: a target that acts
   once per idempotency key is called again with the same key; a target that can be
   asked is asked; else, or when nothing is found, the outcome is *unknown*.

An attempt's number guards its row: a process that comes back late changes nothing that
another one has moved on, except that it may still tell that its call was answered.
"""

import logging
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from releases.models import Rollback, RollbackTarget
from releases.rollbacks.interlocks import newer_deploy
from releases.rollbacks.orders import Step, access_of, note, order_of
from releases.rollbacks.targets import KINDS
from tenants.outbound import SECONDS, send
from tenants.secrets import SecretUnreadable
from tenants.talks import Fate, Outcome, Send, called, looked_up, storable

logger = logging.getLogger(__name__)

State = Rollback.State
Clock = Callable[[], datetime]

ATTEMPTS = 5
BACK_OFF = (5, 15, 45, 120)  # seconds after each attempt
# A call takes two requests at most; a row that is older was left by a dead process.
STALE = timedelta(seconds=2 * SECONDS + 30)
# A run may appear some time after it was ordered.
LOOK_UP_EVERY = timedelta(seconds=15)
LOOK_UP_FOR = timedelta(minutes=3)
# Nobody expects a rollback so long after its verdict.
TOO_LATE = timedelta(hours=1)
PROVE_AFTER = timedelta(minutes=1)
RESPONSE_CHARACTERS = 4000
# Steps that leave the explanation as it is, and those that somebody must look at.
QUIET = {Step.SENDING, Step.LOOKED_UP}
LOUD = {Step.FAILED, Step.UNKNOWN}


def call_due(clock: Clock = timezone.now, send: Send = send) -> int:
    """Take every step that is due, and return how many were taken."""
    due = Rollback.objects.filter(
        state__in=[State.PENDING, State.SENDING], next_try_at__lte=clock()
    )
    taken = 0
    for pk in list(due.order_by("next_try_at").values_list("pk", flat=True)):
        taken += step(pk, clock, send)
    return taken


def step(pk: int, clock: Clock, send: Send) -> bool:
    """Take the next step of one rollback; False when another process has taken it."""
    rollback = Rollback.objects.select_related(
        "target",
        "to_release",
        "deploy__project",
        "deploy__environment",
        "deploy__release",
    ).get(pk=pk)
    now = clock()
    # Read anew: since it was found due, another process may be calling.
    if rollback.next_try_at is None or rollback.next_try_at > now:
        return False
    if rollback.state == State.PENDING:
        reason = _out_of_date(rollback, now)
        if reason:
            return _refuse(rollback, *reason, now)
        return _claim(rollback, now) and _call(rollback, clock, send)
    if rollback.state != State.SENDING:
        return False
    return _resolve_doubt(rollback, clock, send)


def _out_of_date(rollback: Rollback, now: datetime) -> tuple[str, str] | None:
    """What has changed since the order so that it must not be sent any more."""
    target = rollback.target
    if target is None or rollback.to_release is None:
        return "no_target", "The target or the release to go to was deleted meanwhile."
    if not target.is_active:
        return "disabled", f"The target {target} was switched off meanwhile."
    if target.dry_run:
        return "disabled", f"The target {target} was set to dry run meanwhile."
    newer = newer_deploy(rollback.deploy)
    if newer:
        return "superseded", f"Release {newer.release} was deployed meanwhile."
    if rollback.created < now - TOO_LATE:
        return "too_late", (
            f"It was ordered at {rollback.created:%H:%M} UTC and could not be sent in "
            "time: look at the present state first."
        )
    return None


def _claim(rollback: Rollback, now: datetime) -> bool:
    """Become the one that makes the next attempt; committed when this returns."""
    return _move(
        rollback,
        [rollback.state],
        Step.SENDING,
        f"Attempt {rollback.attempts + 1}.",
        now,
        state=State.SENDING,
        attempts=rollback.attempts + 1,
        sending_since=rollback.sending_since or now,
        next_try_at=now + STALE,
    )


def _call(rollback: Rollback, clock: Clock, send: Send) -> bool:
    """Make the call that was claimed, and note what came of it."""
    assert rollback.target is not None
    kind = KINDS[rollback.target.kind]
    try:
        talk = kind.call(access_of(rollback.target), order_of(rollback, clock()))
    except SecretUnreadable as error:
        return _settle(rollback, Outcome(Fate.REFUSED, str(error)), clock())
    return _settle(rollback, called(talk, send), clock())


def _settle(rollback: Rollback, outcome: Outcome, now: datetime) -> bool:
    fields = {
        "response_status": outcome.answer.status if outcome.answer else None,
        "response": _kept(outcome),
    }
    if outcome.fate == Fate.CALLED:
        return _called(rollback, outcome.told, outcome.ref, now, **fields)
    if outcome.fate == Fate.DOUBT:
        noted = _doubt(rollback, outcome.told, now, **fields)
        more = _can_know_more(rollback)
        return noted and (more or _give_up(rollback, outcome.told, now))
    tries_left = outcome.fate == Fate.LATER and rollback.attempts < ATTEMPTS
    if tries_left:
        wait = max(BACK_OFF[rollback.attempts - 1], outcome.wait)
        state = State.SENDING if _was_in_doubt(rollback) else State.PENDING
        told = f"{outcome.told} It is tried again in {wait} s."
        again = {"state": state, "next_try_at": now + timedelta(seconds=wait)}
        if state == State.PENDING:
            again["sending_since"] = None
        return _move(
            rollback, [State.SENDING], Step.AGAIN, told, now, **again, **fields
        )
    if _was_in_doubt(rollback):
        return _unknown(rollback, outcome.told, now, **fields)
    return _move(
        rollback,
        [State.SENDING],
        Step.FAILED,
        f"{_named(rollback)} was not called: {outcome.told}",
        now,
        state=State.FAILED,
        finished_at=now,
        next_try_at=None,
        **fields,
    )


def _doubt(rollback: Rollback, told: str, now: datetime, **fields: Any) -> bool:
    """The call may have arrived: what comes next is due after the back-off."""
    wait = timedelta(seconds=BACK_OFF[min(rollback.attempts, len(BACK_OFF)) - 1])
    text = f"{told} Whether it was acted on is not known."
    fields["next_try_at"] = now + wait
    return _move(rollback, [State.SENDING], Step.DOUBT, text, now, **fields)


def _can_know_more(rollback: Rollback) -> bool:
    return _honours_key(rollback.target) or _looks_up(rollback.target)


def _honours_key(target: RollbackTarget | None) -> bool:
    is_webhook = target is not None and target.kind == RollbackTarget.Kind.WEBHOOK
    return is_webhook and bool(target and target.honours_idempotency_key)


def _looks_up(target: RollbackTarget | None) -> bool:
    if target is None:
        return False
    try:
        return KINDS[target.kind].looks_up(access_of(target))
    except SecretUnreadable:
        return False


def _was_in_doubt(rollback: Rollback) -> bool:
    """Whether any attempt so far may have arrived."""
    return rollback.log.filter(what=Step.DOUBT).exists()


def _resolve_doubt(rollback: Rollback, clock: Clock, send: Send) -> bool:
    """A call may have been received: by a dead process, or without an answer."""
    now = clock()
    if not _was_in_doubt(rollback):
        died = "The process that made the call ended before it noted an answer."
        if not _doubt(rollback, died, now):
            return False
    if _honours_key(rollback.target):
        return _call_again(rollback, clock, send)
    if rollback.to_release is not None and _looks_up(rollback.target):
        return _look_up(rollback, clock, send)
    return _give_up(rollback, "The call was left without an answer.", now)


def _call_again(rollback: Rollback, clock: Clock, send: Send) -> bool:
    """With the same key, on which the target acts once."""
    now = clock()
    reason = _out_of_date(rollback, now)
    if reason:
        return _unknown(rollback, f"{reason[1]} It is not called again.", now)
    if rollback.attempts >= ATTEMPTS:
        return _unknown(rollback, f"{ATTEMPTS} attempts are made.", now)
    return _claim(rollback, now) and _call(rollback, clock, send)


def _look_up(rollback: Rollback, clock: Clock, send: Send) -> bool:
    """Ask the target for the run, and again for some minutes."""
    assert rollback.target is not None
    now = clock()
    mine = _move(rollback, [State.SENDING], None, "", now, next_try_at=now + STALE)
    if not mine:
        return False
    kind = KINDS[rollback.target.kind]
    order = order_of(rollback, now)
    found = looked_up(kind.look_up(access_of(rollback.target), order), send)
    now = clock()
    if found.seen:
        return _called(rollback, found.told, found.ref, now)
    if now - order.since >= LOOK_UP_FOR:
        return _unknown(rollback, found.told, now)
    return _move(
        rollback,
        [State.SENDING],
        Step.LOOKED_UP,
        found.told,
        now,
        next_try_at=now + LOOK_UP_EVERY,
    )


def _called(
    rollback: Rollback, told: str, run_url: str, now: datetime, **fields: Any
) -> bool:
    return _move(
        rollback,
        # A late answer is good news even where the outcome was given up.
        [State.SENDING, State.UNKNOWN],
        Step.CALLED,
        f"{_named(rollback)} was called at {now:%H:%M:%S} UTC. {told}",
        now,
        state=State.CALLED,
        called_at=now,
        finished_at=None,
        next_try_at=now + PROVE_AFTER,
        run_url=run_url,
        **fields,
    )


def _give_up(rollback: Rollback, told: str, now: datetime) -> bool:
    text = f"{told} It cannot be asked, and is not called twice."
    return _unknown(rollback, text, now)


def _unknown(rollback: Rollback, told: str, now: datetime, **fields: Any) -> bool:
    text = (
        f"Whether {_named(rollback)} rolls back is unknown. {told} Look there, and "
        "order the rollback again if it does not."
    )
    return _move(
        rollback,
        [State.SENDING],
        Step.UNKNOWN,
        text,
        now,
        state=State.UNKNOWN,
        finished_at=now,
        next_try_at=None,
        **fields,
    )


def _refuse(rollback: Rollback, reason: str, told: str, now: datetime) -> bool:
    return _move(
        rollback,
        [State.PENDING],
        Step.REFUSED,
        told,
        now,
        state=State.REFUSED,
        reason=reason,
        finished_at=now,
        next_try_at=None,
    )


def _named(rollback: Rollback) -> str:
    return str(rollback.target or "a target that was deleted")


def _move(
    rollback: Rollback,
    before: Iterable[str],
    step: Step | None,
    told: str,
    now: datetime,
    **fields: Any,
) -> bool:
    """Change the row if it is as it was read, with an entry in its log.

    The number of the attempt and the time of the next step must be those that were
    read; a late answer (``step`` CALLED) needs the same attempt only.
    """
    as_read = Rollback.objects.filter(
        pk=rollback.pk, state__in=before, attempts=rollback.attempts
    )
    if step != Step.CALLED:
        as_read = as_read.filter(next_try_at=rollback.next_try_at)
    if step is not None and step not in QUIET:
        fields["explanation"] = storable(told)
    try:
        # Durable: what is claimed is committed before anything is sent.
        with transaction.atomic(durable=True):
            if not as_read.update(**fields):
                return False
            if step is not None:
                note(rollback, step, told, now)
    except IntegrityError:
        # Given up, ordered again by a person, and now answered: that order stands.
        note(rollback, Step.ANSWER, f"Late: {told}", now)
        return False
    for name, value in fields.items():
        setattr(rollback, name, value)
    if step in LOUD:
        logger.error("rollback %s of %s: %s", rollback.pk, rollback.deploy, told)
    return True


def _kept(outcome: Outcome) -> str:
    """The answer as far as it is kept."""
    text = outcome.answer.text if outcome.answer else ""
    return storable(text[:RESPONSE_CHARACTERS])
