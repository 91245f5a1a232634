from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from releases.models import ReleaseMinute
from tenants.models import Project
from tests.factories import (
    make_deploy,
    make_project,
    make_release,
    make_tenant,
    role_client,
    token_client,
)

pytestmark = pytest.mark.django_db

URL = "/api/v1/traffic/"


@pytest.fixture
def client() -> APIClient:
    return token_client("traffic:write")


@pytest.fixture
def shop() -> Project:
    return make_project(slug="shop")


def minute(**fields: Any) -> dict[str, Any]:
    now = timezone.now().replace(second=0, microsecond=0)
    return {"minute": now.isoformat(), "release": "1", "requests": 1597, **fields}


def body(*minutes: Any, **fields: Any) -> dict[str, Any]:
    return {"project": "shop", "source": "proxy-1", "minutes": minutes, **fields}


def test_a_proxy_posts_what_it_counted(client: APIClient, shop: Project) -> None:
    make_tenant("acme.example")
    tenants = {"acme.example": 310, "who": 44}

    response = client.post(URL, body(minute(tenants=tenants)))

    assert response.status_code == 200
    assert response.json() == {"minutes": 1, "unknown_tenants": 1}
    assert ReleaseMinute.objects.get().traffic == 1597


def test_the_release_may_be_left_out(client: APIClient, shop: Project) -> None:
    release = make_release(shop, "7")
    make_deploy(release)
    told = minute()
    del told["release"]

    assert client.post(URL, body(told)).status_code == 200
    assert ReleaseMinute.objects.get().release_id == release.pk


@pytest.mark.parametrize(
    ("told", "named"),
    [
        (body(minute(), project="nope"), "project"),
        (body(minute(), source=""), "source"),
        (body(), "minutes"),
        (body(*[minute()] * 1001), "minutes"),
        (body("noon"), "minutes"),
        (body(minute(requests=None)), "minutes"),
        (body(minute(environment="")), "minutes"),
        (body(minute(tenants=["acme.example"])), "minutes"),
        (body(minute(minute="noon")), "minutes"),
    ],
)
def test_what_is_no_traffic_is_named(
    client: APIClient, shop: Project, told: Any, named: str
) -> None:
    response = client.post(URL, told)

    assert response.status_code == 400
    assert list(response.json()["errors"]) == [named]


@pytest.mark.parametrize(
    ("told", "detail"),
    [
        (minute(requests=-1), "0 to"),
        (minute(minute="2026-01-01T00:00:00Z"), "24 hours"),
        (minute(release=""), "Nothing was deployed"),
    ],
)
def test_what_the_step_refuses_is_a_problem(
    client: APIClient, shop: Project, told: Any, detail: str
) -> None:
    response = client.post(URL, body(told))

    assert response.status_code == 400
    assert detail in response.json()["detail"]


def test_traffic_is_only_written(client: APIClient) -> None:
    assert client.get(URL).status_code == 405


@pytest.mark.parametrize("scope", ["release:write", "project:write"])
def test_a_token_needs_the_scope(shop: Project, scope: str) -> None:
    response = token_client(scope).post(URL, body(minute()))

    assert response.status_code == 403
    assert "traffic:write" in response.json()["detail"]


@pytest.mark.parametrize(("role", "status"), [("maintainer", 403), ("owner", 200)])
def test_people_post_traffic_by_their_role(
    shop: Project, role: str, status: int
) -> None:
    assert role_client(role).post(URL, body(minute())).status_code == status
