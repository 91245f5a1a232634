"""What people do with issues, and what brings an issue back."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.utils import timezone

from issues import history, hitlist
from issues.models import Issue, IssueActivity, IssueStats
from issues.regressions import Shipped, is_regression
from releases.deploy_order import Deployed, Place, deployed
from releases.models import Release
from tenants.audit import SYSTEM, Actor
from tenants.refusals import Refusal

Kind = IssueActivity.Kind
Status = Issue.Status
Resolution = Issue.Resolution

COMMENT_CHARACTERS = 10_000

# What a step sets on an issue, by field.
Changes = Mapping[str, Any]

OPEN: Changes = {
    "status": Status.OPEN,
    "resolution": "",
    "resolution_release_id": None,
    "archived_until": None,
    "archived_until_events": None,
    "archived_until_tenants": None,
}


class WorkflowError(Refusal):
    """A step that does not fit the issue or its arguments."""


@transaction.atomic
def resolve(
    issues: Iterable[Issue],
    actor: Actor,
    *,
    how: Issue.Resolution = Resolution.NOW,
    release: Release | None = None,
    comment: str = "",
) -> list[IssueActivity]:
    """Resolve issues now, in the named release, or in the project's next release.

    ``release`` belongs to ``in_release`` only, and to the issues' project. For
    ``in_next_release`` the newest release is remembered as ``resolution_release``.
    """
    if (how == Resolution.IN_RELEASE) != (release is not None):
        raise WorkflowError(
            "Name the release that has the fix."
            if release is None
            else "A release is named only to resolve an issue in that release."
        )
    rows = _lock(issues)
    remembered = _releases_to_remember(rows, how, release)
    comment = _text(comment)

    def step(row: Issue) -> Step:
        known = remembered.get(row.project_id)
        text = f"resolved {how.label}"
        if known:
            text += f": {known.version}" if release else f" after {known.version}"
        changes = {
            **OPEN,
            "status": Status.RESOLVED,
            "regressed_at": None,
            "resolution": how.value,
            "resolution_release_id": known and known.pk,
        }
        data = {"how": how.value, "release": known and known.version}
        return Step(changes, _with(text, comment), data)

    done = _apply(rows, Kind.RESOLVED, step, actor, timezone.now(), comment)
    hitlist.end([row.pk for row in rows], actor, "resolved")
    return done


def _releases_to_remember(
    rows: Iterable[Issue], how: Issue.Resolution, release: Release | None
) -> dict[int, Release]:
    """By project: the release with the fix, or the newest one."""
    projects = {row.project_id for row in rows}
    if release is not None:
        if projects - {release.project_id}:
            raise WorkflowError(
                f"Release {release.version} is of another project than the issue: "
                "name a release of the issue's project."
            )
        return {release.project_id: release}
    if how != Resolution.IN_NEXT_RELEASE:
        return {}
    newest = Release.objects.filter(project__in=projects).order_by(
        "project_id", Coalesce("released_at", "first_seen").desc(), "-id"
    )
    return {row.project_id: row for row in newest.distinct("project_id")}


@transaction.atomic
def reopen(
    issues: Iterable[Issue], actor: Actor, reason: str = ""
) -> list[IssueActivity]:
    """Open resolved and archived issues again; open ones are left alone."""
    rows = [row for row in _lock(issues) if row.status != Status.OPEN]
    step = Step(OPEN, _with("reopened", _text(reason)))
    return _apply(rows, Kind.REOPENED, lambda row: step, actor, timezone.now())


@transaction.atomic
def archive(
    issues: Iterable[Issue],
    actor: Actor,
    *,
    until: datetime | None = None,
    more_events: int | None = None,
    more_tenants: int | None = None,
    comment: str = "",
) -> list[IssueActivity]:
    """Put issues aside until any of these is reached; with none of them for good.

    ``more_events`` and ``more_tenants`` (at least 1) count from now on.
    """
    now, comment = timezone.now(), _text(comment)
    if until and until <= now:
        raise WorkflowError("The time to archive until lies in the past.")
    if any(more is not None and more < 1 for more in (more_events, more_tenants)):
        raise WorkflowError("Archive until at least 1 more event or tenant.")
    rows = _lock(issues)
    stats = IssueStats.objects.in_bulk([row.pk for row in rows])
    text = _with(_until(until, more_events, more_tenants), comment)
    data = {
        "until": until and until.isoformat(),
        "more_events": more_events,
        "more_tenants": more_tenants,
    }

    def step(row: Issue) -> Step:
        counted = stats.get(row.pk) or IssueStats()
        changes = {
            **OPEN,
            "status": Status.ARCHIVED,
            "archived_until": until,
            "archived_until_events": more_events and counted.events + more_events,
            "archived_until_tenants": more_tenants and counted.tenants + more_tenants,
        }
        return Step(changes, text, data)

    done = _apply(rows, Kind.ARCHIVED, step, actor, now, comment)
    hitlist.end([row.pk for row in rows], actor, "archived")
    return done


def _until(
    until: datetime | None, more_events: int | None, more_tenants: int | None
) -> str:
    limits = [
        f"{until:%Y-%m-%d %H:%M} UTC" if until else "",
        f"{more_events:,} more events" if more_events else "",
        f"{more_tenants:,} more tenants" if more_tenants else "",
    ]
    given = " or ".join(limit for limit in limits if limit)
    return f"archived until {given}" if given else "archived for good"


@transaction.atomic
def assign(
    issues: Iterable[Issue], actor: Actor, user: User | None
) -> list[IssueActivity]:
    """Give issues to a person, or to nobody."""
    if user is not None and not user.is_active:
        raise WorkflowError(f"{user.get_username()} is not active: choose another.")
    name = user.get_username() if user else None
    step = Step(
        {"assignee_id": user.pk if user else None},
        f"to {name}" if name else "to nobody",
        {"assignee": name},
    )
    return _apply(_lock(issues), Kind.ASSIGNED, lambda row: step, actor, timezone.now())


@transaction.atomic
def comment(issue: Issue, actor: Actor, text: str) -> IssueActivity:
    """Add a remark to the history."""
    text = _text(text)
    if not text:
        raise WorkflowError("The comment is empty: write something.")
    row = history.note(issue, Kind.COMMENTED, actor, text, timezone.now())
    return history.write(actor, [row])[0]


@transaction.atomic
def reopen_due(
    now: datetime, issue_ids: Collection[int] | None = None
) -> list[IssueActivity]:
    """Open archived issues whose time, events or tenants are reached.

    ``issue_ids`` narrows the look to issues that just moved; None looks at all.
    """
    due = Issue.objects.shown().filter(
        Q(archived_until__lte=now)
        | Q(archived_until_events__lte=F("stats__events"))
        | Q(archived_until_tenants__lte=F("stats__tenants")),
        status=Status.ARCHIVED,
    )
    if issue_ids is not None:
        due = due.filter(pk__in=_roots(issue_ids).values())
    rows = list(
        due.select_related("stats")
        .select_for_update(of=("self",), no_key=True)
        .order_by("pk")
    )
    return _apply(
        rows,
        Kind.UNARCHIVED,
        lambda row: Step(OPEN, _reached(row, now)),
        SYSTEM,
        now,
    )


def _reached(issue: Issue, now: datetime) -> str:
    """Which limit of the archive was reached, in numbers."""
    if issue.archived_until and issue.archived_until <= now:
        return f"archived until {issue.archived_until:%Y-%m-%d %H:%M} UTC"
    events, tenants = issue.archived_until_events, issue.archived_until_tenants
    if events is not None and events <= issue.stats.events:
        return f"{issue.stats.events:,} events, archived until {events:,}"
    return f"{issue.stats.tenants:,} tenants hit, archived until {tenants:,}"


# An event's issue, release (0: none named) and environment.
Hit = tuple[int, int, int]


@transaction.atomic
def regress(hits: Sequence[Hit], now: datetime) -> list[IssueActivity]:
    """Open resolved issues that got events which their resolution does not cover.

    An event of a merged issue counts for the issue that shows it.
    """
    roots = _roots({issue_id for issue_id, _, _ in hits})
    rows = list(
        Issue.objects.shown()
        .filter(pk__in=roots.values(), status=Status.RESOLVED)
        .select_for_update(of=("self",), no_key=True)
        .order_by("pk")
    )
    if not rows:
        return []
    shipped = _shipped({hit[1:] for hit in hits}, rows)
    steps: dict[int, Step] = {}
    for row in rows:
        seen = sorted({hit[1:] for hit in hits if roots.get(hit[0]) == row.pk})
        step = _regression(row, seen, shipped, now)
        if step:
            steps[row.pk] = step
    back = [row for row in rows if row.pk in steps]
    return _apply(back, Kind.REGRESSED, lambda row: steps[row.pk], SYSTEM, now)


def _regression(
    issue: Issue,
    seen: Iterable[Place],
    shipped: Mapping[Place, Shipped],
    now: datetime,
) -> "Step | None":
    """The step for the first (release, environment) that brings the issue back."""
    fix_id = issue.resolution_release_id or 0
    for release_id, environment_id in seen:
        release = shipped.get((release_id, environment_id))
        fix = shipped.get((fix_id, environment_id))
        judged = is_regression(issue.resolution, release, fix, issue.status_changed)
        if judged.reopens:
            data = {
                "release": release and release.version,
                "environment_id": environment_id or None,
                "resolution": issue.resolution,
                "resolution_release": fix and fix.version,
            }
            return Step({**OPEN, "regressed_at": now}, judged.reason, data)
    return None


def _shipped(seen: Collection[Place], issues: Iterable[Issue]) -> dict[Place, Shipped]:
    """The releases of the events and of the fixes, in the events' environments."""
    environments = {environment for _, environment in seen}
    fixes = {row.resolution_release_id for row in issues if row.resolution_release_id}
    wanted = {*seen, *((fix, place) for fix in fixes for place in environments)}
    ids = {release_id for release_id, _ in wanted if release_id}
    releases = Release.objects.in_bulk(ids) if ids else {}
    order = deployed(releases, environments)
    return {
        (release_id, environment_id): _in_order(
            releases[release_id], order.get((release_id, environment_id), Deployed())
        )
        for release_id, environment_id in wanted
        if release_id in releases
    }


def _in_order(release: Release, order: Deployed) -> Shipped:
    return Shipped(
        release.version,
        release.first_seen,
        release.released_at,
        order.first,
        order.last,
        order.rolled_back,
    )


@dataclass(frozen=True, slots=True)
class Step:
    """What happens to one issue, and what its history will say."""

    changes: Changes
    text: str
    data: Mapping[str, Any] = field(default_factory=dict)


def _apply(
    rows: Iterable[Issue],
    kind: IssueActivity.Kind,
    step_of: Callable[[Issue], Step],
    actor: Actor,
    now: datetime,
    comment: str = "",
) -> list[IssueActivity]:
    """Carry out the steps; one that changes nothing leaves no trace, unless the
    person had something to say.
    """
    changed, activities, fields = [], [], {"status_changed"}
    for row in rows:
        step = step_of(row)
        if not comment and all(
            getattr(row, name) == value for name, value in step.changes.items()
        ):
            continue
        if "status" in step.changes:
            row.status_changed = now
        for name, value in step.changes.items():
            setattr(row, name, value)
        fields |= step.changes.keys()
        changed.append(row)
        activities.append(history.note(row, kind, actor, step.text, now, step.data))
    Issue.objects.bulk_update(changed, fields, batch_size=500)
    return history.write(actor, activities)


def _lock(issues: Iterable[Issue]) -> list[Issue]:
    """The same instances in id order, brought up to date and locked.

    The lock lets digest go on adding events (FOR NO KEY UPDATE).
    """
    given = {issue.pk: issue for issue in issues}
    rows = Issue.objects.select_for_update(no_key=True).filter(pk__in=given)
    for row in rows.order_by("pk"):
        if row.merged_into_id is not None:
            raise WorkflowError(
                f"{row.title!r} is merged into issue {row.merged_into_id}: "
                "change that one."
            )
        for column in Issue._meta.concrete_fields:
            setattr(given[row.pk], column.attname, getattr(row, column.attname))
    return sorted(given.values(), key=lambda issue: issue.pk)


def _roots(issue_ids: Collection[int]) -> dict[int, int]:
    """Each issue and the one that shows it."""
    rows = Issue.objects.filter(pk__in=issue_ids).values_list("pk", "merged_into_id")
    return {issue_id: root or issue_id for issue_id, root in rows}


def _text(text: str) -> str:
    text = text.replace("\0", "").strip()
    if len(text) > COMMENT_CHARACTERS:
        raise WorkflowError(
            f"The comment has {len(text):,} characters; {COMMENT_CHARACTERS:,} are "
            "the most."
        )
    return text


def _with(text: str, remark: str) -> str:
    return f"{text}\n{remark}" if remark else text
