import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.conf import LazySettings
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from releases import rush_gate
from releases.models import Rollback
from tests.factories import (
    make_deploy,
    make_project,
    make_release,
    make_watch,
    role_client,
    token_client,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> APIClient:
    return token_client("release:read")


def url(deploy_id: int) -> str:
    return f"/api/v1/deploys/{deploy_id}/verdict"


def test_the_verdict_tells_what_ci_and_a_person_need(
    client: APIClient,
    settings: LazySettings,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    settings.BASE_URL = "https://rush.example.com/monitor"
    release = make_release(make_project(slug="shop"), "shop@2.4.0")
    watch = make_watch(
        make_deploy(release),
        verdict="degraded",
        reason="global",
        action="rollback",
        sentence="Errors are 5 times the baseline.",
        numbers={"ratio": 5.1},
        suspects=[{"short_id": "SHOP-1"}],
        decided_at=timezone.now(),
    )
    Rollback.objects.create(
        deploy=watch.deploy,
        state="called",
        explanation="The CD was told.",
        idempotency_key=uuid4(),
    )
    client.get(url(watch.pk))

    # Token, deploy, rollback.
    with django_assert_num_queries(3):
        response = client.get(url(watch.pk))

    assert response.json() == {
        "deploy": watch.pk,
        "project": "shop",
        "environment": "production",
        "release": "shop@2.4.0",
        "verdict": "degraded",
        "final": True,
        "reason": "global",
        "action": "rollback",
        "sentence": "Errors are 5 times the baseline.",
        "numbers": {"ratio": 5.1},
        "suspects": [{"short_id": "SHOP-1"}],
        "rollback": {"state": "called", "explanation": "The CD was told."},
        "url": "https://rush.example.com/monitor/admin/releases/deploy/"
        f"{watch.pk}/change/",
        "exit_code": 1,
    }


@pytest.mark.parametrize(
    ("verdict", "final", "exit_code"),
    [
        ("pending", False, None),
        ("healthy", True, 0),
        ("degraded", True, 1),
        ("inconclusive", True, 3),
    ],
)
def test_each_verdict_has_its_exit_code(
    client: APIClient, verdict: str, final: bool, exit_code: int | None
) -> None:
    response = client.get(url(make_watch(verdict=verdict).pk))

    told = response.json()
    assert (told["final"], told["exit_code"]) == (final, exit_code)
    assert response["X-Verdict"] == verdict
    assert response["Cache-Control"] == "no-store"


def test_a_deploy_without_a_watch_is_pending(client: APIClient) -> None:
    told = client.get(url(make_deploy().pk)).json()

    assert (told["verdict"], told["rollback"]) == ("pending", None)
    assert "no verdict yet" in told["sentence"]


def test_its_url_is_the_page_in_the_admin(
    client: APIClient, settings: LazySettings
) -> None:
    deploy = make_deploy()

    told = client.get(url(deploy.pk)).json()

    page = reverse("admin:releases_deploy_change", args=[deploy.pk])
    assert told["url"] == f"{settings.BASE_URL}{page}"


def test_the_last_slash_may_be_left_out_or_not(client: APIClient) -> None:
    deploy = make_deploy()

    assert client.get(f"{url(deploy.pk)}/").status_code == 200


@pytest.mark.parametrize("wait", ["0", "3601", "x", ""])
def test_a_wait_that_is_none_is_refused(client: APIClient, wait: str) -> None:
    response = client.get(url(make_deploy().pk), {"wait": wait})

    assert response.status_code == 400
    assert "1 to 3600" in response.json()["detail"]


def test_an_unknown_deploy_is_not_found(client: APIClient) -> None:
    response = client.get(url(10**17))

    assert response.status_code == 404
    assert response["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("scopes", "status"), [(["release:write"], 200), (["issue:read"], 403)]
)
def test_a_token_needs_its_scope(scopes: list[str], status: int) -> None:
    deploy = make_deploy()

    assert token_client(*scopes).get(url(deploy.pk)).status_code == status


def test_without_a_token_nothing_is_told() -> None:
    assert APIClient().get(url(make_deploy().pk)).status_code == 401


def test_a_viewer_may_look() -> None:
    deploy = make_deploy()

    assert role_client("viewer").get(url(deploy.pk)).status_code == 200


def test_nobody_writes_a_verdict() -> None:
    client = token_client("release:write")

    assert client.post(url(make_deploy().pk)).status_code == 405


def test_the_command_is_served_as_one_file(tmp_path: Path) -> None:
    response: Any = Client().get("/rush-gate.py")

    assert response["Content-Type"] == "text/x-python; charset=utf-8"
    assert response.content == Path(rush_gate.__file__).read_bytes()
    copied = tmp_path / "rush-gate.py"
    copied.write_bytes(response.content)
    command = [sys.executable, "-I", str(copied), "--help"]
    assert b"rush-gate" in subprocess.check_output(command)
