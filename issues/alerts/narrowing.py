"""Conditions of rules in SQL, for rules that look at all open issues.

Issues that a condition surely excludes are not read, so that those behind them are.
What is left is a superset: ``conditions.applies`` judges it exactly.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from django.db import connection

from issues.alerts.conditions import Asked
from issues.queries import families_of

# Letters outside of ASCII whose small letter begins with one of ASCII.
ALSO = {"i": "\u0130", "k": "\u212a"}
PIECE = 2_000

# "= ANY(array)" of the issues in question: with a join or EXISTS the planner, which
# cannot guess how much an expression finds, reads the whole table for each of them.
TAGGED = """
SELECT DISTINCT issue_id FROM issues_issuetag
WHERE issue_id = ANY(%(members)s) AND key = %(key)s AND value ~ %(value)s
"""
HIT = """
SELECT DISTINCT issue_id FROM issues_issuetenant
WHERE issue_id = ANY(%(members)s) AND tenant_id = ANY(%(tenants)s)
"""
TENANTS = """
SELECT id FROM tenants_tenant
WHERE key ~ %(key)s AND (%(plan)s::bigint IS NULL OR plan_id = %(plan)s)
"""
# As in facts: merged issues have no say with their culprit.
CULPRITS = """
SELECT id FROM issues_issue
WHERE id = ANY(%(members)s) AND merged_into_id IS NULL AND culprit ~ %(path)s
"""
TRANSACTIONS = """
SELECT wanted.id FROM unnest(%(members)s::bigint[]) AS wanted (id)
CROSS JOIN LATERAL (SELECT transaction FROM issues_event
    WHERE issue_id = wanted.id ORDER BY id DESC LIMIT 1) AS newest
WHERE newest.transaction ~ %(path)s
"""
# Of these issues, those that meet a condition themselves.
Condition = Callable[[Sequence[int]], set[int]]


def narrowed(ids: Sequence[int], asked: Asked) -> Iterator[int]:
    """Those of shown issues that may meet the conditions on what they had, in order.

    They are read in pieces, as far as the caller goes.
    """
    conditions = list(_conditions(asked))
    for start in range(0, len(ids), PIECE):
        piece = ids[start : start + PIECE]
        for condition in conditions:
            piece = _meeting(condition, piece)
        yield from piece


def _meeting(condition: Condition, ids: Sequence[int]) -> list[int]:
    """Issues that meet it, or show a merged issue that does."""
    families = families_of(ids)
    root_of = families.root_of()
    roots = {root_of[pk] for pk in condition(families.members)}
    return [pk for pk in ids if pk in roots]


def _conditions(asked: Asked) -> Iterator[Condition]:
    if asked.environment:
        yield _tagged("environment", asked.environment)
    if asked.release:
        yield _tagged("release", asked.release)
    if asked.tag_key:
        yield _tagged(asked.tag_key, asked.tag_value or "*")
    if asked.tenant:
        yield _hit(asked.tenant, None)
    if asked.plan_id is not None:
        yield _hit("*", asked.plan_id)
    if asked.path:
        yield _at(asked.path)


def _tagged(key: str, glob: str) -> Condition:
    value = regex_of(glob)
    return lambda members: _found(TAGGED, members=members, key=key, value=value)


def _hit(key: str, plan_id: int | None) -> Condition:
    tenants = list(_found(TENANTS, key=regex_of(key), plan=plan_id))
    return lambda members: _found(HIT, members=members, tenants=tenants)


def _at(glob: str) -> Condition:
    path, url = regex_of(glob), _tagged("url", glob)

    def condition(members: Sequence[int]) -> set[int]:
        found = _found(CULPRITS, members=members, path=path)
        found |= url([pk for pk in members if pk not in found])
        rest = [pk for pk in members if pk not in found]
        return found | _found(TRANSACTIONS, members=rest, path=path)

    return condition


def _found(sql: str, **given: Any) -> set[int]:
    with connection.cursor() as cursor:
        cursor.execute(sql, given)
        return {pk for (pk,) in cursor.fetchall()}


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
