"""Takes a deploy that CI posts: recorded once, and watched from then on."""

from datetime import datetime

from django.db import transaction

from releases.deploys import NewDeploy, record_deploy
from releases.models import Deploy
from releases.watch import open_watch
from tenants.audit import Actor
from tenants.models import Project


def ship(
    project: Project, version: str, told: NewDeploy, actor: Actor, now: datetime
) -> tuple[Deploy, bool]:
    """The deploy, and whether it is new: then its watch opens. Raises DeployError."""
    with transaction.atomic():
        deploy, is_new = record_deploy(project, version, told, actor, now)
        if is_new:
            open_watch(deploy, now)
    return deploy, is_new
