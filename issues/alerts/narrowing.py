"""Conditions of rules in SQL, for rules that look at all open issues.

Issues that a condition surely excludes are not read, so that those behind them are.
What is left is a superset: ``conditions.applies`` judges it exactly.
"""

import re
from collections.abc import Iterator
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.lookups import Regex

from issues.alerts.conditions import Asked
from issues.models import Event, Issue, IssueTag, IssueTenant
from issues.models.issue import IssueQuerySet
from issues.terms import FEW
from tenants.models import Tenant

# Letters outside of ASCII whose small letter begins with one of ASCII.
ALSO = {"i": "\u0130", "k": "\u212a"}


def narrowed(issues: IssueQuerySet, asked: Asked) -> IssueQuerySet:
    """Those of shown issues that may meet the conditions on what they had."""
    for condition in _conditions(asked):
        issues = issues.filter(condition)
    return issues


def _conditions(asked: Asked) -> Iterator[Q]:
    if asked.environment:
        yield _family(_tagged("environment", asked.environment))
    if asked.release:
        yield _family(_tagged("release", asked.release))
    if asked.tag_key:
        yield _family(_tagged(asked.tag_key, asked.tag_value))
    if asked.tenant:
        keys = Tenant.objects.filter(key__regex=regex_of(asked.tenant))
        yield _family(_hit(keys))
    if asked.plan_id is not None:
        yield _family(_hit(Tenant.objects.filter(plan=asked.plan_id)))
    if asked.path:
        seen = _tagged("url", asked.path) | _newest_event_at(asked.path)
        yield Q(culprit__regex=regex_of(asked.path)) | _family(seen)


def _family(condition: Q) -> Q:
    """Issues that meet it, or show a merged issue that does."""
    merged = Issue.objects.filter(condition, merged_into__isnull=False)
    return condition | Q(pk__in=merged.values("merged_into"))


def _tagged(key: str, glob: str) -> Q:
    rows = IssueTag.objects.filter(key=key)
    return _having(rows.filter(value__regex=regex_of(glob)) if glob else rows)


def _hit(tenants: QuerySet[Tenant]) -> Q:
    # By the ids of few, PostgreSQL finds the issues they hit; many are soon met.
    ids = tenants.values_list("pk", flat=True)
    few = list(ids[: FEW + 1])
    wanted = few if len(few) <= FEW else ids
    return _having(IssueTenant.objects.filter(tenant_id__in=wanted))


def _having(rows: QuerySet[Any]) -> Q:
    return Q(Exists(rows.filter(issue_id=OuterRef("pk"))))


def _newest_event_at(glob: str) -> Q:
    events = Event.objects.filter(issue_id=OuterRef("pk")).order_by("-id")
    newest = Subquery(events.values("transaction")[:1])
    return Q(Regex(newest, regex_of(glob)))


def regex_of(glob: str) -> str:
    """A PostgreSQL regular expression for at least the texts that are of the glob.

    Not ILIKE, which folds case by the locale of the database. Globs fold it as Unicode
    does: what that makes of letters outside of ASCII is left open.
    """
    return f"^{''.join(map(_said, glob.lower()))}$"


def _said(letter: str) -> str:
    if letter == "*" or not letter.isascii():
        return ".*"
    if letter == "?":
        return ".?"  # "\u0130" has a small letter of two characters
    if letter.isalpha():
        return f"[{letter}{letter.upper()}{ALSO.get(letter, '')}]"
    return re.escape(letter)
