from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from tenants.models import AuditEntry, ScrubRule
from tests.factories import (
    make_event,
    make_issue,
    make_project,
    role_client,
    token_client,
)

pytestmark = pytest.mark.django_db

URL = "/api/v1/scrub-rules/"
PREVIEW = f"{URL}preview/"


@pytest.fixture
def client() -> APIClient:
    return token_client("project:write", "event:read")


def test_a_rule_is_made_changed_and_deleted(client: APIClient) -> None:
    make_project(slug="shop")
    body = {"project": "shop", "kind": "key", "value": "parcel*", "note": "GDPR"}

    made = client.post(URL, body)
    url = f"{URL}{made.json()['id']}/"
    changed = client.patch(url, {"value": "parcels*"})
    deleted = client.delete(url)

    assert (made.status_code, made.json()["project"]) == (201, "shop")
    assert changed.json()["value"] == "parcels*"
    assert deleted.status_code == 204
    actions = AuditEntry.objects.order_by("id").values_list("action", flat=True)
    assert list(actions) == ["added", "changed", "deleted"]


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        ({"kind": "pattern", "value": "(a"}, "value", "RE2 cannot read"),
        ({"kind": "key", "value": "*"}, "value", "fits nearly every name"),
        ({"kind": "other", "value": "abc"}, "kind", "not a valid choice"),
        ({"kind": "key", "value": "note"}, "request", "such a rule already"),
    ],
)
def test_a_rule_that_would_not_work_is_named(
    client: APIClient, body: dict[str, str], field: str, message: str
) -> None:
    ScrubRule.objects.create(kind="key", value="note")

    response = client.post(URL, body)

    assert response.status_code == 400
    assert message in str(response.json()["errors"][field])


def test_a_kind_is_changed_only_to_what_the_value_allows(client: APIClient) -> None:
    rule = ScrubRule.objects.create(kind="pattern", value=r"PK-\d+")

    response = client.patch(f"{URL}{rule.pk}/", {"kind": "key"})

    assert "A name is made of" in str(response.json()["errors"])


def test_a_rule_is_tried_on_an_event(client: APIClient) -> None:
    event = make_event(make_issue(), payload={"extra": {"parcel_no": "7"}})
    body = {"kind": "key", "value": "parcel*", "event": event.event_id.hex}

    response = client.post(PREVIEW, body)

    assert response.json() == {
        "event": event.event_id.hex,
        "changes": [
            {
                "path": "extra.parcel_no",
                "rules": ["this rule"],
                "before": "7",
                "after": "[Filtered]",
            }
        ],
        "more": 0,
    }
    assert not ScrubRule.objects.exists()


def test_what_cannot_be_tried_is_told(client: APIClient) -> None:
    response = client.post(PREVIEW, {"kind": "key", "value": "abc", "event": "1"})

    assert response.status_code == 400
    assert "Name a stored event" in response.json()["detail"]


def test_trying_needs_the_right_to_read_events() -> None:
    body = {"kind": "key", "value": "abc", "event": "1"}

    response = token_client("project:write").post(PREVIEW, body)

    assert response.status_code == 403
    assert "event:read" in response.json()["detail"]


@pytest.mark.parametrize(("role", "status"), [("responder", 403), ("maintainer", 400)])
def test_people_try_rules_by_their_role(role: str, status: int) -> None:
    body = {"kind": "key", "value": "abc", "event": "1"}

    assert role_client(role).post(PREVIEW, body).status_code == status


def test_rules_are_listed_by_project_in_a_fixed_number_of_queries(
    client: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    project = make_project(slug="shop")
    for n in range(3):
        ScrubRule.objects.create(project=project, kind="key", value=f"ab{2 - n}")
    ScrubRule.objects.create(kind="key", value="all")
    client.get(URL)

    # Token, project, rules.
    with django_assert_num_queries(3):
        rows: Any = client.get(URL, {"project": "shop"}).json()["results"]

    assert [row["value"] for row in rows] == ["ab0", "ab1", "ab2"]
