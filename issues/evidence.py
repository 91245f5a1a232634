"""What only issues know of a watched deploy: new issues, drops, digest's lag."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Min, Q, Sum

from issues.models import InboxEnvelope, Issue, Level, Outcome
from releases.look import Look, minute_of
from releases.verdict import ISSUES_TRACKED, NewIssue
from tenants.models import Project

MINUTE = timedelta(minutes=1)
# Drops that tell of errors nobody decided to leave out.
LOST = ("inbox_full",)
LOST_BY_CLIENTS = (
    "client:network_error",
    "client:queue_overflow",
    "client:ratelimit_backoff",
    "client:send_error",
    "client:cache_overflow",
)
ERROR_CATEGORIES = ("error", "default")

# Minutes of the issues that show a fault the baseline did not have: first seen since
# the deploy, the busiest first. A merged issue counts for the one that shows it.
NEW_ISSUES = """
WITH fresh AS (
    SELECT coalesce(i.merged_into_id, i.id) AS root, m.minute, m.tenant_id, m.events
    FROM issues_issuestats s
    JOIN issues_issue i ON i.id = s.issue_id
    JOIN issues_issue shown ON shown.id = coalesce(i.merged_into_id, i.id)
    JOIN issues_issueminute m ON m.issue_id = i.id AND m.release_id = %(release)s
        AND m.environment_id = %(environment)s
        AND m.minute >= %(start)s AND m.minute < %(end)s AND m.level >= %(error)s
    WHERE s.last_seen >= %(start)s AND i.project_id = %(project)s
        AND shown.first_seen >= %(since)s
        AND NOT (%(canary)s AND EXISTS (SELECT FROM issues_issueminute other
            WHERE other.issue_id = i.id AND other.environment_id = m.environment_id
                AND other.release_id <> m.release_id AND other.minute >= %(start)s))
), busiest AS (
    SELECT root FROM fresh GROUP BY root ORDER BY sum(events) DESC LIMIT %(most)s
)
SELECT root, minute, tenant_id, sum(events)::int
FROM fresh JOIN busiest USING (root) GROUP BY 1, 2, 3
"""
# The longest time of late that a new issue hit one tenant only, and then stopped.
EPISODES = """
SELECT m.issue_id, min(m.tenant_id), max(m.tenant_id),
    array_agg(DISTINCT floor(extract(epoch FROM m.minute) / 60)::bigint)
FROM issues_issue i JOIN issues_issueminute m ON m.issue_id = i.id
WHERE i.project_id = %(project)s AND i.first_seen >= %(since)s
    AND m.environment_id = %(environment)s AND m.minute < %(until)s
    AND m.level >= %(error)s AND m.tenant_id > 0
GROUP BY 1
"""
PAUSE = 2  # minutes that an episode may pause
ENDED = timedelta(minutes=30)
# Asked once a day; calibration keeps what is found for its 14 days.
LOOKED_BACK = timedelta(hours=48)


def digested_until(now: datetime) -> datetime:
    """Everything received before this moment is in the counters."""
    oldest = InboxEnvelope.objects.aggregate(oldest=Min("received"))["oldest"]
    return min(oldest, now) if oldest else now


def new_issues(found: Look) -> list[NewIssue]:
    """Issues first seen since the deploy, by minute since the release serves."""
    deploy = found.watch.deploy
    parameters: dict[str, Any] = {
        "project": deploy.project_id,
        "release": deploy.release_id,
        "environment": deploy.environment_id,
        "start": found.start,
        "end": found.end,
        "since": minute_of(deploy.started_at),
        "error": Level.ERROR,
        "most": ISSUES_TRACKED,
        # What the stable release meets as well is not the canary's doing.
        "canary": (deploy.traffic_share or 1.0) < 1,
    }
    with connection.cursor() as cursor:
        cursor.execute(NEW_ISSUES, parameters)
        rows = cursor.fetchall()
    issues: dict[int, dict[int, dict[int, int]]] = defaultdict(
        lambda: defaultdict(dict)
    )
    for root, minute, tenant, events in rows:
        issues[root][(minute - found.start) // MINUTE][tenant] = events
    return [NewIssue(root, minutes) for root, minutes in issues.items()]


def drops(found: Look) -> Mapping[int, int]:
    """Errors that were refused, or that clients say they lost, by minute."""
    rows = (
        Outcome.objects.filter(
            Q(reason__in=LOST) | Q(reason__in=LOST_BY_CLIENTS),
            project_id=found.watch.deploy.project_id,
            minute__gte=found.start,
            minute__lt=found.end,
            category__in=ERROR_CATEGORIES,
        )
        .values_list("minute")
        .annotate(Sum("quantity"))
    )
    return {(minute - found.start) // MINUTE: total for minute, total in rows}


def longest_episode(project: Project, environment_id: int, now: datetime) -> int:
    """Minutes of the longest episode of the last two days that went by itself."""
    with connection.cursor() as cursor:
        cursor.execute(
            EPISODES,
            {
                "project": project.pk,
                "environment": environment_id,
                "since": now - LOOKED_BACK,
                "until": now - ENDED,
                "error": Level.ERROR,
            },
        )
        rows = cursor.fetchall()
    ended = int((now - ENDED).timestamp() // 60) - int(ENDED.total_seconds() // 60)
    return max(
        (
            longest_run(minutes)
            for _, first, last, minutes in rows
            if first == last and max(minutes) < ended
        ),
        default=0,
    )


def longest_run(minutes: Sequence[int]) -> int:
    """The longest stretch of minutes, short pauses included."""
    longest, began, last = 0, 0, -PAUSE - 1
    for minute in sorted(minutes):
        if minute - last > PAUSE:
            began = minute
        last = minute
        longest = max(longest, minute - began + 1)
    return longest


def shown_issues(ids: Sequence[int]) -> dict[int, Issue]:
    """The issues of these ids with their projects."""
    return Issue.objects.select_related("project").in_bulk(list(ids))
