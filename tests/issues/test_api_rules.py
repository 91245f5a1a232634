from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from issues.models import FingerprintRule, HitRule, PathRule
from tenants.models import AuditEntry
from tests.factories import make_project, make_user, role_client, token_client

pytestmark = pytest.mark.django_db

HIT, PATH, FINGERPRINT = (
    f"/api/v1/{name}/" for name in ("hit-rules", "path-rules", "fingerprint-rules")
)


@pytest.fixture
def client() -> APIClient:
    return token_client("project:write")


def test_a_hit_rule_is_made_changed_and_deleted(client: APIClient) -> None:
    make_project(slug="shop")
    make_user("bert")
    body = {"name": "wide", "min_tenants": 20, "project": "shop", "owner": "bert"}

    made = client.post(HIT, body)
    changed = client.patch(f"{HIT}{made.json()['id']}/", {"min_tenants": 30})
    deleted = client.delete(f"{HIT}{made.json()['id']}/")

    assert (made.status_code, made.json()["project"]) == (201, "shop")
    assert changed.json()["min_tenants"] == 30
    assert deleted.status_code == 204
    entries = AuditEntry.objects.order_by("id").values_list("action", "changes")
    assert [action for action, _ in entries] == ["added", "changed", "deleted"]
    assert entries[1][1] == {"min_tenants": [20, 30]}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "all"}, "request"),
        ({"name": "all", "min_score": 101}, "min_score"),
        ({"name": "all", "pattern": "*", "project": "nope"}, "project"),
        (
            {"name": "all", "pattern": "*", "expires_after_hours": 0},
            "expires_after_hours",
        ),
    ],
)
def test_a_wrong_hit_rule_is_named(
    client: APIClient, body: dict[str, Any], field: str
) -> None:
    response = client.post(HIT, body)

    assert response.status_code == 400
    assert field in response.json()["errors"]


def test_taking_the_last_condition_off_a_hit_rule_is_refused(
    client: APIClient,
) -> None:
    rule = HitRule.objects.create(name="wide", min_tenants=20)

    response = client.patch(f"{HIT}{rule.pk}/", {"min_tenants": None}, format="json")

    assert response.status_code == 400
    assert "without a condition" in str(response.json()["errors"])


def test_a_path_rule_is_made(client: APIClient) -> None:
    response = client.post(PATH, {"pattern": "*/checkout*", "weight": 3})

    assert response.status_code == 201
    rule = PathRule.objects.get()
    assert (rule.project, rule.weight) == (None, 3.0)


def test_a_fingerprint_rule_is_checked_by_the_parser(client: APIClient) -> None:
    good = client.post(FINGERPRINT, {"rule": "error.type:TimeoutError -> timeout"})
    bad = client.post(FINGERPRINT, {"rule": "error.type:TimeoutError"})

    assert good.status_code == 201
    assert "there is no arrow" in bad.json()["errors"]["rule"][0]


def test_rules_are_listed_in_the_order_that_counts(client: APIClient) -> None:
    for position in (2, 1):
        FingerprintRule.objects.create(
            rule=f"level:error -> {position}", position=position
        )

    rows = client.get(FINGERPRINT).json()["results"]

    assert [row["position"] for row in rows] == [1, 2]


@pytest.mark.parametrize("url", [HIT, PATH, FINGERPRINT])
def test_a_list_of_rules_takes_a_fixed_number_of_queries(
    client: APIClient, url: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for n in range(3):
        project = make_project()
        HitRule.objects.create(
            name=str(n), pattern="*", project=project, owner=make_user()
        )
        PathRule.objects.create(pattern="*", project=project)
        FingerprintRule.objects.create(rule="level:error -> x", project=project)
    client.get(url)

    with django_assert_num_queries(2):
        assert len(client.get(url).json()["results"]) == 3


def test_the_rules_of_a_project_are_listed(client: APIClient) -> None:
    rule = PathRule.objects.create(pattern="*", project=make_project(slug="shop"))
    PathRule.objects.create(pattern="*")

    rows = client.get(PATH, {"project": "shop"}).json()["results"]

    assert [row["id"] for row in rows] == [rule.pk]


@pytest.mark.parametrize(("role", "status"), [("responder", 403), ("maintainer", 201)])
def test_people_make_rules_by_their_role(role: str, status: int) -> None:
    response = role_client(role).post(PATH, {"pattern": "*"})

    assert response.status_code == status
