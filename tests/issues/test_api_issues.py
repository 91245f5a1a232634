from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from issues import merging
from issues.models import Issue, IssueActivity
from tenants.models import AuditEntry
from tests.factories import (
    ANNA,
    make_fingerprint,
    make_hit,
    make_issue,
    make_plan,
    make_project,
    make_release,
    make_tenant,
    make_user,
    role_client,
    token_client,
)

pytestmark = pytest.mark.django_db

URL = "/api/v1/issues/"
HOUR = timedelta(hours=1)


@pytest.fixture
def client() -> APIClient:
    return token_client("issue:write")


def ids(response: Any) -> list[int]:
    assert response.status_code == 200, response.json()
    return [row["id"] for row in response.json()["results"]]


def test_the_list_tells_what_an_issue_is_and_costs(client: APIClient) -> None:
    project = make_project(slug="shop")
    issue = make_issue(
        project,
        title="KeyError: 'price'",
        assignee=make_user("bert"),
        stats={"events": 812, "tenants": 43, "users": 377, "score": 71.4},
    )
    make_hit(issue)

    (row,) = client.get(URL).json()["results"]

    expected = {
        "id": issue.pk,
        "short_id": f"SHOP-{issue.pk}",
        "project": "shop",
        "title": "KeyError: 'price'",
        "level": "error",
        "status": "open",
        "assignee": "bert",
        "events": 812,
        "tenants": 43,
        "users": 377,
        "score": 71.4,
        "listed": True,
    }
    assert {key: row[key] for key in expected} == expected


def test_the_list_takes_a_fixed_number_of_queries(
    client: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(5):
        make_issue(assignee=make_user())
    client.get(URL)

    # The token, the ids of the page, its rows.
    with django_assert_num_queries(3):
        assert len(ids(client.get(URL))) == 5


def test_merged_issues_are_not_listed(client: APIClient) -> None:
    project = make_project()
    root = make_issue(project)
    make_issue(project, merged_into=root)

    assert ids(client.get(URL)) == [root.pk]


@pytest.mark.parametrize(
    ("ordering", "expected"),
    [
        ("", [1, 0, 2]),
        ("impact", [1, 0, 2]),
        ("-impact", [2, 0, 1]),
        ("events", [2, 1, 0]),
        ("tenants", [0, 2, 1]),
        ("last_seen", [0, 1, 2]),
        ("first_seen", [2, 1, 0]),
    ],
)
def test_the_list_is_ordered_worst_first(
    client: APIClient, ordering: str, expected: list[int]
) -> None:
    now = timezone.now()
    made = [
        make_issue(
            first_seen=now + n * HOUR,
            stats={
                "exponent": exponent,
                "events": n,
                "tenants": tenants,
                "last_seen": now - n * HOUR,
            },
        ).pk
        for n, (exponent, tenants) in enumerate([(5.0, 9), (7.0, 1), (1.0, 4)])
    ]

    found = ids(client.get(URL, {"ordering": ordering}))

    assert found == [made[n] for n in expected]


@pytest.mark.parametrize(
    ("query", "hit"),
    [
        ({"project": "shop"}, True),
        ({"status": "open"}, True),
        ({"status": ["resolved", "open"]}, True),
        ({"status": "resolved"}, False),
        ({"level": "error"}, True),
        ({"level": ["warning", "fatal"]}, False),
        ({"environment": "production"}, True),
        ({"environment": "staging"}, False),
        ({"release": "1.0.0"}, True),
        ({"release": "1.*"}, True),
        ({"release": "2.0.0"}, False),
        ({"tenant": "acme.example"}, True),
        ({"tenant": "other.example"}, False),
        ({"assignee": "bert"}, True),
        ({"first_seen_after": "2026-11-01T00:00:00Z"}, True),
        ({"first_seen_before": "2026-11-01T00:00:00Z"}, False),
        ({"last_seen_after": "2026-11-20T00:00:00Z"}, True),
        ({"last_seen_before": "2026-11-20T00:00:00Z"}, False),
        ({"q": "price is:open"}, True),
        ({"q": "refund"}, False),
        ({"q": "price", "status": "archived"}, False),
    ],
)
def test_the_list_is_filtered(
    client: APIClient, query: dict[str, Any], hit: bool
) -> None:
    issue = make_issue(
        make_project(slug="shop"),
        title="KeyError: 'price'",
        assignee=make_user("bert"),
        first_seen="2026-11-10T00:00:00Z",
        stats={"last_seen": "2026-11-21T00:00:00Z"},
        tags={"environment": "production", "release": "1.0.0"},
        tenants=[make_tenant("acme.example")],
    )

    assert ids(client.get(URL, query)) == ([issue.pk] if hit else [])


def test_a_project_may_be_named_by_its_id(client: APIClient) -> None:
    issue = make_issue()
    make_issue()

    assert ids(client.get(URL, {"project": issue.project.pk})) == [issue.pk]


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ({"q": "is:new"}, "is:new is not known"),
        ({"project": "nope"}, "project:nope is not known"),
        ({"assignee": "me"}, "needs a person"),
        ({"assignee": "nobody"}, "nobody has that name"),
    ],
)
def test_a_search_that_cannot_be_understood_is_a_problem(
    client: APIClient, query: dict[str, str], detail: str
) -> None:
    response = client.get(URL, query)

    assert response.status_code == 400
    assert response["Content-Type"] == "application/problem+json"
    assert detail in response.json()["detail"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"statsu": "open"}, "statsu"),
        ({"status": "new"}, "status"),
        ({"ordering": "age"}, "ordering"),
        ({"first_seen_after": "yesterday"}, "first_seen_after"),
    ],
)
def test_a_wrong_filter_is_named(
    client: APIClient, query: dict[str, str], field: str
) -> None:
    response = client.get(URL, query)

    assert response.status_code == 400
    assert field in response.json()["errors"]


def test_assignee_me_is_the_person_who_asks() -> None:
    client = APIClient()
    me = make_user(role="viewer")
    client.force_login(me)
    mine = make_issue(assignee=me)
    make_issue()

    assert ids(client.get(URL, {"assignee": "me"})) == [mine.pk]


def test_the_issues_of_a_tenant_are_listed(client: APIClient) -> None:
    tenant = make_tenant()
    issue = make_issue(tenants=[tenant])
    make_issue(tenants=[make_tenant()])

    assert ids(client.get(f"/api/v1/tenants/{tenant.pk}/issues/")) == [issue.pk]


def test_the_issues_of_an_unknown_tenant_are_not_found(client: APIClient) -> None:
    assert client.get("/api/v1/tenants/999/issues/").status_code == 404


def test_an_issue_explains_its_score_grouping_tenants_and_history(
    client: APIClient,
) -> None:
    project = make_project(slug="shop")
    tenant = make_tenant(
        "acme.example", plan=make_plan("Pro", 2.0), monthly_revenue="99.50"
    )
    issue = make_issue(
        project,
        tenants=[tenant],
        stats={"score": 12.5, "exponent": 0.13, "parts": {"reach": 0.2}},
    )
    make_fingerprint(issue, reason="in-app frames", parts=["shop quote"])
    merged = make_issue(project, stats={"events": 4})
    make_fingerprint(merged)
    merging.merge(issue, [merged], ANNA)

    body = client.get(f"{URL}{issue.pk}/").json()

    assert body["impact"]["parts"] == {"reach": 0.2}
    first, second = body["grouping"]["fingerprints"]
    assert (first["reason"], first["parts"]) == ("in-app frames", ["shop quote"])
    assert second["issue"] == merged.pk
    assert body["grouping"]["merged"] == [
        {"id": merged.pk, "title": merged.title, "events": 4}
    ]
    assert body["tenants_hit"]["revenue"] == "99.50"
    assert body["tenants_hit"]["rows"][0]["key"] == "acme.example"
    assert body["activities"][0]["kind"] == "merged"
    assert body["events"] == 5


def test_an_issue_is_read_with_a_fixed_number_of_queries(
    client: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    project = make_project()
    issue = make_issue(project, tenants=[make_tenant() for _ in range(3)])
    make_fingerprint(issue)
    merging.merge(issue, [make_issue(project), make_issue(project)], ANNA)
    make_hit(issue)
    client.get(URL)

    # Token, issue, merged ones, hit, fingerprints, tenants, history.
    with django_assert_num_queries(7):
        client.get(f"{URL}{issue.pk}/")


def test_an_issue_is_found_by_its_short_id(client: APIClient) -> None:
    issue = make_issue(make_project(slug="check-out"))

    response = client.get(f"{URL}CHECK-OUT-{issue.pk}/")

    assert response.json()["id"] == issue.pk


@pytest.mark.parametrize("name", ["999", "SHOP-999", "nope", "9" * 30])
def test_an_issue_that_is_not_there_is_a_problem(client: APIClient, name: str) -> None:
    response = client.get(f"{URL}{name}/")

    assert response.status_code == 404
    assert response.json()["detail"] == f"There is no issue {name}."


def test_a_merged_issue_tells_where_it_is_shown(client: APIClient) -> None:
    project = make_project()
    root = make_issue(project)
    merged = make_issue(project, merged_into=root)

    assert client.get(f"{URL}{merged.pk}/").json()["merged_into"] == root.pk


def test_status_and_assignee_are_changed(client: APIClient) -> None:
    issue, user = make_issue(), make_user("bert")

    response = client.patch(
        f"{URL}{issue.pk}/", {"status": "resolved", "assignee": "bert"}
    )

    assert (response.json()["status"], response.json()["assignee"]) == (
        "resolved",
        "bert",
    )
    issue.refresh_from_db()
    assert (issue.status, issue.assignee) == ("resolved", user)


def test_an_unchanged_status_is_no_step(client: APIClient) -> None:
    issue = make_issue()

    client.patch(f"{URL}{issue.pk}/", {"status": "open"})

    assert not IssueActivity.objects.exists()


def test_nobody_is_assigned_with_null(client: APIClient) -> None:
    issue = make_issue(assignee=make_user())

    client.patch(f"{URL}{issue.pk}/", {"assignee": None}, format="json")

    issue.refresh_from_db()
    assert issue.assignee is None


@pytest.mark.parametrize(
    "body", [{"status": "closed"}, {"assignee": "nobody"}, {"status": None}]
)
def test_a_wrong_change_is_a_problem(client: APIClient, body: dict[str, Any]) -> None:
    response = client.patch(f"{URL}{make_issue().pk}/", body, format="json")

    assert response.status_code == 400
    assert list(response.json()["errors"]) == list(body)


def test_a_change_leaves_an_audit_row_with_the_token(client: APIClient) -> None:
    issue = make_issue()

    client.patch(f"{URL}{issue.pk}/", {"status": "archived"})

    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action, entry.remote_addr) == (
        "token ci",
        "archived",
        "127.0.0.1",
    )


def test_an_issue_is_resolved_in_a_release(client: APIClient) -> None:
    project = make_project()
    make_release(project, "2.0.0")
    issue = make_issue(project)

    response = client.post(
        f"{URL}{issue.pk}/resolve/", {"how": "in_release", "release": "2.0.0"}
    )

    assert response.status_code == 200
    assert response.json()["resolution_release"] == "2.0.0"


def test_resolving_in_an_unknown_release_says_what_to_do(client: APIClient) -> None:
    issue = make_issue()

    response = client.post(
        f"{URL}{issue.pk}/resolve/", {"how": "in_release", "release": "9"}
    )

    assert response.status_code == 400
    assert "has no release '9'" in response.json()["errors"]["release"]


def test_resolving_in_a_release_without_a_name_is_refused(client: APIClient) -> None:
    response = client.post(f"{URL}{make_issue().pk}/resolve/", {"how": "in_release"})

    assert response.status_code == 400
    assert response.json()["detail"] == "Name the release that has the fix."


def test_an_issue_is_archived_until_it_grows(client: APIClient) -> None:
    issue = make_issue(stats={"events": 10})

    body = client.post(f"{URL}{issue.pk}/archive/", {"more_events": 5}).json()

    assert (body["status"], body["archived_until_events"]) == ("archived", 15)


def test_an_issue_is_reopened_with_a_reason(client: APIClient) -> None:
    issue = make_issue(status="resolved")

    body = client.post(f"{URL}{issue.pk}/reopen/", {"reason": "again"}).json()

    assert body["status"] == "open"
    assert body["activities"][0]["text"] == "reopened\nagain"


def test_issues_are_merged_and_unmerged(client: APIClient) -> None:
    project = make_project()
    issue, other = make_issue(project), make_issue(project)

    merged = client.post(
        f"{URL}{issue.pk}/merge/", {"issues": [other.pk]}, format="json"
    )
    unmerged = client.post(f"{URL}{other.pk}/unmerge/")

    assert merged.json()["events"] == 2
    assert unmerged.json()["merged_into"] is None
    assert Issue.objects.shown().count() == 2


def test_merging_across_projects_is_a_problem(client: APIClient) -> None:
    response = client.post(
        f"{URL}{make_issue().pk}/merge/", {"issues": [make_issue().pk]}, format="json"
    )

    assert response.status_code == 400
    assert "only issues of one project" in response.json()["detail"]


def test_an_issue_is_commented(client: APIClient) -> None:
    issue = make_issue()

    response = client.post(f"{URL}{issue.pk}/comments/", {"text": "Old theme only."})

    assert response.status_code == 201
    assert response.json()["text"] == "Old theme only."
    assert IssueActivity.objects.get().actor == "token ci"


def test_a_token_without_the_scope_may_not_change() -> None:
    issue = make_issue()

    response = token_client("issue:read").patch(f"{URL}{issue.pk}/", {"status": "open"})

    assert response.status_code == 403
    assert response.json()["detail"] == "This token lacks the scope issue:write."


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("responder", 200)])
def test_people_change_issues_by_their_role(role: str, status: int) -> None:
    issue = make_issue()

    response = role_client(role).patch(f"{URL}{issue.pk}/", {"status": "resolved"})

    assert response.status_code == status
