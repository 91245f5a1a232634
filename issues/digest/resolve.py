"""Finds the issue of each event's fingerprint, or makes it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import orjson
from django.db import connection

from issues.grouping import Grouping
from issues.models import Issue, IssueActivity, Level
from issues.normal_event import NormalEvent
from tenants.audit import SYSTEM

LEVELS = {level.label: int(level) for level in Level}

FIND = """
SELECT f.hash, f.issue_id, coalesce(i.merged_into_id, i.id), root.status, root.level,
    s.users, i.merged_into_id IS NOT NULL
FROM unnest(%s::uuid[]) AS wanted (hash)
JOIN issues_fingerprint f ON f.project_id = %s AND f.hash = wanted.hash
JOIN issues_issue i ON i.id = f.issue_id
JOIN issues_issue root ON root.id = coalesce(i.merged_into_id, i.id)
JOIN issues_issuestats s ON s.issue_id = i.id
"""
# The loser of a race waits here for the winner's commit, then finds its row.
CLAIM = """
INSERT INTO issues_fingerprint
    (project_id, hash, version, issue_id, reason, parts, first_seen)
SELECT %s, h, v, i, r, p::jsonb, t
FROM unnest(%s::uuid[], %s::text[], %s::bigint[], %s::text[], %s::text[],
    %s::timestamptz[]) AS row (h, v, i, r, p, t)
ON CONFLICT (project_id, hash) DO NOTHING RETURNING hash, issue_id
"""


@dataclass(slots=True)
class IssueRef:
    """Where events of a fingerprint count: the issue, and the one that shows it."""

    issue_id: int
    root_id: int
    status: str
    level: int
    users: int
    merged: bool
    is_new: bool = False


@dataclass(slots=True)
class Newcomer:
    """The first event of a fingerprint, as its issue will tell it."""

    event: NormalEvent
    grouping: Grouping
    release_id: int


def resolve_issues(
    project_id: int, newcomers: Mapping[UUID, Newcomer]
) -> dict[UUID, IssueRef]:
    """The issue of each fingerprint; those that nobody knows are made."""
    found = _find(project_id, list(newcomers))
    missing = sorted(set(newcomers) - set(found))
    if missing:
        won = _claim(project_id, {h: newcomers[h] for h in missing})
        _create(project_id, {won[h]: newcomers[h] for h in won})
        found |= _find(project_id, missing)
        for fingerprint in won:
            found[fingerprint].is_new = True
    return found


def _find(project_id: int, hashes: Sequence[UUID]) -> dict[UUID, IssueRef]:
    with connection.cursor() as cursor:
        cursor.execute(FIND, [list(hashes), project_id])
        return {row[0]: IssueRef(*row[1:]) for row in cursor.fetchall()}


def _claim(project_id: int, missing: Mapping[UUID, Newcomer]) -> dict[UUID, int]:
    """Insert the fingerprints with issue ids of their own; returns those that won."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence('issues_issue', 'id'))"
            " FROM generate_series(1, %s)",
            [len(missing)],
        )
        ids = [row[0] for row in cursor.fetchall()]
        groupings = [newcomer.grouping for newcomer in missing.values()]
        cursor.execute(
            CLAIM,
            [
                project_id,
                list(missing),
                [g.version for g in groupings],
                ids,
                [g.reason[:300] for g in groupings],
                [orjson.dumps(g.parts).decode() for g in groupings],
                [n.event.received for n in missing.values()],
            ],
        )
        return dict(cursor.fetchall())


def _create(project_id: int, newcomers: Mapping[int, Newcomer]) -> None:
    issues = [_issue(project_id, pk, new) for pk, new in newcomers.items()]
    Issue.objects.bulk_create(issues)
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO issues_issuestats (issue_id, events, tenants, users,"
            " last_release_id, score, exponent, parts)"
            " VALUES (%s, 0, 0, 0, 0, 0, 0, '{}')",
            [(issue.pk,) for issue in issues],
        )
    IssueActivity.objects.bulk_create(
        IssueActivity(
            issue=issue,
            at=issue.first_seen,
            kind=IssueActivity.Kind.FIRST_SEEN,
            actor=SYSTEM.name,
            text=new.grouping.reason,
            alerts_due=True,
        )
        for issue, new in zip(issues, newcomers.values(), strict=True)
    )


def _issue(project_id: int, pk: int, new: Newcomer) -> Issue:
    return Issue(
        pk=pk,
        project_id=project_id,
        title=new.grouping.title[:200],
        type=new.grouping.type[:200],
        value=new.grouping.value[:4000],
        culprit=new.grouping.culprit[:200],
        platform=new.event.platform[:64],
        logger=new.event.logger[:200],
        level=LEVELS[new.event.level],
        first_seen=new.event.received,
        status_changed=new.event.received,
        first_release_id=new.release_id or None,
    )


def raise_levels(worst: Mapping[int, int]) -> None:
    """An issue is as severe as its worst event: issue id to level."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "UPDATE issues_issue SET level = %s WHERE id = %s AND level < %s",
            [(worst[pk], pk, worst[pk]) for pk in sorted(worst)],
        )
