"""Records a deploy that CI posts: the same post is the same row."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from releases.models import Deploy, Environment, Release, Rollback
from tenants.models import Project
from tenants.refusals import Refusal

# A pipeline that posts again without a key, such as after a time-out, means the deploy
# that it posted; later than this it means another one.
SAME_DEPLOY = timedelta(hours=1)
# The CD carries a rollback out within this time of the call.
CARRIED_OUT = timedelta(hours=2)
# Clocks of CI machines differ; what lies further ahead is a mistake.
AHEAD = timedelta(minutes=5)


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
    project: Project, version: str, told: NewDeploy, by: str, now: datetime
) -> tuple[Deploy, bool]:
    """The row of a deploy, and whether it is new; makes release and environment.

    A post with the key of an earlier one, or without a key within an hour of a deploy
    of the same release, environment and name that is still the environment's newest,
    is that deploy: what it tells more (such as the end) is added. Raises DeployError.
    """
    _check_times(told, now)
    with transaction.atomic():
        # One at a time per project, so that two posts at once make one row.
        Project.objects.select_for_update().get(pk=project.pk)
        release, _ = Release.objects.get_or_create(project=project, version=version)
        environment, _ = Environment.objects.get_or_create(
            project=project, name=told.environment
        )
        known = _known(release, environment, told, now)
        if known is not None:
            return _complete(known, release, environment, told), False
        started = told.started_at or told.finished_at or now
        deploy = Deploy.objects.create(
            project=project,
            release=release,
            environment=environment,
            name=told.name,
            url=told.url,
            started_at=min(started, now),
            finished_at=told.finished_at,
            traffic_share=told.traffic_share,
            irreversible=told.irreversible,
            idempotency_key=told.idempotency_key,
            created_by=by,
            rollback=_carried_out(release, environment, now),
        )
        return deploy, True


def _check_times(told: NewDeploy, now: datetime) -> None:
    for moment in (told.started_at, told.finished_at):
        if moment is not None and moment > now + AHEAD:
            raise DeployError(
                f"{moment.isoformat()} lies in the future. Give the time with its "
                "offset, such as 2026-11-25T12:00:00Z, or leave it out."
            )
    if told.started_at and told.finished_at and told.finished_at < told.started_at:
        raise DeployError("The deploy ends before it starts: check both times.")


def _known(
    release: Release, environment: Environment, told: NewDeploy, now: datetime
) -> Deploy | None:
    if told.idempotency_key:
        return Deploy.objects.filter(
            project=release.project_id, idempotency_key=told.idempotency_key
        ).first()
    newest = (
        Deploy.objects.filter(environment=environment, idempotency_key="")
        .order_by("-created", "-pk")
        .first()
    )
    same = (
        newest is not None
        and newest.release_id == release.pk
        and newest.name == told.name
        and newest.created > now - SAME_DEPLOY
        and (told.started_at is None or newest.started_at == told.started_at)
    )
    return newest if same else None


def _complete(
    deploy: Deploy, release: Release, environment: Environment, told: NewDeploy
) -> Deploy:
    if (deploy.release_id, deploy.environment_id) != (release.pk, environment.pk):
        raise DeployError(
            f"The idempotency key {told.idempotency_key!r} belongs to another deploy: "
            f"{deploy.release.version} to {deploy.environment.name}. Use a key of its "
            "own for each deploy, such as the id of the pipeline run."
        )
    if told.finished_at:
        deploy.finished_at = told.finished_at
    deploy.url = told.url or deploy.url
    deploy.irreversible = deploy.irreversible or told.irreversible
    deploy.save(update_fields=["finished_at", "url", "irreversible"])
    return deploy


def finish_deploy(deploy: Deploy, finished_at: datetime) -> Deploy:
    """Mark a deploy finished; raises DeployError for a time before its start."""
    if finished_at < deploy.started_at:
        raise DeployError("The deploy ends before it starts: check the time.")
    deploy.finished_at = finished_at
    deploy.save(update_fields=["finished_at"])
    return deploy


def _carried_out(
    release: Release, environment: Environment, now: datetime
) -> Rollback | None:
    """The rollback to this release that was called lately: this is its deploy."""
    return (
        Rollback.objects.filter(
            deploy__environment=environment,
            to_release=release,
            state__in=[
                Rollback.State.SENDING,
                Rollback.State.CALLED,
                Rollback.State.UNKNOWN,
                Rollback.State.VERIFIED,
                Rollback.State.NOT_VERIFIED,
            ],
            created__gt=now - CARRIED_OUT,
        )
        .order_by("-pk")
        .first()
    )
