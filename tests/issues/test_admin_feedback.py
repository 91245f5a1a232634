import pytest
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from issues.models import Attachment, Feedback
from tenants.models import AuditEntry
from tests.admin_pages import client_of, page
from tests.factories import (
    make_attachment,
    make_event,
    make_feedback,
    make_issue,
    make_project,
)

pytestmark = pytest.mark.django_db

LIST, CHANGE = "issues_feedback_changelist", "issues_feedback_change"
EVIL = "<script>alert(1)</script>"


def test_the_page_of_an_event_shows_what_was_written_about_it() -> None:
    event = make_event(make_issue(), payload={"message": "x"})
    make_feedback(event=event, message=f"It is gone {EVIL}")
    make_feedback(message="about another")
    html = page(client_of("viewer"), "issues_event_change", event.pk)
    assert "It is gone &lt;script&gt;" in html
    assert "mia@example.com" in html
    assert "about another" not in html


def test_the_page_of_an_issue_shows_what_was_written_about_its_family() -> None:
    root = make_issue()
    child = make_issue(root.project, merged_into=root)
    make_feedback(event=make_event(root), message="of the root")
    make_feedback(event=make_event(child), message="of the child")
    make_feedback(message="of another")
    html = page(client_of("viewer"), "issues_issue_change", root.pk)
    assert "of the root" in html
    assert "of the child" in html
    assert "of another" not in html
    shown = page(client_of("viewer"), LIST, issue=root.pk)
    assert "of the child" in shown
    assert "of another" not in shown


def test_the_list_is_narrowed_by_project_link_and_words() -> None:
    shop = make_project(slug="shop")
    linked = make_feedback(event=make_event(make_issue(shop)), message="linked one")
    make_feedback(event_id=linked.feedback_id, message="waiting one")
    make_feedback(message="free one", name="Zoe")
    viewer = client_of("viewer")

    def found(**query: object) -> set[str]:
        html = page(viewer, LIST, **query)
        return {word for word in ("linked", "waiting", "free") if f"{word} one" in html}

    assert found() == {"linked", "waiting", "free"}
    assert found(linked="yes") == {"linked"}
    assert found(linked="waiting") == {"waiting"}
    assert found(linked="none") == {"free"}
    assert found(project__id__exact=shop.pk) == {"linked"}
    assert found(q="zoe") == {"free"}
    assert found(issue="x") == set()


def test_a_page_shows_texts_of_strangers_as_text() -> None:
    event = make_event(make_issue())
    row = make_feedback(
        event=event,
        message=EVIL,
        name=EVIL,
        url="javascript:alert(1)",
        notes=[f"cleaned {EVIL}"],
    )
    file = make_attachment(
        name="shot.png", project=row.project, event_id=row.feedback_id
    )
    html = page(client_of("viewer"), CHANGE, row.pk)
    assert EVIL not in html
    assert 'href="javascript:' not in html
    assert reverse("admin:issues_event_change", args=[event.event_id.hex]) in html
    assert reverse("admin:issues_attachment_change", args=[file.pk]) in html


def test_a_file_of_a_feedback_leads_to_it() -> None:
    row = make_feedback()
    url = reverse("admin:issues_event_change", args=[row.feedback_id.hex])
    answer = client_of("viewer").get(url)
    assert answer["Location"] == reverse(f"admin:{CHANGE}", args=[row.pk])
    assert client_of("").get(url).status_code == 403


def test_the_list_takes_a_fixed_number_of_queries(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    viewer = client_of("viewer")
    for number in range(4):
        make_feedback(event=make_event(make_issue()), message=f"text {number}")
    with django_assert_num_queries(7):
        html = page(viewer, LIST)
    assert html.count("text ") >= 4


def test_a_maintainer_deletes_one_with_its_files_and_it_is_audited() -> None:
    row = make_feedback(message="my card is lost")
    make_attachment(project=row.project, event_id=row.feedback_id)
    url = reverse("admin:issues_feedback_delete", args=[row.pk])
    assert client_of("responder").post(url, {"post": "yes"}).status_code == 403
    client_of("maintainer", "mia").post(url, {"post": "yes"})
    assert not Feedback.objects.exists()
    assert not Attachment.objects.exists()
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action) == ("mia", "deleted")
    assert "card" not in entry.object_label
