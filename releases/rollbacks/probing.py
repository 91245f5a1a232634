"""Shows whether a rollback target would work, without rolling anything back."""

from datetime import datetime
from uuid import uuid4

from releases.models import Deploy, RollbackTarget
from releases.rollbacks.orders import access_of, version_of
from releases.rollbacks.targets import KINDS, Order, Version
from tenants.audit import Actor, record
from tenants.outbound import send
from tenants.secrets import SecretUnreadable
from tenants.talks import Fate, Outcome, Send, called


def probe(
    target: RollbackTarget, actor: Actor, now: datetime, send: Send = send
) -> Outcome:
    """Make the test call of a target, and return what came of it.

    *called* means that the real call would be taken, as far as can be told.
    """
    try:
        talk = KINDS[target.kind].probe(access_of(target), trial_of(target, now))
    except SecretUnreadable as error:
        outcome = Outcome(Fate.REFUSED, str(error))
    else:
        outcome = called(talk, send)
    record(actor, "tested", target, {"outcome": [None, outcome.fate]})
    return outcome


def trial_of(target: RollbackTarget, now: datetime) -> Order:
    """An order marked as a test, to the newest release that the target may know."""
    deploys = Deploy.objects.select_related("release", "environment", "project")
    if target.project_id:
        deploys = deploys.filter(project=target.project_id)
    if target.environment:
        deploys = deploys.filter(environment__name=target.environment)
    newest = deploys.order_by("-started_at", "-pk").first()
    release = version_of(newest.release) if newest else Version("rush-test")
    return Order(
        id=0,
        key=str(uuid4()),
        project=newest.project.slug if newest else "rush-test",
        environment=newest.environment.name if newest else "rush-test",
        deploy_id=newest.pk if newest else 0,
        from_release=release,
        to_release=release,
        sentence="A test call: nothing is rolled back.",
        requested_by="test",
        at=now,
        since=now,
        test=True,
    )
