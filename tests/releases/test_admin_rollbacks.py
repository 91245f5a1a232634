from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from releases.models import Deploy, Rollback, RollbackTarget
from releases.rollbacks.ordering import decide
from tenants.models import AuditEntry
from tenants.secrets import decrypt
from tests.admin_pages import client_of, page, tags_in, told
from tests.receiver import Receiver, Reply, receiving
from tests.releases.rolling import NOON, SECRET, degraded, make_target

pytestmark = pytest.mark.django_db

State = Rollback.State
ADD = "admin:releases_rollbacktarget_add"
CHANGE = "admin:releases_rollbacktarget_change"
TEST = "admin:releases_rollbacktarget_test"
ORDER = "admin:releases_rollback_order"

FORM = {
    "name": "deployer",
    "environment": "production",
    "kind": "webhook",
    "url": "https://cd.example.com/hook",
    "new_secret": SECRET,
    "options": "{}",
    "is_active": "on",
    "cool_down_minutes": "30",
    "max_per_day": "3",
}


@pytest.fixture
def maintainer() -> Client:
    return client_of("maintainer", "mia")


@pytest.fixture
def responder() -> Client:
    return client_of("responder", "rita")


@pytest.fixture
def receiver(settings: Settings) -> Iterator[Receiver]:
    settings.OUTBOUND_ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]
    with receiving() as running:
        yield running


def recent() -> Deploy:
    """A bad deploy of some minutes ago."""
    return degraded(timezone.now()).deploy


# Targets


def test_a_target_is_made(maintainer: Client) -> None:
    response = maintainer.post(reverse(ADD), FORM)

    assert response.status_code == 302, response.context["adminform"].form.errors
    target = RollbackTarget.objects.get()
    assert decrypt(target.secret) == SECRET
    assert SECRET not in str(AuditEntry.objects.get().changes)


def test_the_secret_is_never_shown(maintainer: Client) -> None:
    target = make_target()

    html = page(maintainer, "releases_rollbacktarget_change", target.pk)

    assert SECRET not in html
    assert target.secret not in html
    (field,) = [a for _, a in tags_in(html) if a.get("name") == "new_secret"]
    assert field["type"] == "password"
    assert not field.get("value")
    assert "One is stored; leave this empty to keep it." in html


def test_an_empty_field_keeps_the_secret(maintainer: Client) -> None:
    target = make_target()

    maintainer.post(
        reverse(CHANGE, args=[target.pk]), {**FORM, "new_secret": "", "name": "renamed"}
    )

    target.refresh_from_db()
    assert (target.name, decrypt(target.secret)) == ("renamed", SECRET)


def test_a_new_secret_replaces_the_old_one(maintainer: Client) -> None:
    target = make_target()

    maintainer.post(
        reverse(CHANGE, args=[target.pk]),
        {**FORM, "new_secret": "b" * 20, "url": "https://x.example/"},
    )

    target.refresh_from_db()
    assert decrypt(target.secret) == "b" * 20
    assert AuditEntry.objects.get().changes["new_secret"] == ["(secret)", "(secret)"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"new_secret": "short"}, "at least 16 letters"),
        ({"new_secret": ""}, "at least 16 letters"),
        ({"kind": "github"}, "Give repository and workflow."),
        ({"options": '{"x": 1}'}, "x: not known here"),
        ({"options": "[1]"}, "Give an object"),
        ({"options": "nonsense"}, "Enter a valid JSON."),
    ],
)
def test_what_cannot_work_is_told_beside_its_field(
    maintainer: Client, change: dict[str, str], told: str
) -> None:
    response = maintainer.post(reverse(ADD), {**FORM, **change})

    assert response.status_code == 200
    assert told in response.content.decode()
    assert not RollbackTarget.objects.exists()


def test_the_secret_does_not_follow_the_url_to_another_host(maintainer: Client) -> None:
    target = make_target()

    response = maintainer.post(
        reverse(CHANGE, args=[target.pk]),
        {**FORM, "new_secret": "", "url": "https://evil.example/hook"},
    )

    assert "leads to another host" in response.content.decode()


def test_the_list_shows_what_is_called_where(maintainer: Client) -> None:
    make_target(name="one", environment="production", dry_run=True)
    make_target(name="two", is_active=False)

    html = page(maintainer, "releases_rollbacktarget_changelist")

    assert "every project, production" in html
    assert "dry run" in html
    assert "switched off" in html


def test_a_test_call_shows_the_answer(maintainer: Client, receiver: Receiver) -> None:
    receiver.reply = Reply(200, b"<b>taken</b>")
    target = make_target(url=receiver.url)
    assert "Send test" in page(maintainer, "releases_rollbacktarget_change", target.pk)

    html = maintainer.post(reverse(TEST, args=[target.pk])).content.decode()

    assert "The target would take the call." in html
    assert "&lt;b&gt;taken&lt;/b&gt;" in html
    assert receiver.requests[0].json["test"]


def test_a_test_call_that_fails_says_why(maintainer: Client) -> None:
    target = make_target(url="http://127.0.0.1:1/")

    html = maintainer.post(reverse(TEST, args=[target.pk])).content.decode()

    assert "The target would not take the call." in html
    assert "OUTBOUND_ALLOWED_NETWORKS" in html


def test_a_viewer_sends_no_test(responder: Client) -> None:
    target = make_target()

    html = page(responder, "releases_rollbacktarget_change", target.pk)

    assert "Send test" not in html
    assert responder.post(reverse(TEST, args=[target.pk])).status_code == 403


def test_a_test_is_not_sent_by_a_link(maintainer: Client) -> None:
    assert maintainer.get(reverse(TEST, args=[make_target().pk])).status_code == 405


# Rollbacks


def ordered(**fields: Any) -> Rollback:
    make_target()
    row = decide(degraded(), NOON)
    Rollback.objects.filter(pk=row.pk).update(**fields)
    return Rollback.objects.get(pk=row.pk)


def test_the_list_says_what_happened(responder: Client) -> None:
    ordered(state=State.UNKNOWN, explanation="Whether cd was called is unknown.")

    html = page(responder, "releases_rollback_changelist")

    assert "Whether cd was called is unknown." in html
    assert "shop@1.1 → shop@1.0" in html
    assert ">verdict<" in html.replace("\n", "").replace("  ", "")
    assert '<span class="rm-badge is-fatal">outcome unknown</span>' in html


def test_a_list_takes_the_same_queries_however_long(
    responder: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    row = ordered(state=State.REFUSED)
    for number in range(6):
        Rollback.objects.create(
            deploy=row.deploy,
            state=State.REFUSED,
            idempotency_key=f"00000000-0000-4000-8000-00000000000{number}",
        )

    with django_assert_num_queries(8):
        page(responder, "releases_rollback_changelist")


@pytest.mark.parametrize("state", State.values)
def test_every_state_has_its_page(responder: Client, state: str) -> None:
    row = ordered(
        state=state,
        explanation="<b>told</b>",
        response="<i>answer</i>",
        response_status=500,
        run_url="https://cd.example.com/7",
        called_at=NOON,
        to_release=None,
        target=None,
    )

    html = page(responder, "releases_rollback_change", row.pk)

    assert "&lt;b&gt;told&lt;/b&gt;" in html
    assert "&lt;i&gt;answer&lt;/i&gt;" in html
    assert State(state).label.lower() in html
    assert "shop@1.1 in production is degraded." in html
    assert 'href="https://cd.example.com/7"' in html


def test_the_page_shows_the_log(responder: Client) -> None:
    html = page(responder, "releases_rollback_change", ordered().pk)

    assert "What happened" in html
    assert "bring shop in production back to shop@1.0" in html


def test_a_rollback_that_is_not_there_is_404(responder: Client) -> None:
    url = reverse("admin:releases_rollback_change", args=[99999])

    assert responder.get(url).status_code == 404


def test_rollbacks_are_not_edited(responder: Client) -> None:
    row = ordered()
    url = reverse("admin:releases_rollback_delete", args=[row.pk])

    assert responder.post(url, {"post": "yes"}).status_code == 403
    assert responder.get(reverse("admin:releases_rollback_add")).status_code == 403


# Roll back now


def test_the_page_says_what_will_be_called(responder: Client) -> None:
    deploy = recent()
    make_target()

    html = page(responder, "releases_rollback_order", deploy.pk)

    assert "is called at once, and told to bring Shop in production back to" in html
    assert "Roll back now</button>" in html


def test_a_rollback_is_ordered(responder: Client) -> None:
    deploy = recent()
    make_target()

    response = responder.post(reverse(ORDER, args=[deploy.pk]))

    row = Rollback.objects.get()
    assert (row.state, row.requested_by) == (State.PENDING, "rita")
    assert response.headers["Location"] == reverse(
        "admin:releases_rollback_change", args=[row.pk]
    )
    assert told(response)[0].startswith("Ordered: POST https://cd.example.com/hook")


def test_what_holds_it_back_is_shown_and_there_is_no_button(responder: Client) -> None:
    deploy = recent()
    Deploy.objects.filter(pk=deploy.pk).update(irreversible=True)
    make_target()

    html = page(responder, "releases_rollback_order", deploy.pk)

    assert "The deploy is marked as irreversible." in html
    assert "Roll back now</button>" not in html


def test_the_cool_down_is_passed_over_with_a_tick(responder: Client) -> None:
    deploy = recent()
    make_target()
    responder.post(reverse(ORDER, args=[deploy.pk]))
    Rollback.objects.update(state=State.UNKNOWN)
    html = page(responder, "releases_rollback_order", deploy.pk)
    assert "Roll back all the same." in html

    responder.post(reverse(ORDER, args=[deploy.pk]), {"override": ["cool_down"]})

    assert Rollback.objects.filter(state=State.PENDING).count() == 1


def test_without_the_tick_it_is_held_back_and_recorded(responder: Client) -> None:
    deploy = recent()
    make_target()
    responder.post(reverse(ORDER, args=[deploy.pk]))
    Rollback.objects.update(state=State.UNKNOWN)

    response = responder.post(reverse(ORDER, args=[deploy.pk]))

    assert told(response)[-1].startswith("The last rollback of this environment was 0")
    assert Rollback.objects.filter(state=State.REFUSED).count() == 1


def test_a_second_order_is_refused(responder: Client) -> None:
    deploy = recent()
    make_target()
    responder.post(reverse(ORDER, args=[deploy.pk]))

    response = responder.post(reverse(ORDER, args=[deploy.pk]))

    assert told(response)[-1] == "This deploy was ordered back already: Pending."


def test_a_dry_run_says_so(responder: Client) -> None:
    deploy = recent()
    make_target(dry_run=True)

    html = page(responder, "releases_rollback_order", deploy.pk)

    assert "is set to dry run" in html


def test_a_viewer_orders_nothing() -> None:
    deploy = recent()
    make_target()
    viewer = client_of("viewer")

    assert viewer.get(reverse(ORDER, args=[deploy.pk])).status_code == 403
    assert viewer.post(reverse(ORDER, args=[deploy.pk])).status_code == 403


@pytest.mark.parametrize(
    ("state", "offered"),
    [(State.UNKNOWN, True), (State.FAILED, True), (State.CALLED, False)],
)
def test_a_rollback_that_did_not_work_may_be_ordered_again(
    responder: Client, state: str, offered: bool
) -> None:
    row = ordered(state=state)

    html = page(responder, "releases_rollback_change", row.pk)

    assert ("Order again" in html) == offered
