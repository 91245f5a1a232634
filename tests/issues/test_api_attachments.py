import pytest
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from issues.models import Attachment
from tenants.models import AuditEntry, Blob
from tests.factories import (
    make_attachment,
    make_event,
    make_issue,
    make_project,
    role_client,
    token_client,
)

pytestmark = pytest.mark.django_db

URL = "/api/v1/attachments/"


@pytest.fixture
def client() -> APIClient:
    return token_client("event:read")


def test_the_files_of_an_event_are_listed(client: APIClient) -> None:
    event = make_event(make_issue(make_project(slug="shop")))
    file = make_attachment(b"12345", event=event, content_type="text/plain")
    make_attachment()
    (row,) = client.get(URL, {"event": event.event_id.hex}).json()["results"]
    assert row.pop("received")
    assert row == {
        "id": file.pk,
        "project": "shop",
        "event_id": event.event_id.hex,
        "name": "log.txt",
        "content_type": "text/plain",
        "kind": "event.attachment",
        "size": 5,
        "download": f"http://testserver/api/v1/attachments/{file.pk}/download",
    }


def test_an_event_tells_its_files(client: APIClient) -> None:
    event = make_event(make_issue(), payload={"message": "x"})
    file = make_attachment(event=event)
    told = client.get(f"/api/v1/events/{event.event_id.hex}/").json()
    assert [row["id"] for row in told["attachments"]] == [file.pk]


def test_files_are_narrowed_to_a_project(client: APIClient) -> None:
    file = make_attachment(project=make_project(slug="shop"))
    make_attachment()
    rows = client.get(URL, {"project": "shop"}).json()["results"]
    assert [row["id"] for row in rows] == [file.pk]


def test_an_event_that_is_none_is_told(client: APIClient) -> None:
    answer = client.get(URL, {"event": "12"})
    assert answer.status_code == 400
    assert "32 hex digits" in str(answer.json())


def test_the_list_takes_a_fixed_number_of_queries(
    client: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(3):
        make_attachment()
    with django_assert_num_queries(3):
        assert len(client.get(URL).json()["results"]) == 3


def test_a_file_is_downloaded_as_bytes(client: APIClient) -> None:
    answer = client.get(f"{URL}{make_attachment(b'<script>').pk}/download/")
    assert b"".join(answer) == b"<script>"
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("responder", 200)])
def test_who_sees_events_may_not_always_open_files(role: str, status: int) -> None:
    client, url = role_client(role), f"{URL}{make_attachment().pk}/"
    assert client.get(url).status_code == 200
    assert client.get(f"{url}download/").status_code == status


def test_a_file_that_is_missing_is_not_found(client: APIClient) -> None:
    file = make_attachment()
    Blob.objects.all().delete()
    answer = client.get(f"{URL}{file.pk}/download/")
    assert answer.status_code == 404
    assert "missing" in answer.json()["detail"]


def test_a_file_is_deleted_and_audited() -> None:
    file = make_attachment(name="card.png")
    assert token_client("event:read").delete(f"{URL}{file.pk}/").status_code == 403
    assert token_client("project:write").delete(f"{URL}{file.pk}/").status_code == 204
    assert not Attachment.objects.exists()
    assert not Blob.objects.exists()
    assert AuditEntry.objects.get(action="deleted").object_label == "card.png"


@pytest.mark.parametrize(("role", "status"), [("responder", 403), ("maintainer", 204)])
def test_maintainers_delete_files(role: str, status: int) -> None:
    url = f"{URL}{make_attachment().pk}/"
    assert role_client(role).delete(url).status_code == status
