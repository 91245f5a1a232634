"""Orders rollbacks: by a verdict, or by a person. ``calling`` sends them.

The row is the order. It is committed with the verdict as ``pending``, or as what it is
otherwise: held back by an interlock, or a dry run.
"""

from collections.abc import Collection
from datetime import datetime
from uuid import uuid4

from django.db import transaction

from releases.models import Deploy, Environment, Rollback, RollbackTarget, Watch
from releases.rollbacks.interlocks import Interlock, Plan, plan_of
from releases.rollbacks.orders import Step, note, order_of
from releases.rollbacks.targets import KINDS, Access
from tenants.audit import Actor, record
from tenants.doorbell import ring_on_commit
from tenants.refusals import Refusal

State = Rollback.State
TASK, QUEUE = "releases.rollback", "notify"


class AlreadyOrdered(Refusal):
    """The deploy is being rolled back already."""


def decide(watch: Watch, now: datetime) -> Rollback:
    """Order the rollback that a degraded verdict asks for, or record why not.

    Call it in the transaction of the verdict. A deploy that was ordered back already,
    by a person, keeps that order.
    """
    with transaction.atomic():
        deploy = _locked(watch.deploy)
        # Whether an unknown call was received is not known: it is never doubled.
        known = _ordered(deploy, [*Rollback.ORDERED, State.UNKNOWN])
        if known is not None:
            return known
        plan = plan_of(deploy, now)
        return _write(plan, plan.blocked(), "", now)


def order(
    deploy: Deploy, actor: Actor, now: datetime, override: Collection[str] = ()
) -> Rollback:
    """Order a rollback by hand; interlocks hold it back as they hold back a verdict's.

    ``override`` names those to pass over, of ``interlocks.OVERRIDABLE``. Returns the
    row in state pending, dry_run or refused. Raises AlreadyOrdered.
    """
    with transaction.atomic():
        deploy = _locked(deploy)
        known = _ordered(deploy, Rollback.ORDERED)
        if known is not None:
            raise AlreadyOrdered(
                f"This deploy was ordered back already: {known.get_state_display()}."
            )
        plan = plan_of(deploy, now)
        passed = frozenset(override)
        rollback = _write(plan, plan.blocked(passed), actor.name, now)
        changes = {"state": [None, rollback.state], "override": sorted(passed)}
        record(actor, "ordered", rollback, changes)
    return rollback


def preview(rollback: Rollback, target: RollbackTarget, now: datetime) -> str:
    """What the target would be told, in one sentence."""
    access = Access(target.url, options=target.options)
    return KINDS[target.kind].preview(access, order_of(rollback, now))


def _locked(deploy: Deploy) -> Deploy:
    """The deploy; orders of one environment come one after another from here."""
    list(
        Environment.objects.select_for_update(no_key=True).filter(
            pk=deploy.environment_id
        )
    )
    related = ("project", "environment", "release")
    return Deploy.objects.select_related(*related).get(pk=deploy.pk)


def _ordered(deploy: Deploy, states: Collection[str]) -> Rollback | None:
    return Rollback.objects.filter(deploy=deploy, state__in=states).first()


def _write(
    plan: Plan, blocked: list[Interlock], requested_by: str, now: datetime
) -> Rollback:
    rollback = Rollback(
        deploy=plan.deploy,
        target=plan.target,
        to_release=plan.to_release,
        idempotency_key=uuid4(),
        requested_by=requested_by[:200],
        created=now,
    )
    step = Step.ORDERED
    if blocked or plan.target is None:
        rollback.state, step = State.REFUSED, Step.REFUSED
        rollback.reason = blocked[0].reason
        rollback.explanation = " ".join(lock.sentence for lock in blocked)
        rollback.finished_at = now
    elif plan.target.dry_run:
        rollback.state, step = State.DRY_RUN, Step.DRY_RUN
        would = preview(rollback, plan.target, now)
        rollback.explanation = f"Dry run. It would {would}."
        rollback.finished_at = now
    else:
        rollback.explanation = f"Ordered: {preview(rollback, plan.target, now)}."
        rollback.next_try_at = now
        ring_on_commit(TASK, QUEUE)
    rollback.save(force_insert=True)
    by = f" By {requested_by}." if requested_by else ""
    note(rollback, step, rollback.explanation + by, now)
    return rollback
