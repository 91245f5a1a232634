from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from issues.models import HitListEntry, Issue, IssueHour
from tenants.models import AuditEntry
from tests.admin_pages import LIST, buttons, client_of, page, told
from tests.factories import (
    make_hit,
    make_issue,
    make_project,
    make_release,
    make_tenant,
    make_user,
)

pytestmark = pytest.mark.django_db

NOW = timezone.now()


@pytest.fixture
def responder() -> Client:
    return client_of("responder", "rita")


def shown(client: Client, **query: str) -> list[str]:
    """The titles of the listed issues, first to last."""
    response = client.get(reverse(LIST), query)
    assert response.status_code == 200
    return [row.issue.title for row in response.context["rows"]]


def bulk(client: Client, action: str, *issues: Issue, **more: str) -> list[str]:
    """Do an action to the ticked issues; what was told."""
    ids = [str(issue.pk) for issue in issues]
    response = client.post(reverse(LIST), {"action": action, "ids": ids, **more})
    assert response.status_code == 302
    return told(response)


def test_open_issues_are_listed_worst_first(responder: Client) -> None:
    make_issue(title="mild", stats={"exponent": 0.1})
    make_issue(title="severe", stats={"exponent": 2.0})
    make_issue(title="done", status="resolved")
    make_issue(title="aside", status="archived")

    assert shown(responder) == ["severe", "mild"]


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ({"status": "resolved"}, ["done"]),
        ({"status": "all"}, ["done", "loud", "wanted"]),
        ({"project": "shop"}, ["wanted"]),
        ({"environment": "staging"}, ["wanted"]),
        ({"release": "shop@2"}, ["wanted"]),
        ({"level": "50"}, ["wanted"]),
        ({"tenant": "acme.example"}, ["wanted"]),
        ({"tenant": " ACME.example "}, ["wanted"]),
        ({"assignee": "me"}, ["wanted"]),
        ({"assignee": "rita"}, ["wanted"]),
        ({"assignee": "nobody"}, ["loud"]),
        ({"period": "1h"}, ["wanted"]),
        ({"q": "want"}, ["wanted"]),
        ({"q": "level:fatal project:shop"}, ["wanted"]),
        ({"q": "is:resolved"}, ["done"]),
        ({"order": "events"}, ["loud", "wanted"]),
        ({"order": "first_seen"}, ["loud", "wanted"]),
        ({"q": "level:fatal", "project": "shop", "period": "24h"}, ["wanted"]),
    ],
)
def test_filters_narrow_the_list(query: dict[str, str], titles: list[str]) -> None:
    user = make_user("rita", role="responder")
    shop, other = make_project(slug="shop"), make_project(slug="other")
    shop.environments.create(name="staging")
    old = NOW - timedelta(days=2)
    make_issue(
        shop,
        title="wanted",
        level=50,
        assignee=user,
        tenants=[make_tenant("acme.example")],
        tags={"environment": "staging", "release": "shop@2"},
        first_seen=old - timedelta(days=9),
        stats={"exponent": 0.2},
    )
    make_issue(
        other, title="loud", first_seen=old, stats={"events": 900, "last_seen": old}
    )
    make_issue(other, title="done", status="resolved", stats={"exponent": 0.3})
    client = Client()
    client.force_login(user)

    found = shown(client, **query)

    assert (sorted(found) if query == {"status": "all"} else found) == titles


def test_a_custom_time_finds_what_had_events_then(responder: Client) -> None:
    hour = NOW.replace(minute=0, second=0, microsecond=0) - timedelta(days=3)
    then, now = make_issue(title="then"), make_issue(title="now")
    IssueHour.objects.create(issue_id=then.pk, hour=hour, events=4)
    IssueHour.objects.create(issue_id=now.pk, hour=hour + timedelta(days=3), events=4)
    span = {
        "start": f"{hour - timedelta(hours=2):%Y-%m-%dT%H:%M}",
        "end": f"{hour + timedelta(hours=2):%Y-%m-%dT%H:%M}",
    }

    assert shown(responder, period="custom", **span) == ["then"]


@pytest.mark.parametrize(
    ("query", "complaint"),
    [
        ({"q": "is:burning"}, "is:burning is not known"),
        ({"q": 'title:"open'}, "quotes"),
        ({"level": "99"}, "Select a valid choice"),
        ({"tenant": "nobody.example"}, "no tenant has the key nobody.example"),
        (
            {
                "period": "custom",
                "start": "2026-11-02T00:00",
                "end": "2026-11-01T00:00",
            },
            "lies after the end",
        ),
        ({"page": "0"}, "greater than or equal to 1"),
    ],
)
def test_a_filter_that_cannot_be_understood_is_told(
    responder: Client, query: dict[str, str], complaint: str
) -> None:
    assert complaint in page(responder, "issues_issue_changelist", **query)


def test_set_filters_are_shown_as_chips_that_remove_themselves(
    responder: Client,
) -> None:
    html = page(responder, "issues_issue_changelist", level="50", release="shop@2")

    assert '<a class="rm-chip" href="?release=shop%402"' in html
    assert '<a class="rm-chip" href="?level=50"' in html


def test_a_row_tells_what_an_issue_costs(responder: Client) -> None:
    shop = make_project(slug="shop", name="The shop")
    issue = make_issue(
        shop,
        culprit="shop.pricing in convert",
        tenants=[make_tenant()],
        regressed_at=NOW,
        stats={
            "score": 66.2,
            "exponent": 1.1,
            "events": 43_210,
            "parts": {
                "unhandled": 1,
                "revenue_60m": 1500.0,
                "sentence": "120 events hit 3 tenants.",
            },
        },
    )
    make_hit(issue)

    html = page(responder, "issues_issue_changelist")

    for text in (
        issue.short_id,
        "The shop",
        "shop.pricing in convert",
        "43.2k",
        "1.5k/mo",
        "unhandled",
        "regressed",
        "hit list",
        "120 events hit 3 tenants.",
        "rm-score is-severe",
    ):
        assert text in html


def test_more_issues_than_a_page_holds_are_paged(responder: Client) -> None:
    project = make_project()
    for _ in range(30):
        make_issue(project)

    first = page(responder, "issues_issue_changelist")
    second = page(responder, "issues_issue_changelist", page="2")

    assert "1–25 of 30" in first
    assert "26–30 of 30" in second


@pytest.mark.parametrize("issues", [1, 25])
def test_the_list_takes_the_same_queries_however_much_it_shows(
    responder: Client, django_assert_num_queries: DjangoAssertNumQueries, issues: int
) -> None:
    project = make_project()
    for _ in range(issues):
        make_issue(project, tenants=[make_tenant()], assignee=make_user())

    # Session, person, two of permissions, dead letters; projects, environments,
    # people, releases; ids, issues and count; families, trends.
    with django_assert_num_queries(14):
        page(responder, "issues_issue_changelist")


def test_ticked_issues_are_resolved(responder: Client) -> None:
    one, two = make_issue(), make_issue()

    assert bulk(responder, "resolve-now", one, two) == ["Resolved 2 issues now."]

    assert Issue.objects.filter(status="resolved").count() == 2
    assert AuditEntry.objects.filter(actor="rita", action="resolved").count() == 2


def test_ticked_issues_are_resolved_in_the_next_release(responder: Client) -> None:
    issue = make_issue()
    release = make_release(issue.project)

    bulk(responder, "resolve-next", issue)

    issue.refresh_from_db()
    assert issue.resolution_release == release


def test_ticked_issues_are_archived_and_reopened(responder: Client) -> None:
    issue = make_issue()

    bulk(responder, "archive-for-good", issue)
    issue.refresh_from_db()
    archived = issue.status
    bulk(responder, "reopen", issue)
    issue.refresh_from_db()

    assert (archived, issue.status) == ("archived", "open")


def test_ticked_issues_are_assigned_to_the_person(responder: Client) -> None:
    issue = make_issue()

    bulk(responder, "assign-me", issue)

    issue.refresh_from_db()
    assert issue.assignee is not None
    assert issue.assignee.username == "rita"


def test_merging_shows_all_under_the_issue_of_highest_impact(
    responder: Client,
) -> None:
    project = make_project()
    mild = make_issue(project, stats={"exponent": 0.1})
    severe = make_issue(project, stats={"exponent": 0.9})

    messages = bulk(responder, "merge", mild, severe)

    mild.refresh_from_db()
    assert mild.merged_into == severe
    assert messages == [f"Merged {mild.short_id} into {severe.short_id}."]


def test_ticked_issues_are_put_on_the_hit_list(responder: Client) -> None:
    one, two = make_issue(), make_issue()

    bulk(responder, "list", one, two, reason="shops complain", hours="24")

    entries = HitListEntry.objects.all()
    assert {entry.issue_id for entry in entries} == {one.pk, two.pk}
    assert {entry.reason for entry in entries} == {"shops complain"}


def test_all_of_the_ticked_issues_or_none(responder: Client) -> None:
    fresh, listed = make_issue(), make_issue()
    make_hit(listed)

    messages = bulk(responder, "list", fresh, listed, reason="why", hours="24")

    assert "is on the hit list already" in messages[0]
    assert HitListEntry.objects.count() == 1


def test_a_missing_reason_is_told(responder: Client) -> None:
    messages = bulk(responder, "list", make_issue(), hours="24")

    assert messages == ["Why now: This field is required."]


def test_ticking_nothing_is_told(responder: Client) -> None:
    assert bulk(responder, "resolve-now") == ["Tick at least one issue first."]


def test_an_unknown_action_is_not_found(responder: Client) -> None:
    assert responder.post(reverse(LIST), {"action": "drop"}).status_code == 404


def test_a_viewer_sees_no_button_and_may_do_nothing() -> None:
    viewer, issue = client_of("viewer"), make_issue()

    html = page(viewer, "issues_issue_changelist")
    answer = viewer.post(reverse(LIST), {"action": "resolve-now", "ids": [issue.pk]})

    assert buttons(html) == set()
    assert 'name="ids"' not in html
    assert answer.status_code == 403


def test_staff_without_a_role_sees_no_issues() -> None:
    assert client_of("").get(reverse(LIST)).status_code == 403


def test_the_list_survives_any_query(responder: Client) -> None:
    for value in ("\0", "x" * 5000, "1' OR 1=1", "%", "\\", "999999999999999999999"):
        for name in ("q", "page", "tenant", "release", "project", "order", "start"):
            response = responder.get(reverse(LIST), {name: value})
            assert response.status_code == 200, (name, value)
