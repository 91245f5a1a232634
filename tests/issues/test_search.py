from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.db import connection
from pytest_django import DjangoAssertNumQueries

from issues import terms
from issues.models import Issue, IssueUser, Level
from issues.queries import listed_issues
from issues.search import SearchError, Term, parse, search
from tests.factories import (
    make_event,
    make_hit,
    make_issue,
    make_plan,
    make_project,
    make_release,
    make_tenant,
    make_user,
)

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def found(text: str, **asked: object) -> list[int]:
    issues = search(Issue.objects.shown(), text, now=NOW, **asked)  # type: ignore[arg-type]
    return sorted(issues.values_list("pk", flat=True))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("two words", [Term("two"), Term("words")]),
        ('"two words"', [Term("two words", quoted=True)]),
        ("is:open", [Term("open", "is")]),
        ("!is:open", [Term("open", "is", negated=True)]),
        ("!timeout", [Term("timeout", negated=True)]),
        ('browser:"Mobile Safari"', [Term("Mobile Safari", "browser", quoted=True)]),
        (r'a:"say \"no\""', [Term('say "no"', "a", quoted=True)]),
        ("user:id:42", [Term("id:42", "user")]),
        ("tags[level]:high", [Term("high", tag="level")]),
        (
            "TypeError: x is undefined",
            [Term("TypeError:"), Term("x"), Term("is"), Term("undefined")],
        ),
        ("https://a.example/b", [Term("https://a.example/b")]),
        ("std::bad_alloc", [Term("std::bad_alloc")]),
        ("url:/checkout", [Term("/checkout", "url")]),
        ("12:30", [Term("12:30")]),
    ],
)
def test_a_search_is_split_into_terms(text: str, expected: list[Term]) -> None:
    assert list(parse(text)) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('"two words', "quotes"),
        ('browser:"Safari', "quotes"),
        ('"a"b', "quotes"),
        ("is:", "is:something"),
        ('""', "has no value"),
        ("!", "has no value"),
        ("tags[x]:", r"tags\[x\]:something"),
        ("a\0b", "NUL"),
        ("x" * 1001, "1000 characters"),
        ("is:unresolved", "open, resolved, archived"),
        ("level:bad", "level:>=warning"),
        ("project:nope", "project: with one of shop"),
        ("plan:nope", "plan: with one of Pro"),
        ("assigned:me", "needs a person"),
        ("assigned:nobody", "nobody has that name"),
        ("events:many", "events:>100"),
        ("events:>-1", "events:>100"),
        ("score:>1e5", "score:>100"),
        ("firstSeen:yesterday", "firstSeen:-24h"),
        ("firstSeen:2026-13-45", "firstSeen:-24h"),
        ("firstSeen:>0001-01-01T00:00:00+10:00", "firstSeen:-24h"),
        ("lastSeen:-999999w", "lastSeen:-24h"),
        ("user:id:*", "whole value"),
    ],
)
def test_what_cannot_be_understood_says_what_to_write(text: str, message: str) -> None:
    make_project(slug="shop")
    make_plan("Pro")

    with pytest.raises(SearchError, match=message):
        found(text)


@pytest.mark.parametrize(
    ("text", "hit"),
    [
        ("price", True),
        ("PRICE checkout", True),
        ("price refund", False),
        ('"KeyError: price"', True),
        ("KeyError: price", True),
        ("no price for order", True),
        ("!refund", True),
        ("!price", False),
        ("100%", True),
        ("1_0", False),
        ("is:open", True),
        ("is:OPEN", True),
        ("is:resolved", False),
        ("is:archived", False),
        ("is:regressed", True),
        ("is:assigned", True),
        ("is:unassigned", False),
        ("!is:unassigned", True),
        ("is:listed", True),
        ("is:merged", False),
        ("level:error", True),
        ("level:>=warning", True),
        ("level:>error", False),
        ("level:<fatal", True),
        ("level:Error", True),
        ("!level:error", False),
        ("project:shop", True),
        ("project:SHOP", True),
        ("project:other", False),
        ("platform:python", True),
        ("platform:java*", False),
        ("environment:production", True),
        ("environment:staging", False),
        ("environment:prod*", True),
        ("release:app@1.0.0", True),
        ("release:app@1.*", True),
        ("release:app@2.0.0", False),
        ("browser:Safari*", True),
        ('browser:"Safari 19"', True),
        ("browser:*ari*19", True),
        ("browser:safari*", False),
        ("browser:*", True),
        ("browser:*19.1", False),
        ("carrier:*", False),
        ("!browser:Chrome*", True),
        ("tags[level]:high", True),
        ("tenant:acme.example", True),
        ("tenant:ACME.example", True),
        ("tenant:acme*", True),
        ("tenant:nobody.example", False),
        ("plan:pro", True),
        ("plan:Free", False),
        ("assigned:bert", True),
        ("user:id:42", True),
        ("user:42", True),
        ("user:id:4", False),
        ("events:>100", True),
        ("events:150", True),
        ("events:<150", False),
        ("events:<=150", True),
        ("tenants:>=1", True),
        ("users:0", True),
        ("score:>50", True),
        ("score:>62.5", False),
        ("firstSeen:-24h", True),
        ("firstSeen:-1h", False),
        ("first_seen:+1h", True),
        ("firstSeen:2026-11-23", True),
        ("firstSeen:>2026-11-23", False),
        ("firstSeen:>=2026-11-23", True),
        ("firstSeen:<2026-11-23", False),
        ("firstSeen:<=2026-11-23", True),
        ("firstSeen:>2026-11-23T09:59Z", True),
        ("firstSeen:>2026-11-23T10:00", False),
        ("firstSeen:>2026-11-23T09:59:00+18:02", True),
        ("lastSeen:-30m", True),
        ("lastSeen:-4w", True),
        ("is:open level:error !is:merged tenant:acme.example price", True),
    ],
)
def test_a_term_finds_the_issues_that_meet_it(text: str, hit: bool) -> None:
    make_project(slug="other")
    make_plan("Free")
    tenant = make_tenant("acme.example", plan=make_plan("Pro"))
    issue = make_issue(
        make_project(slug="shop"),
        title="KeyError: price",
        value="no price for order 1001 at 100%",
        culprit="views.checkout",
        platform="python",
        first_seen=NOW - 2 * HOUR,
        regressed_at=NOW,
        assignee=make_user("bert"),
        stats={"events": 150, "score": 62.5, "last_seen": NOW - HOUR / 2},
        tags={
            "browser": "Safari 19",
            "environment": "production",
            "release": "app@1.0.0",
            "level": "high",
        },
        tenants=[tenant],
    )
    make_hit(issue)
    IssueUser.objects.create(issue_id=issue.pk, user="id:42", last_seen=NOW)

    assert found(text) == ([issue.pk] if hit else [])


def test_assigned_to_me_means_who_asks() -> None:
    me = make_user()
    mine = make_issue(assignee=me)
    make_issue(assignee=make_user())

    assert found("assigned:me", user=me) == [mine.pk]


def test_a_short_id_finds_its_issue() -> None:
    issue = make_issue(make_project(slug="check-out"))
    make_issue(issue.project)

    assert found(f"CHECK-OUT-{issue.pk}") == [issue.pk]


def test_a_short_id_of_another_project_is_a_word() -> None:
    issue = make_issue(title="got utf-8, wanted ascii")
    make_issue()

    assert found("utf-8") == [issue.pk]


@pytest.mark.parametrize("text", ["a" * 32, "A" * 32, str(UUID("a" * 32))])
def test_an_event_id_finds_its_issue(text: str) -> None:
    issue = make_issue()
    make_issue()
    make_event(issue, event_id=UUID("a" * 32))

    assert found(text) == [issue.pk]


def test_an_event_id_that_is_unknown_is_a_word() -> None:
    issue = make_issue(title=f"no order {'b' * 32}")

    assert found("b" * 32) == [issue.pk]


def test_the_latest_release_is_that_of_the_issues_project() -> None:
    first, second = make_project(), make_project()
    make_release(first, "1", first_seen=NOW - HOUR)
    make_release(first, "2", first_seen=NOW)
    make_release(second, "1", first_seen=NOW)
    make_issue(first, tags={"release": "1"})
    newest = make_issue(first, tags={"release": "2"})
    other = make_issue(second, tags={"release": "1"})

    assert found("release:latest") == [newest.pk, other.pk]


@pytest.mark.parametrize(
    "text",
    [
        "refund",
        "level:fatal",
        "platform:node",
        "browser:Opera",
        "tenant:acme.example",
        "plan:pro",
        "user:id:42",
        "environment:staging",
        "release:2",
        "release:latest",
        "SHOP-{pk}",
        "cccccccccccccccccccccccccccccccc",
    ],
)
@pytest.mark.parametrize("few", [1000, 0])
def test_what_a_merged_issue_meets_finds_the_one_that_shows_it(
    text: str, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terms, "FEW", few)
    project = make_project(slug="shop")
    make_release(project, "2")
    root = make_issue(project)
    make_issue(project)
    merged = make_issue(
        project,
        merged_into=root,
        title="refund failed",
        level=Level.FATAL,
        platform="node",
        tags={"browser": "Opera", "environment": "staging", "release": "2"},
        tenants=[make_tenant("acme.example", plan=make_plan("Pro"))],
    )
    IssueUser.objects.create(issue_id=merged.pk, user="id:42", last_seen=NOW)
    make_event(merged, event_id=UUID("c" * 32))

    assert found(text.format(pk=merged.pk)) == [root.pk]


def test_an_issue_that_shows_others_is_merged() -> None:
    project = make_project()
    root = make_issue(project)
    make_issue(project, merged_into=root)
    make_issue(project)

    assert found("is:merged") == [root.pk]


@pytest.mark.parametrize("few", [1000, 0])
def test_common_and_rare_terms_find_the_same(
    few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terms, "FEW", few)
    project = make_project()
    safari = [make_issue(project, tags={"browser": "Safari"}).pk for _ in range(3)]
    chrome = make_issue(project, tags={"browser": "Chrome"}).pk

    assert found("browser:Safari") == safari
    assert found("!browser:Safari") == [chrome]


def test_a_term_costs_one_look_and_the_list_one_query(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    make_issue(tags={"browser": "Safari"})

    with django_assert_num_queries(3):
        assert len(found("price browser:Safari")) == 1


MANY_ISSUES = """
INSERT INTO issues_issue (project_id, title, type, value, culprit, platform, logger,
    level, status, resolution)
SELECT %s, '', '', '', '', '', '', 40, 'open', '' FROM generate_series(1, 1500);
INSERT INTO issues_issuestats (issue_id, events, tenants, users, last_release_id, score,
    exponent, parts) SELECT id, 0, 0, 0, 0, 0, id, '{}' FROM issues_issue;
INSERT INTO issues_issuetag (issue_id, key, value)
SELECT id, 'key' || n, 'value' || n FROM issues_issue, generate_series(1, 20) n;
ANALYZE issues_issue, issues_issuestats, issues_issuetag
"""


def test_a_common_tag_is_checked_along_the_order_of_the_list() -> None:
    with connection.cursor() as cursor:
        cursor.execute(MANY_ISSUES, [make_project().pk])

    issues = search(listed_issues("impact"), "key7:value7")[:26]

    assert len(issues) == 26
    assert "Sort" not in issues.explain()
