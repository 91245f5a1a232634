from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from releases.models import Threshold
from tenants.models import AuditEntry
from tests.factories import make_project, make_threshold, role_client, token_client
from tests.releases.scene import Scene

pytestmark = pytest.mark.django_db

URL = "/api/v1/thresholds/"


@pytest.fixture
def client() -> APIClient:
    return token_client("release:write")


def test_a_threshold_is_made_changed_and_deleted(client: APIClient) -> None:
    make_project(slug="shop")
    body = {"project": "shop", "environment": "production", "ratio": 2, "floor": 0.001}

    made = client.post(URL, body)
    where = f"{URL}{made.json()['id']}/"
    changed = client.patch(where, {"action": "rollback"})
    deleted = client.delete(where)

    assert made.status_code == 201
    assert made.json() | body == made.json()
    assert (made.json()["confidence"], made.json()["action"]) == (0.99, "alert")
    assert changed.json()["action"] == "rollback"
    assert deleted.status_code == 204
    entries = AuditEntry.objects.order_by("id").values_list("action", "changes")
    assert [action for action, _ in entries] == ["added", "changed", "deleted"]
    assert entries[1][1] == {"action": ["alert", "rollback"]}


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        ({"ratio": 1}, "ratio", "greater than or equal to 1.05"),
        ({"ratio": 2, "tolerated_drift": 3}, "request", "must not be above"),
        ({"grace_minutes": 9, "window_minutes": 9}, "request", "two minutes"),
        ({"confidence": 1}, "confidence", "less than or equal to 0.99999"),
        ({"project": "nope"}, "project", "nope"),
        ({"action": "explode"}, "action", "not a valid choice"),
        ({"environment": "a\0b"}, "environment", "Null characters"),
    ],
)
def test_a_wrong_threshold_is_told(
    client: APIClient, body: dict[str, Any], field: str, message: str
) -> None:
    response = client.post(URL, body, format="json")

    assert response.status_code == 400
    assert message in str(response.json()["errors"][field])
    assert not Threshold.objects.exists()


@pytest.mark.parametrize("project", [None, "shop"])
def test_a_place_has_one_threshold(client: APIClient, project: str | None) -> None:
    make_project(slug="shop")
    body = {"project": project, "environment": "production"}
    client.post(URL, body, format="json")

    response = client.post(URL, body, format="json")

    assert response.status_code == 400
    assert "have a threshold already" in str(response.json()["errors"])


def test_a_change_is_checked_with_what_stays(client: APIClient) -> None:
    threshold = make_threshold(ratio=3.0, tolerated_drift=2.0)

    response = client.patch(f"{URL}{threshold.pk}/", {"ratio": 1.5})

    assert response.status_code == 400
    assert "must not be above the ratio" in str(response.json()["errors"])


def test_thresholds_are_listed_by_project(
    client: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    shop = make_project(slug="shop")
    wanted = [
        make_threshold(project=shop),
        make_threshold(project=shop, environment="production"),
    ]
    make_threshold(project=make_project())
    make_threshold()
    client.get(URL)

    # Token, project, list.
    with django_assert_num_queries(3):
        rows = client.get(URL, {"project": "shop"}).json()["results"]

    assert {row["id"] for row in rows} == {threshold.pk for threshold in wanted}


@pytest.mark.parametrize(
    ("role", "status"), [("viewer", 403), ("responder", 403), ("maintainer", 201)]
)
def test_people_make_thresholds_by_their_role(role: str, status: int) -> None:
    assert role_client(role).post(URL, {"ratio": 2}).status_code == status
    assert role_client(role).get(URL).status_code == 200


def test_a_token_that_only_reads_makes_none() -> None:
    assert token_client("release:read").post(URL, {"ratio": 2}).status_code == 403


def test_a_threshold_is_tried_without_saving_it(client: APIClient) -> None:
    scene = Scene()
    before = scene.threshold(ratio=3.0)
    body = {
        "project": scene.project.slug,
        "environment": "production",
        "ratio": 1.2,
    }

    response = client.post(f"{URL}preview/", body)

    assert response.status_code == 200
    told = response.json()
    assert told["sentence"].startswith("Nothing to go by")
    assert (told["tries"], told["alarms"], told["left_out"]) == (0, 0, 0)
    (place,) = told["environments"]
    assert (place["project"], place["environment"]) == (body["project"], "production")
    assert list(Threshold.objects.values_list("pk", "ratio")) == [(before.pk, 3.0)]


def test_a_wrong_threshold_is_not_tried(client: APIClient) -> None:
    response = client.post(f"{URL}preview/", {"ratio": 1.2, "tolerated_drift": 2})

    assert response.status_code == 400
    assert "must not be above the ratio" in str(response.json()["errors"])
