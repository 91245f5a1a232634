from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from releases.models import Release
from tenants.models import AuditEntry
from tests.factories import (
    make_environment,
    make_project,
    make_release,
    role_client,
    token_client,
)

pytestmark = pytest.mark.django_db

URL = "/api/v1/releases/"


@pytest.fixture
def client() -> APIClient:
    return token_client("release:write")


def test_ci_makes_a_release(client: APIClient) -> None:
    make_project(slug="shop")
    body = {
        "project": "shop",
        "version": "shop@2.4.0",
        "released_at": "2026-11-23T12:00:00Z",
    }

    response = client.post(URL, body)

    assert response.status_code == 201
    assert response.json()["released_at"] == "2026-11-23T12:00:00Z"
    assert AuditEntry.objects.get().action == "added"


def test_the_same_post_again_is_the_same_release(client: APIClient) -> None:
    make_project(slug="shop")
    body = {"project": "shop", "version": "1.0.0", "commit": "c1", "authors": ["Mia"]}

    first, again = client.post(URL, body), client.post(URL, body)

    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert AuditEntry.objects.count() == 1


def test_a_release_that_an_event_made_takes_what_ci_tells(client: APIClient) -> None:
    release = make_release(make_project(slug="shop"), "1.0.0")
    body = {"project": "shop", "version": " 1.0.0 ", "url": "https://ci.example.com/7"}

    response = client.post(URL, body)

    assert (response.status_code, response.json()["id"]) == (200, release.pk)
    assert response.json()["url"] == "https://ci.example.com/7"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("version", ""),
        ("version", "\0"),
        ("version", "v" * 251),
        ("commit", "c" * 65),
        ("url", "no url"),
        ("authors", "Mia"),
        ("released_at", "yesterday"),
    ],
)
def test_what_a_release_cannot_be_is_named(
    client: APIClient, field: str, value: str
) -> None:
    make_project(slug="shop")

    response = client.post(URL, {"project": "shop", "version": "1", field: value})

    assert response.status_code == 400
    assert list(response.json()["errors"]) == [field]


def test_a_release_is_archived_and_restored(client: APIClient) -> None:
    release = make_release(make_project())

    archived = client.post(f"{URL}{release.pk}/archive/").json()["archived_at"]
    again = client.post(f"{URL}{release.pk}/archive/").json()["archived_at"]
    restored = client.post(f"{URL}{release.pk}/restore/").json()["archived_at"]

    assert archived is not None
    assert (again, restored) == (archived, None)
    assert AuditEntry.objects.count() == 2


@pytest.mark.parametrize(("archived", "versions"), [("true", ["2"]), ("false", ["1"])])
def test_releases_are_filtered_by_archived(
    client: APIClient, archived: str, versions: list[str]
) -> None:
    make_release(make_project(), "1")
    make_release(make_project(), "2", archived_at=timezone.now())

    rows = client.get(URL, {"archived": archived}).json()["results"]

    assert [row["version"] for row in rows] == versions


@pytest.mark.parametrize("path", ["", "1/archive/", "1/restore/"])
def test_a_reading_token_changes_nothing(path: str) -> None:
    response = token_client("release:read", "traffic:write").post(f"{URL}{path}", {})

    assert response.status_code == 403
    assert "release:write" in response.json()["detail"]


@pytest.mark.parametrize("project", ["nope", "a\0b", 1, None, ["x"]])
def test_an_unknown_project_is_named(client: APIClient, project: Any) -> None:
    response = client.post(URL, {"project": project, "version": "1"}, format="json")

    assert response.status_code == 400
    assert list(response.json()["errors"]) == ["project"]


def test_the_date_of_a_release_is_changed(client: APIClient) -> None:
    release = make_release(make_project())

    client.patch(f"{URL}{release.pk}/", {"released_at": "2026-11-23T12:00:00Z"})

    release.refresh_from_db()
    assert release.released_at is not None


@pytest.mark.parametrize("field", ["version", "project"])
def test_what_events_name_a_release_by_stays(client: APIClient, field: str) -> None:
    release = make_release(make_project())
    body = {field: make_project().slug}

    response = client.patch(f"{URL}{release.pk}/", body)

    assert response.status_code == 400
    assert list(response.json()["errors"]) == [field]


def test_releases_are_listed_newest_first(
    client: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    now, project = timezone.now(), make_project(slug="shop")
    for n in (1, 3, 2):
        make_release(project, f"1.{n}", first_seen=now + timedelta(hours=n))
    make_release(make_project(), "9")
    client.get(URL)

    # Token, project, list.
    with django_assert_num_queries(3):
        rows = client.get(URL, {"project": "shop"}).json()["results"]

    assert [row["version"] for row in rows] == ["1.3", "1.2", "1.1"]


def test_a_release_is_found_by_its_version(client: APIClient) -> None:
    make_release(make_project(), "1")
    release = make_release(make_project(), "2")

    (row,) = client.get(URL, {"version": "2"}).json()["results"]

    assert row["id"] == release.pk


def test_environments_are_listed(
    client: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(3):
        make_environment(make_project())
    client.get(URL)

    with django_assert_num_queries(2):
        rows: list[Any] = client.get("/api/v1/environments/").json()["results"]

    assert len(rows) == 3


@pytest.mark.parametrize(("role", "status"), [("responder", 403), ("maintainer", 201)])
def test_people_make_releases_by_their_role(role: str, status: int) -> None:
    make_project(slug="shop")

    response = role_client(role).post(URL, {"project": "shop", "version": "1"})

    assert response.status_code == status
    assert Release.objects.exists() is (status == 201)
