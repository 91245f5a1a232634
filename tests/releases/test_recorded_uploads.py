"""Uploads of source maps by sentry-cli 3.8, replayed as they were recorded."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from rest_framework.test import APIClient

from releases.artifacts import find_by_url
from releases.artifacts.assembling import assemble_waiting
from releases.models import ArtifactBundle
from tenants.models import Project
from tests.factories import make_project, token_client
from tests.wire import Request, load

pytestmark = pytest.mark.django_db

UPLOADS = Path(__file__).parent.parent / "samples" / "cli" / "uploads"
State = ArtifactBundle.State


@pytest.fixture
def client() -> APIClient:
    return token_client("release:write")


@pytest.fixture
def orders(settings: LazySettings) -> Project:
    settings.ORGANIZATION_SLUG = "orders"
    return make_project(slug="orders-web")


def recorded(name: str) -> Iterator[Request]:
    for path in sorted(UPLOADS.glob(f"*-{name}.http")):
        yield load(path)


def replay(client: APIClient, request: Request) -> Any:
    body: Any = request.body
    return client.generic(
        request.method,
        request.target,
        body,
        content_type=request.header("content-type") or "application/json",
    )


def replay_all(client: APIClient, name: str) -> list[Any]:
    """The states that the recorded questions get, each assembled before the next."""
    states = []
    for request in recorded(name):
        response = replay(client, request)
        assert response.status_code == 200, response.content
        if "assemble" in request.target:
            states.append(response.json()["state"])
        assemble_waiting(10)
    return states


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("sourcemaps-upload", 6),
        ("sourcemaps-upload-small-chunks", 4),
        ("sourcemaps-upload-no-gzip", 4),
    ],
)
def test_a_recorded_upload_is_stored(
    client: APIClient, orders: Project, name: str, files: int
) -> None:
    assert replay_all(client, name) == ["not_found", "created"]
    bundle = ArtifactBundle.objects.get()
    assert (bundle.state, bundle.file_count) == (State.OK, files)
    assert str(bundle.release) == "orders-web@1.4.2"


def test_a_recorded_second_upload_has_nothing_to_send(
    client: APIClient, orders: Project
) -> None:
    replay_all(client, "sourcemaps-upload")
    assert replay_all(client, "sourcemaps-upload-again") == ["ok", "ok"]
    assert ArtifactBundle.objects.count() == 1


def test_the_map_of_a_recorded_upload_is_found(
    client: APIClient, orders: Project
) -> None:
    replay_all(client, "sourcemaps-upload")
    page = "http://track.shop.example/assets/index-ok-s_Bct.js"
    found = find_by_url(orders.pk, "orders-web@1.4.2", "", page)
    assert found and not found.missing


def test_a_recorded_upload_of_proguard_is_refused(
    client: APIClient, orders: Project
) -> None:
    answers = [replay(client, request) for request in recorded("upload-proguard")]
    assert [response.status_code for response in answers] == [200] * 4
    asked = json.loads(answers[1].content), json.loads(answers[3].content)
    for told in asked:
        (state,) = (one["state"] for one in told.values())
        assert state == "error"
