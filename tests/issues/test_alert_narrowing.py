"""Conditions in SQL: nothing that a rule asks for is left out, little else is read."""

import sys
from itertools import islice
from typing import Any

import pytest
from django.db import connection
from pytest_django import DjangoAssertNumQueries

from issues.alerts import reacting
from issues.alerts.conditions import Asked, one_matches
from issues.alerts.narrowing import ALSO, narrowed, regex_of
from issues.models import Issue, IssueStats
from tests.factories import (
    make_event,
    make_issue,
    make_plan,
    make_project,
    make_tenant,
)
from tests.issues.alert_rules import NOW, make_rule, told

pytestmark = pytest.mark.django_db

TAGS = {"environment": "production", "release": "shop@2.1", "carrier": "DHL_50%\\x"}
ASKED = [
    ({"environment": "prod*"}, True),
    ({"environment": "PRODUCTION"}, True),
    ({"environment": "prod"}, False),
    ({"release": "shop@2.?"}, True),
    ({"release": "shop@2.1.*"}, False),
    ({"tag_key": "carrier"}, True),
    ({"tag_key": "region"}, False),
    ({"tag_key": "carrier", "tag_value": "dhl_50%\\x"}, True),
    ({"tag_key": "carrier", "tag_value": "dhl?50*\\x"}, True),
    ({"tag_key": "carrier", "tag_value": "dh__50%\\x"}, False),
    ({"tag_key": "carrier", "tag_value": "dhl%"}, False),
    ({"tag_key": "carrier", "tag_value": "dhl.*"}, False),
    ({"tenant": "*.EXAMPLE.com"}, True),
    ({"tenant": "small*"}, False),
    ({"plan_id": "Enterprise"}, True),
    ({"plan_id": "Free"}, False),
    ({"environment": "production", "tenant": "small*"}, False),
]


def found(**asked: Any) -> set[int]:
    ids = Issue.objects.open().values_list("pk", flat=True)
    return set(narrowed(list(ids), Asked(**asked)))


@pytest.mark.parametrize("merged", [False, True])
@pytest.mark.parametrize(("asked", "holds"), ASKED)
def test_each_condition_is_asked_of_the_family(
    asked: dict[str, Any], holds: bool, merged: bool
) -> None:
    plans = {name: make_plan(name) for name in ("Enterprise", "Free")}
    tenant = make_tenant("big.example.com", plan=plans["Enterprise"])
    shown = make_issue()
    root = shown if merged else None
    has = make_issue(shown.project, tags=TAGS, tenants=[tenant], merged_into=root)
    if "plan_id" in asked:
        asked = {"plan_id": plans[asked["plan_id"]].pk}

    assert found(**asked) == ({shown.pk if merged else has.pk} if holds else set())


def test_members_of_a_family_may_meet_a_condition_each() -> None:
    shown = make_issue(tags={"environment": "production"})
    tags = {"release": "shop@2.1"}
    make_issue(shown.project, tags=tags, merged_into=shown)

    assert found(environment="production", release="shop@*") == {shown.pk}


@pytest.mark.parametrize("path", ["*/checkout", "/pay?", "orders.*"])
def test_a_path_is_that_of_the_culprit_the_url_or_the_newest_event(path: str) -> None:
    project = make_project()
    by_url = make_issue(project, tags={"url": "https://x.example/checkout"})
    by_event = make_issue(project)
    make_event(by_event, transaction="/old")
    make_event(by_event, transaction="/pay1")
    by_culprit = make_issue(project, culprit="orders.pricing in quote")
    expected = {
        "*/checkout": by_url.pk,
        "/pay?": by_event.pk,
        "orders.*": by_culprit.pk,
    }

    assert found(path=path) == {expected[path]}
    assert found(path="/old") == set()


def test_they_are_read_in_pieces_as_far_as_they_are_wanted(
    monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    monkeypatch.setattr("issues.alerts.narrowing.PIECE", 2)
    project = make_project()
    ids = [make_issue(project, tags=TAGS).pk for _ in range(6)]
    found = narrowed(ids[::-1], Asked(environment="prod*", release="shop*"))

    with django_assert_num_queries(8):  # of two pieces
        assert list(islice(found, 3)) == ids[:2:-1]


def test_an_issue_behind_thousands_that_do_not_match_is_told() -> None:
    project = make_project()
    worse = Issue.objects.bulk_create(
        Issue(project=project, title=f"fault {n}") for n in range(2_100)
    )
    IssueStats.objects.bulk_create(
        IssueStats(issue=issue, score=90.0, exponent=2.3, last_seen=NOW)
        for issue in worse
    )
    tags = {"environment": "staging"}
    mild = {"score": 20.0, "exponent": 0.2}
    issue = make_issue(project, stats=mild, tags=tags, title="mild")
    make_rule("impact", threshold=10, environment="stag*")

    reacting.tick(NOW)

    assert told() == [f"High impact: mild ({issue.short_id})"]


TEXTS = [
    *("", "a", "ab", "A.B", "a_b", "a%b", "a\\b", "a\nb", "a*b", "a?b", "[ab]", "^a$"),
    *("(?i)a", "***:a", "K\u212aLvin", "\u0130stanbul", "istanbul", "stra\u00dfe"),
    *("STRA\u1e9eE", "\u039f\u0394\u039f\u03a3", "a{2}|b", "100 % \U0001f600 sure"),
]


@pytest.mark.parametrize("glob", [*filter(None, TEXTS), "a?b", "*b", "i*", "?stan*"])
def test_an_expression_has_every_text_that_is_of_the_glob(glob: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT text, text ~ %s FROM unnest(%s::text[]) AS text",
            [regex_of(glob), TEXTS],
        )
        has = dict(cursor.fetchall())

    for text in TEXTS:
        assert has[text] or not one_matches(glob, [text]), text
        if glob.isascii() and text.isascii() and "?" not in glob:
            assert has[text] == one_matches(glob, [text]), text


def test_no_other_letter_becomes_one_of_ascii() -> None:
    folded = {
        letter: letter.lower()[0]
        for letter in map(chr, range(128, sys.maxunicode + 1))
        if letter.lower()[0].isascii()
    }

    assert folded == {letter: small for small, letter in ALSO.items()}


def test_the_longest_glob_can_be_asked() -> None:
    assert found(environment="*a" * 100) == set()
