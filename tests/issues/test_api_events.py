from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from issues.models import Level
from tests.factories import (
    make_environment,
    make_event,
    make_issue,
    make_project,
    make_release,
    make_tenant,
    role_client,
    token_client,
)

pytestmark = pytest.mark.django_db

URL = "/api/v1/events/"
HOUR = timedelta(hours=1)


@pytest.fixture
def client() -> APIClient:
    return token_client("event:read")


def ids(response: Any) -> list[int]:
    assert response.status_code == 200, response.json()
    return [row["id"] for row in response.json()["results"]]


def test_events_are_listed_newest_first(client: APIClient) -> None:
    issue = make_issue()
    events = [make_event(issue) for _ in range(3)]

    assert ids(client.get(URL)) == [event.pk for event in reversed(events)]


def test_a_row_tells_what_the_event_names(client: APIClient) -> None:
    project = make_project(slug="shop")
    issue = make_issue(project)
    make_event(
        issue,
        event_id=UUID("a" * 32),
        environment=make_environment(project, "production"),
        release=make_release(project, "1.0.0"),
        tenant=make_tenant("acme.example"),
        user="id:42",
        level=Level.FATAL,
        tags=["browser=Safari 19", "note=a=b"],
        payload={"message": "x"},
    )

    (row,) = client.get(URL).json()["results"]

    expected = {
        "event_id": "a" * 32,
        "project": "shop",
        "issue": issue.pk,
        "environment": "production",
        "release": "1.0.0",
        "tenant": "acme.example",
        "user": "id:42",
        "level": "fatal",
        "tags": {"browser": "Safari 19", "note": "a=b"},
        "has_payload": True,
    }
    assert {key: row[key] for key in expected} == expected


def test_the_list_takes_a_fixed_number_of_queries_and_no_body(
    client: APIClient,
) -> None:
    issue = make_issue()
    for _ in range(5):
        make_event(issue, payload={"message": "x"})
    client.get(URL)

    with CaptureQueriesContext(connection) as queries:
        assert len(ids(client.get(URL))) == 5

    # The token and the list.
    assert len(queries) == 2
    assert '"issues_event"."body",' not in queries[1]["sql"]


def test_without_an_issue_the_list_reaches_back_a_day(client: APIClient) -> None:
    issue = make_issue()
    now = timezone.now()
    old = make_event(issue, received=now)
    older = make_event(issue, received="2001-01-01T12:00:00Z")

    assert ids(client.get(URL)) == [old.pk]
    assert ids(client.get(URL, {"received_after": "2000-01-01T00:00:00Z"})) == [
        older.pk,
        old.pk,
    ]
    assert ids(client.get(URL, {"issue": issue.pk})) == [older.pk, old.pk]


@pytest.mark.parametrize(
    ("query", "hit"),
    [
        ({"project": "shop"}, True),
        ({"project": "other"}, False),
        ({"tenant": "ACME.example"}, True),
        ({"tenant": "other.example"}, False),
        ({"release": "1.0.0"}, True),
        ({"release": "2.0.0"}, False),
        ({"environment": "production"}, True),
        ({"environment": "staging"}, False),
        ({"level": "error"}, True),
        ({"level": ["info", "fatal"]}, False),
        ({"received_after": "2026-01-01T00:00:00Z"}, True),
        ({"received_before": "2026-01-01T00:00:00Z"}, False),
    ],
)
def test_the_list_is_filtered(
    client: APIClient, query: dict[str, Any], hit: bool
) -> None:
    make_project(slug="other")
    project = make_project(slug="shop")
    event = make_event(
        make_issue(project),
        environment=make_environment(project, "production"),
        release=make_release(project, "1.0.0"),
        tenant=make_tenant("acme.example"),
    )

    assert ids(client.get(URL, query)) == ([event.pk] if hit else [])


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"issue": "x"}, "issue"),
        ({"issue": "1.5"}, "issue"),
        ({"issue": "0"}, "issue"),
        ({"issue": "9" * 30}, "issue"),
        ({"isue": "1"}, "isue"),
        ({"project": "nope"}, "project"),
        ({"level": "bad"}, "level"),
    ],
)
def test_a_wrong_filter_is_named(
    client: APIClient, query: dict[str, str], field: str
) -> None:
    response = client.get(URL, query)

    assert response.status_code == 400
    assert field in response.json()["errors"]


def test_an_issue_shows_the_events_of_what_is_merged_into_it(
    client: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    project = make_project()
    root = make_issue(project)
    merged = make_issue(project, merged_into=root)
    events = [make_event(root), make_event(merged), make_event(root)]
    make_event(make_issue(project))
    url = f"/api/v1/issues/{root.pk}/events/"
    client.get(url)

    # Token, issue, its family, ids from each member's index, the rows.
    with django_assert_num_queries(5):
        assert ids(client.get(url)) == [event.pk for event in reversed(events)]
    assert {row["issue"] for row in client.get(url).json()["results"]} == {root.pk}


def test_the_pages_of_a_merged_issue_follow_each_other(client: APIClient) -> None:
    project = make_project()
    root = make_issue(project)
    merged = make_issue(project, merged_into=root)
    events = [make_event([root, merged][n % 2]) for n in range(5)]
    newest = [event.pk for event in reversed(events)]

    first = client.get(f"/api/v1/issues/{root.pk}/events/", {"per_page": 2})
    second = client.get(first.json()["next"])
    third = client.get(second.json()["next"])
    back = client.get(third.json()["previous"])

    assert ids(first) + ids(second) + ids(third) == newest
    assert third.json()["next"] is None
    assert ids(back) == ids(second)


def test_the_events_of_an_unknown_issue_are_not_found(client: APIClient) -> None:
    assert client.get("/api/v1/issues/SHOP-1/events/").status_code == 404


def test_the_events_of_an_issue_are_found_by_its_short_id(client: APIClient) -> None:
    issue = make_issue(make_project(slug="shop"))
    event = make_event(issue)

    assert ids(client.get(f"/api/v1/issues/SHOP-{issue.pk}/events/")) == [event.pk]


def test_an_event_is_read_with_its_payload(
    client: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    event = make_event(make_issue(), payload={"message": "no price"})
    client.get(URL)

    # The token, the event, and the project's repositories.
    with django_assert_num_queries(3):
        body = client.get(f"{URL}{event.pk}/").json()

    assert body["payload"] == {"message": "no price"}


@pytest.mark.parametrize("name", ["b" * 32, "B" * 32, str(UUID("b" * 32))])
def test_an_event_is_read_by_the_sdks_id(client: APIClient, name: str) -> None:
    event = make_event(make_issue(), event_id=UUID("b" * 32))

    assert client.get(f"{URL}{name}/").json()["id"] == event.pk


def test_an_event_without_its_body_says_so(client: APIClient) -> None:
    event = make_event(make_issue())

    body = client.get(f"{URL}{event.pk}/").json()

    assert (body["has_payload"], body["payload"]) == (False, {})


@pytest.mark.parametrize("name", ["999", "c" * 32, "9" * 31])
def test_an_event_that_is_not_there_is_a_problem(client: APIClient, name: str) -> None:
    response = client.get(f"{URL}{name}/")

    assert response.status_code == 404
    assert response.json()["detail"].startswith(f"There is no event {name}")


def test_reading_events_has_a_scope_of_its_own() -> None:
    assert token_client("issue:write").get(URL).status_code == 403


def test_viewers_read_events() -> None:
    assert role_client("viewer").get(URL).status_code == 200
