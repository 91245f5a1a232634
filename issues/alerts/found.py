"""What a rule found: one cause, ready to become an alert."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from issues.alerts.counters import Place
from issues.models import Issue
from tenants.admin_links import admin_link


@dataclass(slots=True)
class Found:
    """``at``: when it happened. ``about`` stays the same when it happens again.

    ``incident_cause`` names an incident of its own; "": that of the rule.
    """

    at: datetime
    about: str
    cause: str
    title: str
    text: str
    url: str
    issue_id: int | None = None
    project_id: int | None = None
    incident_cause: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


def stamped(about: str, at: datetime) -> str:
    """The cause of something that may stand again later."""
    return f"{about}:{at:%Y-%m-%dT%H:%M:%S.%f}"


def of_issue(
    issue: Issue, at: datetime, cause: str, what: str, text: str, **data: Any
) -> Found:
    """A finding about an issue; ``issue`` with its project."""
    return Found(
        at=at,
        about=f"issue:{issue.pk}",
        cause=cause,
        title=f"{what}: {issue.title} ({issue.short_id})",
        text=text,
        url=admin_link(f"issues/issue/{issue.pk}"),
        issue_id=issue.pk,
        project_id=issue.project_id,
        data=data,
    )


def of_place(place: Place, at: datetime, what: str, text: str, **data: Any) -> Found:
    """A finding about the numbers of an environment."""
    about = f"environment:{place.environment_id}"
    return Found(
        at=at,
        about=about,
        cause=stamped(about, at),
        title=f"{place.name}: {what}",
        text=text,
        url="",
        project_id=place.project_id,
        data={"environment": place.name, **data},
    )
