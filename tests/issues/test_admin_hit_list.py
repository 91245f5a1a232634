from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from issues.models import HitListEntry, HitRule
from tenants.models import AuditEntry
from tests.admin_pages import buttons, client_of, page, told
from tests.factories import make_hit, make_issue, make_project, make_user

pytestmark = pytest.mark.django_db

LIST = "issues_hitlistentry_changelist"


@pytest.fixture
def responder() -> Client:
    return client_of("responder", "rita")


def post(client: Client, name: str, *args: Any, **fields: Any) -> list[str]:
    response = client.post(reverse(f"admin:{name}", args=args), fields)
    assert response.status_code == 302
    return told(response)


def test_the_worst_listed_issue_is_next_to_fix(responder: Client) -> None:
    mild = make_issue(title="mild", stats={"exponent": 0.1})
    severe = make_issue(title="severe", stats={"exponent": 0.9})
    make_hit(mild, reason="promised")
    make_hit(severe, reason="shops leave", expires_at=timezone.now() + timedelta(1))

    html = page(responder, LIST)

    assert html.index("Next to fix") < html.index("severe") < html.index("Then")
    assert html.index("Then") < html.index("mild")
    assert "shops leave" in html


def test_an_empty_list_says_how_to_fill_it(responder: Client) -> None:
    assert "The hit list is empty" in page(responder, LIST)


def test_entries_that_left_are_shown_with_their_reason(responder: Client) -> None:
    make_hit(
        make_issue(), removed_at=timezone.now(), removed_reason="resolved for good"
    )

    assert "resolved for good" in page(responder, LIST)


def test_an_issue_is_added_by_its_short_id(responder: Client) -> None:
    issue = make_issue()

    messages = post(
        responder,
        "issues_hitlistentry_add",
        issue=issue.short_id,
        reason="shops leave",
        hours="",
    )

    entry = HitListEntry.objects.get()
    assert (entry.issue, entry.added_by, entry.expires_at) == (issue, "rita", None)
    assert messages == [f"Put {issue.short_id} on the hit list."]


@pytest.mark.parametrize("name", ["", "nonsense", "SHOP-99999"])
def test_an_unknown_issue_is_told(responder: Client, name: str) -> None:
    (message,) = post(responder, "issues_hitlistentry_add", issue=name, reason="x")

    assert message.startswith("No issue is called")


def test_an_entry_is_taken_off_with_a_reason(responder: Client) -> None:
    entry = make_hit(make_issue())

    post(responder, "issues_hitlistentry_remove", entry.pk, reason="no budget")

    entry.refresh_from_db()
    assert entry.removed_reason == "no budget"


def test_an_owner_is_changed_and_the_change_audited(responder: Client) -> None:
    entry, bert = make_hit(make_issue()), make_user("bert")
    url = reverse("admin:issues_hitlistentry_change", args=[entry.pk])

    responder.post(url, {"owner": bert.pk, "reason": "shops leave"})

    entry.refresh_from_db()
    assert entry.owner == bert
    changes = AuditEntry.objects.get(action="changed").changes
    assert changes["owner"] == [None, bert.pk]
    assert changes["reason"] == ["shops complain", "shops leave"]


def test_a_viewer_sees_the_list_without_buttons() -> None:
    make_hit(make_issue())

    html = page(client_of("viewer"), LIST)

    assert buttons(html) == set()
    assert "Take off" not in html


@pytest.mark.parametrize("verb", ["add", "remove"])
def test_a_viewer_may_change_nothing(verb: str) -> None:
    entry = make_hit(make_issue())
    args = [entry.pk] if verb == "remove" else []
    url = reverse(f"admin:issues_hitlistentry_{verb}", args=args)

    fields = {"issue": entry.issue.short_id, "reason": "x"}
    assert client_of("viewer").post(url, fields).status_code == 403


def test_entries_are_history_and_never_deleted() -> None:
    entry = make_hit(make_issue())
    url = reverse("admin:issues_hitlistentry_delete", args=[entry.pk])

    assert client_of("owner").post(url, {"post": "yes"}).status_code == 403


@pytest.mark.parametrize("entries", [1, 10])
def test_the_list_takes_the_same_queries_however_long_it_is(
    responder: Client, django_assert_num_queries: DjangoAssertNumQueries, entries: int
) -> None:
    for _ in range(entries):
        make_hit(make_issue(), owner=make_user())
        make_hit(make_issue(), removed_at=timezone.now())

    # Session, person, two of permissions, dead letters; entries, families, trends,
    # those that left, people for the dialog.
    with django_assert_num_queries(10):
        page(responder, LIST)


def test_a_rule_is_made_and_audited() -> None:
    maintainer = client_of("maintainer")
    project = make_project()

    maintainer.post(
        reverse("admin:issues_hitrule_add"),
        {
            "name": "Checkout",
            "is_active": "on",
            "project": project.pk,
            "min_score": "20",
            "pattern": "*checkout*",
            "expires_after_hours": "48",
        },
    )

    rule = HitRule.objects.get()
    assert (rule.min_score, rule.expires_after_hours) == (20, 48)
    assert AuditEntry.objects.get(object_type="issues.hitrule").action == "added"
    html = page(maintainer, "issues_hitrule_changelist")
    assert "score ≥ 20 and title or culprit like *checkout*" in html


def test_a_rule_without_a_condition_is_refused() -> None:
    response = client_of("maintainer").post(
        reverse("admin:issues_hitrule_add"), {"name": "All", "expires_after_hours": "1"}
    )

    assert "would list everything" in response.content.decode()
    assert not HitRule.objects.exists()
