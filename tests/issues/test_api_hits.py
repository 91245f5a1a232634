from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from issues.models import HitListEntry
from tests.factories import (
    make_hit,
    make_issue,
    make_project,
    make_user,
    role_client,
    token_client,
)

pytestmark = pytest.mark.django_db

URL = "/api/v1/hit-list/"


@pytest.fixture
def client() -> APIClient:
    return token_client("issue:write")


def ids(response: Any) -> list[int]:
    assert response.status_code == 200, response.json()
    return [row["id"] for row in response.json()["results"]]


def test_the_list_shows_the_worst_first_and_only_what_stands(client: APIClient) -> None:
    mild = make_hit(make_issue(stats={"exponent": 1.0}))
    worst = make_hit(make_issue(stats={"exponent": 2.0}))
    past = make_hit(make_issue(), removed_at=timezone.now())

    assert ids(client.get(URL)) == [worst.pk, mild.pk]
    assert ids(client.get(URL, {"removed": "true"})) == [past.pk]


def test_the_list_takes_a_fixed_number_of_queries(
    client: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(4):
        make_hit(make_issue(assignee=make_user()), owner=make_user())
    client.get(URL)

    with django_assert_num_queries(2):
        assert len(ids(client.get(URL))) == 4


def test_the_list_is_filtered(client: APIClient) -> None:
    owner = make_user("bert")
    entry = make_hit(make_issue(), owner=owner)
    make_hit(make_issue())

    assert ids(client.get(URL, {"owner": "bert"})) == [entry.pk]
    assert ids(client.get(URL, {"issue": entry.issue_id})) == [entry.pk]
    assert ids(client.get(URL, {"project": entry.issue.project.slug})) == [entry.pk]


def test_an_issue_is_put_on_the_list(client: APIClient) -> None:
    issue, owner = make_issue(), make_user("bert")

    response = client.post(
        URL, {"issue": issue.pk, "reason": "shops called", "owner": "bert"}
    )

    assert response.status_code == 201
    assert response.json()["issue"]["id"] == issue.pk
    entry = HitListEntry.objects.get()
    assert (entry.owner, entry.added_by) == (owner, "token ci")


def test_an_issue_that_stands_there_is_a_problem(client: APIClient) -> None:
    issue = make_issue()
    make_hit(issue)

    response = client.post(URL, {"issue": issue.pk, "reason": "again"})

    assert response.status_code == 400
    assert "already" in response.json()["detail"]


def test_a_wrong_entry_names_its_fields(client: APIClient) -> None:
    response = client.post(URL, {"issue": 999, "owner": "nobody"})

    assert response.status_code == 400
    assert set(response.json()["errors"]) == {"issue", "owner", "reason"}


def test_an_entry_is_taken_off_with_a_reason(client: APIClient) -> None:
    entry = make_hit(make_issue())

    response = client.post(f"{URL}{entry.pk}/remove/", {"reason": "false alarm"})

    assert response.json()["removed_reason"] == "false alarm"


def test_taking_off_needs_a_reason(client: APIClient) -> None:
    response = client.post(f"{URL}{make_hit(make_issue()).pk}/remove/")

    assert "reason" in response.json()["errors"]


def test_the_next_to_fix_is_the_head(client: APIClient) -> None:
    make_hit(make_issue(stats={"exponent": 1.0}))
    worst = make_hit(make_issue(stats={"exponent": 2.0}))

    assert client.get(f"{URL}next/").json()["id"] == worst.pk


def test_the_next_to_fix_of_a_project(client: APIClient) -> None:
    entry = make_hit(make_issue(make_project(slug="shop"), stats={"exponent": 1.0}))
    make_hit(make_issue(stats={"exponent": 2.0}))

    body = client.get(f"{URL}next/", {"project": "shop"}).json()

    assert body["id"] == entry.pk


@pytest.mark.parametrize("name", ["nope", "\0", "9" * 30])
def test_the_next_to_fix_of_an_unknown_project_is_a_problem(
    client: APIClient, name: str
) -> None:
    response = client.get(f"{URL}next/", {"project": name})

    assert response.status_code == 400
    assert "project" in response.json()["errors"]


def test_an_empty_list_has_no_content(client: APIClient) -> None:
    assert client.get(f"{URL}next/").status_code == 204


def test_an_expiry_is_kept(client: APIClient) -> None:
    expiry = timezone.now() + timedelta(hours=1)

    client.post(URL, {"issue": make_issue().pk, "reason": "x", "expires_at": expiry})

    assert HitListEntry.objects.get().expires_at == expiry


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("responder", 201)])
def test_people_list_issues_by_their_role(role: str, status: int) -> None:
    body = {"issue": make_issue().pk, "reason": "shops called"}

    assert role_client(role).post(URL, body).status_code == status
