from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from issues.models import Attachment, Feedback
from tenants.models import AuditEntry
from tests.factories import (
    make_attachment,
    make_environment,
    make_event,
    make_feedback,
    make_issue,
    make_project,
    make_release,
    make_tenant,
    role_client,
    token_client,
)

pytestmark = pytest.mark.django_db

URL = "/api/v1/feedback/"


@pytest.fixture
def client() -> APIClient:
    return token_client("event:read")


def found(client: APIClient, **query: Any) -> set[int]:
    answer = client.get(URL, query)
    assert answer.status_code == 200, answer.json()
    return {row["id"] for row in answer.json()["results"]}


def test_one_is_read_with_all_that_is_known(client: APIClient) -> None:
    shop = make_project(slug="shop")
    event = make_event(make_issue(shop))
    row = make_feedback(
        event=event,
        environment=make_environment(shop),
        release=make_release(shop, "web@1"),
        tenant=make_tenant("shop-1.example"),
        user="id:7",
        replay_id="a" * 32,
        notes=["message: cut"],
    )
    told = client.get(f"{URL}{row.pk}/").json()
    assert told.pop("received")
    assert told == {
        "id": row.pk,
        "feedback_id": row.feedback_id.hex,
        "project": "shop",
        "event_id": event.event_id.hex,
        "issue": event.issue_id,
        "message": "Where is my parcel?",
        "name": "Mia",
        "email": "mia@example.com",
        "url": "https://shop.example/order/1",
        "user": "id:7",
        "environment": "production",
        "release": "web@1",
        "tenant": "shop-1.example",
        "replay_id": "a" * 32,
        "source": "widget",
        "notes": ["message: cut"],
    }


def test_the_list_is_narrowed(client: APIClient) -> None:
    shop = make_project(slug="shop")
    event = make_event(make_issue(shop))
    linked = make_feedback(event=event, message="It is GONE")
    old = timezone.now() - timedelta(days=2)
    free = make_feedback(name="Zoe", received=old)
    waiting = make_feedback(event_id=uuid4())
    assert found(client) == {linked.pk, free.pk, waiting.pk}
    assert found(client, project="shop") == {linked.pk}
    assert found(client, event=event.event_id.hex) == {linked.pk}
    assert found(client, issue=event.issue.short_id) == {linked.pk}
    assert found(client, linked="true") == {linked.pk}
    assert found(client, linked="false") == {free.pk, waiting.pk}
    assert found(client, search="gone") == {linked.pk}
    assert found(client, search="zoe") == {free.pk}
    assert found(client, received_before=old + timedelta(hours=1)) == {free.pk}


def test_a_merged_issue_lists_what_was_written_about_its_family(
    client: APIClient,
) -> None:
    root = make_issue()
    child = make_issue(root.project, merged_into=root)
    row = make_feedback(event=make_event(child))
    assert found(client, issue=root.pk) == {row.pk}
    assert client.get(f"{URL}{row.pk}/").json()["issue"] == root.pk


@pytest.mark.parametrize(
    ("query", "word"), [({"event": "12"}, "32 hex"), ({"issue": "X-9"}, "no issue")]
)
def test_what_cannot_be_asked_is_told(
    client: APIClient, query: dict[str, str], word: str
) -> None:
    answer = client.get(URL, query)
    assert answer.status_code == 400
    assert word in str(answer.json())


def test_the_list_takes_a_fixed_number_of_queries(
    client: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(3):
        make_feedback(event=make_event(make_issue()), tenant=make_tenant())
    with django_assert_num_queries(3):
        assert len(client.get(URL).json()["results"]) == 3


def test_one_is_deleted_with_its_files_and_audited() -> None:
    row = make_feedback()
    make_attachment(project=row.project, event_id=row.feedback_id)
    assert token_client("event:read").delete(f"{URL}{row.pk}/").status_code == 403
    assert token_client("project:write").delete(f"{URL}{row.pk}/").status_code == 204
    assert not Feedback.objects.exists()
    assert not Attachment.objects.exists()
    assert AuditEntry.objects.filter(action="deleted").count() == 1


@pytest.mark.parametrize(
    ("role", "read", "delete"),
    [("viewer", 200, 403), ("responder", 200, 403), ("maintainer", 200, 204)],
)
def test_roles_read_and_delete(role: str, read: int, delete: int) -> None:
    client, url = role_client(role), f"{URL}{make_feedback().pk}/"
    assert client.get(url).status_code == read
    assert client.delete(url).status_code == delete
