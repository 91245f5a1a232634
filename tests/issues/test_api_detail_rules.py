from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from tenants.models import AuditEntry, DetailRule
from tests.envelopes import event as payload_of
from tests.factories import (
    make_detail_rule,
    make_event,
    make_issue,
    make_plan,
    make_project,
    role_client,
    token_client,
)

pytestmark = pytest.mark.django_db

URL = "/api/v1/detail-rules/"


@pytest.fixture
def client() -> APIClient:
    return token_client("project:write", "tenant:write")


def test_a_rule_is_made_changed_and_deleted(client: APIClient) -> None:
    make_project(slug="shop")
    make_plan("Free")
    body = {
        "name": "Free shops",
        "project": "shop",
        "plan": "Free",
        "max_level": "warning",
        "detail": "minimal",
        "share": 0.1,
        "cap": 10,
    }

    made = client.post(URL, body).json()
    changed = client.patch(f"{URL}{made['id']}/", {"cap": None}, format="json")
    deleted = client.delete(f"{URL}{made['id']}/")

    assert {name: made[name] for name in body} == body
    assert (made["position"], made["is_active"]) == (1, True)
    assert (made["min_level"], made["environment"]) == ("debug", "")
    assert changed.json()["cap"] is None
    assert deleted.status_code == 204
    entries = AuditEntry.objects.order_by("id").values_list("action", "changes")
    assert [action for action, _ in entries] == ["added", "changed", "deleted"]
    assert entries[1][1] == {"cap": [10, None]}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": "x", "share": 1.1}, "share"),
        ({"name": "x", "detail": "some"}, "detail"),
        ({"name": "x", "min_level": "bad"}, "min_level"),
        ({"name": "x", "min_level": "error", "max_level": "info"}, "request"),
        ({"name": "x", "tag_value": "bold"}, "request"),
        ({"name": "x", "plan": "nope"}, "plan"),
        ({"name": "x", "position": 2**40}, "position"),
        ({"name": "x", "cap": -1}, "cap"),
    ],
)
def test_a_wrong_rule_is_named(
    client: APIClient, body: dict[str, Any], field: str
) -> None:
    response = client.post(URL, body)

    assert response.status_code == 400
    assert field in response.json()["errors"]


def test_rules_are_listed_in_the_order_that_counts(
    client: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for position in (3, 1, 2):
        make_detail_rule(
            position=position, project=make_project(), plan=make_plan(f"p{position}")
        )
    client.get(URL)

    with django_assert_num_queries(2):
        rows = client.get(URL).json()["results"]

    assert [row["position"] for row in rows] == [1, 2, 3]


def test_a_plan_that_a_rule_names_is_not_deleted(client: APIClient) -> None:
    plan = make_plan("Pro")
    make_detail_rule(name="Pro shops", plan=plan)

    response = client.delete(f"/api/v1/plans/{plan.pk}/")

    assert response.status_code == 400
    assert response.json()["detail"] == (
        "Pro is still named by Pro shops: change that first."
    )
    assert not AuditEntry.objects.filter(action="deleted").exists()


@pytest.mark.parametrize(("role", "status"), [("responder", 403), ("maintainer", 201)])
def test_people_make_rules_by_their_role(role: str, status: int) -> None:
    response = role_client(role).post(URL, {"name": "x"})

    assert response.status_code == status


def test_reading_rules_takes_a_scope() -> None:
    assert token_client("project:read").get(URL).status_code == 200
    assert token_client("event:read").get(URL).status_code == 403


def tried(client: APIClient, body: dict[str, Any] | None = None) -> Any:
    response = client.post(f"{URL}preview/", body, format="json")
    assert response.status_code == 200, response.json()
    return response.json()


def test_the_saved_rules_are_previewed(client: APIClient) -> None:
    rule = make_detail_rule(name="cut", detail="minimal")
    payload = payload_of(extra={f"order {n}": f"line {n * n}" for n in range(99)})
    event = make_event(make_issue(), payload=payload, title="KeyError")

    told = tried(client)

    (row,) = told["events"]
    assert (row["event"], row["title"], row["level"]) == (event.pk, "KeyError", "error")
    assert (row["rule"], row["name"], row["detail"]) == (rule.pk, "cut", "minimal")
    assert (row["dropped"], row["left_out"]) == ("", ["extra", "user"])
    assert told["after"] == row["after"] < row["before"] == told["before"]


def test_a_typed_rule_is_previewed_and_not_saved(client: APIClient) -> None:
    make_event(make_issue(), payload=payload_of())

    told = tried(client, {"name": "none", "share": 0})

    assert told["events"][0]["dropped"] == "share"
    assert not DetailRule.objects.exists()


def test_a_change_of_a_rule_is_previewed(client: APIClient) -> None:
    rule = make_detail_rule(name="saved", tag_key="template", tag_value="minimal")
    payload = payload_of(tags={"template": "bold"})
    make_event(make_issue(), payload=payload)

    told = tried(client, {"id": rule.pk, "tag_value": "bold"})

    assert told["events"][0]["rule"] == rule.pk
    assert tried(client)["events"][0]["rule"] == 0
    rule.refresh_from_db()
    assert rule.tag_value == "minimal"


@pytest.mark.parametrize(
    ("body", "field"), [({"id": 999}, "id"), ({"share": 0.5}, "name")]
)
def test_a_preview_of_what_is_wrong_tells_it(
    client: APIClient, body: dict[str, Any], field: str
) -> None:
    response = client.post(f"{URL}preview/", body, format="json")

    assert response.status_code == 400
    assert field in response.json()["errors"]


def test_an_event_tells_its_rule_and_what_was_left_out() -> None:
    note = {"rule": 7, "name": "shops", "level": "minimal", "left_out": ["user"]}
    event = make_event(make_issue(), payload={"_rush": {"detail": note}})

    told = token_client("event:read").get(f"/api/v1/events/{event.pk}/").json()

    assert told["detail"] == {**note, "share": 1.0}


def test_an_event_without_a_body_tells_no_rule() -> None:
    event = make_event(make_issue())

    told = token_client("event:read").get(f"/api/v1/events/{event.pk}/").json()

    assert told["detail"] is None
