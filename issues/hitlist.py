"""The hit list: issues are put on it by hand or by rule, and leave it again."""

import re
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import models, transaction
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, Coalesce
from django.utils import timezone

from issues import history
from issues.models import (
    HitListEntry,
    HitRule,
    Issue,
    IssueActivity,
    IssueStats,
)
from issues.models.issue import IssueQuerySet
from tenants.audit import SYSTEM, Actor
from tenants.models import Project
from tenants.refusals import Refusal

Kind = IssueActivity.Kind


class HitListError(Refusal):
    """An entry that cannot be made or taken off."""


@transaction.atomic
def add(
    issue: Issue,
    actor: Actor,
    *,
    owner: User | None,
    reason: str,
    expires_at: datetime | None = None,
    rule: HitRule | None = None,
) -> HitListEntry:
    """Put an open issue on the list; ``expires_at`` None: until fixed or removed."""
    now = timezone.now()
    # The lock makes the second of two callers see the first one's entry.
    row = Issue.objects.select_for_update(no_key=True).get(pk=issue.pk)
    _refuse_unfit(row, reason, expires_at, now)
    entry = HitListEntry.objects.create(
        issue=issue,
        rule=rule,
        owner=owner,
        reason=reason.strip(),
        added_at=now,
        added_by=actor.name[:200],
        expires_at=expires_at,
    )
    history.write(actor, [_listed(entry, actor, now)])
    return entry


def _refuse_unfit(
    issue: Issue, reason: str, expires_at: datetime | None, now: datetime
) -> None:
    if not reason.strip():
        raise HitListError("Say in a few words why this issue is on the hit list.")
    if len(reason.strip()) > 500:
        raise HitListError("Give the reason in at most 500 characters.")
    if issue.merged_into_id is not None:
        raise HitListError(
            f"{issue.title!r} is merged into another issue: list that one."
        )
    if issue.status != Issue.Status.OPEN:
        raise HitListError(
            f"{issue.title!r} is {issue.status}: reopen it before you list it."
        )
    if expires_at and expires_at <= now:
        raise HitListError("The expiry lies in the past: give a later time.")
    if HitListEntry.objects.filter(issue=issue, removed_at=None).exists():
        raise HitListError(f"{issue.title!r} is on the hit list already.")


@transaction.atomic
def remove(entry: HitListEntry, actor: Actor, reason: str) -> HitListEntry:
    """Take an entry off; no rule lists its issue again within that rule's expiry."""
    if not reason.strip():
        raise HitListError("Say in a few words why this issue leaves the hit list.")
    removed = _end(
        HitListEntry.objects.filter(pk=entry.pk), actor, reason, by_hand=True
    )
    if not removed:
        raise HitListError("This entry has left the hit list already.")
    entry.refresh_from_db(fields=["removed_at", "removed_reason"])
    return entry


def end(issue_ids: Collection[int], actor: Actor, reason: str) -> list[HitListEntry]:
    """End the entries of issues that need no fix any more (resolved, merged, …)."""
    return _end(HitListEntry.objects.filter(issue__in=issue_ids), actor, reason)


@transaction.atomic
def expire(now: datetime) -> list[HitListEntry]:
    """End the entries whose time is over; returns them."""
    return _end(
        HitListEntry.objects.filter(expires_at__lte=now), SYSTEM, "expired", at=now
    )


def _end(
    entries: models.QuerySet[HitListEntry],
    actor: Actor,
    reason: str,
    *,
    by_hand: bool = False,
    at: datetime | None = None,
) -> list[HitListEntry]:
    now = at or timezone.now()
    # Of two who end the same entry, the later finds it ended and skips it.
    ended = list(
        entries.filter(removed_at=None)
        .select_related("issue__project")
        .select_for_update(of=("self",))
        .order_by("pk")
    )
    for entry in ended:
        entry.removed_at, entry.removed_reason = now, reason.strip()[:200]
    HitListEntry.objects.bulk_update(ended, ["removed_at", "removed_reason"])
    history.write(
        actor,
        [
            history.note(
                entry.issue,
                Kind.UNLISTED,
                actor,
                entry.removed_reason,
                now,
                {"entry": entry.pk, "by_hand": by_hand},
            )
            for entry in ended
        ],
    )
    return ended


def next_to_fix(project: Project | None = None) -> HitListEntry | None:
    """The head of the list: the listed issue with the highest impact, or None."""
    entries = HitListEntry.objects.current().select_related(
        "issue__project", "issue__stats", "issue__assignee", "owner", "rule"
    )
    if project:
        entries = entries.filter(issue__project=project)
    return entries.first()


@transaction.atomic
def apply_rules(issue_ids: Collection[int] | None, now: datetime) -> list[HitListEntry]:
    """List the open issues (of these ids; None: all) that an active rule wants.

    The first rule by name wins. Returns the new entries.
    """
    added: list[HitListEntry] = []
    for rule in HitRule.objects.filter(is_active=True).select_related("owner"):
        wanted = matching(rule, issue_ids, now).exclude(
            pk__in=[entry.issue_id for entry in added]
        )
        added += _add_by_rule(rule, wanted, now)
    return added


def matching(
    rule: HitRule, issue_ids: Collection[int] | None, now: datetime
) -> IssueQuerySet:
    """Open issues that meet every condition of ``rule`` and may be listed by it."""
    issues = Issue.objects.open()
    if issue_ids is not None:
        issues = issues.filter(pk__in=issue_ids)
    if rule.project_id is not None:
        issues = issues.filter(project=rule.project_id)
    if rule.min_score is not None:
        issues = issues.filter(stats__score__gte=rule.min_score)
    if rule.min_tenants is not None:
        issues = issues.alias(tenants_60m=_TENANTS_60M).filter(
            tenants_60m__gte=rule.min_tenants
        )
    if rule.pattern:
        regex = glob_to_regex(rule.pattern)
        issues = issues.filter(Q(title__iregex=regex) | Q(culprit__iregex=regex))
    taken_off = IssueActivity.objects.filter(
        issue=OuterRef("pk"),
        kind=Kind.UNLISTED,
        at__gt=now - timedelta(hours=rule.expires_after_hours),
        data__by_hand=True,
    )
    listed = HitListEntry.objects.filter(issue=OuterRef("pk"), removed_at=None)
    return issues.filter(~Exists(listed), ~Exists(taken_off))


# Scoring knows the tenants of the last 60 minutes; before the first scoring all count.
_TENANTS_60M = Coalesce(
    Cast(KeyTextTransform("tenants_60m", "stats__parts"), models.IntegerField()),
    F("stats__tenants"),
)


def glob_to_regex(pattern: str) -> str:
    """An anchored PostgreSQL regex of a glob: ``*`` any text, ``?`` one character."""
    translated = {"*": ".*", "?": "."}
    return f"^{''.join(translated.get(c) or re.escape(c) for c in pattern)}$"


def _add_by_rule(
    rule: HitRule, wanted: IssueQuerySet, now: datetime
) -> list[HitListEntry]:
    actor = Actor(f"rule {rule.name}")
    issues = list(
        wanted.select_related("project", "stats")
        .select_for_update(of=("self",), no_key=True)
        .order_by("pk")
    )
    entries = [
        HitListEntry(
            issue=issue,
            rule=rule,
            owner=rule.owner,
            reason=reason_of(rule, issue.stats),
            added_at=now,
            added_by=actor.name,
            expires_at=now + timedelta(hours=rule.expires_after_hours),
        )
        for issue in issues
    ]
    # Another worker may have listed it between our look and our lock.
    HitListEntry.objects.bulk_create(entries, ignore_conflicts=True)
    return _written(entries, actor, now)


def _written(
    entries: Sequence[HitListEntry], actor: Actor, now: datetime
) -> list[HitListEntry]:
    """The entries as they stand; a conflicting one that was not written is left out."""
    stored = HitListEntry.objects.filter(
        issue__in=[entry.issue_id for entry in entries],
        removed_at=None,
        added_at=now,
        added_by=actor.name,
    ).select_related("issue__project", "issue__stats", "owner", "rule")
    added = list(stored)
    history.write(SYSTEM, [_listed(entry, actor, now) for entry in added])
    return added


def reason_of(rule: HitRule, stats: IssueStats) -> str:
    """Why the rule listed the issue, with the numbers of that moment."""
    return f"Rule {rule.name}: {', '.join(_met(rule, stats))}"[:500]


def _met(rule: HitRule, stats: IssueStats) -> Iterable[str]:
    parts: dict[str, Any] = stats.parts
    if rule.min_score is not None:
        yield f"score {stats.score:.0f} ≥ {rule.min_score:g}"
    if rule.min_tenants is not None:
        yield f"{parts.get('tenants_60m', stats.tenants)} tenants ≥ {rule.min_tenants}"
    if rule.pattern:
        yield f"matches {rule.pattern}"


def _listed(entry: HitListEntry, actor: Actor, now: datetime) -> IssueActivity:
    data = {"entry": entry.pk, "owner": entry.owner and entry.owner.get_username()}
    return history.note(entry.issue, Kind.LISTED, actor, entry.reason, now, data)
