"""Incidents that a person or a script opens."""

from collections.abc import Collection
from datetime import datetime
from uuid import uuid4

from issues.incidents.steps import Fire, open_incident
from issues.models import Incident, Severity
from tenants.audit import Actor
from tenants.models import Channel, Project


def open_by_hand(
    actor: Actor,
    now: datetime,
    *,
    title: str,
    severity: str = Severity.HIGH,
    text: str = "",
    project: Project | None = None,
    environment: str = "",
    began_at: datetime | None = None,
    cause: str = "",
    issues: Collection[int] = (),
    channels: Collection[Channel] = (),
) -> tuple[Incident, bool]:
    """The incident, and whether it was opened now.

    Without a ``cause`` each call opens one; with one, a call joins the incident that
    stands for it. Raises IncidentError.
    """
    fire = Fire(
        title=title,
        cause=f"hand:{cause or uuid4()}",
        source=Incident.Source.HAND,
        began_at=began_at or now,
        severity=severity,
        text=text,
        project=project,
        environment=environment,
        issues=issues,
        channels=channels,
    )
    return open_incident(fire, actor, now)
