"""What a rollback of a deploy would be, and what stands in its way."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q, QuerySet

from releases.models import Deploy, Release, Rollback, RollbackTarget, Watch
from tenants.models import Project

State = Rollback.State
# A call of these was made, or will be, or may have been.
SENT = (*Rollback.ORDERED, State.UNKNOWN)
DAY = timedelta(hours=24)
# What a person's order may pass over.
OVERRIDABLE = frozenset({"cool_down", "too_many"})


@dataclass(frozen=True, slots=True)
class Interlock:
    """One thing that holds a rollback back: a code, and why in a sentence."""

    reason: str
    sentence: str

    @property
    def overridable(self) -> bool:
        return self.reason in OVERRIDABLE


@dataclass(frozen=True, slots=True)
class Plan:
    """What rolling a deploy back means now."""

    deploy: Deploy
    watch: Watch | None
    target: RollbackTarget | None
    to_release: Release | None
    interlocks: list[Interlock]

    def blocked(self, override: frozenset[str] = frozenset()) -> list[Interlock]:
        """The interlocks that remain when the named ones are passed over."""
        passed = override & OVERRIDABLE
        return [lock for lock in self.interlocks if lock.reason not in passed]


def plan_of(deploy: Deploy, now: datetime) -> Plan:
    """Where a deploy would go back to, over which target, and what forbids it."""
    watch = Watch.objects.filter(deploy=deploy).select_related("baseline").first()
    plan = Plan(
        deploy,
        watch,
        target_for(deploy.project, deploy.environment.name),
        release_before(deploy, watch),
        [],
    )
    for check in CHECKS:
        plan.interlocks.extend(check(plan, now))
    return plan


def target_for(project: Project, environment: str) -> RollbackTarget | None:
    """The most specific target: project and environment, then project, then
    environment, then the one for all.
    """
    rows = RollbackTarget.objects.filter(
        Q(project=project) | Q(project=None), environment__in=[environment, ""]
    )
    return max(
        rows,
        key=lambda row: (row.project_id is not None, row.environment),
        default=None,
    )


def release_before(deploy: Deploy, watch: Watch | None) -> Release | None:
    """The release to go back to: the baseline, else that of the deploy before.

    A baseline that was never deployed here is known from events only, which anyone
    can send: it counts only where no other deploy stands.
    """
    earlier = (
        Deploy.objects.filter(environment=deploy.environment)
        .exclude(release=deploy.release_id)
        .filter(Q(started_at__lt=deploy.started_at) | _tied(deploy, "lt"))
    )
    baseline = watch.baseline if watch else None
    if baseline is not None and baseline.pk == deploy.release_id:
        baseline = None
    if baseline is not None and earlier.filter(release=baseline).exists():
        return baseline
    standing = (
        earlier.filter(release__archived_at=None)
        .exclude(rollbacks__state__in=SENT)
        .select_related("release")
        .order_by("-started_at", "-pk")
        .first()
    )
    return standing.release if standing else baseline


def _tied(deploy: Deploy, lookup: str) -> Q:
    return Q(started_at=deploy.started_at, **{f"pk__{lookup}": deploy.pk})


def sent_in(deploy: Deploy) -> QuerySet[Rollback]:
    """The rollbacks of a deploy's environment that count as sent."""
    return Rollback.objects.filter(
        deploy__environment=deploy.environment_id, state__in=SENT
    )


def superseded(plan: Plan, now: datetime) -> Iterator[Interlock]:
    newer = newer_deploy(plan.deploy)
    if newer:
        yield Interlock(
            "superseded",
            f"A newer deploy, {newer.release.version} at {newer.started_at:%H:%M} UTC, "
            "has taken its place.",
        )


def newer_deploy(deploy: Deploy) -> Deploy | None:
    """The newest deploy to the same environment after this one."""
    return (
        Deploy.objects.filter(environment=deploy.environment_id)
        .filter(Q(started_at__gt=deploy.started_at) | _tied(deploy, "gt"))
        .select_related("release")
        .order_by("-started_at", "-pk")
        .first()
    )


def _target(plan: Plan, now: datetime) -> Iterator[Interlock]:
    place = f"{plan.deploy.project} in {plan.deploy.environment}"
    if plan.target is None:
        yield Interlock("no_target", f"No rollback target is set up for {place}.")
    elif not plan.target.is_active:
        yield Interlock(
            "disabled", f"The rollback target {plan.target} is switched off."
        )


def _deploy(plan: Plan, now: datetime) -> Iterator[Interlock]:
    if plan.deploy.irreversible:
        yield Interlock("irreversible", "The deploy is marked as irreversible.")
    if plan.deploy.rollback_id:
        yield Interlock(
            "is_rollback", "The deploy is itself a rollback, which is not rolled back."
        )


def _release(plan: Plan, now: datetime) -> Iterator[Interlock]:
    release = plan.to_release
    if release is None:
        yield Interlock(
            "no_release", "No earlier release of this environment is there to go to."
        )
        return
    if release.archived_at:
        yield Interlock("release_archived", f"Release {release} is archived.")
    last = (
        sent_in(plan.deploy)
        .filter(deploy__release=release)
        .order_by("-created", "-pk")
        .first()
    )
    if last and not _judged_healthy_since(plan.deploy, release, last.created):
        yield Interlock(
            "release_rolled_back",
            f"Release {release} was itself rolled back here on "
            f"{last.created:%Y-%m-%d at %H:%M} UTC.",
        )


def _judged_healthy_since(deploy: Deploy, release: Release, moment: datetime) -> bool:
    return Watch.objects.filter(
        deploy__release=release,
        deploy__environment=deploy.environment_id,
        deploy__started_at__gt=moment,
        verdict=Watch.Verdict.HEALTHY,
    ).exists()


def _evidence(plan: Plan, now: datetime) -> Iterator[Interlock]:
    if plan.watch is None:
        return
    if plan.watch.reason == "outside":
        yield Interlock(
            "outside", "Projects that did not deploy have the same rise: it is outside."
        )
    if plan.watch.numbers.get("few_networks"):
        yield Interlock(
            "few_networks",
            "The errors came with keys that stand in web pages, and from too few "
            "client networks to rule out that somebody made them up.",
        )


def _frequency(plan: Plan, now: datetime) -> Iterator[Interlock]:
    if plan.target is None:
        return
    times = sorted(
        sent_in(plan.deploy)
        .filter(created__gt=now - DAY)
        .values_list("created", flat=True)
    )
    if len(times) >= plan.target.max_per_day:
        yield Interlock(
            "too_many",
            f"{len(times)} of {plan.target.max_per_day} rollbacks of this environment "
            "in 24 hours are used up.",
        )
    wait = timedelta(minutes=plan.target.cool_down_minutes)
    last = (
        sent_in(plan.deploy).filter(created__gt=now - wait).order_by("created").last()
    )
    if last:
        minutes = int((now - last.created).total_seconds() // 60)
        yield Interlock(
            "cool_down",
            f"The last rollback of this environment was {minutes} minutes ago; the "
            f"target waits {plan.target.cool_down_minutes}.",
        )


Check = Callable[[Plan, datetime], Iterator[Interlock]]
# In the order in which they are told.
CHECKS: tuple[Check, ...] = (
    _deploy,
    superseded,
    _target,
    _release,
    _evidence,
    _frequency,
)
