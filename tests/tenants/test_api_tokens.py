from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from tenants.models import ApiToken, AuditEntry
from tests.factories import make_token, make_user, role_client, token_client

pytestmark = pytest.mark.django_db

URL = "/api/v1/tokens/"


@pytest.fixture
def client() -> APIClient:
    return role_client("owner")


def test_a_token_is_shown_once_and_works(client: APIClient) -> None:
    body = client.post(URL, {"name": "ci", "scopes": ["issue:read"]}, format="json")

    token = body.json()["token"]
    assert body.status_code == 201
    assert token.startswith("sntrys_")
    assert token not in client.get(URL).content.decode()
    caller = APIClient()
    caller.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    assert caller.get("/api/v1/issues/").status_code == 200


def test_making_a_token_leaves_an_audit_row_without_it(client: APIClient) -> None:
    body = client.post(URL, {"name": "ci", "scopes": ["issue:read"]}, format="json")

    entry = AuditEntry.objects.get()
    assert entry.action == "added"
    assert entry.changes == {"scopes": [None, ["issue:read"]]}
    assert body.json()["token"] not in str(entry.changes)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "ci", "scopes": []}, "scopes"),
        ({"name": "ci", "scopes": ["root"]}, "scopes"),
        ({"name": "ci"}, "scopes"),
        ({"scopes": ["issue:read"]}, "name"),
        (
            {
                "name": "ci",
                "scopes": ["issue:read"],
                "expires_at": "2001-01-01T00:00:00Z",
            },
            "expires_at",
        ),
    ],
)
def test_a_wrong_token_is_named(
    client: APIClient, body: dict[str, Any], field: str
) -> None:
    response = client.post(URL, body, format="json")

    assert response.status_code == 400
    assert list(response.json()["errors"]) == [field]


def test_a_revoked_token_stops_working_and_stays_listed(client: APIClient) -> None:
    row, token = make_token("issue:read")
    caller = APIClient()
    caller.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")

    assert client.delete(f"{URL}{row.pk}/").status_code == 204
    assert caller.get("/api/v1/issues/").status_code == 401
    assert client.get(f"{URL}{row.pk}/").json()["revoked_at"] is not None
    assert AuditEntry.objects.get().action == "revoked"


def test_revoking_twice_leaves_one_audit_row(client: APIClient) -> None:
    row, _ = make_token("issue:read")

    client.delete(f"{URL}{row.pk}/")
    client.delete(f"{URL}{row.pk}/")

    assert AuditEntry.objects.count() == 1


def test_tokens_are_listed_newest_first(
    client: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    made = [make_token("issue:read", created_by=make_user())[0].pk for _ in range(3)]
    client.get(URL)

    # Session, person, permissions of the person and of the groups, list.
    with django_assert_num_queries(5):
        rows = client.get(URL).json()["results"]

    assert [row["id"] for row in rows] == made[::-1]


def test_no_token_makes_tokens() -> None:
    client = token_client("project:write", "issue:write")

    response = client.post(URL, {"name": "x", "scopes": ["issue:read"]}, format="json")

    assert response.status_code == 403
    assert "log in as a person" in response.json()["detail"]
    assert ApiToken.objects.count() == 1


@pytest.mark.parametrize("role", ["viewer", "responder", "maintainer"])
def test_only_owners_see_tokens(role: str) -> None:
    assert role_client(role).get(URL).status_code == 403


def test_an_expired_token_stops_working() -> None:
    _, token = make_token(
        "issue:read", expires_at=timezone.now() - timedelta(seconds=1)
    )
    caller = APIClient()
    caller.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")

    response = caller.get("/api/v1/issues/")

    assert response.status_code == 401
    assert "expired" in response.json()["detail"]
