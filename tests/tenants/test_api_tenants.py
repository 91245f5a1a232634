from decimal import Decimal
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from tenants.models import AuditEntry, Plan, Tenant
from tests.factories import make_plan, make_tenant, role_client, token_client

pytestmark = pytest.mark.django_db

TENANTS, PLANS = "/api/v1/tenants/", "/api/v1/plans/"
IMPORT = f"{TENANTS}import/"


@pytest.fixture
def client() -> APIClient:
    return token_client("tenant:write")


def keys(response: Any) -> list[str]:
    assert response.status_code == 200, response.json()
    return [row["key"] for row in response.json()["results"]]


def test_a_tenant_shows_its_worth(client: APIClient) -> None:
    tenant = make_tenant(
        "acme.example",
        plan=make_plan("Pro", 2.0),
        weight_factor=1.5,
        monthly_revenue=Decimal("99.50"),
    )

    body = client.get(f"{TENANTS}{tenant.pk}/").json()

    assert (body["plan"], body["weight"], body["monthly_revenue"]) == (
        "Pro",
        3.0,
        "99.50",
    )


def test_tenants_are_listed_by_key(
    client: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for key in ("b", "c", "a"):
        make_tenant(key, plan=make_plan(f"plan {key}"))
    client.get(TENANTS)

    with django_assert_num_queries(2):
        assert keys(client.get(TENANTS)) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("query", "hit"),
    [
        ({"key": "acme.example"}, True),
        ({"key": "acme"}, False),
        ({"q": "ACME"}, True),
        ({"q": "big shop"}, True),
        ({"q": "nope"}, False),
        ({"plan": "pro"}, True),
        ({"plan": "free"}, False),
        ({"source": "event"}, True),
        ({"source": "import"}, False),
        ({"uninstalled": "false"}, True),
        ({"uninstalled": "true"}, False),
        ({"last_seen_after": "2026-11-01T00:00:00Z"}, True),
        ({"last_seen_before": "2026-11-01T00:00:00Z"}, False),
    ],
)
def test_tenants_are_filtered(
    client: APIClient, query: dict[str, str], hit: bool
) -> None:
    make_tenant(
        "acme.example",
        name="Big Shop",
        plan=make_plan("Pro"),
        last_seen="2026-11-20T00:00:00Z",
    )

    assert keys(client.get(TENANTS, query)) == (["acme.example"] if hit else [])


def test_a_tenant_is_changed(client: APIClient) -> None:
    tenant, plan = make_tenant(), make_plan("Pro")

    response = client.patch(
        f"{TENANTS}{tenant.pk}/", {"plan": "Pro", "monthly_revenue": "10"}
    )

    assert response.status_code == 200
    tenant.refresh_from_db()
    assert (tenant.plan, tenant.monthly_revenue) == (plan, Decimal(10))
    assert AuditEntry.objects.get().changes["plan"] == [None, plan.pk]


def test_the_key_of_a_tenant_stays(client: APIClient) -> None:
    tenant = make_tenant("acme.example")

    client.patch(f"{TENANTS}{tenant.pk}/", {"key": "other"})

    assert Tenant.objects.get().key == "acme.example"


@pytest.mark.parametrize(
    "body", [{"plan": "Gold"}, {"weight_factor": -1}, {"monthly_revenue": "much"}]
)
def test_a_wrong_change_is_named(client: APIClient, body: dict[str, Any]) -> None:
    response = client.patch(f"{TENANTS}{make_tenant().pk}/", body)

    assert response.status_code == 400
    assert list(response.json()["errors"]) == list(body)


def test_tenants_are_imported_as_json(client: APIClient) -> None:
    make_plan("Pro")
    rows = [{"key": "a", "plan": "Pro"}, {"key": "b", "plan": "Gold"}]

    response = client.post(IMPORT, rows, format="json")

    assert response.status_code == 200
    assert response.json() == {
        "created": 1,
        "updated": 0,
        "unchanged": 0,
        "refused": [
            {"row": 2, "message": "There is no plan 'Gold'; the plans are: Pro."}
        ],
    }


def test_tenants_are_imported_as_csv(client: APIClient) -> None:
    response = client.generic(
        "POST", IMPORT, "key,monthly_revenue\na,10\nb,much\n", "text/csv; charset=utf-8"
    )

    assert response.json()["created"] == 1
    # The line of the file.
    assert response.json()["refused"][0]["row"] == 3


def test_tenants_are_imported_as_an_uploaded_file(client: APIClient) -> None:
    file = SimpleUploadedFile("tenants.csv", b"key;name\na;A\n", "text/csv")

    response = client.post(IMPORT, {"file": file}, format="multipart")

    assert response.json()["created"] == 1


def test_missing_plans_are_made_when_asked(client: APIClient) -> None:
    client.post(
        f"{IMPORT}?create_plans=true", [{"key": "a", "plan": "Gold"}], format="json"
    )

    assert Plan.objects.get().name == "Gold"


@pytest.mark.parametrize(
    ("body", "content_type", "message"),
    [
        ("name\nAcme\n", "text/csv", "key among them"),
        ('{"key": "a"}', "application/json", "Send a list"),
        ("[{", "application/json", "JSON parse error"),
        ("[]", "text/plain", "Unsupported media type"),
    ],
)
def test_an_import_that_cannot_be_read_is_a_problem(
    client: APIClient, body: str, content_type: str, message: str
) -> None:
    response = client.generic("POST", IMPORT, body, content_type)

    assert 400 <= response.status_code < 500
    assert message in response.content.decode()
    assert response["Content-Type"] == "application/problem+json"


def test_an_upload_without_its_file_is_a_problem(client: APIClient) -> None:
    response = client.post(IMPORT, {}, format="multipart")

    assert "file" in response.json()["errors"]


def test_a_wrong_flag_is_named(client: APIClient) -> None:
    response = client.post(f"{IMPORT}?create_plans=maybe", [], format="json")

    assert "create_plans" in response.json()["errors"]


def test_an_import_names_the_token_in_the_audit(client: APIClient) -> None:
    client.post(IMPORT, [{"key": "a"}], format="json")

    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action) == ("token ci", "import")


def test_plans_are_made_changed_and_deleted(client: APIClient) -> None:
    made = client.post(PLANS, {"name": "Pro", "weight": 2})
    url = f"{PLANS}{made.json()['id']}/"
    make_tenant("acme", plan_id=made.json()["id"])

    assert client.patch(url, {"weight": 3}).json()["weight"] == 3.0
    assert client.delete(url).status_code == 204
    assert Tenant.objects.get().plan is None
    assert AuditEntry.objects.count() == 3


@pytest.mark.parametrize(("role", "status"), [("responder", 403), ("maintainer", 200)])
def test_people_import_by_their_role(role: str, status: int) -> None:
    response = role_client(role).post(IMPORT, [{"key": "a"}], format="json")

    assert response.status_code == status
