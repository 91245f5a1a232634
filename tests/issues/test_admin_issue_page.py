from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from issues.models import HitListEntry, Issue
from tenants.models import AuditEntry
from tests.admin_pages import buttons, client_of, page, tags_in, told
from tests.envelopes import event as payload_of
from tests.factories import (
    make_event,
    make_fingerprint,
    make_hit,
    make_issue,
    make_project,
    make_release,
    make_tenant,
    make_user,
)

pytestmark = pytest.mark.django_db

PAGE = "issues_issue_change"


@pytest.fixture
def responder() -> Client:
    return client_of("responder", "rita")


def act(client: Client, issue: Issue, name: str, **fields: Any) -> list[str]:
    """Post an action to an issue; what was told."""
    url = reverse("admin:issues_issue_act", args=[issue.pk, name])
    response = client.post(url, fields)
    assert response.status_code == 302
    assert response["Location"] == reverse(f"admin:{PAGE}", args=[issue.pk])
    return told(response)


def test_the_page_tells_what_broke_and_where(responder: Client) -> None:
    issue = make_issue(type="KeyError", value="'CHF'", culprit="pricing in rate_for")
    make_event(issue, payload=payload_of())

    html = page(responder, PAGE, issue.pk)

    for text in ("KeyError", "CHF", "pricing in rate_for", "RATES[currency]"):
        assert text in html


def test_the_page_tells_why_the_issue_has_its_score(responder: Client) -> None:
    parts = {"sentence": "12 tenants were hit.", "reach": 0.05, "trend": 2.0}
    issue = make_issue(stats={"parts": parts, "score": 44.0})

    html = page(responder, PAGE, issue.pk)

    assert "12 tenants were hit." in html
    assert "5.00%" in html
    assert "growing" in html


def test_the_page_tells_who_is_hit_and_what_they_are_worth(responder: Client) -> None:
    shop = make_tenant(name="Acme", monthly_revenue=Decimal(149))
    issue = make_issue(tenants=[shop])

    html = page(responder, PAGE, issue.pk)

    assert "Acme" in html
    assert reverse("admin:tenants_tenant_change", args=[shop.pk]) in html
    assert "149" in html


def test_the_page_tells_why_events_were_grouped(responder: Client) -> None:
    issue = make_issue()
    make_fingerprint(
        issue,
        reason="KeyError raised through the same frame.",
        parts=[
            {"kind": "frame", "text": "orders.pricing quote", "contributes": True},
            {"kind": "value", "text": "no CHF", "contributes": False},
            "of an older version",
        ],
    )

    html = page(responder, PAGE, issue.pk)

    for text in (
        "KeyError raised through the same frame.",
        "orders.pricing quote",
        'no CHF <span class="rm-small">(not counted)</span>',
        "of an older version",
    ):
        assert text in html


def test_the_page_walks_through_the_events(responder: Client) -> None:
    issue = make_issue()
    events = [make_event(issue, payload=payload_of()) for _ in range(3)]

    html = page(responder, PAGE, issue.pk, event=events[1].pk)

    links = [attrs.get("href") for tag, attrs in tags_in(html) if tag == "a"]
    assert f"?event={events[0].pk}#event" in links
    assert f"?event={events[2].pk}#event" in links
    assert events[1].event_id.hex[:8] in html


def test_the_page_leads_to_both_ends_of_the_events(responder: Client) -> None:
    issue = make_issue()
    first, second = (make_event(issue, payload=payload_of()) for _ in range(2))

    html = page(responder, PAGE, issue.pk, event="oldest")

    assert first.event_id.hex[:8] in html
    assert ">Newest<" in html
    assert ">Oldest<" not in html
    assert ">Oldest<" in page(responder, PAGE, issue.pk, event=second.pk)


def test_the_revenue_at_risk_is_of_the_last_hour(responder: Client) -> None:
    issue = make_issue(stats={"parts": {"revenue_60m": 1500.0}})

    html = page(responder, PAGE, issue.pk)

    assert '1.5k<span class="rm-small"> a month' in html


def test_the_page_shows_what_was_cleaned(responder: Client) -> None:
    issue = make_issue()
    notes = {"_rush": {"notes": ["tags.x: NUL bytes removed"]}}
    make_event(issue, payload=payload_of(**notes))

    assert "tags.x: NUL bytes removed" in page(responder, PAGE, issue.pk)


@pytest.mark.parametrize(
    ("body", "text"),
    [(None, "was not kept"), (b"\x28broken", "cannot be read")],
)
def test_a_missing_or_damaged_body_does_not_hide_the_issue(
    responder: Client, body: bytes | None, text: str
) -> None:
    issue = make_issue()
    make_event(issue, body=body, tags=["browser=Safari 19"])

    html = page(responder, PAGE, issue.pk)

    assert text in html
    assert "Safari 19" in html


def test_an_issue_without_events_is_shown(responder: Client) -> None:
    assert "No event is stored" in page(responder, PAGE, make_issue().pk)


def test_a_merged_issue_leads_to_the_one_that_shows_it(responder: Client) -> None:
    root = make_issue()
    child = make_issue(merged_into=root)

    response = responder.get(reverse(f"admin:{PAGE}", args=[child.pk]))

    assert response.status_code == 302
    assert response["Location"] == reverse(f"admin:{PAGE}", args=[root.pk])


def test_a_family_is_shown_as_one(responder: Client) -> None:
    project = make_project()
    root = make_issue(project)
    child = make_issue(
        project, title="OldError: gone", merged_into=root, tenants=[make_tenant("x.y")]
    )
    make_event(child, payload=payload_of(), tags=["carrier=dhl"])

    html = page(responder, PAGE, root.pk)

    for text in ("OldError: gone", "Unmerge", "x.y", "dhl"):
        assert text in html


def test_tags_lead_to_the_issues_that_share_them(responder: Client) -> None:
    issue = make_issue()
    make_event(issue, payload=payload_of(), tags=['browser=Mobile "Safari"'])

    links = [
        attrs.get("href")
        for tag, attrs in tags_in(page(responder, PAGE, issue.pk))
        if tag == "a"
    ]

    wanted = "?q=browser%3A%22Mobile%20%5C%22Safari%5C%22%22"
    assert reverse("admin:issues_issue_changelist") + wanted in links


@pytest.mark.parametrize("address", ["0", "x", "999999999999999999999", "1%20"])
def test_an_unknown_issue_is_not_found(responder: Client, address: str) -> None:
    response = responder.get(f"/admin/issues/issue/{address}/change/")

    assert response.status_code == 404


@pytest.mark.parametrize(
    "query", [{"event": "x"}, {"event": "9" * 30}, {"tenants": "x"}]
)
def test_an_odd_query_shows_the_usual_page(
    responder: Client, query: dict[str, str]
) -> None:
    page(responder, PAGE, make_issue().pk, **query)


def test_an_issue_is_resolved_in_a_release(responder: Client) -> None:
    issue = make_issue()
    release = make_release(issue.project, "shop@2")

    messages = act(
        responder, issue, "resolve", how="in_release", release="shop@2", comment="fix"
    )

    issue.refresh_from_db()
    assert messages == [f"Resolved {issue.short_id} in a release."]
    assert (issue.status, issue.resolution_release) == ("resolved", release)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"how": "in_release"}, "Name the release that has the fix."),
        ({"how": "in_release", "release": "nope"}, "Release nope is not known"),
        ({"how": "later"}, "Resolved: Select a valid choice"),
    ],
)
def test_what_cannot_be_resolved_is_told(
    responder: Client, fields: dict[str, str], message: str
) -> None:
    issue = make_issue()

    assert act(responder, issue, "resolve", **fields)[0].startswith(message)

    issue.refresh_from_db()
    assert issue.status == "open"


def test_an_issue_is_archived_until_a_limit(responder: Client) -> None:
    issue = make_issue(stats={"events": 100})

    act(responder, issue, "archive", more_events="50")

    issue.refresh_from_db()
    assert (issue.status, issue.archived_until_events) == ("archived", 150)


def test_an_issue_is_archived_until_a_time(responder: Client) -> None:
    issue = make_issue()
    until = timezone.now() + timedelta(days=2)

    act(responder, issue, "archive", until=f"{until:%Y-%m-%dT%H:%M}")

    issue.refresh_from_db()
    assert issue.archived_until == until.replace(second=0, microsecond=0)


def test_an_issue_is_reopened(responder: Client) -> None:
    issue = make_issue(status="resolved")

    act(responder, issue, "reopen")

    issue.refresh_from_db()
    assert issue.status == "open"


def test_an_issue_is_assigned_and_taken_back(responder: Client) -> None:
    issue, bert = make_issue(), make_user("bert")

    assert act(responder, issue, "assign", user=bert.pk)[0].endswith("to bert.")
    issue.refresh_from_db()
    assert issue.assignee == bert

    act(responder, issue, "assign", user="")
    issue.refresh_from_db()
    assert issue.assignee is None


def test_a_comment_stands_in_the_history(responder: Client) -> None:
    issue = make_issue()

    act(responder, issue, "comment", text="Zoë looks at it")

    html = page(responder, PAGE, issue.pk)
    assert "Zoë looks at it" in html
    assert AuditEntry.objects.get(action="commented").actor == "rita"


def test_an_issue_is_merged_by_short_id_and_unmerged(responder: Client) -> None:
    project = make_project()
    root, child = make_issue(project), make_issue(project)

    act(responder, child, "merge-into", into=root.short_id)
    child.refresh_from_db()
    assert child.merged_into == root

    act(responder, root, "unmerge", child=child.pk)
    child.refresh_from_db()
    assert child.merged_into is None


@pytest.mark.parametrize("into", ["nonsense", "SHOP-999999", "9" * 40])
def test_merging_into_an_unknown_issue_is_told(responder: Client, into: str) -> None:
    (message,) = act(responder, make_issue(), "merge-into", into=into)

    assert message.startswith(f"No issue is called {into}")


def test_an_issue_is_put_on_the_hit_list_and_taken_off(responder: Client) -> None:
    issue, bert = make_issue(), make_user("bert")

    act(responder, issue, "list", reason="shops leave", owner=bert.pk, hours="24")
    entry = HitListEntry.objects.get()
    assert (entry.owner, entry.reason) == (bert, "shops leave")
    assert "shops leave" in page(responder, PAGE, issue.pk)

    act(responder, issue, "unlist", reason="fixed elsewhere")
    entry.refresh_from_db()
    assert entry.removed_reason == "fixed elsewhere"


def test_a_viewer_reads_the_page_without_any_button() -> None:
    issue = make_issue()
    make_hit(issue)
    html = page(client_of("viewer"), PAGE, issue.pk)

    assert buttons(html) == set()
    assert "<dialog" not in html
    assert "<textarea" not in html


@pytest.mark.parametrize("name", ["resolve", "archive", "assign-me", "list", "unmerge"])
def test_a_viewer_may_do_nothing(name: str) -> None:
    url = reverse("admin:issues_issue_act", args=[make_issue().pk, name])

    assert client_of("viewer").post(url).status_code == 403


def test_actions_are_never_done_by_following_a_link(responder: Client) -> None:
    url = reverse("admin:issues_issue_act", args=[make_issue().pk, "resolve-now"])

    assert responder.get(url).status_code == 405


def test_an_unknown_action_is_not_found(responder: Client) -> None:
    url = reverse("admin:issues_issue_act", args=[make_issue().pk, "drop"])

    assert responder.post(url).status_code == 404


def test_an_issue_is_neither_added_nor_deleted_by_hand() -> None:
    owner, issue = client_of("owner"), make_issue()

    assert owner.get(reverse("admin:issues_issue_add")).status_code == 403
    gone = reverse("admin:issues_issue_delete", args=[issue.pk])
    assert owner.post(gone, {"post": "yes"}).status_code == 403


@pytest.mark.parametrize("events", [1, 20])
def test_the_page_takes_the_same_queries_however_much_there_is(
    responder: Client, django_assert_num_queries: DjangoAssertNumQueries, events: int
) -> None:
    issue = make_issue(tenants=[make_tenant() for _ in range(events)])
    for _ in range(events):
        make_event(issue, payload=payload_of(), tags=["browser=Safari 19"])
        make_fingerprint(issue)

    # Session, person, two of permissions, dead letters; issue, children, newest events,
    # the shown one and its attachments, feedback, hours, minutes, fingerprints,
    # tenants, history, hit list, last release, repositories; people and releases for
    # the dialogs.
    with django_assert_num_queries(21):
        page(responder, PAGE, issue.pk)
