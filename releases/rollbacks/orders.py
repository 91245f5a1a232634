"""From the rows of a rollback to a talk with its target, and to its log."""

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from releases.models import Release, Rollback, RollbackAttempt, RollbackTarget, Watch
from releases.rollbacks.targets.order import (
    Access,
    Fate,
    Order,
    Outcome,
    Sighting,
    Talk,
    Version,
)
from tenants.outbound import Answer, OutboundError, Request
from tenants.secrets import decrypt

Send = Callable[[Request], Answer]
T = TypeVar("T")


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


def storable(text: str) -> str:
    """Text of somebody else as PostgreSQL keeps it: no NUL, no half of a pair."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


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


def converse(talk: Talk[T], send: Send) -> T:
    """Send what a talk asks for until it ends; raises OutboundError.

    The error of a GET says that nothing was reached: reading orders nothing.
    """
    try:
        request = next(talk)
        while True:
            try:
                answer = send(request)
            except OutboundError as error:
                error.reached = error.reached and request.method != "GET"
                raise
            request = talk.send(answer)
    except StopIteration as end:
        value: T = end.value
        return value


def called(talk: Talk[Outcome], send: Send) -> Outcome:
    """What became of a call, whether or not an answer came."""
    try:
        return converse(talk, send)
    except OutboundError as error:
        if error.reached:
            return Outcome(Fate.DOUBT, str(error))
        return Outcome(Fate.REFUSED if error.permanent else Fate.LATER, str(error))


def looked_up(talk: Talk[Sighting], send: Send) -> Sighting:
    """What a look-up found; one that failed has found nothing."""
    try:
        return converse(talk, send)
    except OutboundError as error:
        return Sighting(False, f"The look-up failed: {error}")
