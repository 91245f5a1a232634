"""What each ``key:value`` term of a search asks of an issue.

No term scans events: each is an index look at the issue, its numbers, or the narrow
tables beside it. A term that matches a merged issue finds the issue that shows it.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils.dateparse import parse_date, parse_datetime

from issues.models import (
    HitListEntry,
    Issue,
    IssueTag,
    IssueTenant,
    IssueUser,
    Level,
)
from releases.models import Release
from tenants.models import Plan, Project, Tenant
from tenants.refusals import Refusal

_COMPARED = re.compile(r"(>=|<=|>|<|=|)(.*)\Z", re.DOTALL)
_LOOKUPS = {"": "exact", "=": "exact", ">": "gt", ">=": "gte", "<": "lt", "<=": "lte"}
_AGE = re.compile(r"([+-])(\d{1,6})([mhdw])\Z")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class SearchError(Refusal):
    """A term that cannot be understood; the text says what to write instead."""


@dataclass(frozen=True, slots=True)
class Asked:
    """When and by whom: ages and ``assigned:me`` depend on it."""

    now: datetime
    user: User | None


# Up to so many issues a condition is answered by their ids.
FEW = 1000


def family(condition: Q) -> Q:
    """Shown issues that meet ``condition``, or show a merged issue that does.

    PostgreSQL cannot choose one plan for rare and common words: a rare one must start
    at its index, a common one must be checked along the order of the list until a page
    is full. So this looks first, and reads at most FEW issues for it.
    """
    matching = Issue.objects.filter(condition)
    shown = matching.values_list(Coalesce("merged_into_id", "pk"), flat=True)
    few = list(shown[: FEW + 1])
    if len(few) <= FEW:
        return Q(pk__in=set(few))
    # As ids, not as a subquery: that would be hashed whole for every page.
    merged = matching.filter(merged_into__isnull=False)
    return condition | Q(pk__in=set(merged.values_list("merged_into_id", flat=True)))


def holding(details: QuerySet[Any]) -> Q:
    """Shown issues with a row in ``details``, a counter table with ``issue_id``."""
    return family(Q(Exists(details.filter(issue_id=OuterRef("pk")))))


def tagged(key: str, value: str) -> Q:
    """Shown issues with this tag value; ``*`` in it stands for any text."""
    rows = IssueTag.objects.filter(key=key)
    return holding(rows if value == "*" else rows.filter(like("value", value)))


def hit(tenants: QuerySet[Tenant]) -> Q:
    """Shown issues that hit one of these tenants."""
    return holding(IssueTenant.objects.filter(tenant_id__in=tenants.values("pk")))


def in_release(releases: QuerySet[Release]) -> Q:
    """Shown issues with events of one of these releases, each in its own project."""
    condition = Q(pk__in=[])
    for project_id, version in releases.values_list("project_id", "version"):
        rows = IssueTag.objects.filter(
            issue_id=OuterRef("pk"), key="release", value=version[:200]
        )
        condition |= Q(Exists(rows), project=project_id)
    return family(condition)


def newest_releases() -> QuerySet[Release]:
    """The newest release of each project, by release date, else first sight."""
    return Release.objects.order_by(
        "project_id", Coalesce("released_at", "first_seen").desc(), "-id"
    ).distinct("project_id")


def like(field: str, value: str) -> Q:
    """Equal, or matching where ``value`` has ``*`` for any text."""
    if "*" not in value:
        return Q((field, value))
    if value.index("*") == len(value) - 1:
        return Q((f"{field}__startswith", value[:-1]))
    return Q((f"{field}__regex", f"^{'.*'.join(map(re.escape, value.split('*')))}$"))


def _is(value: str, asked: Asked) -> Q:
    listed = HitListEntry.objects.filter(removed_at=None)
    merged = Issue.objects.filter(merged_into__isnull=False)
    states = {
        **{status.value: Q(status=status) for status in Issue.Status},
        "regressed": Q(status=Issue.Status.OPEN, regressed_at__isnull=False),
        "assigned": Q(assignee__isnull=False),
        "unassigned": Q(assignee__isnull=True),
        "listed": Q(pk__in=listed.values("issue_id")),
        "merged": Q(pk__in=merged.values("merged_into_id")),
    }
    if value.lower() not in states:
        raise SearchError(
            f"is:{value} is not known: write is: with one of {', '.join(states)}."
        )
    return states[value.lower()]


def _level(value: str, asked: Asked) -> Q:
    lookup, name = _operator(value)
    levels = {level.label: level.value for level in Level}
    if name.lower() not in levels:
        raise SearchError(
            f"level:{value} is not known: write level:error or level:>=warning, with "
            f"one of {', '.join(levels)}."
        )
    return family(Q((f"level__{lookup}", levels[name.lower()])))


def _operator(value: str) -> tuple[str, str]:
    match = _COMPARED.match(value)
    assert match is not None
    return _LOOKUPS[match[1]], match[2]


def _platform(value: str, asked: Asked) -> Q:
    return family(like("platform", value))


def _project(value: str, asked: Asked) -> Q:
    project = Project.objects.filter(slug__iexact=value).first()
    if project is None and re.fullmatch("[0-9]{1,18}", value):
        project = Project.objects.filter(pk=int(value)).first()
    if project is None:
        slugs = Project.objects.order_by("slug").values_list("slug", flat=True)
        raise SearchError(
            f"project:{value} is not known: write project: with one of {_some(slugs)}."
        )
    return Q(project=project)


def _plan(value: str, asked: Asked) -> Q:
    plan = Plan.objects.filter(name__iexact=value).first()
    if plan is None:
        names = Plan.objects.values_list("name", flat=True)
        raise SearchError(
            f"plan:{value} is not known: write plan: with one of {_some(names)}."
        )
    return hit(Tenant.objects.filter(plan=plan))


def _some(names: QuerySet[Any, str]) -> str:
    first = list(names[:11])
    return ", ".join([*first[:10], *(["…"] if len(first) > 10 else [])]) or "(none yet)"


def _tenant(value: str, asked: Asked) -> Q:
    return hit(Tenant.objects.filter(like("key", value.strip().lower())))


def _assigned(value: str, asked: Asked) -> Q:
    if value.lower() == "me":
        if asked.user is None:
            raise SearchError(
                "assigned:me needs a person, not a token: write assigned:<username>."
            )
        return Q(assignee=asked.user.pk)
    person = User.objects.filter(username=value).first()
    if person is None:
        raise SearchError(
            f"assigned:{value}: nobody has that name; write assigned:me, "
            "assigned:<username> or is:unassigned."
        )
    return Q(assignee=person)


def _environment(value: str, asked: Asked) -> Q:
    return tagged("environment", value)


def _release(value: str, asked: Asked) -> Q:
    if value.lower() == "latest":
        return in_release(newest_releases())
    return tagged("release", value[:200])


def _user(value: str, asked: Asked) -> Q:
    kinds = ("id", "email", "username", "ip")
    if "*" in value:
        raise SearchError(
            "user: takes a whole value: write user:id:42, user:email:a@example.com, "
            "user:username:anna or user:ip:192.0.2.1."
        )
    if value.partition(":")[0] in kinds and ":" in value:
        return holding(IssueUser.objects.filter(user=value))
    users = [f"{kind}:{value}" for kind in kinds]
    return holding(IssueUser.objects.filter(user__in=users))


def _number(name: str, column: str) -> Callable[[str, Asked], Q]:
    def build(value: str, asked: Asked) -> Q:
        lookup, number = _operator(value)
        if not re.fullmatch(r"[0-9]{1,15}(\.[0-9]{1,6})?", number):
            raise SearchError(
                f"{name}:{value} is not a number: write {name}:>100, {name}:<=5 or "
                f"{name}:7."
            )
        return Q((f"{column}__{lookup}", float(number)))

    return build


def _moment(name: str, column: str) -> Callable[[str, Asked], Q]:
    def build(value: str, asked: Asked) -> Q:
        error = SearchError(
            f"{name}:{value} is not a time: write {name}:-24h (within the last 24 "
            f"hours), {name}:+7d (longer ago), {name}:>=2026-11-01 or "
            f"{name}:<2026-11-01T12:00."
        )
        try:
            age = _AGE.match(value)
            if age:
                past = asked.now - timedelta(**{_UNITS[age[3]]: int(age[2])})
                return Q((f"{column}__{'gte' if age[1] == '-' else 'lt'}", past))
            lookup, text = _operator(value)
            span = _span(text)
        except (ValueError, OverflowError) as cause:
            raise error from cause
        if span is None:
            raise error
        return _within(column, lookup, *span)

    return build


def _span(text: str) -> tuple[datetime, datetime] | None:
    """Start and end (excluded) of a day or an instant, UTC where no zone is given."""
    day = parse_date(text)
    if day:
        start = datetime.combine(day, time(), UTC)
        return start, start + timedelta(days=1)
    moment = parse_datetime(text)
    if moment is None:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    # PostgreSQL knows no offset beyond ±15:59, which Python does.
    moment = moment.astimezone(UTC)
    return moment, moment + timedelta(microseconds=1)


def _within(column: str, lookup: str, start: datetime, end: datetime) -> Q:
    bounds: Mapping[str, dict[str, datetime]] = {
        "exact": {"gte": start, "lt": end},
        "gt": {"gte": end},
        "gte": {"gte": start},
        "lt": {"lt": start},
        "lte": {"lt": end},
    }
    return Q(**{f"{column}__{name}": value for name, value in bounds[lookup].items()})


# By the key in lower case without underscores; every other key is a tag's.
TERMS: dict[str, Callable[[str, Asked], Q]] = {
    "is": _is,
    "level": _level,
    "project": _project,
    "environment": _environment,
    "release": _release,
    "tenant": _tenant,
    "plan": _plan,
    "assigned": _assigned,
    "platform": _platform,
    "user": _user,
    "events": _number("events", "stats__events"),
    "tenants": _number("tenants", "stats__tenants"),
    "users": _number("users", "stats__users"),
    "score": _number("score", "stats__score"),
    "firstseen": _moment("firstSeen", "first_seen"),
    "lastseen": _moment("lastSeen", "stats__last_seen"),
}
