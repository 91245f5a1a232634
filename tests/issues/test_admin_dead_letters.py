import pytest
from django.urls import reverse

from issues.models import DeadLetter, InboxEnvelope
from tenants.models import AuditEntry
from tests.admin_pages import buttons, client_of, page
from tests.envelopes import sealed
from tests.factories import make_dead_letter, make_project

pytestmark = pytest.mark.django_db


def test_a_dead_letter_tells_its_error_and_shows_its_body() -> None:
    letter = make_dead_letter(
        make_project(name="Shop"),
        error="ValueError: no JSON",
        traceback="Traceback …",
        body=sealed(b'{"broken'),
    )

    html = page(client_of("viewer"), "issues_deadletter_change", letter.pk)

    for text in ("ValueError: no JSON", "Traceback …", "{&quot;xxxxxx", "Shop"):
        assert text in html


def test_ticked_letters_are_digested_again() -> None:
    letters = [make_dead_letter(make_project()) for _ in range(2)]
    client = client_of("maintainer", "mia")

    client.post(
        reverse("admin:issues_deadletter_changelist"),
        {"action": "digest_again", "_selected_action": [x.pk for x in letters]},
    )

    assert (DeadLetter.objects.count(), InboxEnvelope.objects.count()) == (0, 2)
    assert AuditEntry.objects.filter(actor="mia", action="digest again").count() == 2


def test_one_letter_is_digested_again_from_its_page() -> None:
    letter = make_dead_letter(make_project())
    client = client_of("maintainer")
    url = reverse("admin:issues_deadletter_again", args=[letter.pk])

    assert client.post(url).status_code == 302
    assert client.post(url).status_code == 302

    assert InboxEnvelope.objects.count() == 1


def test_responders_read_dead_letters_but_cannot_send_them_back() -> None:
    letter = make_dead_letter(make_project())
    client = client_of("responder")

    html = page(client, "issues_deadletter_change", letter.pk)
    url = reverse("admin:issues_deadletter_again", args=[letter.pk])

    assert "Digest again" not in html
    assert buttons(html) == set()
    assert client.post(url).status_code == 403
    assert "digest_again" not in page(client, "issues_deadletter_changelist")


def test_a_letter_that_is_gone_is_not_found() -> None:
    url = reverse("admin:issues_deadletter_change", args=[1])

    assert client_of("viewer").get(url).status_code == 404
