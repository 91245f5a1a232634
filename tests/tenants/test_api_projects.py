from typing import Any

import pytest
from django.conf import LazySettings
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from tenants.models import AuditEntry, Project, ProjectKey
from tests.factories import make_key, make_project, role_client, token_client

pytestmark = pytest.mark.django_db

PROJECTS, KEYS = "/api/v1/projects/", "/api/v1/keys/"


@pytest.fixture
def client() -> APIClient:
    return token_client("project:write")


def test_a_project_is_made(client: APIClient) -> None:
    response = client.post(PROJECTS, {"name": "Tracking", "slug": "tracking"})

    assert response.status_code == 201
    assert response.json()["tenant_tags"][0] == "tenant"
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.object_label) == ("added", "Tracking")
    assert entry.changes["slug"] == [None, "tracking"]


def test_a_slug_is_taken_once(client: APIClient) -> None:
    make_project(slug="shop")

    response = client.post(PROJECTS, {"name": "Shop", "slug": "shop"})

    assert "slug" in response.json()["errors"]


def test_a_project_is_changed(client: APIClient) -> None:
    project = make_project()

    response = client.patch(
        f"{PROJECTS}{project.pk}/", {"tenant_tags": ["brand"]}, format="json"
    )

    assert response.status_code == 200
    assert AuditEntry.objects.get().changes["tenant_tags"][1] == ["brand"]


def test_a_project_names_its_repositories(client: APIClient) -> None:
    project = make_project()
    url = f"{PROJECTS}{project.pk}/"

    client.patch(url, {"repositories": ["acme/shop"]}, format="json")

    assert client.get(url).json()["repositories"] == ["acme/shop"]


def test_a_project_says_what_is_stored_of_people(client: APIClient) -> None:
    project = make_project()
    url = f"{PROJECTS}{project.pk}/"

    client.patch(url, {"ip_addresses": "off", "scrub_personal_data": True})
    refused = client.patch(url, {"ip_addresses": "maybe"})

    told = client.get(url).json()
    assert (told["ip_addresses"], told["scrub_personal_data"]) == ("off", True)
    assert "ip_addresses" in refused.json()["errors"]
    assert AuditEntry.objects.get().changes == {
        "ip_addresses": ["on", "off"],
        "scrub_personal_data": [False, True],
    }


def test_a_change_to_what_is_there_leaves_no_audit_row(client: APIClient) -> None:
    project = make_project()

    client.patch(f"{PROJECTS}{project.pk}/", {"name": project.name})

    assert not AuditEntry.objects.exists()


def test_projects_are_listed_by_name(
    client: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for slug in ("b", "c", "a"):
        make_project(slug=slug)
    client.get(PROJECTS)

    with django_assert_num_queries(2):
        rows = client.get(PROJECTS).json()["results"]

    assert [row["slug"] for row in rows] == ["a", "b", "c"]


def test_a_project_is_found_by_its_slug(client: APIClient) -> None:
    project = make_project(slug="shop")
    make_project()

    (row,) = client.get(PROJECTS, {"slug": "shop"}).json()["results"]

    assert row["id"] == project.pk


def test_a_project_is_not_deleted(client: APIClient) -> None:
    response = client.delete(f"{PROJECTS}{make_project().pk}/")

    assert response.status_code == 405
    assert Project.objects.exists()


def test_a_key_shows_its_dsn(client: APIClient, settings: LazySettings) -> None:
    settings.BASE_URL = "https://rush.example.com"
    project = make_project(slug="shop")

    body = client.post(KEYS, {"project": "shop", "label": "pages"}).json()

    key = ProjectKey.objects.get()
    assert body["dsn"] == f"https://{key.public_key}@rush.example.com/{project.pk}"


def test_keys_are_listed_with_their_project(
    client: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(3):
        make_key()
    client.get(KEYS)

    with django_assert_num_queries(2):
        assert len(client.get(KEYS).json()["results"]) == 3


def test_the_keys_of_a_project_are_listed(client: APIClient) -> None:
    key = make_key(make_project(slug="shop"))
    make_key()

    (row,) = client.get(KEYS, {"project": "shop"}).json()["results"]

    assert row["id"] == key.pk


def test_a_key_is_switched_off(client: APIClient) -> None:
    key = make_key()

    client.patch(f"{KEYS}{key.pk}/", {"is_active": False}, format="json")

    key.refresh_from_db()
    assert not key.is_active
    assert AuditEntry.objects.get().changes == {"is_active": [True, False]}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"rate_limit_count": 5}, "request"),
        ({"rate_limit_count": 5, "rate_limit_seconds": 5}, "rate_limit_seconds"),
        ({"allowed_origins": ["not an origin"]}, "allowed_origins"),
        ({"new_tenants_per_hour": -1}, "new_tenants_per_hour"),
    ],
)
def test_a_wrong_key_is_named(
    client: APIClient, body: dict[str, Any], field: str
) -> None:
    response = client.patch(f"{KEYS}{make_key().pk}/", body, format="json")

    assert response.status_code == 400
    assert list(response.json()["errors"]) == [field]


def test_a_key_stays_with_its_project(client: APIClient) -> None:
    other = make_project(slug="other")

    response = client.patch(f"{KEYS}{make_key().pk}/", {"project": other.slug})

    assert "stays with its project" in response.json()["errors"]["project"][0]


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("maintainer", 201)])
def test_people_make_projects_by_their_role(role: str, status: int) -> None:
    response = role_client(role).post(PROJECTS, {"name": "Shop", "slug": "shop"})

    assert response.status_code == status


def test_a_key_is_told_to_stand_in_web_pages(client: APIClient) -> None:
    key = make_key()

    response = client.patch(f"{KEYS}{key.pk}/", {"is_public": True})

    assert response.json()["is_public"] is True
    assert AuditEntry.objects.get().changes["is_public"] == [False, True]
