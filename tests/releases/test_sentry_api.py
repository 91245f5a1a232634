"""The calls of sentry-cli; tests/flow/test_sentry_cli.py runs the program itself."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.conf import LazySettings
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from releases.models import Commit, Deploy, Release, Watch
from tenants.models import AuditEntry, Project
from tests.factories import (
    make_commit,
    make_deploy,
    make_project,
    make_release,
    make_token,
    make_user,
    token_client,
)

pytestmark = pytest.mark.django_db

SAMPLES = Path(__file__).parent.parent / "samples"
RECORDED = json.loads((SAMPLES / "cli" / "requests.json").read_text(encoding="utf-8"))
ROOT = "/api/0/organizations/rush"
RELEASES = f"{ROOT}/releases/"


@pytest.fixture
def client() -> APIClient:
    return token_client("release:write")


@pytest.fixture
def web() -> Project:
    return make_project(slug="web")


@pytest.fixture
def api() -> Project:
    return make_project(slug="api")


def url(version: str, more: str = "") -> str:
    return f"{RELEASES}{quote(version, safe='@')}/{more}"


def is_release(told: Any) -> bool:
    """Whether sentry-cli reads it: see required-fields of the recorded client."""
    datetime.fromisoformat(told["dateCreated"]).astimezone()
    assert told["dateCreated"].endswith(("Z", "+00:00"))
    assert told["version"]
    return all(project["slug"] and project["name"] for project in told["projects"])


READERS = {
    "releases": is_release,
    "deploys": lambda told: bool(told["environment"]),
    "organizations": lambda told: (
        {"id", "slug", "name", "dateCreated"} < told.keys()
        and {"isEarlyAdopter", "require2FA"} < told.keys()
    ),
    "repos": lambda told: (
        {"id", "name", "status", "dateCreated"} < told.keys()
        and {"id", "name"} == told["provider"].keys()
    ),
    "projects": lambda told: {"id", "slug", "name"} < told.keys(),
    "commits": lambda told: bool(told["id"]),
}


@pytest.mark.parametrize("command", RECORDED)
def test_recorded_requests_are_answered(
    command: str, client: APIClient, settings: LazySettings
) -> None:
    settings.ORGANIZATION_SLUG = "orders"
    web, api = make_project(slug="orders-web"), make_project(slug="orders-api")
    for version in ("orders-web@1.4.2", "orders-web@1.5.0+build.7 ü"):
        make_deploy(make_release(web, version))
    make_release(api, "orders@2.0.0")

    for request in RECORDED[command]:
        method, target = request["method"], request["target"]
        body = json.dumps(request.get("json"))
        response = client.generic(method, target, body, "application/json")

        assert response.status_code in {request["status"], 200}, response.content
        if response.status_code != 204:
            assert response["Content-Type"].startswith("application/json")
        if response.content not in {b"", b"{}"} and target != "/api/0/":
            told = response.json()
            kind = target.split("?")[0].rstrip("/").split("/")[-1]
            reads = READERS.get(kind, is_release)
            assert all(map(reads, told if isinstance(told, list) else [told]))


def test_info_tells_the_scopes_and_who_made_the_token() -> None:
    user = make_user("anna", email="anna@example.com")
    token = make_token("release:write", "event:read", created_by=user)[1]
    client = Client(headers={"authorization": f"Bearer {token}"})

    told = client.get("/api/0/").json()

    assert told["auth"]["scopes"] == ["event:read", "release:write"]
    assert told["user"]["email"] == "anna@example.com"


def test_a_release_is_made_in_each_project(
    client: APIClient, web: Project, api: Project
) -> None:
    body = {
        "version": "shop@2",
        "projects": ["web", "api"],
        "dateStarted": "2026-11-23T09:18:18.075602220Z",
        "dateReleased": "2026-11-23T09:19:00Z",
        "url": "https://ci.example.com/7",
    }

    first, again = client.post(RELEASES, body), client.post(RELEASES, body)

    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert [p["slug"] for p in first.json()["projects"]] == ["web", "api"]
    for release in Release.objects.all():
        assert (release.version, release.url) == ("shop@2", "https://ci.example.com/7")
        assert release.started_at and release.released_at
    assert Release.objects.count() == AuditEntry.objects.count() == 2


def test_a_project_may_be_named_by_its_id(client: APIClient, web: Project) -> None:
    client.post(RELEASES, {"version": "1", "projects": [str(web.pk)]})

    assert Release.objects.get().project == web


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"projects": ["web"]}, "version: This field is required."),
        ({"version": "1", "projects": ["nope"]}, "project: There is no project 'nope'"),
        ({"version": "1", "projects": ["web"], "url": "x"}, "url: Enter a valid URL."),
        ({"version": "1", "projects": ["web"], "ref": "c" * 65}, "ref: "),
        (
            {"version": "1", "projects": ["web"], "commits": [{"message": "m"}]},
            "commits.0.sha: This field is required.",
        ),
        (
            {"version": "1", "projects": ["web"], "commits": [{"id": "c" * 65}]},
            "at most 64 characters",
        ),
    ],
)
def test_what_is_wrong_stands_in_the_detail(
    client: APIClient, web: Project, body: Any, detail: str
) -> None:
    response = client.post(RELEASES, body)

    assert response.status_code == 400
    assert list(response.json()) == ["detail"]
    assert detail in response.json()["detail"]
    assert not Release.objects.exists()


def test_a_release_is_finalized_in_the_named_projects(
    client: APIClient, web: Project, api: Project
) -> None:
    make_release(web, "1")
    make_release(api, "1")
    body = {"projects": ["web"], "dateReleased": "2026-11-23T09:18:18.619975374Z"}

    told = client.put(url("1"), body).json()

    assert told["dateReleased"] == "2026-11-23T09:18:18.619975Z"
    assert Release.objects.get(project=api).released_at is None


def test_a_release_is_archived_and_restored_everywhere(
    client: APIClient, web: Project, api: Project
) -> None:
    make_release(web, "1")
    make_release(api, "1")

    for status in ("archived", "open"):
        body = {"version": "1", "projects": [], "status": status}
        response = client.post(RELEASES, body)

        assert (response.status_code, response.json()["status"]) == (200, status)
        archived = status == "archived"
        assert Release.objects.exclude(archived_at=None).count() == 2 * archived


def test_local_commits_are_set_in_every_project_of_the_release(
    client: APIClient, web: Project, api: Project
) -> None:
    make_release(web, "1")
    make_release(api, "1")
    commit = {
        "id": "c1",
        "message": "Round prices once\n\nbody\n",
        "author_name": "Mia Müller",
        "author_email": "mia@example.com",
        "timestamp": "2026-11-24T10:00:00Z",
        "repository": "origin",
        "patch_set": [{"path": "app.py", "type": "M"}],
    }

    told = client.put(url("1"), {"commits": [commit]}).json()

    assert told["lastCommit"] == {"id": "c1"}
    assert told["authors"] == [{"name": "Mia Müller"}]
    for row in Commit.objects.all():
        assert (row.sha, row.repository, row.files) == ("c1", "origin", ["app.py"])
    (listed,) = client.get(url("1", "commits/")).json()
    assert (listed["id"], listed["repository"]) == ("c1", {"name": "origin"})
    assert listed["author"] == {"name": "Mia Müller", "email": "mia@example.com"}


def test_refs_set_and_clear_the_commits(client: APIClient, web: Project) -> None:
    release = make_release(web, "1")
    ref = {"repository": "acme/shop", "commit": "c1", "previousCommit": None}

    client.put(url("1"), {"refs": [ref]})
    assert [c.sha for c in release.commits.all()] == ["c1"]

    client.put(url("1"), {"refs": []})
    assert not release.commits.exists()


def test_the_previous_release_with_commits_is_found(
    client: APIClient, web: Project
) -> None:
    now = timezone.now()
    for n, commit in enumerate(["c1", "c2", "", "c4"]):
        seen = now + timedelta(minutes=n)
        make_release(web, f"1.{n}", commit=commit, first_seen=seen)
    for version in ("1.1", "1.2"):
        make_release(make_project(slug=f"a{version[-1]}"), version, commit="other")

    told = client.get(url("1.3", "previous-with-commits/")).json()

    assert (told["version"], told["lastCommit"]) == ("1.1", {"id": "c2"})
    assert is_release(told)


@pytest.mark.parametrize("version", ["1", "unknown"])
def test_without_a_previous_release_there_is_none(
    client: APIClient, web: Project, version: str
) -> None:
    make_release(web, "1", commit="c1")

    assert client.get(url(version, "previous-with-commits/")).json() == {}


def test_a_deploy_is_recorded_and_watched_in_each_project(
    client: APIClient, web: Project, api: Project
) -> None:
    make_release(web, "1")
    make_release(api, "1")
    body = {
        "environment": "production",
        "name": "blue 7",
        "url": "https://ci.example.com/7",
        "dateStarted": "2026-11-23T09:16:43.718228361Z",
        "dateFinished": "2026-11-23T09:18:18.718228361Z",
    }

    first = client.post(url("1", "deploys/"), body)
    again = client.post(url("1", "deploys/"), body)

    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert Deploy.objects.count() == Watch.objects.count() == 2
    (listed,) = client.get(url("1", "deploys/")).json()
    assert (listed["environment"], listed["name"]) == ("production", "blue 7")
    assert listed["dateStarted"] == "2026-11-23T09:16:43.718228Z"


def test_a_deploy_may_tell_next_to_nothing(client: APIClient, web: Project) -> None:
    make_release(web, "1")
    body = {"environment": "staging", "name": None, "url": None, "dateStarted": None}

    told = client.post(url("1", "deploys/"), body).json()

    assert (told["name"], told["url"], told["dateFinished"]) == (None, None, None)
    assert told["dateStarted"] is not None


def test_a_deploy_that_cannot_be_is_refused(client: APIClient, web: Project) -> None:
    make_release(web, "1")

    response = client.post(
        url("1", "deploys/"), {"environment": "x", "dateFinished": "2126-01-01T00:00Z"}
    )

    assert response.status_code == 400
    assert "lies in the future" in response.json()["detail"]


def test_a_release_is_deleted_everywhere(
    client: APIClient, web: Project, api: Project
) -> None:
    make_commit(make_release(web, "1"))
    make_release(api, "1")

    response = client.delete(url("1"))

    assert (response.status_code, response.content) == (204, b"")
    assert not Release.objects.exists()


def test_a_release_that_was_deployed_is_not_deleted(
    client: APIClient, web: Project, api: Project
) -> None:
    make_release(api, "1")
    make_deploy(make_release(web, "1"))

    response = client.delete(url("1"))

    assert response.status_code == 409
    assert response.json() == {
        "detail": "1 of web stays, for it was deployed. Archive it instead: that takes "
        "it off the list."
    }
    assert Release.objects.count() == 2


def test_the_releases_of_a_project_are_listed_newest_first(
    client: APIClient, web: Project, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    now = timezone.now()
    for n in (1, 3, 2):
        make_release(web, f"1.{n}", first_seen=now + timedelta(hours=n))
    make_release(web, "0", archived_at=now)
    make_release(make_project(), "9")
    path = "/api/0/projects/rush/web/releases/"
    client.get(path)

    # Token, project, list.
    with django_assert_num_queries(3):
        rows = client.get(path).json()

    assert [row["version"] for row in rows] == ["1.3", "1.2", "1.1"]


def test_lists_cost_the_same_for_many_rows(
    client: APIClient,
    web: Project,
    api: Project,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for project in (web, api):
        release = make_release(project, "1")
        for n in range(3):
            make_commit(release, n)
            make_deploy(release, name=str(n))

    client.get(url("1"))

    # Token, rows, list.
    for more in ("commits/", "deploys/"):
        with django_assert_num_queries(3):
            assert client.get(url("1", more)).status_code == 200
    with django_assert_num_queries(2):
        assert client.get(url("1")).status_code == 200


def test_the_repositories_are_those_of_the_projects(client: APIClient) -> None:
    make_project(repositories=["acme/shop", "acme/theme"])
    make_project(repositories=["acme/shop"])
    make_project()

    rows = client.get(f"{ROOT}/repos/?cursor=").json()

    assert [row["name"] for row in rows] == ["acme/shop", "acme/theme"]
    assert {"id", "provider", "status", "dateCreated"} < rows[0].keys()


def test_there_is_always_a_repository_of_no_known_provider(client: APIClient) -> None:
    (row,) = client.get(f"{ROOT}/repos/").json()

    assert (row["name"], row["provider"]["id"]) == ("local", "local")


@pytest.mark.parametrize(
    "version",
    [
        "shop@1.0",
        "shop@1.0+build.7",
        "shop web 1",
        "feature/cart",
        "a/deploys/b",
        "/a//b",
        "größe@1 🧦",
        "100%",
        "%2F",
        "a?b#c",
        "..",
        "commits",
    ],
)
def test_a_version_may_hold_anything(
    client: APIClient, web: Project, version: str
) -> None:
    client.post(RELEASES, {"version": version, "projects": ["web"]})

    assert client.get(url(version)).json()["version"] == version
    deploy = client.post(url(version, "deploys/"), {"environment": "production"})
    assert deploy.status_code == 201
    assert client.get(url(version, "commits/")).json() == []
    assert Deploy.objects.get().release.version == version


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", url("1")),
        ("put", url("1")),
        ("delete", url("1")),
        ("get", url("1", "deploys/")),
        ("post", url("1", "deploys/")),
        ("get", url("1", "commits/")),
        ("get", "/api/0/organizations/other/repos/"),
        ("get", "/api/0/organizations/other/releases/1/"),
        ("get", "/api/0/projects/rush/nope/releases/"),
        ("get", "/api/0/organizations/rush/chunks/"),
        ("post", "/api/0/nope"),
    ],
)
def test_what_is_not_there_is_told(client: APIClient, method: str, path: str) -> None:
    response = getattr(client, method)(path, {"environment": "production"})

    assert response.status_code == 404
    assert response["Content-Type"] == "application/json"
    assert "There is no" in response.json()["detail"]


def test_archiving_what_is_not_there_is_told(client: APIClient) -> None:
    body = {"version": "1", "projects": [], "status": "archived"}

    assert client.post(RELEASES, body).status_code == 404


def test_without_a_token_it_says_how() -> None:
    response = Client().get("/api/0/")

    assert response.status_code == 401
    assert "Bearer" in response["WWW-Authenticate"]
    assert list(response.json()) == ["detail"]


def test_a_session_of_a_person_is_no_token() -> None:
    client = Client()
    client.force_login(make_user(role="owner"))

    assert client.get("/api/0/").status_code == 401


@pytest.mark.parametrize(
    ("scope", "read", "write"),
    [("release:read", 200, 403), ("traffic:write", 403, 403)],
)
def test_tokens_need_the_scope(web: Project, scope: str, read: int, write: int) -> None:
    client = token_client(scope)
    body = {"version": "1", "projects": ["web"]}

    assert client.get(f"{ROOT}/repos/").status_code == read
    assert client.post(RELEASES, body).status_code == write


def test_a_body_that_is_no_json_is_told(client: APIClient) -> None:
    response = client.generic("POST", RELEASES, "{", "application/json")

    assert response.status_code == 400
    assert "JSON parse error" in response.json()["detail"]
