"""Merges issues that have one cause, and takes them apart again.

A merge moves no event and no counter: the merged issue points to the one that shows
it (its root). Its fingerprints stay with it, so later events follow by themselves.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from django.db import transaction
from django.db.models import Min
from django.db.models.functions import Coalesce
from django.utils import timezone

from issues import families, history, hitlist
from issues.models import Event, Fingerprint, Issue, IssueActivity, IssueStats
from tenants.audit import Actor
from tenants.refusals import Refusal

Kind = IssueActivity.Kind


class MergeError(Refusal):
    """Issues that cannot be merged, or one that is not merged."""


@transaction.atomic
def merge(target: Issue, others: Iterable[Issue], actor: Actor, why: str = "") -> Issue:
    """Let ``target`` (or the issue it is merged into) show the others as well.

    What was merged into one of the others moves along. The root's event count includes
    the family at once; tenants and users follow with the next scoring. ``why`` stands
    in the history. Returns the root. Raises MergeError where the projects differ or
    there is nothing to merge.
    """
    families.change()
    shown = Issue.objects.values_list(Coalesce("merged_into_id", "pk"), flat=True)
    root_id = shown.get(pk=target.pk)
    chosen = {other.pk for other in others}
    locked, stats = _lock_with_children({root_id, *chosen})
    root = locked[root_id]
    joining = [
        row for row in locked.values() if root_id not in {row.pk, row.merged_into_id}
    ]
    _refuse_unfit(root, joining, chosen)
    now = timezone.now()
    _take_in(root, joining, stats, now)
    Issue.objects.filter(pk__in=[row.pk for row in joining]).update(merged_into=root)
    hitlist.end([row.pk for row in joining], actor, "merged")
    _note_merge(root, [row for row in joining if row.pk in chosen], actor, now, why)
    return Issue.objects.select_related("project", "stats").get(pk=root_id)


def _lock_with_children(
    ids: Collection[int],
) -> tuple[dict[int, Issue], dict[int, IssueStats]]:
    """These issues and what is merged into them, with their numbers.

    Stats are locked before issues and both in id order, as digest does it. Nothing can
    join or leave the families meanwhile: see families.py.
    """
    children = Issue.objects.filter(merged_into__in=ids)
    wanted = {*ids, *children.values_list("pk", flat=True)}
    stats = IssueStats.objects.select_for_update().filter(pk__in=wanted).order_by("pk")
    numbers = {row.pk: row for row in stats}
    rows = (
        Issue.objects.select_for_update(of=("self",), no_key=True)
        .select_related("project")
        .filter(pk__in=wanted)
        .order_by("pk")
    )
    locked = {row.pk: row for row in rows}
    if not set(ids) <= locked.keys():
        raise MergeError("One of these issues is no longer there: look again.")
    return locked, numbers


def _refuse_unfit(root: Issue, joining: Collection[Issue], chosen: set[int]) -> None:
    if root.pk in chosen:
        raise MergeError(f"{root.title!r} cannot be merged into itself.")
    if not joining:
        raise MergeError("Name at least one issue that is not merged into it yet.")
    for row in joining:
        if row.project_id != root.project_id:
            raise MergeError(
                f"{row.title!r} is of project {row.project.slug}, {root.title!r} of "
                f"{root.project.slug}: only issues of one project can be merged."
            )
        if row.merged_into_id not in {None, *chosen}:
            raise MergeError(
                f"{row.title!r} is merged into issue {row.merged_into_id}: unmerge it "
                "first, or merge that issue."
            )


def _take_in(
    root: Issue,
    joining: Collection[Issue],
    stats: Mapping[int, IssueStats],
    now: datetime,
) -> None:
    """Add the joining families to the root's numbers; leave each child its own."""
    top = stats[root.pk]
    for row in joining:
        if row.merged_into_id is None:
            top.events += stats[row.pk].events
    for row in joining:
        # A head counted its children so far.
        if row.merged_into_id is not None:
            stats[row.merged_into_id].events -= stats[row.pk].events
    for row in joining:
        own = stats[row.pk]
        if own.last_seen and (not top.last_seen or own.last_seen > top.last_seen):
            top.last_seen, top.last_release_id = own.last_seen, own.last_release_id
        # Out of the orders by impact, and nothing to score.
        own.score = own.exponent = 0.0
        own.parts, own.changed_at = {}, None
    top.changed_at = now
    _save([top, *(stats[row.pk] for row in joining)])
    first = min(row.first_seen for row in (root, *joining))
    Issue.objects.filter(pk=root.pk).update(first_seen=first)


def _save(stats: Iterable[IssueStats]) -> None:
    IssueStats.objects.bulk_update(
        stats,
        [
            "events",
            "last_seen",
            "last_release_id",
            "score",
            "exponent",
            "parts",
            "changed_at",
        ],
    )


def _note_merge(
    root: Issue, merged: Iterable[Issue], actor: Actor, now: datetime, why: str
) -> None:
    notes, because = [], f": {why}" if why else ""
    for row in merged:
        into = {"merged_into": root.pk}
        notes += [
            history.note(
                root,
                Kind.MERGED,
                actor,
                f"{row.short_id} was merged into this issue{because}",
                now,
                {"issue": row.pk, "title": row.title},
            ),
            history.note(
                row,
                Kind.MERGED,
                actor,
                f"merged into {root.short_id}{because}",
                now,
                into,
            ),
        ]
    history.write(actor, notes)


@transaction.atomic
def unmerge(issue: Issue, actor: Actor) -> Issue:
    """Let a merged issue stand for itself again, in the status it had before."""
    families.change()
    root_id = Issue.objects.values_list("merged_into", flat=True).get(pk=issue.pk)
    if root_id is None:
        raise MergeError(f"{issue.title!r} is not merged into another issue.")
    locked, stats = _lock_with_children({root_id})
    row = locked.pop(issue.pk)
    now, root = timezone.now(), locked[root_id]
    row.merged_into = None
    row.save(update_fields=["merged_into"])
    _give_back(stats[root_id], stats[row.pk], locked, now)
    into = {"issue": row.pk, "title": row.title}
    history.write(
        actor,
        [
            history.note(
                root,
                Kind.UNMERGED,
                actor,
                f"{row.short_id} was taken out of this issue",
                now,
                into,
            ),
            history.note(
                row, Kind.UNMERGED, actor, f"taken out of {root.short_id}", now
            ),
        ],
    )
    return Issue.objects.select_related("project", "stats").get(pk=row.pk)


def _give_back(
    top: IssueStats, own: IssueStats, family: Collection[int], now: datetime
) -> None:
    """Take the child's events off the root; date the root by those that remain."""
    top.events -= own.events
    top.changed_at = own.changed_at = now
    newest = _newest_event(family)
    if newest:
        top.last_seen, top.last_release_id = newest.received, newest.release_id or 0
    _save([top, own])
    first = Fingerprint.objects.filter(issue__in=family).aggregate(
        at=Min("first_seen")
    )["at"]
    if first:
        Issue.objects.filter(pk=top.pk).update(first_seen=first)


def _newest_event(issue_ids: Iterable[int]) -> Event | None:
    """The newest stored event of these issues; one index look each."""
    newest = (
        Event.objects.filter(issue=issue_id)
        .only("id", "received", "release_id")
        .order_by("-id")
        .first()
        for issue_id in issue_ids
    )
    return max((event for event in newest if event), key=lambda e: e.id, default=None)
