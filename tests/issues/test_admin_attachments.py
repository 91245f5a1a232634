import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from issues.models import Attachment
from tenants.models import AuditEntry, Blob
from tests.admin_pages import client_of, page
from tests.factories import make_attachment, make_event, make_issue

pytestmark = pytest.mark.django_db

LIST, CHANGE = "issues_attachment_changelist", "issues_attachment_change"


def url_of(attachment: Attachment) -> str:
    return reverse("admin:issues_attachment_download", args=[attachment.pk])


def test_the_page_of_an_event_links_its_files() -> None:
    event = make_event(make_issue(), payload={"message": "x"})
    file, other = make_attachment(name="<b>.log", event=event), make_attachment()
    html = page(client_of("responder"), "issues_event_change", event.pk)
    assert "&lt;b&gt;.log" in html
    assert url_of(file) in html
    assert url_of(other) not in html


def test_the_page_of_an_issue_shows_the_files_of_its_event() -> None:
    issue = make_issue()
    file = make_attachment(event=make_event(issue, payload={"message": "x"}))
    html = page(client_of("responder"), "issues_issue_change", issue.pk)
    assert url_of(file) in html


def test_a_viewer_sees_that_there_is_a_file_and_may_not_open_it() -> None:
    event = make_event(make_issue(), payload={"message": "x"})
    file, viewer = make_attachment(name="heap.dmp", event=event), client_of("viewer")
    html = page(viewer, "issues_event_change", event.pk)
    assert "heap.dmp" in html
    assert url_of(file) not in html
    assert url_of(file) not in page(viewer, CHANGE, file.pk)
    assert viewer.get(url_of(file)).status_code == 403


def test_a_responder_downloads_a_file() -> None:
    answer = client_of("responder").get(url_of(make_attachment(b"<script>")))
    assert b"".join(answer) == b"<script>"
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["Content-Disposition"].startswith("attachment;")
    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"


def test_nobody_downloads_without_logging_in(client: Client) -> None:
    answer = client.get(url_of(make_attachment()))
    assert answer.status_code == 302
    assert "/admin/login/" in answer["Location"]


def test_a_file_that_is_missing_is_told() -> None:
    file = make_attachment()
    Blob.objects.all().delete()
    assert client_of("responder").get(url_of(file)).status_code == 404


def test_the_list_takes_a_fixed_number_of_queries(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    viewer = client_of("viewer")
    for number in range(4):
        make_attachment(name=f"{number}.log")
    with django_assert_num_queries(8):
        html = page(viewer, LIST)
    assert html.count(".log") >= 4


def test_a_maintainer_deletes_a_file_and_it_is_audited() -> None:
    file = make_attachment(name="card.png")
    url = reverse("admin:issues_attachment_delete", args=[file.pk])
    assert client_of("responder").post(url, {"post": "yes"}).status_code == 403
    client_of("maintainer", "mia").post(url, {"post": "yes"})
    assert not Attachment.objects.exists()
    assert not Blob.objects.exists()
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action, entry.object_label) == (
        *("mia", "deleted", "card.png"),
    )


def test_ticked_files_are_deleted_with_their_blobs() -> None:
    ids = [make_attachment().pk for _ in range(2)]
    chosen = {"action": "delete_selected", "_selected_action": ids, "post": "yes"}
    client_of("maintainer").post(reverse(f"admin:{LIST}"), chosen)
    assert not Attachment.objects.exists()
    assert not Blob.objects.exists()
    assert AuditEntry.objects.count() == 2
