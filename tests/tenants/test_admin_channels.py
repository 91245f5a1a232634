import json
from collections.abc import Iterator
from ipaddress import ip_network

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from tenants.delivery import serve, switch_off
from tenants.models import AuditEntry, Channel, Delivery
from tenants.secrets import decrypt
from tests.admin_pages import client_of, page, tags_in
from tests.receiver import Receiver, Reply, receiving
from tests.tenants.sending import (
    SIGNING_KEY,
    SIGNING_SECRET,
    make_channel,
    put,
    slack_channel,
    state_of,
)

pytestmark = pytest.mark.django_db

State = Delivery.State
ADD = "admin:tenants_channel_add"
CHANGE = "admin:tenants_channel_change"
TEST = "admin:tenants_channel_test"
AGAIN = "admin:tenants_delivery_again"

FORM = {
    "name": "bot",
    "kind": "webhook",
    "config": '{"url": "https://bot.example.com/rush"}',
    "new_secret": SIGNING_KEY,
    "is_active": "on",
}


@pytest.fixture
def maintainer() -> Client:
    return client_of("maintainer", "mia")


@pytest.fixture
def viewer() -> Client:
    return client_of("viewer", "vera")


@pytest.fixture
def receiver(settings: Settings) -> Iterator[Receiver]:
    settings.OUTBOUND_ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]
    with receiving() as found:
        yield found


def test_a_channel_is_made(maintainer: Client) -> None:
    response = maintainer.post(reverse(ADD), FORM)

    assert response.status_code == 302, response.context["adminform"].form.errors
    assert decrypt(Channel.objects.get().secret) == SIGNING_KEY
    assert SIGNING_KEY not in str(AuditEntry.objects.get().changes)


def test_the_secret_is_never_shown(maintainer: Client) -> None:
    channel = make_channel()

    html = page(maintainer, "tenants_channel_change", channel.pk)

    assert SIGNING_KEY not in html
    assert channel.secret not in html
    (field,) = [a for _, a in tags_in(html) if a.get("name") == "new_secret"]
    assert (field["type"], field.get("value")) == ("password", None)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"new_secret": "short"}, "at least 16 letters"),
        ({"config": "{}"}, "Give the address"),
        ({"config": "[1]"}, "Give an object"),
        ({"kind": "slack", "config": "{}"}, "Name the channel by its id"),
    ],
)
def test_what_cannot_work_is_refused(
    maintainer: Client, change: dict[str, str], told: str
) -> None:
    html = maintainer.post(reverse(ADD), {**FORM, **change}).content.decode()

    assert told in html
    assert not Channel.objects.exists()


def test_another_host_needs_the_secret_again(maintainer: Client) -> None:
    config = {"url": "https://bot.example.com/"}
    channel = make_channel(name="bot", config=config)
    moved = {"config": '{"url": "https://evil.example.com/"}', "new_secret": ""}

    response = maintainer.post(reverse(CHANGE, args=[channel.pk]), {**FORM, **moved})

    assert "another host" in response.content.decode()
    channel.refresh_from_db()
    assert channel.config == config


def test_it_is_switched_off_and_on(maintainer: Client) -> None:
    config = {"url": "https://bot.example.com/rush"}
    channel = make_channel(config=config)
    row = put(channel)
    url = reverse(CHANGE, args=[channel.pk])
    off = {name: value for name, value in FORM.items() if name != "is_active"}

    maintainer.post(url, off)
    channel.refresh_from_db()
    assert (channel.is_active, channel.disabled_reason) == (
        False,
        "Switched off by mia.",
    )
    assert state_of(row) == State.SKIPPED

    maintainer.post(url, FORM)
    channel.refresh_from_db()
    assert (channel.is_active, channel.disabled_reason) == (True, "")


def test_a_test_shows_the_channel_s_answer(
    maintainer: Client, receiver: Receiver
) -> None:
    channel = make_channel(config={"url": receiver.url})
    receiver.reply = Reply(403, b"<b>not you</b>")

    html = maintainer.post(reverse(TEST, args=[channel.pk])).content.decode()

    assert "The channel did not take the message" in html
    assert "&lt;b&gt;not you&lt;/b&gt;" in html
    assert receiver.calls()[0].json["title"] == f"Test of the channel {channel}"


def test_the_list_says_which_are_off_and_why(viewer: Client) -> None:
    channel = make_channel()
    put(channel)
    switch_off(channel, "HTTP 410: gone", timezone.now())

    html = page(viewer, "tenants_channel_changelist")

    assert "switched off" in html
    assert "HTTP 410: gone" in html


def test_the_list_links_the_last_message(viewer: Client, receiver: Receiver) -> None:
    channel = make_channel(config={"url": receiver.url})
    row = put(channel)
    serve(channel.pk)

    html = page(viewer, "tenants_channel_changelist")

    assert reverse("admin:tenants_delivery_change", args=[row.pk]) in html


@pytest.mark.parametrize("rows", [1, 5])
def test_lists_take_the_same_queries_however_long(
    viewer: Client, django_assert_num_queries: DjangoAssertNumQueries, rows: int
) -> None:
    for i in range(rows):
        put(make_channel(name=str(i)))
    page(viewer, "tenants_delivery_changelist")

    with django_assert_num_queries(CHANNEL_QUERIES):
        page(viewer, "tenants_channel_changelist")


CHANNEL_QUERIES = 7


def test_a_message_is_shown_with_its_answer(viewer: Client, receiver: Receiver) -> None:
    channel = make_channel(config={"url": receiver.url})
    receiver.reply = Reply(400, b"<i>too long</i>")
    row = put(channel)
    serve(channel.pk)

    html = page(viewer, "tenants_delivery_change", row.pk)

    assert "&lt;i&gt;too long&lt;/i&gt;" in html
    assert "Checkout is broken" in html
    assert reverse(AGAIN, args=[row.pk]) not in html


def test_what_failed_is_sent_again(maintainer: Client, receiver: Receiver) -> None:
    channel = make_channel(config={"url": receiver.url})
    row = put(channel)
    Delivery.objects.filter(pk=row.pk).update(state=State.FAILED)
    url = reverse(AGAIN, args=[row.pk])
    assert url in page(maintainer, "tenants_delivery_change", row.pk)

    maintainer.post(url)

    assert state_of(row) == State.PENDING


@pytest.mark.parametrize("name", [TEST, AGAIN])
def test_viewers_send_nothing(viewer: Client, receiver: Receiver, name: str) -> None:
    channel = make_channel(config={"url": receiver.url})
    row = put(channel)
    Delivery.objects.filter(pk=row.pk).update(state=State.FAILED)
    target = channel.pk if name == TEST else row.pk

    assert viewer.post(reverse(name, args=[target])).status_code == 403
    assert receiver.requests == []


def test_messages_are_filtered_by_state(viewer: Client) -> None:
    channel = make_channel()
    put(channel, subject="incident:41")
    failed = put(channel, subject="incident:42")
    Delivery.objects.filter(pk=failed.pk).update(state=State.FAILED)

    html = page(viewer, "tenants_delivery_changelist", state__exact="failed")

    assert "incident:42" in html
    assert "incident:41" not in html


def test_only_owners_enter_a_signing_secret(maintainer: Client) -> None:
    form = {
        **FORM,
        "kind": "slack",
        "config": '{"channel": "C0123456789"}',
        "new_secret": "xoxb-1",
        "new_signing_secret": SIGNING_SECRET,
    }

    shown = page(maintainer, "tenants_channel_add")
    maintainer.post(reverse(ADD), form)

    assert "Only owners set it" in shown
    assert Channel.objects.get().signing_secret == ""


def test_a_slack_app_keeps_its_signing_secret() -> None:
    owner = client_of("owner", "olga")
    form = {
        **FORM,
        "kind": "slack",
        "config": '{"channel": "C0123456789"}',
        "new_secret": "xoxb-1",
        "new_signing_secret": SIGNING_SECRET,
    }
    response = owner.post(reverse(ADD), form)
    assert response.status_code == 302, response.content.decode()
    channel = Channel.objects.get()

    html = page(owner, "tenants_channel_change", channel.pk)
    empty = {"new_secret": "", "new_signing_secret": ""}
    owner.post(reverse(CHANGE, args=[channel.pk]), {**form, **empty})

    channel.refresh_from_db()
    assert decrypt(channel.signing_secret) == SIGNING_SECRET
    assert SIGNING_SECRET not in html + str(list(AuditEntry.objects.values()))


CLEARS = {"new_secret": "", "clear_signing_secret": "on"}
SLACK_APP = {
    **FORM,
    "kind": "slack",
    "config": '{"channel": "C0123456789"}',
    "new_secret": "",
}


def test_an_owner_clears_the_signing_secret() -> None:
    owner = client_of("owner", "olga")
    channel = slack_channel("https://slack.com", signing_secret=SIGNING_SECRET)
    form = {**SLACK_APP, "config": json.dumps(channel.config)}
    url = reverse(CHANGE, args=[channel.pk])
    assert "clear_signing_secret" in page(owner, "tenants_channel_change", channel.pk)

    both = {**form, **CLEARS, "new_signing_secret": SIGNING_SECRET}
    assert "not both" in owner.post(url, both).content.decode()
    response = owner.post(url, {**form, **CLEARS})

    assert response.status_code == 302, response.content.decode()
    before, channel = channel, Channel.objects.get()
    assert (channel.signing_secret, channel.secret) == ("", before.secret)
    assert "clear_signing_secret" in AuditEntry.objects.get().changes
    html = page(owner, "tenants_channel_change", channel.pk)
    assert "clear_signing_secret" not in html


def test_another_host_may_be_given_with_the_signing_secret_cleared() -> None:
    owner = client_of("owner", "olga")
    channel = slack_channel("https://slack.com", signing_secret=SIGNING_SECRET)
    config = {**channel.config, "api": "https://elsewhere.example.com"}
    form = {**SLACK_APP, "config": json.dumps(config), "new_secret": "xoxb-2"}
    url = reverse(CHANGE, args=[channel.pk])

    assert "enter it again" in owner.post(url, form).content.decode()
    assert owner.post(url, {**form, "clear_signing_secret": "on"}).status_code == 302


def test_only_owners_clear_a_signing_secret(maintainer: Client) -> None:
    channel = slack_channel("https://slack.com", signing_secret=SIGNING_SECRET)
    form = {**SLACK_APP, "config": json.dumps(channel.config), **CLEARS}

    html = page(maintainer, "tenants_channel_change", channel.pk)
    response = maintainer.post(reverse(CHANGE, args=[channel.pk]), form)

    assert "clear_signing_secret" not in html
    assert response.status_code == 302
    assert decrypt(Channel.objects.get().signing_secret) == SIGNING_SECRET


def test_only_a_slack_app_has_a_signing_secret() -> None:
    owner = client_of("owner", "olga")
    form = {**FORM, "new_signing_secret": SIGNING_SECRET}

    html = owner.post(reverse(ADD), form).content.decode()

    assert "Only a Slack app has one." in html
