"""Each kind's payload against the documented shape, as a real server receives it."""

from collections.abc import Iterator
from ipaddress import ip_network

import orjson
import pytest
from pytest_django import Settings

from tenants.channels.post import Access
from tenants.delivery import serve
from tenants.models import Channel, Delivery
from tests.receiver import Receiver, Reply, receiving
from tests.tenants.sending import (
    Clock,
    make_channel,
    put,
    serve_for,
    state_of,
    told_in_full,
)

pytestmark = pytest.mark.django_db

State = Delivery.State
ROUTING_KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def receiver(settings: Settings) -> Iterator[Receiver]:
    settings.OUTBOUND_ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]
    with receiving() as found:
        yield found


def full(channel: Channel, state_key: str = "opened", **changes: object) -> Delivery:
    fields = told_in_full(**changes)
    given = {name: getattr(fields, name) for name in fields.__slots__}
    return put(channel, state_key, **given)


def test_a_slack_webhook_gets_text_and_blocks_without_buttons_back(
    receiver: Receiver,
) -> None:
    channel = make_channel("slack_webhook", secret=f"{receiver.url}/services/T/B/x")
    full(channel)
    serve(channel.pk)

    (call,) = receiver.calls()
    assert call.path == "/services/T/B/x"
    assert set(call.json) == {"text", "blocks"}
    (buttons,) = [b for b in call.json["blocks"] if b["type"] == "actions"]
    assert [b["text"]["text"] for b in buttons["elements"]] == ["The deploy"]


@pytest.mark.parametrize(
    ("status", "text", "state", "is_active"),
    [
        (400, b"invalid_payload", State.FAILED, True),
        (403, b"action_prohibited", State.FAILED, False),
        (404, b"no_service", State.FAILED, False),
        (410, b"channel_is_archived", State.FAILED, False),
        (429, b"", State.PENDING, True),
        (500, b"rollup_error", State.UNKNOWN, True),
    ],
)
def test_what_a_slack_webhook_answers_is_understood(
    receiver: Receiver, status: int, text: bytes, state: State, is_active: bool
) -> None:
    channel = make_channel("slack_webhook", secret=f"{receiver.url}/services/T/B/x")
    receiver.reply = Reply(status, text)
    row = put(channel)
    serve(channel.pk)

    channel.refresh_from_db()
    assert (state_of(row), channel.is_active) == (state, is_active)


def test_teams_gets_a_message_with_one_adaptive_card(receiver: Receiver) -> None:
    channel = make_channel("teams", secret=f"{receiver.url}/workflows/x?sig=y")
    receiver.reply = Reply(202)
    row = full(channel)
    serve(channel.pk)

    (call,) = receiver.calls()
    assert call.path == "/workflows/x?sig=y"
    assert call.json["type"] == "message"
    (attachment,) = call.json["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    card = attachment["content"]
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    assert {part["type"] for part in card["body"]} == {"TextBlock", "FactSet"}
    assert [action["type"] for action in card["actions"]] == ["Action.OpenUrl"] * 2
    assert state_of(row) == State.SENT


def test_teams_gets_no_more_than_it_takes(receiver: Receiver) -> None:
    channel = make_channel("teams", secret=f"{receiver.url}/workflows/x")
    full(channel, sections=[("Much", ["x" * 1000] * 60)])
    serve(channel.pk)

    (call,) = receiver.calls()
    assert len(call.body) < 28_000
    assert "Nobody can pay" in call.body.decode()


def test_discord_gets_an_embed_that_mentions_nobody(receiver: Receiver) -> None:
    channel = make_channel("discord", secret=f"{receiver.url}/api/webhooks/1/x")
    receiver.reply = Reply(body=orjson.dumps({"id": "987"}))
    row = full(channel)
    serve(channel.pk)

    (call,) = receiver.calls()
    assert call.path == "/api/webhooks/1/x?wait=true"
    assert call.json["allowed_mentions"] == {"parse": []}
    (embed,) = call.json["embeds"]
    assert embed["color"] == 0xD92D20
    assert embed["fields"][0] == {
        "name": "Tenants hit",
        "value": "41 of 60",
        "inline": True,
    }
    assert (state_of(row), row.external_id) == (State.SENT, "987")


def test_discord_s_message_is_edited_again_when_in_doubt(receiver: Receiver) -> None:
    channel = make_channel("discord", secret=f"{receiver.url}/api/webhooks/1/x")
    receiver.reply = Reply(body=orjson.dumps({"id": "987"}))
    put(channel)
    serve(channel.pk)
    edit = put(channel, "head acknowledged")
    clock = Clock()
    receiver.reply = Reply(hang_up=True)
    serve(channel.pk, clock)
    receiver.reply = Reply(body=b"{}")
    serve_for(channel, clock, 1)

    paths = [call.path for call in receiver.calls("PATCH")]
    assert paths == ["/api/webhooks/1/x/messages/987?wait=true"] * 2
    assert state_of(edit) == State.SENT


def test_pagerduty_is_one_alert_that_is_acknowledged_and_resolved(
    receiver: Receiver,
) -> None:
    config = {"url": f"{receiver.url}/v2/enqueue"}
    channel = make_channel("pagerduty", config=config, secret=ROUTING_KEY)
    receiver.reply = Reply(202, orjson.dumps({"status": "success"}))
    for state in ("open", "acknowledged", "resolved"):
        full(channel, state, status=state)
        serve(channel.pk)

    told = [call.json for call in receiver.calls()]
    actions = [event["event_action"] for event in told]
    assert actions == ["trigger", "acknowledge", "resolve"]
    assert {event["dedup_key"] for event in told} == {"rush_monitor incident:1"}
    payload = told[0]["payload"]
    assert (payload["severity"], payload["source"]) == ("critical", "rush_monitor")
    assert payload["summary"] == "Checkout <is> broken & burns"
    assert told[0]["links"][0]["href"].endswith("/incident/1/")


def test_pagerduty_has_no_place_for_updates(receiver: Receiver) -> None:
    config = {"url": receiver.url}
    channel = make_channel("pagerduty", config=config, secret=ROUTING_KEY)
    update = full(channel, "note 1", thread=True)
    serve(channel.pk)

    assert not receiver.calls()
    assert state_of(update) == State.SKIPPED


def test_pagerduty_in_doubt_is_told_again(receiver: Receiver) -> None:
    channel = make_channel(
        "pagerduty", config={"url": receiver.url}, secret=ROUTING_KEY
    )
    clock = Clock()
    receiver.reply = Reply(500)
    row = put(channel)
    serve(channel.pk, clock)
    receiver.reply = Reply(202)
    serve_for(channel, clock, 1)

    first, second = receiver.calls()
    assert first.json == second.json
    assert state_of(row) == State.SENT


@pytest.mark.parametrize(
    ("secret", "told"),
    [
        ("https://hooks.slack.com/services/T/B/x", "at (secret): HTTP"),
        ("xoxb-0123456789", "at https://hooks.slack.com/services/T/B/x: HTTP"),
        ("", "at https://hooks.slack.com/services/T/B/x: HTTP"),
    ],
)
def test_a_secret_stands_in_no_sentence(secret: str, told: str) -> None:
    said = "at https://hooks.slack.com/services/T/B/x: HTTP"
    assert Access({}, secret).concealed(said) == told
