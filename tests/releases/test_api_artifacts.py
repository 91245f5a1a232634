import pytest
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from releases.models import Artifact, ArtifactBundle
from tenants.models import AuditEntry
from tests.factories import (
    make_artifact,
    make_bundle,
    make_project,
    role_client,
    token_client,
)
from tests.releases.uploads import DEBUG_ID

pytestmark = pytest.mark.django_db

URL = "/api/v1/artifact-bundles/"


@pytest.fixture
def client() -> APIClient:
    return token_client("release:read")


def test_a_bundle_tells_what_it_is(client: APIClient) -> None:
    bundle = make_bundle(
        make_project(slug="shop"), "shop@1", dist="a", file_count=2, size=99
    )
    told = client.get(f"{URL}{bundle.pk}/").json()
    assert told == told | {
        "id": bundle.pk,
        "project": "shop",
        "release": "shop@1",
        "dist": "a",
        "checksum": bundle.checksum,
        "state": "ok",
        "detail": "",
        "file_count": 2,
        "size": 99,
    }


def test_a_bundle_of_no_release_says_null(client: APIClient) -> None:
    bundle = make_bundle()
    assert client.get(f"{URL}{bundle.pk}/").json()["release"] is None


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({}, 3),
        ({"project": "shop"}, 2),
        ({"release": "shop@1"}, 1),
        ({"state": "error"}, 1),
        ({"checksum": "0" * 40}, 1),
        ({"checksum": "1" * 40}, 0),
    ],
)
def test_the_list_is_narrowed(
    client: APIClient, query: dict[str, str], count: int
) -> None:
    shop = make_project(slug="shop")
    make_bundle(shop, "shop@1")
    make_bundle(shop, "shop@2", state=ArtifactBundle.State.ERROR)
    make_bundle(checksum="0" * 40)
    assert len(client.get(URL, query).json()["results"]) == count


@pytest.mark.parametrize("bundles", [1, 5])
def test_the_list_costs_a_fixed_number_of_queries(
    client: APIClient, bundles: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(bundles):
        make_bundle(version="shop@1")
    client.get(URL)
    # The token, the bundles.
    with django_assert_num_queries(2):
        client.get(URL)


def test_the_files_of_a_bundle_are_listed_by_url(client: APIClient) -> None:
    bundle = make_bundle()
    make_artifact(bundle, "~/b.js", b"123", debug_id=DEBUG_ID)
    make_artifact(bundle, "~/a.js.map")
    make_artifact(make_bundle(), "~/other.js")
    first, second = client.get(f"{URL}{bundle.pk}/files/").json()["results"]
    assert (first["url"], first["kind"]) == ("~/a.js.map", "source_map")
    assert (second["debug_id"], second["size"]) == (DEBUG_ID, 3)
    assert second["source_map_url"] == ""


@pytest.mark.parametrize(
    "query", [{"url": "~/a.js"}, {"debug_id": DEBUG_ID}, {"kind": "minified_source"}]
)
def test_the_files_are_narrowed(client: APIClient, query: dict[str, str]) -> None:
    bundle = make_bundle()
    make_artifact(bundle, "~/a.js", debug_id=DEBUG_ID)
    make_artifact(bundle, "~/b.js.map")
    (told,) = client.get(f"{URL}{bundle.pk}/files/", query).json()["results"]
    assert told["url"] == "~/a.js"


def test_the_files_of_no_bundle_are_not_there(client: APIClient) -> None:
    assert client.get(f"{URL}1/files/").status_code == 404


def test_a_bundle_is_deleted() -> None:
    bundle = make_bundle()
    make_artifact(bundle, "~/a.js")
    response = token_client("release:write").delete(f"{URL}{bundle.pk}/")
    assert response.status_code == 204
    assert not ArtifactBundle.objects.exists() and not Artifact.objects.exists()
    assert AuditEntry.objects.get().action == "deleted"


def test_deleting_needs_the_scope_or_the_role(client: APIClient) -> None:
    where = f"{URL}{make_bundle().pk}/"
    assert client.delete(where).status_code == 403
    assert role_client("responder").delete(where).status_code == 403
    assert role_client("maintainer").delete(where).status_code == 204


@pytest.mark.parametrize("path", ["", "{}/", "{}/files/"])
def test_reading_needs_the_scope(path: str) -> None:
    where = URL + path.format(make_bundle().pk)
    assert token_client("traffic:write").get(where).status_code == 403
    assert role_client("viewer").get(where).status_code == 200


def test_nothing_is_made_or_changed_here(client: APIClient) -> None:
    writer = token_client("release:write")
    assert writer.post(URL, {}).status_code == 405
    assert writer.patch(f"{URL}{make_bundle().pk}/", {}).status_code == 405
