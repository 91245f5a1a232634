"""One deploy: the verdict with its numbers, who is suspected, and what was done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Prefetch, QuerySet
from django.http import Http404, HttpRequest
from django.utils import timezone

from releases.admin.deploy_chart import Limits, RateChart, rate_chart
from releases.admin.deploy_numbers import (
    facts,
    figures,
    rate_or_dash,
    threshold_rate,
    times_or_dash,
    unit_of,
)
from releases.admin.deploy_state import (
    Badge,
    is_moving,
    outcome_of,
    rollback_badge,
    state_of,
    watch_of,
)
from releases.admin.words import tone, web_link
from releases.models import (
    Action,
    Commit,
    Deploy,
    Evaluation,
    Rollback,
    RollbackAttempt,
    Watch,
)
from releases.progress import progress_of
from tenants.audited import may, row_id

COMMITS = 50
EVALUATIONS = 150


def find(object_id: str) -> Deploy:
    """The deploy of this id with all that its page tells; raises Http404."""
    found = Deploy.objects.select_related(
        "project",
        "release",
        "environment",
        "watch__baseline",
        "watch__threshold__project",
        "rollback__deploy__release",
        "rollback__deploy__environment",
    ).prefetch_related(Prefetch("rollbacks", _rollbacks()))
    deploy = found.filter(pk=row_id(object_id)).first()
    if deploy is None:
        raise Http404(f"No deploy has the number {object_id}.")
    return deploy


def _rollbacks() -> QuerySet[Rollback]:
    log = RollbackAttempt.objects.order_by("pk")
    return (
        Rollback.objects.select_related("target", "to_release")
        .prefetch_related(Prefetch("log", log))
        .order_by("-pk")
    )


def page_context(request: HttpRequest, deploy: Deploy) -> dict[str, Any]:
    """All that the page's template needs."""
    now = timezone.now()
    watch = watch_of(deploy)
    rollbacks = list(deploy.rollbacks.all())
    suspects = [_suspect(row) for row in watch.suspects] if watch else []
    later = newer(deploy)
    return {
        "deploy": deploy,
        "pipeline": web_link(deploy.url),
        "watch": watch,
        "state": state_of(deploy, watch, now),
        "outcome": outcome_of(deploy, watch),
        "headline": headline(watch),
        "moving": is_moving(deploy, watch, rollbacks),
        "chart": chart_of(deploy, watch, now),
        "figures": figures(watch) if watch else [],
        "facts": facts(watch) if watch else [],
        "evaluations": evaluations(watch) if watch else [],
        "suspects": suspects,
        "commits": commits_of(deploy, suspects),
        "rollbacks": [_log(row) for row in rollbacks],
        "no_rollback": no_rollback(watch),
        "newer": later,
        "may_order": later is None
        and may(request, "releases.add_rollback")
        and not any(rollback.state in Rollback.ORDERED for rollback in rollbacks),
        "may_finish": not deploy.finished_at and may(request, "releases.change_deploy"),
    }


def newer(deploy: Deploy) -> Deploy | None:
    """The next deploy of the environment."""
    later = Deploy.objects.filter(
        environment=deploy.environment_id, started_at__gt=deploy.started_at
    )
    return later.select_related("release").order_by("started_at", "pk").first()


def headline(watch: Watch | None) -> str:
    """The sentence of the watch."""
    if watch is None:
        return "Nobody watched this deploy."
    return watch.sentence or "The watch begins: the first look comes in half a minute."


def chart_of(deploy: Deploy, watch: Watch | None, now: datetime) -> RateChart:
    """The error rates of the release and of its baseline over time."""
    progress = progress_of(deploy, watch, now)
    version = deploy.release.version
    if watch is None:
        return rate_chart(progress, Limits(version, deployed_at=deploy.started_at))
    return rate_chart(
        progress,
        Limits(
            version,
            baseline=watch.baseline.version if watch.baseline else "(unnamed)",
            unit=unit_of(watch),
            threshold=threshold_rate(watch),
            deployed_at=deploy.started_at,
            judged_from=watch.serving_since,
            grace=watch.settings.get("grace", 0),
            verdict=watch.verdict,
            decided_at=watch.decided_at,
        ),
    )


@dataclass(frozen=True, slots=True)
class Look:
    """An evaluation as a row; ``share`` of the evidence needed, in percent."""

    evaluation: Evaluation
    rate: str
    ratio: str
    evidence: str
    share: int


def evaluations(watch: Watch) -> list[Look]:
    """The newest looks, newest first."""
    rows = watch.evaluations.order_by("-at")[:EVALUATIONS]
    return [_look(row, bool(unit_of(watch))) for row in rows]


def _look(row: Evaluation, has_rate: bool) -> Look:
    rate = row.errors / row.exposure if row.exposure and has_rate else None
    needed = row.numbers.get("log_needed")
    share = round(100 * min(max(row.log_evidence, 0.0) / needed, 1.0)) if needed else 0
    text = f"{row.log_evidence:.1f}" + (f" of {needed:.1f}" if needed else "")
    return Look(row, rate_or_dash(rate), times_or_dash(row.ratio), text, share)


@dataclass(frozen=True, slots=True)
class Suspect:
    """An issue that is new or grew; ``share`` of the excess is 0-100."""

    issue_id: int
    short_id: str
    title: str
    is_new: bool
    errors: int
    share: int
    tenants: int
    commits: Sequence[Mapping[str, Any]]


def _suspect(row: Mapping[str, Any]) -> Suspect:
    return Suspect(
        row["issue_id"],
        row.get("short_id", ""),
        row.get("title", ""),
        bool(row.get("is_new")),
        row.get("errors", 0),
        round(100 * min(max(row.get("share") or 0.0, 0.0), 1.0)),
        row.get("tenants", 0),
        row.get("commits", []),
    )


@dataclass(frozen=True, slots=True)
class CommitRow:
    """A commit of the release; ``is_suspect`` where an issue points at it."""

    commit: Commit
    is_suspect: bool


def commits_of(deploy: Deploy, suspects: Sequence[Suspect]) -> list[CommitRow]:
    """The newest commits of the release."""
    named = {commit.get("sha") for suspect in suspects for commit in suspect.commits}
    rows = deploy.release.commits.order_by("position")[:COMMITS]
    return [CommitRow(commit, commit.sha in named) for commit in rows]


def no_rollback(watch: Watch | None) -> str:
    """What to say while nothing was rolled back."""
    if watch is None or watch.verdict == Watch.Verdict.DEGRADED:
        return "None was ordered."
    if watch.is_final:
        return "None was needed." if watch.verdict == "healthy" else "None."
    return {
        Action.ROLLBACK.value: "A degraded verdict rolls back by itself.",
        Action.ALERT.value: "A degraded verdict alerts, and rolls nothing back.",
        Action.OBSERVE.value: "A degraded verdict is written down, and that is all.",
    }[watch.settings["action"]]


@dataclass(frozen=True, slots=True)
class RollbackLog:
    """A rollback with its state, the address of its run, and its steps with looks."""

    rollback: Rollback
    badge: Badge
    run: str
    steps: list[tuple[RollbackAttempt, str]]


def _log(rollback: Rollback) -> RollbackLog:
    return RollbackLog(
        rollback,
        rollback_badge(rollback),
        web_link(rollback.run_url),
        [(step, tone(step.what)) for step in rollback.log.all()],
    )
