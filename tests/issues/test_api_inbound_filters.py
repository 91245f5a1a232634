from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from issues.models import Outcome
from tenants.models import AuditEntry, Filter, InboundFilters, Project
from tests.factories import (
    make_event,
    make_issue,
    make_project,
    role_client,
    token_client,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project(slug="shop")


@pytest.fixture
def client() -> APIClient:
    return token_client("project:write")


def path(project: Project, rest: str = "") -> str:
    return f"/api/v1/projects/{project.pk}/filters/{rest}"


def test_a_project_has_filters_before_anyone_touched_them(
    client: APIClient, project: Project
) -> None:
    told = client.get(path(project)).json()

    assert told["project"] == "shop"
    assert {name for name in Filter.values if told[name]} == {
        *("browser_extensions", "crawlers", "legacy_browsers", "health_checks"),
        *("messages", "releases", "addresses"),
    }
    assert told["message_patterns"] == []
    assert "Chrome < 63" in told["legacy_versions"]
    assert not InboundFilters.objects.exists()


def test_what_was_filtered_is_told_by_filter(
    client: APIClient, project: Project
) -> None:
    for category, quantity in (("error", 5), ("transaction", 7)):
        Outcome.objects.create(
            project_id=project.pk,
            key_id=1,
            minute=timezone.now().replace(second=0, microsecond=0),
            category=category,
            reason="filtered:crawlers",
            quantity=quantity,
        )

    told = client.get(path(project)).json()["filtered"]

    assert [count["filter"] for count in told] == Filter.values
    crawlers = told[Filter.values.index("crawlers")]
    assert crawlers["errors_24_hours"] == crawlers["errors_14_days"] == 5
    assert crawlers["requests_24_hours"] == crawlers["requests_14_days"] == 7
    assert crawlers["days"] == [0] * 13 + [12]


def test_a_change_makes_the_row_and_an_audit_entry(
    client: APIClient, project: Project
) -> None:
    body = {"localhost": True, "message_patterns": ["*ResizeObserver loop*"]}

    changed = client.patch(path(project), body, format="json")
    again = client.patch(path(project), {"crawlers": False}, format="json")

    assert (changed.status_code, again.status_code) == (200, 200)
    assert again.json()["message_patterns"] == ["*ResizeObserver loop*"]
    row = InboundFilters.objects.get()
    assert (row.project, row.localhost, row.crawlers) == (project, True, False)
    entries = AuditEntry.objects.order_by("id").values_list("action", "changes")
    assert list(entries) == [
        (
            "changed",
            {
                "localhost": [False, True],
                "message_patterns": [[], ["*ResizeObserver loop*"]],
            },
        ),
        ("changed", {"crawlers": [True, False]}),
    ]


@pytest.mark.parametrize(
    ("body", "field", "complaint"),
    [
        ({"message_patterns": ["*"]}, "message_patterns", "matches every text"),
        ({"message_patterns": ["ok", ""]}, "message_patterns", "may not be blank"),
        ({"message_patterns": ["x" * 201]}, "message_patterns", "200 characters"),
        ({"message_patterns": ["*a*"] * 101}, "message_patterns", "100"),
        ({"message_patterns": "*a*"}, "message_patterns", "list"),
        ({"message_patterns": ["a\0"]}, "message_patterns", "Null"),
        ({"release_patterns": ["?*"]}, "release_patterns", "matches every text"),
        ({"address_patterns": ["10.0.0.1/8"]}, "address_patterns", "10.0.0.0/8"),
        ({"address_patterns": ["0.0.0.0/0"]}, "address_patterns", "every address"),
        ({"address_patterns": ["office"]}, "address_patterns", "neither an address"),
        ({"legacy_versions": ["Netscape"]}, "legacy_versions", "Names: Android"),
        ({"crawlers": "perhaps"}, "crawlers", "valid boolean"),
    ],
)
@pytest.mark.parametrize("rest", ["", "preview/"])
def test_a_wrong_pattern_is_named(
    client: APIClient,
    project: Project,
    rest: str,
    body: dict[str, Any],
    field: str,
    complaint: str,
) -> None:
    call = client.post if rest else client.patch
    response = call(path(project, rest), body, format="json")

    assert response.status_code == 400
    assert complaint in str(response.json()["errors"][field])
    assert not InboundFilters.objects.exists()


def test_a_preview_saves_nothing(client: APIClient, project: Project) -> None:
    payload = {"platform": "python", "logentry": {"formatted": "lost the price"}}
    event = make_event(make_issue(project), payload=payload, title="lost the price")

    response = client.post(
        path(project, "preview/"), {"message_patterns": ["*price*"]}, format="json"
    )

    told = response.json()
    assert (response.status_code, told["looked_at"], told["dropped"]) == (200, 1, 1)
    assert told["tried"][-1] == {
        "filter": "messages",
        "pattern": "*price*",
        "is_on": True,
        "matched": 1,
        "examples": [{"id": event.pk, "title": "lost the price"}],
    }
    assert not InboundFilters.objects.exists()
    assert not AuditEntry.objects.exists()


def test_filters_cost_a_fixed_number_of_queries(
    client: APIClient,
    project: Project,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    client.get(path(project))
    # The token, the project with its filters, the counts.
    with django_assert_num_queries(3):
        client.get(path(project))


def test_an_unknown_project_is_not_found(client: APIClient) -> None:
    assert client.get("/api/v1/projects/999999/filters/").status_code == 404


@pytest.mark.parametrize(
    ("scopes", "read", "write"),
    [
        (["project:read"], 200, 403),
        (["project:write"], 200, 200),
        (["tenant:write"], 403, 403),
    ],
)
def test_a_token_needs_the_scope(
    project: Project, scopes: list[str], read: int, write: int
) -> None:
    client = token_client(*scopes)
    assert client.get(path(project)).status_code == read
    changed = client.patch(path(project), {"localhost": True}, format="json")
    tried = client.post(path(project, "preview/"), {}, format="json")
    assert (changed.status_code, tried.status_code) == (write, write)


@pytest.mark.parametrize(
    ("role", "read", "write"),
    [
        ("", 403, 403),
        ("viewer", 200, 403),
        ("responder", 200, 403),
        ("maintainer", 200, 200),
    ],
)
def test_a_person_needs_the_role(
    project: Project, role: str, read: int, write: int
) -> None:
    client = role_client(role)
    assert client.get(path(project)).status_code == read
    changed = client.patch(path(project), {"localhost": True}, format="json")
    assert changed.status_code == write
