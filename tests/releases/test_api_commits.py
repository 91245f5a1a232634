from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from releases.models import Commit, Release
from tenants.models import AuditEntry
from tests.factories import (
    make_commit,
    make_project,
    make_release,
    role_client,
    token_client,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> APIClient:
    return token_client("release:write")


@pytest.fixture
def release() -> Release:
    return make_release(make_project(slug="shop"), "2.0")


def url(release: Release) -> str:
    return f"/api/v1/releases/{release.pk}/commits/"


def test_ci_sets_the_commits(client: APIClient, release: Release) -> None:
    newest: dict[str, Any] = {
        "sha": "c2",
        "repository": "acme/shop",
        "message": "Round prices once\n\nNot twice.\n",
        "author_name": "Mia",
        "author_email": "mia@example.com",
        "committed_at": "2026-11-24T10:00:00+01:00",
        "files": ["shop/pricing.py"],
    }

    response = client.put(url(release), {"commits": [newest, {"sha": "c1"}]})

    assert response.status_code == 200
    assert (response.json()["commit"], response.json()["authors"]) == ("c2", ["Mia"])
    assert client.get(url(release)).json()["results"][0] == {
        **newest,
        "position": 0,
        "message": "Round prices once\n\nNot twice.",
        "committed_at": "2026-11-24T09:00:00Z",
    }
    assert AuditEntry.objects.get().actor == "token ci"


def test_commits_may_be_told_as_sentry_cli_does(
    client: APIClient, release: Release
) -> None:
    commit = {
        "id": "c1",
        "timestamp": "2026-11-24T10:00:00Z",
        "message": None,
        "patch_set": [{"path": "shop/pricing.py", "type": "M"}],
    }

    client.put(url(release), {"commits": [commit]})

    row = Commit.objects.get()
    assert (row.sha, row.message, row.files) == ("c1", "", ["shop/pricing.py"])
    assert row.committed_at is not None


def test_refs_are_commits_without_files(client: APIClient, release: Release) -> None:
    refs = [{"repository": "acme/shop", "commit": "c1", "previousCommit": "c0"}]

    client.put(url(release), {"refs": refs})

    row = Commit.objects.get()
    assert (row.sha, row.repository, row.files) == ("c1", "acme/shop", [])


def test_an_empty_list_clears(client: APIClient, release: Release) -> None:
    make_commit(release)

    assert client.put(url(release), {"commits": []}).status_code == 200
    assert not Commit.objects.exists()


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "commits"),
        ({"commits": "c1"}, "commits"),
        ({"commits": [{"message": "no id"}]}, "commits"),
        ({"commits": [{"sha": "c1", "files": "a.py"}]}, "commits"),
        ({"commits": [{"sha": "c1", "files": [1]}]}, "commits"),
        ({"commits": [{"sha": "c1", "message": "nul \0"}]}, "commits"),
        ({"commits": [{"sha": "c1", "committed_at": "now"}]}, "commits"),
        ({"refs": [{"repository": "acme/shop"}]}, "refs"),
    ],
)
def test_what_is_no_list_of_commits_is_named(
    client: APIClient, release: Release, body: Any, named: str
) -> None:
    response = client.put(url(release), body)

    assert response.status_code == 400
    assert list(response.json()["errors"]) == [named]


def test_what_the_step_refuses_is_a_problem(
    client: APIClient, release: Release
) -> None:
    response = client.put(url(release), {"commits": [{"sha": "s" * 65}]})

    assert response.status_code == 400
    assert "at most 64" in response.json()["detail"]


def test_commits_are_listed_newest_first(
    client: APIClient,
    release: Release,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for position in (2, 0, 1):
        make_commit(release, position)
    make_commit(make_release(make_project()))
    client.get(url(release))

    # Token, release, list.
    with django_assert_num_queries(3):
        rows = client.get(url(release), {"per_page": "2"}).json()

    assert [row["position"] for row in rows["results"]] == [0, 1]
    (last,) = client.get(rows["next"]).json()["results"]
    assert last["position"] == 2


def test_the_last_slash_may_be_left_out(client: APIClient, release: Release) -> None:
    assert client.get(url(release)[:-1]).status_code == 200


@pytest.mark.parametrize("method", ["get", "put"])
def test_a_release_that_is_not_there_is_a_problem(
    client: APIClient, method: str
) -> None:
    response = getattr(client, method)("/api/v1/releases/1/commits/", {})

    assert response.status_code == 404


@pytest.mark.parametrize(("role", "status"), [("responder", 403), ("maintainer", 200)])
def test_people_set_commits_by_their_role(
    release: Release, role: str, status: int
) -> None:
    response = role_client(role).put(url(release), {"commits": [{"sha": "c1"}]})

    assert response.status_code == status
