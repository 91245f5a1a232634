"""From the rows of a rollback to what its target is told, and to its log."""

from datetime import datetime
from enum import StrEnum

from releases.models import Release, Rollback, RollbackAttempt, RollbackTarget, Watch
from releases.rollbacks.targets.order import Access, Order, Version
from tenants.secrets import decrypt
from tenants.talks import storable


class Step(StrEnum):
    """What an entry of a rollback's log tells: ``RollbackAttempt.what``."""

    ORDERED = "ordered"
    REFUSED = "refused"
    DRY_RUN = "dry run"
    SENDING = "sending"
    ANSWER = "answer"
    DOUBT = "in doubt"
    AGAIN = "again later"
    LOOKED_UP = "looked up"
    CALLED = "called"
    FAILED = "failed"
    UNKNOWN = "outcome unknown"
    CARRIED_OUT = "carried out"
    VERIFIED = "verified"
    NOT_VERIFIED = "not verified"


def note(rollback: Rollback, step: Step, detail: str, at: datetime) -> None:
    """Add an entry to the log, in the caller's transaction."""
    RollbackAttempt.objects.create(
        rollback=rollback, at=at, what=step, detail=storable(detail)
    )


def access_of(target: RollbackTarget) -> Access:
    """How to get in; raises SecretUnreadable."""
    return Access(target.url, decrypt(target.secret), target.options)


def order_of(rollback: Rollback, at: datetime) -> Order:
    """What the target is told at ``at``; needs a release to go to."""
    deploy = rollback.deploy
    watch = Watch.objects.filter(deploy=deploy).first() or Watch()
    assert rollback.to_release is not None
    return Order(
        id=rollback.pk or 0,
        key=str(rollback.idempotency_key),
        project=deploy.project.slug,
        environment=deploy.environment.name,
        deploy_id=deploy.pk,
        deploy_name=deploy.name,
        deploy_url=deploy.url,
        from_release=version_of(deploy.release),
        to_release=version_of(rollback.to_release),
        verdict=watch.verdict,
        reason=watch.reason,
        sentence=watch.sentence,
        numbers=watch.numbers,
        suspects=watch.suspects,
        requested_by=rollback.requested_by,
        at=at,
        since=rollback.sending_since or at,
    )


def version_of(release: Release) -> Version:
    return Version(release.version, release.commit)
