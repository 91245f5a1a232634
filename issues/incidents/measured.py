"""Reads what the figures are made of: incidents with their clocks, and deploys."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from django.db.models import Exists, OuterRef, Prefetch, prefetch_related_objects

from issues.incidents.figures import NO_PROJECT, Change, Course, Figures, figures_of
from issues.incidents.timeline import MARKS, reading
from issues.models import Incident, IncidentEntry, Severity
from releases.models import Deploy, Rollback, Watch
from tenants.models import Project

WEEK = timedelta(weeks=1)
JUDGED = (Watch.Verdict.HEALTHY, Watch.Verdict.DEGRADED)


def monday_of(day: date) -> date:
    return day - timedelta(days=day.weekday())


def figures_until(
    last: date,
    weeks: int,
    now: datetime,
    *,
    project: Project | None = None,
    zone: tzinfo = UTC,
) -> Figures:
    """The figures of the ``weeks`` weeks that end with the one of ``last``.

    Weeks begin on Monday in ``zone``; what is detected or deployed in one belongs to
    it, whatever comes later.
    """
    newest = monday_of(last)
    mondays = [newest - WEEK * back for back in reversed(range(weeks))]
    start = datetime.combine(mondays[0], time(), zone)
    end = datetime.combine(newest + WEEK, time(), zone)
    # In UTC, so that weeks with a change of the clock have their own length.
    elapsed = (min(end.astimezone(UTC), now) - start.astimezone(UTC)) / WEEK
    return figures_of(
        _courses(start, end, now, project),
        _changes(start, end, project, zone),
        weeks=mondays,
        severities=Severity.values,
        sources=Incident.Source.values,
        elapsed_weeks=elapsed,
    )


def _courses(
    start: datetime, end: datetime, now: datetime, project: Project | None
) -> list[Course]:
    found = Incident.objects.filter(detected_at__gte=start, detected_at__lt=end)
    if project:
        found = found.filter(project=project)
    incidents = list(found.select_related("project").order_by("pk"))
    # Of the others the clock stands, and what it said is stored.
    running = [incident for incident in incidents if incident.spent_seconds is None]
    marks = IncidentEntry.objects.filter(kind__in=MARKS)
    prefetch_related_objects(running, Prefetch("entries", marks))
    zone = start.tzinfo or UTC
    return [_course(incident, now, zone) for incident in incidents]


def _course(incident: Incident, now: datetime, zone: tzinfo) -> Course:
    began, detected = incident.began_at, incident.detected_at
    spent, ended = incident.spent_seconds, None
    running = spent is None
    if spent is None:
        spent = reading(incident, now).spent.total_seconds()
    else:
        ended = incident.mitigated_at or incident.resolved_at
    # By hand, or by a rule on what stands now, the beginning is not always known.
    said = incident.source == Incident.Source.DEPLOY or began < detected
    return Course(
        week=monday_of(detected.astimezone(zone).date()),
        project=incident.project.slug if incident.project else NO_PROJECT,
        severity=incident.severity,
        source=incident.source,
        spent=spent,
        target=float(incident.target_seconds),
        running=running,
        detect=_seconds(began, detected) if said else None,
        acknowledge=_seconds(detected, incident.acknowledged_at),
        resolve=_seconds(detected, incident.resolved_at),
        restore=_seconds(began, ended) if incident.deploy_id else None,
    )


def _seconds(since: datetime, until: datetime | None) -> float | None:
    return max((until - since).total_seconds(), 0.0) if until else None


def _changes(
    start: datetime, end: datetime, project: Project | None, zone: tzinfo
) -> list[Change]:
    """Deploys, without those that carry out a rollback."""
    called = Rollback.objects.filter(deploy=OuterRef("pk"), state__in=Rollback.CALLED)
    found = Deploy.objects.filter(
        started_at__gte=start, started_at__lt=end, rollback=None
    ).annotate(was_rolled_back=Exists(called))
    if project:
        found = found.filter(project=project)
    rows = found.values_list(
        "started_at", "project__slug", "watch__verdict", "was_rolled_back"
    )
    return [_change(row, zone) for row in rows.order_by("pk")]


def _change(row: Sequence[object], zone: tzinfo) -> Change:
    started, slug, verdict, was_rolled_back = row
    assert isinstance(started, datetime)
    return Change(
        week=monday_of(started.astimezone(zone).date()),
        project=str(slug),
        judged=bool(was_rolled_back) or verdict in JUDGED,
        failed=bool(was_rolled_back) or verdict == Watch.Verdict.DEGRADED,
    )
