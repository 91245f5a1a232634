from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from releases.models import Deploy, Evaluation, Rollback, RollbackTarget, Watch
from tenants.models import AuditEntry, Project
from tests.factories import (
    make_deploy,
    make_environment,
    make_project,
    make_release,
    role_client,
    token_client,
)

pytestmark = pytest.mark.django_db

URL = "/api/v1/deploys/"
BODY = {"project": "shop", "release": "shop@2.4.0", "environment": "production"}


@pytest.fixture
def client() -> APIClient:
    return token_client("release:write")


@pytest.fixture
def shop() -> Project:
    return make_project(slug="shop")


def make_watch(deploy: Deploy | None = None, **fields: Any) -> Watch:
    now = timezone.now()
    return Watch.objects.create(
        deploy=deploy or make_deploy(), opened_at=now, due_at=now, **fields
    )


def test_ci_posts_a_deploy(client: APIClient, shop: Project) -> None:
    told = {
        **BODY,
        "name": "blue 7",
        "url": "https://ci.example.com/7",
        "started_at": "2026-11-23T12:00:00Z",
        "finished_at": "2026-11-23T12:01:00Z",
        "traffic_share": 0.1,
        "irreversible": True,
        "idempotency_key": "run-7",
    }

    response = client.post(URL, told)

    assert response.status_code == 201
    answer = response.json()
    assert {name: answer[name] for name in told} == told
    assert (answer["created_by"], answer["verdict"]) == ("token ci", "pending")
    assert answer["watch"]["settings"]["ratio"] == 1.5
    assert answer["rollbacks"] == []
    assert AuditEntry.objects.get().object_type == "releases.deploy"


def test_a_deploy_needs_only_project_and_release(
    client: APIClient, shop: Project
) -> None:
    answer = client.post(URL, {"project": "shop", "release": "1"}).json()

    assert (answer["environment"], answer["traffic_share"]) == ("production", None)
    assert answer["started_at"] is not None


def test_the_same_post_again_is_the_same_deploy(
    client: APIClient, shop: Project
) -> None:
    first, again = client.post(URL, BODY), client.post(URL, BODY)

    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert Watch.objects.count() == 1


@pytest.mark.parametrize(
    ("header", "field"), [("run-7", None), ("run-7", ""), ("run-7", "run-7"), ("", "7")]
)
def test_the_key_stands_in_the_header_or_in_the_body(
    client: APIClient, shop: Project, header: str, field: str | None
) -> None:
    body = BODY if field is None else {**BODY, "idempotency_key": field}

    response = client.post(URL, body, headers={"idempotency-key": header})

    assert response.json()["idempotency_key"] == header or field


def test_two_keys_are_one_too_many(client: APIClient, shop: Project) -> None:
    body = {**BODY, "idempotency_key": "8"}

    response = client.post(URL, body, headers={"idempotency-key": "7"})

    assert list(response.json()["errors"]) == ["idempotency_key"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("project", "nope"),
        ("release", ""),
        ("release", None),
        ("environment", "e" * 65),
        ("name", "n" * 201),
        ("url", "ci"),
        ("started_at", "now"),
        ("traffic_share", 0),
        ("traffic_share", 1.1),
        ("traffic_share", "nan"),
        ("irreversible", "perhaps"),
        ("idempotency_key", "k" * 201),
        ("idempotency_key", []),
    ],
)
def test_what_a_deploy_cannot_be_is_named(
    client: APIClient, shop: Project, field: str, value: Any
) -> None:
    response = client.post(URL, {**BODY, field: value})

    assert response.status_code == 400
    assert list(response.json()["errors"]) == [field]
    assert not Deploy.objects.exists()


def test_what_the_step_refuses_is_a_problem(client: APIClient, shop: Project) -> None:
    response = client.post(URL, {**BODY, "started_at": "2126-11-23T12:00:00Z"})

    assert response.status_code == 400
    assert "lies in the future" in response.json()["detail"]


def test_a_body_that_is_no_object_is_a_problem(client: APIClient) -> None:
    response = client.post(URL, [1], headers={"idempotency-key": "7"})

    assert response.status_code == 400


def test_a_deploy_is_finished_now_or_when_told(client: APIClient) -> None:
    deploy = make_deploy(started_at=timezone.now() - timedelta(hours=1))
    told = (timezone.now() - timedelta(minutes=30)).isoformat()

    client.post(f"{URL}{deploy.pk}/finish/", {"finished_at": told})
    assert Deploy.objects.filter(finished_at=told).exists()

    answer = client.post(f"{URL}{deploy.pk}/finish/").json()
    assert answer["finished_at"] > told
    assert AuditEntry.objects.count() == 2


def test_an_end_before_the_start_is_a_problem(client: APIClient) -> None:
    deploy = make_deploy()

    response = client.post(
        f"{URL}{deploy.pk}/finish/", {"finished_at": "2026-01-01T00:00:00Z"}
    )

    assert response.status_code == 400
    assert "cannot end before" in response.json()["detail"]


def test_deploys_are_listed_newest_first(
    client: APIClient, shop: Project, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    now = timezone.now()
    for n in (1, 3, 2):
        release = make_release(shop, f"1.{n}", first_seen=now)
        make_watch(make_deploy(release, started_at=now + timedelta(minutes=n)))
    client.get(URL)

    # Token, list.
    with django_assert_num_queries(2):
        rows = client.get(URL).json()["results"]

    assert [row["release"] for row in rows] == ["1.3", "1.2", "1.1"]
    assert [row["verdict"] for row in rows] == ["pending"] * 3


@pytest.mark.parametrize(
    ("query", "hit"),
    [
        ({"project": "shop"}, True),
        ({"project": "other"}, False),
        ({"environment": "staging"}, True),
        ({"environment": "production"}, False),
        ({"release": "1.0"}, True),
        ({"release": "1"}, False),
        ({"verdict": "degraded"}, True),
        ({"verdict": "pending"}, False),
        ({"started_after": "2026-11-01T00:00:00Z"}, True),
        ({"started_after": "2026-11-03T00:00:00Z"}, False),
        ({"started_before": "2026-11-03T00:00:00Z"}, True),
        ({"started_before": "2026-11-02T00:00:00Z"}, False),
    ],
)
def test_deploys_are_filtered(
    client: APIClient, shop: Project, query: dict[str, str], hit: bool
) -> None:
    make_project(slug="other")
    deploy = make_deploy(
        make_release(shop, "1.0"),
        make_environment(shop, "staging"),
        started_at="2026-11-02T00:00:00Z",
    )
    make_watch(deploy, verdict="degraded", decided_at=timezone.now())

    rows = client.get(URL, query).json()["results"]

    assert bool(rows) is hit


def test_a_deploy_without_a_watch_has_no_verdict(client: APIClient) -> None:
    deploy = make_deploy()

    answer = client.get(f"{URL}{deploy.pk}/").json()

    assert (answer["verdict"], answer["watch"]) == (None, None)


def test_a_deploy_shows_its_watch_and_its_rollbacks(
    client: APIClient, shop: Project, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    good, bad = make_release(shop, "1"), make_release(shop, "2")
    deploy = make_deploy(bad)
    make_watch(
        deploy,
        verdict="degraded",
        reason="global",
        sentence="Release 2 degraded.",
        source="traffic",
        baseline=good,
        numbers={"ratio": 4.6},
        baseline_numbers={"rate": 0.004},
        suspects=[{"short_id": "SHOP-1", "share": 0.9}],
    )
    target = RollbackTarget.objects.create(name="cd", url="https://cd.example.com")
    for state in ("failed", "called"):
        Rollback.objects.create(
            deploy=deploy,
            target=target,
            to_release=good,
            state=state,
            idempotency_key=uuid4(),
        )
    client.get(f"{URL}{deploy.pk}/")

    # Token, deploy, rollbacks.
    with django_assert_num_queries(3):
        answer = client.get(f"{URL}{deploy.pk}/").json()

    watch = answer["watch"]
    assert answer["verdict"] == watch["verdict"] == "degraded"
    assert answer["sentence"] == watch["sentence"] == "Release 2 degraded."
    assert (watch["source"], watch["baseline"]) == ("traffic", "1")
    assert (watch["numbers"], watch["baseline_numbers"]) == (
        {"ratio": 4.6},
        {"rate": 0.004},
    )
    assert watch["suspects"][0]["short_id"] == "SHOP-1"
    called, failed = answer["rollbacks"]
    assert (called["state"], called["target"], called["to_release"]) == (
        "called",
        "cd",
        "1",
    )
    assert failed["state"] == "failed"


def test_evaluations_are_listed_newest_first(
    client: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    watch = make_watch()
    for n in range(3):
        Evaluation.objects.create(
            watch=watch,
            at=timezone.now(),
            minutes=n,
            errors=n,
            exposure=100.0,
            numbers={"rate": n / 100},
        )
    path = f"{URL}{watch.pk}/evaluations/"
    client.get(path)

    # Token, deploy, list.
    with django_assert_num_queries(3):
        rows = client.get(path).json()["results"]

    assert [row["minutes"] for row in rows] == [2, 1, 0]
    assert (rows[0]["numbers"], rows[0]["ratio"]) == ({"rate": 0.02}, None)


@pytest.mark.parametrize("path", ["7/", "x/", "9" * 30 + "/", "7/evaluations/"])
def test_a_deploy_that_is_not_there_is_a_problem(client: APIClient, path: str) -> None:
    response = client.get(f"{URL}{path}")

    assert response.status_code == 404
    assert response["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("scope", "read", "write"),
    [("release:read", 200, 403), ("traffic:write", 403, 403)],
)
def test_tokens_need_the_scope(
    shop: Project, scope: str, read: int, write: int
) -> None:
    client = token_client(scope)

    assert client.get(URL).status_code == read
    assert client.post(URL, BODY).status_code == write


@pytest.mark.parametrize(
    ("role", "read", "write"),
    [("viewer", 200, 403), ("responder", 200, 403), ("maintainer", 200, 201)],
)
def test_people_post_deploys_by_their_role(
    shop: Project, role: str, read: int, write: int
) -> None:
    client = role_client(role)

    assert client.get(URL).status_code == read
    assert client.post(URL, BODY).status_code == write
