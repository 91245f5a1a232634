"""Writes what happened to issues: a history row each, and an audit row by hand."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from issues.models import Issue, IssueActivity
from tenants.audit import SYSTEM, Actor, entry, record_all

Kind = IssueActivity.Kind


def note(
    issue: Issue,
    kind: IssueActivity.Kind,
    actor: Actor,
    text: str,
    at: datetime,
    data: Mapping[str, Any] | None = None,
) -> IssueActivity:
    """The history row of one change, not yet written. ``data`` must be JSON."""
    return IssueActivity(
        issue=issue,
        at=at,
        kind=kind,
        user=actor.user,
        actor=actor.name[:200],
        text=text,
        data=dict(data or {}),
        alerts_due=kind in IssueActivity.ALERTING,
    )


def write(actor: Actor, activities: Sequence[IssueActivity]) -> list[IssueActivity]:
    """Write the rows; what a person or a token did stands in the audit as well.

    Call it in the transaction of the change.
    """
    written = IssueActivity.objects.bulk_create(activities)
    if actor != SYSTEM:
        record_all(
            entry(actor, row.kind, row.issue, {"text": row.text, **row.data})
            for row in written
        )
    return written
