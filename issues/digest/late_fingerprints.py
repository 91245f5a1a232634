"""What follows when a source map tells a better fingerprint of an event: see adopt.

An event without its source map opens an issue by what little the minified frames say.
When the map comes, the event has a fingerprint by its source lines as well. Counters
stay where they are; the issue learns the fingerprint, or is merged with the issue that
has it.
"""

import logging
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from issues import families, history, merging, workflow
from issues.grouping import Grouping
from issues.models import Event, Fingerprint, Issue, IssueActivity
from tenants.audit import SYSTEM

logger = logging.getLogger(__name__)

Kind = IssueActivity.Kind


class TakenMeanwhile(Exception):
    """Another process learned the fingerprint first: look again."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of the issue of an event when its fingerprint changes.

    ``fingerprints`` are those it has, ``alone``: it is not merged with any issue, and
    nobody took it out of one.
    """

    root_id: int
    fingerprints: Collection[UUID]
    alone: bool


def may_merge(own: Standing, before: UUID, other_root_id: int) -> bool:
    """Whether the event's issue is the other one as far as anyone can tell.

    Not when it has learned of other faults before: those would come along.
    """
    return (
        own.root_id != other_root_id and own.alone and set(own.fingerprints) == {before}
    )


def adopt(event: Event, before: Grouping, after: Grouping, now: datetime) -> None:
    """Let the event's issue have the fingerprint ``after``; in a transaction.

    ``before`` is what the stored event said until now. Where its issue does not know
    that one either, the stored event no longer tells what it was grouped by, and
    nothing is learned. Raises TakenMeanwhile.
    """
    if before.hash == after.hash:
        return
    owner = _owner(event.project_id, UUID(after.hash))
    if owner is None:
        families.hold()
        _learn(event, before, after, now)
        return
    families.change()
    issue, other = (Issue.objects.get(pk=pk) for pk in (event.issue_id, owner))
    root_id = other.merged_into_id or other.pk
    if may_merge(_standing(issue), UUID(before.hash), root_id):
        _merge(event, issue, root_id, now)


def _owner(project_id: int, fingerprint: UUID) -> int | None:
    rows = Fingerprint.objects.filter(project=project_id, hash=fingerprint)
    return rows.values_list("issue_id", flat=True).first()


def _standing(issue: Issue) -> Standing:
    rows = issue.fingerprints.values_list("hash", flat=True)
    alone = (
        issue.merged_into_id is None
        and not issue.merged_issues.exists()
        and not issue.activities.filter(kind=Kind.UNMERGED).exists()
    )
    return Standing(issue.merged_into_id or issue.pk, list(rows), alone)


def _learn(event: Event, before: Grouping, after: Grouping, now: datetime) -> None:
    issue = Issue.objects.get(pk=event.issue_id)
    if not issue.fingerprints.filter(hash=UUID(before.hash)).exists():
        return
    _, is_new = Fingerprint.objects.get_or_create(
        project_id=event.project_id,
        hash=UUID(after.hash),
        defaults={
            "version": after.version,
            "issue": issue,
            "reason": after.reason[:300],
            "parts": [
                {"kind": part.kind, "text": part.text, "contributes": part.contributes}
                for part in after.parts
            ],
            "first_seen": event.received,
        },
    )
    if not is_new:
        raise TakenMeanwhile
    # Named after the minified function until now.
    old, new = before.culprit[:200], after.culprit[:200]
    Issue.objects.filter(pk=issue.pk, culprit=old).update(culprit=new)
    note = history.note(
        issue,
        Kind.LEARNED,
        SYSTEM,
        f"The source map of event {event.event_id.hex} arrived: events at the same "
        f"place in the source belong here. {after.reason}",
        now,
        {"event_id": event.event_id.hex, "fingerprint": after.hash},
    )
    history.write(SYSTEM, [note])


def _merge(event: Event, issue: Issue, root_id: int, now: datetime) -> None:
    """The older one shows both; a resolved one comes back as by a new event."""
    root = Issue.objects.select_related("project").get(pk=root_id)
    older, younger = sorted([issue, root], key=lambda row: (row.first_seen, row.pk))
    why = (
        f"the source map of event {event.event_id.hex} shows the place that "
        f"{root.short_id} is known by"
    )
    try:
        shown = merging.merge(older, [younger], SYSTEM, why)
    except merging.MergeError as error:
        logger.info("%s and %s stay apart: %s", older, younger, error)
        return
    if shown.status == Issue.Status.RESOLVED and event.received > shown.status_changed:
        hit = (shown.pk, event.release_id or 0, event.environment_id or 0)
        workflow.regress([hit], now)
