"""What a deploy's watch says at a glance, for the list, the page and the overview."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Prefetch, QuerySet

from releases.admin.deploy_numbers import limit_of
from releases.admin.words import ROLLBACKS, clock, reason_of, times
from releases.models import Action, Deploy, Rollback, Watch
from releases.progress import window_end

# A rollback that is under way changes its page by itself.
UNDER_WAY = {Rollback.State.PENDING, Rollback.State.SENDING, Rollback.State.CALLED}


@dataclass(frozen=True, slots=True)
class Badge:
    """A word with its look; ``detail`` says more when pointed at."""

    kind: str
    label: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class State:
    """Where a watch stands; ``left`` is m:ss until ``ends_at`` while it runs."""

    badge: Badge
    left: str = ""
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class DeployRow:
    """A deploy as one line of a list. ``ratio`` and ``limit`` such as "4.6x"."""

    deploy: Deploy
    watch: Watch | None
    state: State
    ratio: str
    limit: str
    is_over: bool
    outcome: Badge | None


def full_rows() -> QuerySet[Deploy]:
    """Deploys with all that a row tells; the newest rollback first."""
    rollbacks = Rollback.objects.order_by("-pk")
    return Deploy.objects.select_related(
        "project", "release", "environment", "watch"
    ).prefetch_related(Prefetch("rollbacks", rollbacks))


def row_of(deploy: Deploy, now: datetime) -> DeployRow:
    """``deploy`` must come from ``full_rows``."""
    watch = watch_of(deploy)
    ratio = watch.numbers.get("ratio") if watch else None
    limit = limit_of(watch) if watch else None
    return DeployRow(
        deploy,
        watch,
        state_of(deploy, watch, now),
        times(ratio) if ratio is not None else "",
        times(limit) if limit is not None else "",
        bool(ratio and limit and ratio >= limit),
        outcome_of(deploy, watch),
    )


def watch_of(deploy: Deploy) -> Watch | None:
    """The deploy's watch, if it has one."""
    return getattr(deploy, "watch", None)


def state_of(deploy: Deploy, watch: Watch | None, now: datetime) -> State:
    """The state of a watch in a word, and the time that is left."""
    if watch is None:
        return State(Badge("", "not watched"))
    if watch.is_final:
        return State(Badge(watch.verdict, watch.verdict, reason_of(watch)))
    ends_at = window_end(deploy, watch)
    left = clock(ends_at - now)
    if watch.serving_since is None:
        badge = Badge("watching", "waiting", "nothing was served by the release yet")
        return State(badge, left, ends_at)
    return State(Badge("watching", "watching"), left, ends_at)


def outcome_of(deploy: Deploy, watch: Watch | None) -> Badge | None:
    """What was done about it: the newest rollback, or the action of the verdict."""
    rollback = next(iter(deploy.rollbacks.all()), None)
    if rollback is not None:
        return rollback_badge(rollback)
    if deploy.rollback_id:
        return Badge("info", "is a rollback")
    if watch is not None and watch.verdict == Watch.Verdict.DEGRADED:
        done = {Action.ALERT.value: "alerted", Action.OBSERVE.value: "observed only"}
        label = done.get(watch.action)
        return Badge("", label) if label else None
    return None


def rollback_badge(rollback: Rollback) -> Badge:
    """The state of a rollback with the reason that it gives."""
    kind, label = ROLLBACKS[Rollback.State(rollback.state)]
    return Badge(kind, label, rollback.explanation or rollback.reason)


def is_moving(deploy: Deploy, watch: Watch | None, rollbacks: Any) -> bool:
    """Whether the page of the deploy still changes by itself."""
    pending = watch is not None and not watch.is_final
    return pending or any(rollback.state in UNDER_WAY for rollback in rollbacks)


LATELY = timedelta(hours=24)


def watched_now(now: datetime, limit: int) -> list[DeployRow]:
    """Open watches, and those that ended degraded within a day, newest first."""
    running = full_rows().filter(watch__verdict=Watch.Verdict.PENDING)
    bad = full_rows().filter(
        watch__verdict=Watch.Verdict.DEGRADED, watch__decided_at__gte=now - LATELY
    )
    found = (running | bad).order_by("-started_at", "-pk")
    return [row_of(deploy, now) for deploy in found[:limit]]
