from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from issues import event_queries, partitions, queries
from issues.event_queries import EventFilter, Neighbours
from issues.models import (
    Event,
    Issue,
    IssueHour,
    IssueMinute,
    IssueStats,
    IssueTenant,
)
from issues.queries import TenantHits
from tenants.models import Tenant
from tests.factories import (
    make_environment,
    make_event,
    make_hit,
    make_issue,
    make_plan,
    make_project,
    make_release,
    make_tenant,
)

pytestmark = pytest.mark.django_db

NOW = timezone.now()
THIS_HOUR = NOW.replace(minute=0, second=0, microsecond=0)
HOUR = timedelta(hours=1)


def titles(issues: Any) -> list[str]:
    return [issue.title for issue in issues]


def add_hours(issue: Issue, *counts: int) -> None:
    """Events of the last hours, the running hour last."""
    for age, events in enumerate(reversed(counts)):
        IssueHour.objects.create(
            issue_id=issue.pk, hour=THIS_HOUR - age * HOUR, events=events
        )


@pytest.mark.parametrize(
    ("order", "column"),
    [
        ("impact", "exponent"),
        ("events", "events"),
        ("tenants", "tenants"),
        ("last_seen", "last_seen"),
    ],
)
def test_the_list_is_ordered_by_each_number(order: str, column: str) -> None:
    older = NOW - timedelta(days=9)
    less, more = (older, NOW) if column == "last_seen" else (1, 2)
    make_issue(title="less", stats={column: less})
    make_issue(title="more", stats={column: more})

    assert titles(queries.listed_issues(order)) == ["more", "less"]


def test_the_list_can_start_with_the_newest_issue() -> None:
    make_issue(title="old", first_seen=NOW - timedelta(days=9))
    make_issue(title="new", first_seen=NOW)

    assert titles(queries.listed_issues("first_seen")) == ["new", "old"]


def test_merged_issues_are_not_listed() -> None:
    root = make_issue(title="root")
    make_issue(title="child", merged_into=root)

    assert titles(queries.listed_issues("impact")) == ["root"]


def test_the_list_knows_what_stands_on_the_hit_list() -> None:
    listed, was = make_issue(), make_issue()
    make_hit(listed)
    make_hit(was, removed_at=NOW, removed_reason="fixed")

    page = queries.page_of(queries.listed_issues("impact"), 1)
    found = {issue.pk: issue.on_hit_list for issue in page.rows}

    assert found == {listed.pk: True, was.pk: False}


def test_a_page_knows_whether_more_follow() -> None:
    project = make_project()
    for _ in range(5):
        make_issue(project)

    first = queries.page_of(queries.listed_issues("impact"), 1, 2)
    last = queries.page_of(queries.listed_issues("impact"), 3, 2)

    assert (first.first, first.last, first.more) == (1, 2, True)
    assert (last.first, last.last, last.more) == (5, 5, False)


def test_trends_add_up_a_family_in_one_query(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    root, other = make_issue(), make_issue()
    child = make_issue(merged_into=root)
    add_hours(root, 1, 0, 4)
    add_hours(child, 7)

    families = queries.families_of([root.pk, other.pk])

    with django_assert_num_queries(1):
        trends = queries.trends(families, NOW, hours=3)

    assert trends == {root.pk: [1, 0, 11], other.pk: [0, 0, 0]}


def test_issues_seen_since_a_time_are_found() -> None:
    make_issue(title="old", stats={"last_seen": NOW - 3 * HOUR})
    make_issue(title="new")

    found = queries.seen_between(queries.listed_issues("impact"), NOW - HOUR, None)

    assert titles(found) == ["new"]


def test_issues_with_events_in_a_time_that_has_passed_are_found() -> None:
    root, other = make_issue(title="root"), make_issue(title="other")
    child = make_issue(merged_into=root)
    add_hours(child, 5, 0, 0)
    add_hours(other, 5)

    found = queries.seen_between(
        queries.listed_issues("impact"), NOW - 4 * HOUR, NOW - 2 * HOUR
    )

    assert titles(found) == ["root"]


def test_tenants_hit_are_ordered_by_events_or_by_weight() -> None:
    small = make_tenant("small.example", monthly_revenue=Decimal(5))
    large = make_tenant("large.example", plan=make_plan(weight=10), weight_factor=2)
    issue = make_issue(tenants=[small, large])
    IssueTenant.objects.filter(tenant_id=small.pk).update(events=9)

    by_events = queries.tenants_hit([issue.pk], "events")
    by_weight = queries.tenants_hit([issue.pk], "weight")

    assert [hit.key for hit in by_events.rows] == ["small.example", "large.example"]
    assert [(hit.key, hit.weight) for hit in by_weight.rows] == [
        ("large.example", 20.0),
        ("small.example", 1.0),
    ]
    assert (by_weight.total, by_weight.revenue) == (2, Decimal(5))


def test_of_tenants_of_one_weight_those_who_pay_more_come_first() -> None:
    for key, pays in (("unknown", None), ("less", Decimal(5)), ("more", Decimal(9))):
        make_tenant(key, monthly_revenue=pays)
    issue = make_issue(tenants=list(Tenant.objects.all()))

    hits = queries.tenants_hit([issue.pk], "weight")

    assert [hit.key for hit in hits.rows] == ["more", "less", "unknown"]


def test_by_weight_the_index_alone_tells_who_was_hit() -> None:
    sql = queries.TENANTS_HIT.format(order=queries.TENANT_ORDERS["weight"])
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_bitmapscan = off")
        cursor.execute(f"EXPLAIN {sql}", {"ids": [1], "limit": 25})
        plan = "".join(line for (line,) in cursor.fetchall())

    assert "Index Only Scan using issues_issuetenant_pkey" in plan


@pytest.mark.parametrize("order", queries.TENANT_ORDERS)
def test_a_tenant_of_a_merged_issue_stands_once_with_all_events(order: str) -> None:
    shop = make_tenant()
    root = make_issue(tenants=[shop])
    child = make_issue(merged_into=root, tenants=[shop])

    hits = queries.tenants_hit([root.pk, child.pk], order)

    assert [(hit.tenant_id, hit.events) for hit in hits.rows] == [(shop.pk, 2)]


def test_tenants_beyond_the_limit_are_counted() -> None:
    issue = make_issue(tenants=[make_tenant() for _ in range(3)])

    hits = queries.tenants_hit([issue.pk], "events", limit=2)

    assert (len(hits.rows), hits.total) == (2, 3)


def test_an_issue_may_have_hit_no_tenant() -> None:
    hits = queries.tenants_hit([make_issue().pk], "weight")

    assert hits == TenantHits([], 0, None)


def test_the_open_issues_that_hit_a_tenant_are_counted() -> None:
    shop = make_tenant()
    root = make_issue(tenants=[shop])
    make_issue(merged_into=root, tenants=[shop])
    make_issue(tenants=[shop], status="resolved")
    quiet = make_tenant()

    counts = queries.open_issues_hitting([shop.pk, quiet.pk], NOW - HOUR)

    assert counts == {shop.pk: 1}


def test_issues_of_a_tenant_come_by_impact() -> None:
    shop = make_tenant()
    make_issue(title="less", tenants=[shop], stats={"exponent": 0.1})
    root = make_issue(title="more", stats={"exponent": 0.9})
    make_issue(merged_into=root, tenants=[shop])
    make_issue(title="elsewhere", tenants=[make_tenant()])

    hits = queries.issues_of_tenant(shop.pk)

    assert [(hit.issue.title, hit.events) for hit in hits] == [("more", 1), ("less", 1)]


def test_events_by_hour_fill_the_gaps() -> None:
    issue = make_issue()
    add_hours(issue, 3, 0, 0, 5)

    series = queries.events_by_hour([issue.pk], NOW, 3)

    assert series == [
        (THIS_HOUR - 2 * HOUR, 0),
        (THIS_HOUR - HOUR, 0),
        (THIS_HOUR, 5),
    ]


def test_events_by_minute_add_up_tenants_and_releases() -> None:
    issue, minute = make_issue(), NOW.replace(second=0, microsecond=0)
    for tenant in (1, 2):
        IssueMinute.objects.create(
            issue_id=issue.pk,
            minute=minute,
            environment_id=0,
            release_id=0,
            tenant_id=tenant,
            events=4,
            unhandled=0,
            level=40,
            path_weight=1,
        )

    assert queries.events_by_minute([issue.pk], NOW, 1) == [(minute, 8)]


def shown(issue: Issue, event_id: int = 0) -> Event | None:
    newest = event_queries.newest_events([issue.pk])
    return event_queries.shown_event([issue.pk], newest, event_id)


def test_the_newest_event_is_shown_unless_another_is_asked_for() -> None:
    issue = make_issue()
    old, new = make_event(issue), make_event(issue)

    assert shown(issue) == new
    assert shown(issue, old.pk) == old


def test_an_event_of_another_issue_is_not_shown() -> None:
    issue, other = make_issue(), make_issue()
    own, foreign = make_event(issue), make_event(other)

    assert shown(issue, foreign.pk) == own


def test_an_issue_without_stored_events_shows_none() -> None:
    assert shown(make_issue()) is None


def test_the_oldest_event_of_a_family_is_found() -> None:
    root = make_issue()
    child = make_issue(merged_into=root)
    first = make_event(child)
    make_event(root)

    assert event_queries.oldest_event([root.pk, child.pk]) == first.pk
    assert event_queries.oldest_event([make_issue().pk]) == 0


@pytest.mark.parametrize(("sample", "looks"), [(500, 0), (2, 2), (1, 3)])
def test_neighbours_lead_through_the_whole_family(
    sample: int,
    looks: int,
    monkeypatch: pytest.MonkeyPatch,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    monkeypatch.setattr(event_queries, "SAMPLE", sample)
    root = make_issue()
    child = make_issue(merged_into=root)
    first, second, third = (make_event(i) for i in (root, child, root))
    family = [root.pk, child.pk]
    newest = event_queries.newest_events(family, limit=sample)

    with django_assert_num_queries(looks):
        around = [
            event_queries.neighbours(family, newest, event)
            for event in (first, second, third)
        ]

    assert around == [
        Neighbours(None, second.pk),
        Neighbours(first.pk, third.pk),
        Neighbours(second.pk, None),
    ]


def test_tag_distributions_count_the_newest_events() -> None:
    project = make_project()
    issue = make_issue(project)
    release, environment = make_release(project), make_environment(project)
    for browser in ("Safari 19", "Safari 19", "Chrome 142"):
        make_event(
            issue,
            tags=[f"browser={browser}", "equation=a=b"],
            release=release,
            environment=environment,
            user="id:7",
        )

    newest = event_queries.newest_events([issue.pk])
    found = {tag.key: tag for tag in event_queries.tag_distributions(newest)}

    assert found["browser"].values == [("Safari 19", 2), ("Chrome 142", 1)]
    assert found["browser"].sample == 3
    assert found["equation"].values == [("a=b", 3)]
    assert found["release"].values == [("1.0.0", 3)]
    assert found["user"].values == [("id:7", 3)]
    assert list(found)[:3] == ["release", "environment", "browser"]


def test_rare_values_are_summed_up() -> None:
    issue = make_issue()
    for number in range(8):
        make_event(issue, tags=[f"order={number}"], transaction="")

    newest = event_queries.newest_events([issue.pk])
    (tag,) = event_queries.tag_distributions(newest)

    assert (len(tag.values), tag.others) == (5, 3)


def test_events_are_paged_backwards_over_a_family() -> None:
    root = make_issue()
    child = make_issue(merged_into=root)
    made = [make_event(i) for i in (root, child, root, child)]
    chosen = EventFilter(issue_ids=[root.pk, child.pk])

    first, more = event_queries.events_before(chosen, None, 3)
    rest, end = event_queries.events_before(chosen, first[-1].pk, 3)

    assert [event.pk for event in first] == [e.pk for e in reversed(made[1:])]
    assert (more, [event.pk for event in rest], end) == (True, [made[0].pk], False)


@pytest.mark.parametrize("by", ["project", "tenant", "release", "event_id", "time"])
def test_events_are_narrowed_down(by: str) -> None:
    project = make_project()
    issue = make_issue(project)
    release, tenant = make_release(project), make_tenant()
    wanted = make_event(issue, release=release, tenant=tenant)
    partitions.create((NOW - 5 * HOUR).date())  # before five o'clock: yesterday's
    make_event(make_issue(), received=NOW - 5 * HOUR)
    chosen = {
        "project": EventFilter(project_id=project.pk),
        "tenant": EventFilter(tenant_id=tenant.pk),
        "release": EventFilter(release_ids=[release.pk]),
        "event_id": EventFilter(event_id=wanted.event_id),
        "time": EventFilter(start=NOW - HOUR, end=NOW + HOUR),
    }[by]

    found, _ = event_queries.events_before(chosen, None, 10)

    assert found == [wanted]


def test_no_issue_means_no_event() -> None:
    make_event(make_issue())

    assert event_queries.events_before(EventFilter(issue_ids=[]), None, 5) == (
        [],
        False,
    )


def test_the_event_list_never_reads_bodies() -> None:
    make_event(make_issue(), payload={"a": 1})

    ((event,), _) = event_queries.events_before(EventFilter(), None, 5)

    assert "body" in event.get_deferred_fields()
    assert Event.objects.count() == 1
    assert IssueStats.objects.count() == 1
