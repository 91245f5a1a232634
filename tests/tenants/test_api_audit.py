from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from tenants.audit import Actor, record
from tests.factories import (
    make_plan,
    make_project,
    make_user,
    role_client,
    token_client,
)

pytestmark = pytest.mark.django_db

URL = "/api/v1/audit/"


@pytest.fixture
def client() -> APIClient:
    return role_client("viewer")


def rows(response: Any) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.json()
    found: list[dict[str, Any]] = response.json()["results"]
    return found


def test_changes_are_listed_newest_first(
    client: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    plan = make_plan()
    for n in range(3):
        record(Actor(f"anna{n}", make_user()), "changed", plan, {"weight": [1, n]})
    client.get(URL)

    # Session, person, permissions of the person and of the groups, list.
    with django_assert_num_queries(5):
        found = rows(client.get(URL))

    assert [row["actor"] for row in found] == ["anna2", "anna1", "anna0"]
    assert found[0]["changes"] == {"weight": [1, 2]}


def test_the_history_of_one_object_is_found(client: APIClient) -> None:
    plan = make_plan()
    record(Actor("anna"), "changed", plan, {})
    record(Actor("anna"), "changed", make_project(), {})

    query = {"object_type": "tenants.plan", "object_id": str(plan.pk)}
    (row,) = rows(client.get(URL, query))

    assert row["object_label"] == "Pro"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"actor": "anna"}, 1),
        ({"actor": "bert"}, 0),
        ({"action": "changed"}, 1),
        ({"after": "2026-01-01T00:00:00Z"}, 1),
        ({"before": "2026-01-01T00:00:00Z"}, 0),
    ],
)
def test_changes_are_filtered(
    client: APIClient, query: dict[str, str], found: int
) -> None:
    record(Actor("anna"), "changed", make_plan(), {})

    assert len(rows(client.get(URL, query))) == found


def test_the_audit_is_only_read(client: APIClient) -> None:
    assert client.post(URL, {}).status_code == 405


def test_tokens_do_not_read_the_audit() -> None:
    assert token_client("project:write").get(URL).status_code == 403
