from collections.abc import Iterator
from uuid import UUID

import pytest
from django.conf import LazySettings
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from tenants.models import AuditEntry, ProjectKey
from tests.factories import (
    make_event,
    make_issue,
    make_key,
    make_project,
    role_client,
    token_client,
)
from tests.receiver import Receiver, Reply, receiving

pytestmark = pytest.mark.django_db


@pytest.fixture
def key() -> ProjectKey:
    return make_key(make_project(slug="shop", tenant_tags=["brand"]))


@pytest.fixture
def client() -> APIClient:
    return token_client("project:write")


@pytest.fixture
def front(settings: LazySettings) -> Iterator[Receiver]:
    with receiving() as receiver:
        settings.BASE_URL = receiver.url
        yield receiver


def setup(key: ProjectKey) -> str:
    return f"/api/v1/projects/{key.project_id}/setup/"


def sending(key: ProjectKey) -> str:
    return f"/api/v1/projects/{key.project_id}/test-event/"


def test_a_script_gets_what_to_paste(key: ProjectKey, settings: LazySettings) -> None:
    settings.BASE_URL = "https://rush.example"

    body = token_client("project:read").get(setup(key)).json()

    dsn = f"https://{key.public_key}@rush.example/{key.project_id}"
    assert (body["project"], body["dsn"], body["key"]) == ("shop", dsn, key.pk)
    assert (body["tenant_tag"], body["release"]) == ("brand", "shop@1.0.0")
    slugs = [platform["slug"] for platform in body["platforms"]]
    assert slugs == ["django", "python", "node", "browser", "php", "ruby", "curl"]
    step = body["platforms"][2]["steps"][1]
    assert (step["file"], step["language"]) == ("instrument.mjs", "javascript")
    assert f'dsn: "{dsn}"' in step["code"]
    assert "export SENTRY_PROJECT=shop" in body["ci"][1]["code"]


def test_one_platform_is_asked_for(client: APIClient, key: ProjectKey) -> None:
    body = client.get(setup(key), {"platform": "php"}).json()

    assert [platform["slug"] for platform in body["platforms"]] == ["php"]


def test_one_key_is_asked_for(client: APIClient, key: ProjectKey) -> None:
    other = make_key(key.project)

    assert other.public_key in client.get(setup(key), {"key": other.pk}).json()["dsn"]


def test_it_tells_whether_an_event_has_arrived(
    client: APIClient, key: ProjectKey
) -> None:
    assert client.get(setup(key)).json()["arrival"] == {
        "arrived": False,
        "issue": None,
        "event_id": None,
        "connected": False,
    }
    event = make_event(make_issue(key.project))

    assert client.get(setup(key)).json()["arrival"] == {
        "arrived": True,
        "issue": event.issue_id,
        "event_id": UUID(str(event.event_id)).hex,
        "connected": True,
    }


@pytest.mark.parametrize(
    ("query", "field", "message"),
    [
        ({"platform": "cobol"}, "platform", "there are: django, python, node"),
        ({"key": "0"}, "key", "greater than or equal to 1"),
        ({"key": "999999999"}, "key", "No active key of this project; there are:"),
        ({"plattform": "php"}, "plattform", "there are: key, platform"),
    ],
)
def test_a_wrong_question_is_answered_with_the_right_one(
    client: APIClient, key: ProjectKey, query: dict[str, str], field: str, message: str
) -> None:
    response = client.get(setup(key), query)

    assert response.status_code == 400
    assert message in str(response.json()["errors"][field])


def test_without_an_active_key_it_says_what_to_do(client: APIClient) -> None:
    response = client.get(setup(make_key(is_active=False)))

    assert response.status_code == 400
    assert "/api/v1/keys/" in str(response.json()["errors"]["key"])


def test_a_project_that_is_not_there_is_not_found(client: APIClient) -> None:
    assert client.get("/api/v1/projects/999999999/setup/").status_code == 404


def test_a_test_event_is_sent(
    client: APIClient, key: ProjectKey, front: Receiver
) -> None:
    response = client.post(sending(key))

    assert response.status_code == 201
    (call,) = front.calls()
    assert response.json()["event_id"].encode() in call.body
    assert AuditEntry.objects.get().actor == "token ci"


def test_a_test_event_that_is_refused_says_why(
    client: APIClient, key: ProjectKey, front: Receiver
) -> None:
    front.reply = Reply(429, b'{"detail": "The inbox is full."}')

    response = client.post(sending(key), {"key": key.pk})

    assert response.status_code == 400
    assert "The inbox is full." in response.json()["detail"]


def test_sending_takes_a_scope_that_writes(key: ProjectKey, front: Receiver) -> None:
    response = token_client("project:read").post(sending(key))

    assert response.status_code == 403
    assert "project:write" in response.json()["detail"]
    assert front.calls() == []


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("maintainer", 201)])
def test_people_send_by_their_role(
    key: ProjectKey, front: Receiver, role: str, status: int
) -> None:
    client = role_client(role)

    assert client.get(setup(key)).status_code == 200
    assert client.post(sending(key)).status_code == status


def test_reading_takes_the_same_queries_however_many_keys(
    client: APIClient,
    key: ProjectKey,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    make_key(key.project)
    client.get(setup(key))

    # Token; project, keys; what has arrived.
    with django_assert_num_queries(3 + 4):
        client.get(setup(key))
