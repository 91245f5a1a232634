"""Records a deploy that CI posts: the same post is the same row."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from releases.models import Deploy, Environment, Release, Rollback
from tenants.audit import Actor, difference, record, values_of
from tenants.models import Project
from tenants.refusals import Refusal

# A pipeline that posts again without a key, such as after a time-out, means the deploy
# that it posted; later than this it means another one.
SAME_DEPLOY = timedelta(hours=1)
# The CD carries a rollback out within this time of the call.
CARRIED_OUT = timedelta(hours=2)
# Clocks of CI machines differ so much; what lies further off is a mistake.
SKEW = timedelta(minutes=5)


class DeployError(Refusal):
    """A deploy that cannot be recorded as posted."""


@dataclass(frozen=True, slots=True)
class NewDeploy:
    """What CI tells. ``started_at`` None: now. See Deploy for the rest."""

    environment: str
    name: str = ""
    url: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    traffic_share: float | None = None
    irreversible: bool = False
    idempotency_key: str = ""


def record_deploy(
    project: Project, version: str, told: NewDeploy, actor: Actor, now: datetime
) -> tuple[Deploy, bool]:
    """The row of a deploy, and whether it is new; makes release and environment.

    A post with the key of an earlier one, or without a key within an hour of a deploy
    of the same release, environment, name and start (as far as clocks agree) that is
    still the environment's newest, is that deploy: what it tells more (such as the end)
    is added. Raises DeployError.
    """
    _check_times(told, now)
    with transaction.atomic():
        # One at a time per project, so that two posts at once make one row.
        Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        release, _ = Release.objects.get_or_create(project=project, version=version)
        environment, _ = Environment.objects.get_or_create(
            project=project, name=told.environment
        )
        known = _known(release, environment, told, now)
        if known is not None:
            return _complete(known, release, environment, told, actor, now), False
        columns = asdict(told) | {
            "environment": environment,
            "started_at": min(told.started_at or told.finished_at or now, now),
            "finished_at": told.finished_at and min(told.finished_at, now),
        }
        deploy = Deploy.objects.create(
            project=project,
            release=release,
            created_by=actor.name[:200],
            rollback=_carried_out(release, environment, now),
            **columns,
        )
        values = {"project": project.slug, "release": version, **asdict(told)}
        record(actor, "added", deploy, difference({}, _said(values)))
        return deploy, True


def _said(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in {None, ""}}


def _check_times(told: NewDeploy, now: datetime) -> None:
    for moment in (told.started_at, told.finished_at):
        if moment is not None:
            _check_time(moment, now)
    if told.started_at and told.finished_at and told.finished_at < told.started_at:
        raise DeployError("The deploy ends before it starts: check both times.")


def _check_time(moment: datetime, now: datetime) -> None:
    if moment > now + SKEW:
        raise DeployError(
            f"{moment.isoformat()} lies in the future. Give the time with its "
            "offset, such as 2026-11-25T12:00:00Z, or leave it out."
        )


def _known(
    release: Release, environment: Environment, told: NewDeploy, now: datetime
) -> Deploy | None:
    deploys = Deploy.objects.select_related("release", "environment", "project")
    if told.idempotency_key:
        return deploys.filter(
            project=release.project_id, idempotency_key=told.idempotency_key
        ).first()
    newest = deploys.filter(environment=environment).order_by("-created", "-pk").first()
    same = (
        newest is not None
        and newest.release_id == release.pk
        and newest.name == told.name
        # A canary that is promoted is another deploy.
        and (newest.traffic_share or 1.0) == (told.traffic_share or 1.0)
        and newest.created > now - SAME_DEPLOY
        and (
            told.started_at is None or abs(newest.started_at - told.started_at) <= SKEW
        )
    )
    return newest if same else None


def _complete(
    deploy: Deploy,
    release: Release,
    environment: Environment,
    told: NewDeploy,
    actor: Actor,
    now: datetime,
) -> Deploy:
    if (deploy.release_id, deploy.environment_id) != (release.pk, environment.pk):
        raise DeployError(
            f"The idempotency key {told.idempotency_key!r} belongs to another deploy: "
            f"{deploy.release.version} to {deploy.environment.name}. Use a key of its "
            "own for each deploy, such as the id of the pipeline run."
        )
    more: dict[str, Any] = {}
    if told.finished_at and deploy.finished_at is None:
        more["finished_at"] = _end(deploy, told.finished_at, now)
    if told.url:
        more["url"] = told.url
    if told.irreversible:
        more["irreversible"] = True
    return _change(deploy, more, actor)


def finish_deploy(
    deploy: Deploy, finished_at: datetime, actor: Actor, now: datetime
) -> Deploy:
    """Mark a deploy finished.

    Raises DeployError for a time before its start or in the future, by more than clocks
    differ.
    """
    return _change(deploy, {"finished_at": _end(deploy, finished_at, now)}, actor)


def _end(deploy: Deploy, finished_at: datetime, now: datetime) -> datetime:
    """The end by our clock and the deploy's start; raises DeployError."""
    _check_time(finished_at, now)
    if finished_at < deploy.started_at - SKEW:
        raise DeployError(
            f"The deploy started at {deploy.started_at.isoformat()}: it cannot end "
            "before that. Check the time and its offset."
        )
    return max(min(finished_at, now), deploy.started_at)


def _change(deploy: Deploy, values: dict[str, Any], actor: Actor) -> Deploy:
    before = values_of(deploy, values)
    for name, value in values.items():
        setattr(deploy, name, value)
    changes = difference(before, values_of(deploy, values))
    if changes:
        with transaction.atomic():
            deploy.save(update_fields=list(changes))
            record(actor, "changed", deploy, changes)
    return deploy


def _carried_out(
    release: Release, environment: Environment, now: datetime
) -> Rollback | None:
    """The rollback to this release that was called lately: this is its deploy."""
    return (
        Rollback.objects.filter(
            deploy__environment=environment,
            to_release=release,
            state__in=Rollback.PERHAPS_CALLED,
            created__gt=now - CARRIED_OUT,
        )
        .order_by("-pk")
        .first()
    )
