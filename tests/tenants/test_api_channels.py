from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings
from rest_framework.test import APIClient

from tenants.delivery import serve, switch_off
from tenants.models import AuditEntry, Channel, Delivery
from tenants.secrets import decrypt
from tests.factories import role_client, token_client
from tests.receiver import Receiver, Reply, receiving
from tests.tenants.sending import (
    SIGNING_KEY,
    SIGNING_SECRET,
    make_channel,
    put,
    state_of,
)

pytestmark = pytest.mark.django_db

CHANNELS = "/api/v1/channels/"
DELIVERIES = "/api/v1/deliveries/"
State = Delivery.State

WEBHOOK = {
    "name": "bot",
    "kind": "webhook",
    "config": {"url": "https://bot.example.com/rush"},
    "secret": SIGNING_KEY,
}


SLACK_APP = {
    "name": "on call",
    "kind": "slack",
    "config": {"channel": "C0123456789"},
    "secret": "xoxb-1",
    "signing_secret": SIGNING_SECRET,
}


@pytest.fixture
def client() -> APIClient:
    return token_client("channel:write")


@pytest.fixture
def receiver(settings: Settings) -> Iterator[Receiver]:
    settings.OUTBOUND_ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]
    with receiving() as found:
        yield found


def test_a_channel_is_made(client: APIClient) -> None:
    response = client.post(CHANNELS, WEBHOOK)

    assert response.status_code == 201, response.json()
    row = Channel.objects.get()
    told = response.json()
    assert told.pop("created")
    assert told == {
        "id": row.pk,
        "name": "bot",
        "kind": "webhook",
        "config": {"url": "https://bot.example.com/rush"},
        "has_secret": True,
        "has_signing_secret": False,
        "hears_trouble": False,
        "is_active": True,
        "disabled_reason": "",
        "disabled_at": None,
        "paused_until": None,
        "person": None,
    }
    assert decrypt(row.secret) == SIGNING_KEY


def test_the_secret_is_nowhere_to_be_read(client: APIClient) -> None:
    made = client.post(CHANNELS, WEBHOOK).json()
    client.patch(f"{CHANNELS}{made['id']}/", {"secret": "another key of some length"})

    shown = client.get(f"{CHANNELS}{made['id']}/").content.decode()
    audited = str(list(AuditEntry.objects.values()))
    stored = Channel.objects.get().secret
    for secret in (SIGNING_KEY, "another key of some length", stored):
        assert secret not in shown + audited
    assert "(secret" in audited


def test_the_secret_does_not_follow_to_another_host(client: APIClient) -> None:
    url = f"{CHANNELS}{client.post(CHANNELS, WEBHOOK).json()['id']}/"

    moved = client.patch(url, {"config": {"url": "https://evil.example.com/"}})
    kept = client.patch(url, {"config": {"url": "https://bot.example.com/other"}})
    entered = client.patch(
        url, {"config": {"url": "https://x.example.com/"}, "secret": SIGNING_KEY}
    )

    assert moved.status_code == 400
    assert "another host" in str(moved.json()["errors"]["secret"])
    assert (kept.status_code, entered.status_code) == (200, 200)


def test_the_secret_does_not_follow_to_another_kind(client: APIClient) -> None:
    made = client.post(CHANNELS, WEBHOOK).json()
    change = {"kind": "pagerduty", "config": {}}

    response = client.patch(f"{CHANNELS}{made['id']}/", change)

    assert list(response.json()["errors"]) == ["secret"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"kind": "fax"}, "kind"),
        ({"secret": "short"}, "secret"),
        ({"config": {}}, "config"),
        ({"config": [1]}, "config"),
        ({"config": {"url": "ftp://x"}}, "config"),
        ({"config": {"url": "https://[::1"}}, "config"),
        ({"config": {"url": "https://x.example.com/\0"}}, "config"),
        ({"config": {"url": "https://x.example.com/", "x": 1}}, "config"),
        ({"kind": "email", "config": {"to": 5}}, "config"),
        ({"kind": "email", "config": {"to": ["nobody"]}}, "config"),
        ({"kind": "slack", "config": {"channel": "C1"}}, "secret"),
        ({"kind": "teams", "config": {}}, "secret"),
        ({"kind": "discord", "config": {}, "secret": "https://[::1"}, "secret"),
    ],
)
def test_what_cannot_work_is_refused(
    client: APIClient, change: dict[str, Any], field: str
) -> None:
    response = client.post(CHANNELS, {**WEBHOOK, **change})

    assert response.status_code == 400
    assert field in response.json()["errors"]
    assert not Channel.objects.exists()


def test_a_test_shows_the_channel_s_answer(
    client: APIClient, receiver: Receiver
) -> None:
    channel = make_channel(config={"url": receiver.url}, is_active=False)
    receiver.reply = Reply(410, b"moved away")

    response = client.post(f"{CHANNELS}{channel.pk}/test/")

    row = Delivery.objects.get()
    assert response.json() == {
        "ok": False,
        "told": "HTTP 410: moved away",
        "status": 410,
        "response": "moved away",
        "delivery": row.pk,
    }
    assert row.state == State.FAILED
    assert AuditEntry.objects.get().action == "tested"


def test_a_test_switches_nothing_off(client: APIClient, receiver: Receiver) -> None:
    channel = make_channel(config={"url": receiver.url})
    receiver.reply = Reply(404)

    client.post(f"{CHANNELS}{channel.pk}/test/")

    channel.refresh_from_db()
    assert channel.is_active


def test_a_test_without_an_answer_is_of_unknown_outcome(
    client: APIClient, receiver: Receiver
) -> None:
    channel = make_channel(config={"url": receiver.url})
    receiver.reply = Reply(hang_up=True)

    assert client.post(f"{CHANNELS}{channel.pk}/test/").json()["ok"] is False
    assert Delivery.objects.get().state == State.UNKNOWN


def test_a_test_of_pagerduty_closes_its_alert(
    client: APIClient, receiver: Receiver
) -> None:
    channel = make_channel("pagerduty", config={"url": receiver.url}, secret="0" * 32)

    client.post(f"{CHANNELS}{channel.pk}/test/")
    serve(channel.pk)

    actions = [call.json["event_action"] for call in receiver.calls()]
    assert actions == ["trigger", "resolve"]


def test_a_channel_is_switched_off_and_on(client: APIClient) -> None:
    channel = make_channel()
    row = put(channel)
    url = f"{CHANNELS}{channel.pk}/"

    off = client.patch(url, {"is_active": False}).json()
    assert off["disabled_reason"] == "Switched off by token ci."
    assert (off["disabled_at"], state_of(row)) == (None, State.SKIPPED)

    on = client.patch(url, {"is_active": True}).json()
    assert (on["is_active"], on["disabled_reason"]) == (True, "")


def test_one_that_switched_itself_off_is_switched_on(client: APIClient) -> None:
    channel = make_channel()
    switch_off(channel, "HTTP 410", timezone.now())

    on = client.patch(f"{CHANNELS}{channel.pk}/", {"is_active": True}).json()

    assert (on["disabled_at"], on["disabled_reason"]) == (None, "")


@pytest.mark.parametrize("state", [State.FAILED, State.UNKNOWN])
def test_what_did_not_arrive_is_sent_again(
    client: APIClient, receiver: Receiver, state: State
) -> None:
    channel = make_channel(config={"url": receiver.url})
    row = put(channel)
    Delivery.objects.filter(pk=row.pk).update(state=state, next_try_at=None)

    response = client.post(f"{DELIVERIES}{row.pk}/send-again/")
    serve(channel.pk)

    assert (response.status_code, response.json()["state"]) == (200, "pending")
    assert (state_of(row), len(receiver.calls())) == (State.SENT, 1)
    assert AuditEntry.objects.get().action == "sent again"


@pytest.mark.parametrize("state", [State.PENDING, State.SENDING, State.SENT])
def test_what_is_on_its_way_or_there_is_not_sent_again(
    client: APIClient, state: State
) -> None:
    row = put(make_channel())
    Delivery.objects.filter(pk=row.pk).update(state=state)

    assert client.post(f"{DELIVERIES}{row.pk}/send-again/").status_code == 409
    assert state_of(row) == state


def test_nothing_is_sent_again_through_a_channel_that_is_off(
    client: APIClient,
) -> None:
    row = put(make_channel(is_active=False))
    Delivery.objects.filter(pk=row.pk).update(state=State.FAILED)

    response = client.post(f"{DELIVERIES}{row.pk}/send-again/")

    assert response.status_code == 409
    assert "switch it on first" in response.json()["detail"]


@pytest.mark.parametrize(
    ("query", "subjects"),
    [
        ("channel=a", ["incident:1"]),
        ("kind=teams", ["incident:2"]),
        ("subject=incident:2", ["incident:2"]),
        ("state=failed", ["incident:1"]),
        ("state=failed&state=pending", ["incident:2", "incident:1"]),
    ],
)
def test_messages_are_filtered(
    client: APIClient, query: str, subjects: list[str]
) -> None:
    row = put(make_channel(name="a"))
    put(make_channel("teams", name="b"), subject="incident:2")
    Delivery.objects.filter(pk=row.pk).update(state=State.FAILED)

    listed = client.get(f"{DELIVERIES}?{query}").json()

    assert [found["subject"] for found in listed["results"]] == subjects


def test_a_message_is_shown_with_its_answer(
    client: APIClient, receiver: Receiver
) -> None:
    channel = make_channel(config={"url": receiver.url})
    receiver.reply = Reply(400, b"too long")
    row = put(channel)
    serve(channel.pk)

    told = client.get(f"{DELIVERIES}{row.pk}/").json()

    assert (told["response_status"], told["response"]) == (400, "too long")
    assert told["message"]["title"] == "Checkout is broken"


@pytest.mark.parametrize("rows", [1, 5])
def test_lists_take_the_same_queries_however_long(
    client: APIClient, django_assert_num_queries: DjangoAssertNumQueries, rows: int
) -> None:
    for i in range(rows):
        put(make_channel(name=str(i)))

    # The first call with a token notes its use.
    client.get(CHANNELS)
    with django_assert_num_queries(2):
        client.get(CHANNELS)
    with django_assert_num_queries(2):
        client.get(DELIVERIES)


@pytest.mark.parametrize("scope", ["project:write", "channel:read"])
def test_a_scope_is_needed(scope: str) -> None:
    channel = make_channel()
    client = token_client(scope)

    reads = client.get(CHANNELS).status_code
    assert reads == (200 if scope == "channel:read" else 403)
    assert client.post(CHANNELS, WEBHOOK).status_code == 403
    assert client.post(f"{CHANNELS}{channel.pk}/test/").status_code == 403


@pytest.mark.parametrize(
    ("role", "status"), [("viewer", 403), ("responder", 403), ("maintainer", 201)]
)
def test_maintainers_change_channels(role: str, status: int) -> None:
    client = role_client(role)

    assert client.get(CHANNELS).status_code == 200
    assert client.post(CHANNELS, WEBHOOK).status_code == status


def test_a_signing_secret_goes_in_and_never_comes_out() -> None:
    client = role_client("owner")

    made = client.post(CHANNELS, SLACK_APP, format="json")

    assert made.status_code == 201, made.json()
    assert made.json()["has_signing_secret"] is True
    assert SIGNING_SECRET not in made.content.decode()
    assert decrypt(Channel.objects.get().signing_secret) == SIGNING_SECRET
    assert SIGNING_SECRET not in str(AuditEntry.objects.get().changes)
    url = f"{CHANNELS}{made.json()['id']}/"
    renamed = client.patch(url, {"name": "team"}, format="json").json()
    assert renamed["has_signing_secret"] is True
    gone = client.patch(url, {"signing_secret": ""}, format="json").json()
    assert gone["has_signing_secret"] is False


@pytest.mark.parametrize(
    ("kind", "secret"), [("slack", "short"), ("discord", SIGNING_SECRET)]
)
def test_a_signing_secret_that_cannot_be_one_is_refused(kind: str, secret: str) -> None:
    body = {
        "name": "x",
        "kind": kind,
        "config": {"channel": "C1"} if kind == "slack" else {},
        "secret": "xoxb-1" if kind == "slack" else "https://discord.com/api/x",
        "signing_secret": secret,
    }

    response = role_client("owner").post(CHANNELS, body, format="json")

    assert (response.status_code, set(response.json()["errors"])) == (
        400,
        {"signing_secret"},
    )


def test_only_owners_set_a_signing_secret() -> None:
    for other in (role_client("maintainer"), token_client("channel:write")):
        refused = other.post(CHANNELS, SLACK_APP, format="json")
        assert refused.status_code == 400
        assert "Only owners" in refused.json()["errors"]["signing_secret"][0]
    assert not Channel.objects.exists()


def test_another_host_needs_the_signing_secret_again() -> None:
    owner = role_client("owner")
    made = owner.post(CHANNELS, SLACK_APP, format="json").json()
    moved = {
        "config": {"channel": "C0123456789", "api": "https://elsewhere.example.com"},
        "secret": "xoxb-2",
    }

    refused = role_client("maintainer").patch(
        f"{CHANNELS}{made['id']}/", moved, format="json"
    )
    cleared = owner.patch(
        f"{CHANNELS}{made['id']}/", {**moved, "signing_secret": ""}, format="json"
    )

    assert refused.status_code == 400
    assert set(refused.json()["errors"]) == {"signing_secret"}
    assert cleared.status_code == 200, cleared.json()
