"""The Slack app against a server that behaves, and fails, like Slack's API."""

from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

import pytest
from pytest_django import Settings

from tenants.channels import slack
from tenants.channels.post import Access
from tenants.delivery import serve
from tenants.models import Channel, Delivery
from tests.receiver import Reply
from tests.slack_server import CHANNEL, TOKEN, Slack, rate_limited, slack_running
from tests.tenants.sending import (
    SIGNING_SECRET,
    Clock,
    put,
    serve_for,
    slack_channel,
    state_of,
    told_in_full,
)

pytestmark = pytest.mark.django_db

State = Delivery.State


@pytest.fixture
def api(settings: Settings) -> Iterator[Slack]:
    settings.OUTBOUND_ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]
    with slack_running() as running:
        yield running


@pytest.fixture
def channel(api: Slack) -> Channel:
    return slack_channel(api.api)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def told(message: dict[str, Any]) -> str:
    return str(message["blocks"])


def put_in_full(channel: Channel) -> None:
    fields = told_in_full()
    put(channel, **{name: getattr(fields, name) for name in fields.__slots__})
    serve(channel.pk)


def test_without_a_signing_secret_no_button_calls_back(
    channel: Channel, api: Slack
) -> None:
    put_in_full(channel)

    (button,) = api.messages[0]["blocks"][-1]["elements"]
    assert (button["action_id"], "value" in button) == ("open_deploy", False)


def test_a_message_is_posted_as_blocks(api: Slack) -> None:
    put_in_full(slack_channel(api.api, signing_secret=SIGNING_SECRET))

    (message,) = api.messages
    kinds = [block["type"] for block in message["blocks"]]
    assert kinds == ["section", "section", "section", "section", "actions"]
    acknowledge, deploy = message["blocks"][-1]["elements"]
    assert acknowledge == {
        "type": "button",
        "action_id": "acknowledge",
        "text": {"type": "plain_text", "text": "Acknowledge"},
        "value": "1",
        "style": "primary",
    }
    assert deploy["url"] == "https://rush.example.com/d/9"


def test_nobody_is_mentioned_by_what_anybody_sent(channel: Channel, api: Slack) -> None:
    put(channel, title="<!channel> <@U1>", sections=[("<!here>", ["<!everyone>"])])

    serve(channel.pk)

    (message,) = api.messages
    assert "<!" not in told(message) + message["text"]
    assert "<@" not in told(message) + message["text"]


def test_a_subject_is_one_message_that_is_edited(channel: Channel, api: Slack) -> None:
    put(channel)
    serve(channel.pk)
    put(channel, "head acknowledged", title="Somebody looks at it")
    serve(channel.pk)

    assert api.methods == ["chat.postMessage", "chat.update"]
    (message,) = api.messages
    assert "Somebody looks at it" in told(message)


def test_updates_go_into_the_thread(channel: Channel, api: Slack) -> None:
    put(channel)
    put(channel, "note", thread=True, title="A note")
    serve(channel.pk)

    head, update = api.messages
    assert update["thread_ts"] == head["ts"]


def test_of_many_edits_the_last_one_is_sent(channel: Channel, api: Slack) -> None:
    put(channel)
    serve(channel.pk)
    edits = [put(channel, f"head {i}", title=f"Edit {i}") for i in range(5)]
    serve(channel.pk)

    assert api.methods == ["chat.postMessage", "chat.update"]
    assert "Edit 4" in told(api.messages[0])
    states = [state_of(edit) for edit in edits]
    assert states == [State.SKIPPED] * 4 + [State.SENT]


def test_slack_that_asks_for_time_gets_it(
    channel: Channel, api: Slack, clock: Clock
) -> None:
    api.failures = [rate_limited(30)]
    row = put(channel)
    serve(channel.pk, clock)
    clock.wait(29)
    assert serve(channel.pk, clock) == 0
    clock.wait(2)
    serve(channel.pk, clock)

    assert (state_of(row), len(api.messages)) == (State.SENT, 1)


@pytest.mark.parametrize("acts", [True, False])
@pytest.mark.parametrize(
    "failure",
    [Reply(500), Reply(502, b"<html>"), Reply(503), Reply(504), Reply(hang_up=True)],
    ids=["500", "502", "503", "504", "hangs up"],
)
def test_in_doubt_slack_is_searched_before_it_is_sent_again(
    channel: Channel, api: Slack, clock: Clock, failure: Reply, acts: bool
) -> None:
    api.failures, api.acts = [failure], acts
    row = put(channel)

    serve_for(channel, clock, 1)

    assert api.keys() == [str(row.key)]
    assert (state_of(row), row.external_id) == (State.SENT, api.messages[0]["ts"])
    again = [] if acts else ["chat.postMessage"]
    assert api.methods == ["chat.postMessage", "conversations.history", *again]


@pytest.mark.parametrize("acts", [True, False])
def test_an_update_in_doubt_is_searched_in_the_thread(
    channel: Channel, api: Slack, clock: Clock, acts: bool
) -> None:
    put(channel)
    serve(channel.pk, clock)
    api.failures, api.acts = [Reply(hang_up=True)], acts
    update = put(channel, "note", thread=True)

    serve_for(channel, clock, 1)

    assert "conversations.replies" in api.methods
    assert api.keys().count(str(update.key)) == 1
    assert state_of(update) == State.SENT


def test_an_edit_in_doubt_is_made_again(
    channel: Channel, api: Slack, clock: Clock
) -> None:
    put(channel)
    serve(channel.pk, clock)
    api.failures = [Reply(hang_up=True)]
    edit = put(channel, "head acknowledged")

    serve_for(channel, clock, 1)

    assert api.methods[1:] == ["chat.update", "chat.update"]
    assert state_of(edit) == State.SENT


def test_a_look_up_that_fails_is_made_again(
    channel: Channel, api: Slack, clock: Clock
) -> None:
    api.failures, api.acts = [Reply(500), Reply(500), rate_limited(1)], True
    row = put(channel)

    serve_for(channel, clock, 1)

    assert (state_of(row), len(api.messages)) == (State.SENT, 1)
    assert api.methods.count("chat.postMessage") == 1


def test_without_any_look_up_the_outcome_is_unknown(
    channel: Channel, api: Slack, clock: Clock
) -> None:
    api.failures = [Reply(500), *["missing_scope"] * 50]
    row = put(channel)

    serve_for(channel, clock, 5)

    assert state_of(row) == State.UNKNOWN
    assert "missing_scope" in row.told
    assert api.methods.count("chat.postMessage") == 1


@pytest.mark.parametrize(
    "error",
    [
        "invalid_auth",
        "token_revoked",
        "account_inactive",
        "not_in_channel",
        "channel_not_found",
        "is_archived",
        "missing_scope",
    ],
)
def test_what_somebody_must_mend_switches_the_channel_off(
    channel: Channel, api: Slack, error: str
) -> None:
    api.failures = [error]
    row = put(channel)
    serve(channel.pk)

    channel.refresh_from_db()
    assert (state_of(row), channel.is_active) == (State.FAILED, False)
    assert channel.disabled_reason == f"Slack says {error}."
    assert error in row.response


def test_a_revoked_token_is_noticed(channel: Channel, api: Slack) -> None:
    api.token = "xoxb-another"
    put(channel)
    serve(channel.pk)

    channel.refresh_from_db()
    assert channel.disabled_reason == "Slack says invalid_auth."


@pytest.mark.parametrize("error", ["internal_error", "fatal_error", "ratelimited"])
def test_slack_s_own_trouble_passes(
    channel: Channel, api: Slack, clock: Clock, error: str
) -> None:
    api.failures = [error]
    row = put(channel)

    serve_for(channel, clock, 1)

    assert (state_of(row), len(api.messages)) == (State.SENT, 1)


def test_a_refused_message_leaves_the_channel_on(channel: Channel, api: Slack) -> None:
    api.failures = ["invalid_blocks"]
    row = put(channel)
    serve(channel.pk)

    channel.refresh_from_db()
    assert (state_of(row), channel.is_active) == (State.FAILED, True)


def test_the_longest_message_is_taken(channel: Channel, api: Slack) -> None:
    long = "x" * 5000
    row = put(
        channel,
        title=long,
        text=long,
        url="https://rush.example.com/",
        facts=[(long, long)] * 30,
        sections=[(long, [long] * 20)] * 60,
    )
    serve(channel.pk)

    assert state_of(row) == State.SENT
    texts = [b["text"]["text"] for b in api.messages[0]["blocks"] if "text" in b]
    assert max(map(len, texts)) <= 3000


@pytest.mark.parametrize(
    ("config", "secret", "field"),
    [
        ({}, TOKEN, "config"),
        ({"channel": CHANNEL, "x": 1}, TOKEN, "config"),
        ({"channel": CHANNEL}, "", "secret"),
        ({"channel": CHANNEL}, "xoxp-1", "secret"),
    ],
)
def test_what_cannot_work_is_said_before(
    config: dict[str, Any], secret: str, field: str
) -> None:
    assert list(slack.problems(Access(config, secret))) == [field]
