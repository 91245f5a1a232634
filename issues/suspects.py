"""Which issues make a release worse, and which commits may have brought them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from issues.evidence import shown_issues
from issues.models import Event, Issue, Level
from issues.source_links import SourceLinks, base_names, normal_path
from releases.look import Look, minute_of
from releases.models import Commit

LISTED = 5
COMMITS_PER_ISSUE = 3
COMMITS_READ = 200
COMMITS_SHOWN = 10
BEFORE = timedelta(hours=24)

# Errors of each issue in the release since grace, and what the baseline would have had
# over the same exposure.
EXCESS = """
WITH now AS (
    SELECT coalesce(i.merged_into_id, i.id) AS root, sum(m.events)::float8 AS errors,
        count(DISTINCT m.tenant_id) FILTER (WHERE m.tenant_id > 0) AS tenants
    FROM issues_issuestats s
    JOIN issues_issue i ON i.id = s.issue_id
    JOIN issues_issueminute m ON m.issue_id = i.id
    WHERE s.last_seen >= %(grace)s AND i.project_id = %(project)s
        AND m.release_id = %(release)s
        AND m.environment_id = %(environment)s AND m.minute >= %(grace)s
        AND m.minute < %(end)s AND m.level >= %(error)s
    GROUP BY 1
), usual AS (
    SELECT now.root, sum(m.events)::float8 AS errors
    FROM now
    JOIN issues_issue i ON i.id = now.root OR i.merged_into_id = now.root
    JOIN issues_issueminute m ON m.issue_id = i.id
        AND m.release_id = %(baseline)s AND m.environment_id = %(environment)s
        AND m.minute >= %(before)s AND m.minute < %(start)s AND m.level >= %(error)s
    GROUP BY 1
)
SELECT now.root, now.errors, now.tenants,
    now.errors - coalesce(usual.errors, 0) * %(scale)s AS excess
FROM now LEFT JOIN usual USING (root)
ORDER BY excess DESC
"""


def suspects_of(found: Look) -> list[dict[str, Any]]:
    """The issues that are new or grew, with their share of the excess: Watch.suspects.

    Empty while nothing after the grace is closed.
    """
    deploy, grace = found.watch.deploy, found.rule.grace
    if found.baseline is None or len(found.minutes) <= grace:
        return []
    exposure = sum(minute.exposure for minute in found.minutes[grace:])
    history = found.baseline.history_exposure
    started = minute_of(deploy.started_at)
    parameters: dict[str, Any] = {
        "project": deploy.project_id,
        "release": deploy.release_id,
        "environment": deploy.environment_id,
        "baseline": found.baseline_release,
        "grace": found.start + timedelta(minutes=grace),
        "end": found.end,
        "before": started - BEFORE,
        "start": started,
        "error": Level.ERROR,
        "scale": exposure / history if history else 0.0,
    }
    with connection.cursor() as cursor:
        cursor.execute(EXCESS, parameters)
        rows = [row for row in cursor.fetchall() if row[3] > 0]
    total = sum(row[3] for row in rows)
    listed = rows[:LISTED]
    issues = shown_issues([row[0] for row in listed])
    commits = list(Commit.objects.filter(release=deploy.release_id)[:COMMITS_READ])
    return [
        {
            "issue_id": pk,
            "short_id": issues[pk].short_id,
            "title": issues[pk].title,
            "is_new": issues[pk].first_seen >= started,
            "errors": int(errors),
            "tenants": tenants,
            "share": excess / total,
            "commits": suspect_commits(issues[pk], commits, deploy.started_at),
        }
        for pk, errors, tenants, excess in listed
        if pk in issues
    ]


def suspect_commits(
    issue: Issue, commits: Sequence[Commit], since: datetime
) -> list[dict[str, str]]:
    """Commits of the release that touched a file of the issue's newest stack trace."""
    if not commits:
        return []
    event = (
        Event.objects.filter(issue=issue, received__gte=since).order_by("-id").first()
    )
    touching = touching_commits(commits, event.payload) if event else []
    return [
        {
            "sha": commit.sha,
            "subject": commit.subject,
            "author": commit.author_name or commit.author_email,
            "file": file,
        }
        for commit, file in touching[:COMMITS_PER_ISSUE]
    ]


@dataclass(frozen=True, slots=True)
class SuspectCommit:
    """A commit that touched ``file``, which a frame stands in; ``url`` may be ""."""

    sha: str
    subject: str
    author: str
    committed_at: datetime | None
    repository: str
    file: str
    release: str
    url: str


def commits_behind(
    release_id: int | None, payload: dict[str, Any], links: SourceLinks
) -> list[SuspectCommit]:
    """Commits of a release that touched a file of the stack trace, newest first.

    One query, none where the event names no release or no file of its own.
    """
    if release_id is None or not frame_files(payload):
        return []
    commits = Commit.objects.filter(release=release_id).exclude(files=[])
    rows = list(commits.select_related("release")[:COMMITS_READ])
    return [
        SuspectCommit(
            sha=commit.sha,
            subject=commit.subject,
            author=commit.author_name or commit.author_email,
            committed_at=commit.committed_at,
            repository=commit.repository,
            file=file,
            release=commit.release.version,
            url=links.of_commit(commit.sha, commit.repository),
        )
        for commit, file in touching_commits(rows, payload)[:COMMITS_SHOWN]
    ]


def release_to_blame(issue: Issue, event: Event) -> int | None:
    """The release that brought the fault, as far as is known.

    The one it was first seen in; after a regression that of the newest event.
    """
    if issue.regressed_at or issue.first_release_id is None:
        return event.release_id
    return issue.first_release_id


def touching_commits(
    commits: Iterable[Commit], payload: dict[str, Any]
) -> list[tuple[Commit, str]]:
    """Those of ``commits`` that touched a frame's file, with it; in their order."""
    files = frame_files(payload)
    found = ((commit, touched_file(commit.files, files)) for commit in commits)
    return [(commit, file) for commit, file in found if file]


def frame_files(payload: dict[str, Any]) -> list[str]:
    """Files of the in-app frames, the innermost frame of the last exception first."""
    files: dict[str, None] = {}
    values = (payload.get("exception") or {}).get("values") or []
    for value in reversed(values):
        frames = (value.get("stacktrace") or {}).get("frames") or []
        for frame in reversed(frames):
            name = frame.get("filename") or frame.get("abs_path") or ""
            if frame.get("in_app") is not False and name:
                files.setdefault(normal_path(name))
    return [file for file in files if file]


def touched_file(changed: Sequence[str], files: Sequence[str]) -> str:
    """The changed file that is a frame's, the first frame's first; "" where none is.

    A frame knows its path from the package or the machine's root, a commit from the
    repository's, so one must end with the other, whole names only.
    """
    by_name = base_names(files)
    order = {file: place for place, file in enumerate(files)}
    best, found = len(files), ""
    for path in changed:
        normal = normal_path(path)
        for file in by_name.get(normal.rpartition("/")[2], ()):
            mine, other = sorted((file, normal), key=len)
            is_same = other == mine or other.endswith(f"/{mine}")
            if is_same and order[file] < best:
                best, found = order[file], path
    return found
