"""What happened once, at a moment: activities, verdicts, rollbacks, runs, expiries.

Each is found between two moments, so that the same reading serves rules and previews.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from django.db import connection

from issues.alerts.asking import asked_of
from issues.alerts.conditions import Asked, Facts, applies, overstayed
from issues.alerts.facts import facts_of
from issues.alerts.found import Found, of_issue
from issues.models import (
    AlertRule,
    CheckInStatus,
    HitListEntry,
    IssueActivity,
)
from issues.monitors.told_runs import MOST_RUNS_A_MINUTE
from releases.models import Deploy, Rollback, Watch
from tenants.admin_links import admin_link

When = AlertRule.When
Kind = IssueActivity.Kind
# The kinds of activity that rules ask for, and how they are told.
ACTIVITIES = {When.NEW_ISSUE: Kind.FIRST_SEEN, When.REGRESSION: Kind.REGRESSED}
TOLD = {When.NEW_ISSUE: "New issue", When.REGRESSION: "Regression"}
VERDICTS = (Watch.Verdict.DEGRADED, Watch.Verdict.INCONCLUSIVE)
FINAL = (
    *(Rollback.State.REFUSED, Rollback.State.DRY_RUN, Rollback.State.FAILED),
    *(Rollback.State.UNKNOWN, Rollback.State.VERIFIED, Rollback.State.NOT_VERIFIED),
)
WORDS = {
    CheckInStatus.MISSED: "was missed",
    CheckInStatus.ERROR: "failed",
    CheckInStatus.TIMEOUT: "timed out",
}
# The newest runs of each monitor, as many as there can be within the time.
RUNS = """
SELECT p.id, m.id, m.name, m.project_id, e.name, run.id, run.status, run.at
FROM issues_monitorenvironment p
JOIN issues_monitor m ON m.id = p.monitor_id
JOIN releases_environment e ON e.id = p.environment_id
CROSS JOIN LATERAL (
    SELECT id, status, CASE WHEN status = 'missed'
        THEN expected_at + make_interval(mins => m.margin_minutes)
        ELSE coalesce(finished, expected_at, started) END AS at
    FROM issues_checkin WHERE monitor_environment_id = p.id
    ORDER BY id DESC LIMIT %(most)s
) AS run
WHERE NOT m.is_muted AND NOT m.is_disabled AND run.status = ANY(%(failed)s)
    AND run.at > %(start)s AND run.at <= %(end)s
ORDER BY run.at, run.id
"""
# Of a monitor in an environment: MOST_RUNS_A_MINUTE come, and some are missed.
RUNS_A_MINUTE = MOST_RUNS_A_MINUTE + 4
# Activities, or moments of issues, that a preview reads, the newest.
MOST_PAST = 20_000


def of_activities(rule: AlertRule, activities: Sequence[IssueActivity]) -> list[Found]:
    """Those that the rule asks for; rows with their issues and projects."""
    when = When(rule.when)
    wanted = [
        row
        for row in activities
        # A merged issue is told by the one that shows it.
        if row.kind == ACTIVITIES[when] and row.issue.merged_into_id is None
    ]
    asked = asked_of(rule)
    facts = facts_of([row.issue for row in wanted], asked)
    return [
        of_issue(row.issue, row.at, cause_of(row), TOLD[when], row.text)
        for row in wanted
        if applies(asked, facts[row.issue_id])
    ]


def cause_of(row: IssueActivity) -> str:
    if row.kind == Kind.FIRST_SEEN:
        return f"issue:{row.issue_id}"
    return f"regression:{row.pk}"


def past_activities(rule: AlertRule, start: datetime, end: datetime) -> list[Found]:
    """For previews: rules look at activities as they come."""
    rows = IssueActivity.objects.filter(
        kind=ACTIVITIES[When(rule.when)], at__gt=start, at__lte=end
    )
    if rule.project_id is not None:
        rows = rows.filter(issue__project=rule.project_id)
    rows = rows.select_related("issue__project").order_by("-at", "-pk")
    return of_activities(rule, list(rows[:MOST_PAST])[::-1])


def hit_list(rule: AlertRule, start: datetime, end: datetime) -> list[Found]:
    """Entries that expired without a fix, and such that stand for too long."""
    rows = HitListEntry.objects.select_related("issue__project")
    expired = rows.filter(
        removed_at__gt=start, removed_at__lte=end, removed_reason="expired"
    )
    found = []
    for entry in expired.order_by("pk"):
        assert entry.removed_at is not None
        text = f"Its time on the hit list ran out. {entry.reason}"
        found.append((entry, entry.removed_at, "expired", text))
    if rule.threshold is not None:
        span = timedelta(hours=rule.threshold)
        standing = rows.filter(added_at__gt=start - span, added_at__lte=end - span)
        for entry in standing.order_by("pk"):
            if entry.removed_at is None or entry.removed_at > entry.added_at + span:
                hours = (end - entry.added_at) / timedelta(hours=1)
                text = overstayed(max(hours, rule.threshold + 1e-9), rule.threshold)
                at = entry.added_at + span
                found.append((entry, at, "overdue", f"{text} {entry.reason}"))
    asked = asked_of(rule)
    facts = facts_of([entry.issue for entry, *_ in found], asked)
    return [
        of_issue(entry.issue, at, f"hit:{entry.pk}:{what}", "Hit list", text)
        for entry, at, what, text in found
        if applies(asked, facts[entry.issue_id])
    ]


def verdicts(rule: AlertRule, start: datetime, end: datetime) -> list[Found]:
    """Final ones that are bad, or open; a deploy that was replaced is neither."""
    rows = (
        Watch.objects.filter(
            verdict__in=VERDICTS, decided_at__gt=start, decided_at__lte=end
        )
        .exclude(reason="superseded")
        .select_related("deploy__project", "deploy__release", "deploy__environment")
        .order_by("decided_at", "pk")
    )
    found = []
    for watch in rows:
        if applies(asked_of(rule), _facts_of_deploy(watch.deploy)):
            assert watch.decided_at is not None
            cause = f"deploy:{watch.pk}:{watch.verdict}"
            title = f"{watch.deploy} is {watch.verdict}"
            found.append(
                _of_deploy(watch.deploy, watch.decided_at, cause, title, watch.sentence)
            )
    return found


def rollbacks(rule: AlertRule, start: datetime, end: datetime) -> list[Found]:
    """Those that have ended, well or not, or of which nobody knows."""
    rows = (
        Rollback.objects.filter(
            state__in=FINAL, finished_at__gt=start, finished_at__lte=end
        )
        .select_related("deploy__project", "deploy__release", "deploy__environment")
        .order_by("finished_at", "pk")
    )
    found = []
    for rollback in rows:
        if applies(asked_of(rule), _facts_of_deploy(rollback.deploy)):
            assert rollback.finished_at is not None
            state = rollback.get_state_display().lower()
            found.append(
                _of_deploy(
                    rollback.deploy,
                    rollback.finished_at,
                    f"rollback:{rollback.pk}:{rollback.state}",
                    f"Rollback of {rollback.deploy}: {state}",
                    rollback.explanation,
                )
            )
    return found


def _facts_of_deploy(deploy: Deploy) -> Facts:
    return Facts(
        project_id=deploy.project_id,
        environments=[deploy.environment.name],
        releases=[deploy.release.version],
    )


def _of_deploy(
    deploy: Deploy, at: datetime, cause: str, title: str, text: str
) -> Found:
    return Found(
        at=at,
        about=cause,
        cause=cause,
        title=title,
        text=text,
        url=admin_link(f"releases/deploy/{deploy.pk}"),
        project_id=deploy.project_id,
        incident_cause=f"deploy:{deploy.pk}",
        data={"deploy": deploy.pk, "environment": deploy.environment.name},
    )


def runs(rule: AlertRule, start: datetime, end: datetime) -> list[Found]:
    """Runs that were missed, timed out or failed, of monitors that may be heard."""
    most = RUNS_A_MINUTE * ((end - start) // timedelta(minutes=1) + 1)
    with connection.cursor() as cursor:
        cursor.execute(
            RUNS, {"most": most, "failed": list(WORDS), "start": start, "end": end}
        )
        rows = cursor.fetchall()
    return list(_runs(asked_of(rule), rows))


def _runs(asked: Asked, rows: Iterable[tuple[object, ...]]) -> Iterable[Found]:
    for place, monitor, name, project, environment, run, status, at in rows:
        assert isinstance(at, datetime) and isinstance(monitor, int)
        assert isinstance(project, int)
        facts = Facts(project_id=project, environments=[str(environment)])
        if not applies(asked, facts):
            continue
        word = WORDS[CheckInStatus(str(status))]
        yield Found(
            at=at,
            about=f"monitor:{place}",
            cause=f"monitor:{place}:{run}",
            title=f"{name} in {environment} {word}",
            text=f"At {at:%Y-%m-%d %H:%M} UTC its run {word}.",
            url=admin_link(f"issues/monitor/{monitor}"),
            project_id=project,
            incident_cause=f"monitor:{place}",
            data={"environment": environment},
        )


HAPPENINGS: dict[str, Callable[[AlertRule, datetime, datetime], list[Found]]] = {
    When.HIT_LIST: hit_list,
    When.VERDICT: verdicts,
    When.ROLLBACK: rollbacks,
    When.MONITOR: runs,
}
