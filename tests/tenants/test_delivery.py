"""A message from its cause to a channel, over a real local HTTP server."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from django.utils import timezone

from tenants.delivery import due_channels, enqueue, serve
from tenants.delivery.outcomes import GIVE_UP_AFTER
from tenants.delivery.serving import STALE
from tenants.message import Message
from tenants.models import Channel, Delivery
from tenants.outbound import Answer, OutboundError, Request
from tenants.secrets import encrypt
from tenants.signing import signature
from tests.receiver import Receiver, Reply, receiving

pytestmark = pytest.mark.django_db

State = Delivery.State
SECRET = "a signing key of ours"
NOW = timezone.now()


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    settings.OUTBOUND_ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]
    with receiving() as found:
        yield found


def make_channel(name: str = "hook", url: str = "http://127.0.0.1:9/") -> Channel:
    return Channel.objects.create(
        name=name, kind="webhook", config={"url": url}, secret=encrypt(SECRET)
    )


@pytest.fixture
def channel(receiver: Receiver) -> Channel:
    return make_channel(url=receiver.url)


def put(channel: Channel, state_key: str = "opened", **message: Any) -> Delivery:
    told = Message(title="Checkout is broken", **message)
    found = enqueue(channel, "incident:1", state_key, told, NOW)
    assert found is not None
    return found


def state_of(row: Delivery) -> str:
    row.refresh_from_db()
    return row.state


def test_a_message_arrives_signed(
    channel: Channel, receiver: Receiver, clock: Clock
) -> None:
    row = put(channel)
    assert serve(channel.pk, clock) == 1
    (call,) = receiver.calls()
    headers = call.headers
    assert headers["x-rush-signature"] == signature(
        SECRET, headers["x-rush-timestamp"], call.body
    )
    assert headers["idempotency-key"] == str(row.key)
    assert call.json["title"] == "Checkout is broken"
    assert (state_of(row), row.response_status) == (State.SENT, 200)


def test_the_same_state_of_a_subject_is_one_message(channel: Channel) -> None:
    put(channel)
    again = enqueue(channel, "incident:1", "opened", Message("Again"), NOW)
    assert again is None
    assert Delivery.objects.count() == 1


def test_messages_of_a_subject_keep_their_order(
    channel: Channel, receiver: Receiver, clock: Clock
) -> None:
    receiver.reply = Reply(429)
    put(channel)
    put(channel, "acknowledged", thread=True)
    serve(channel.pk, clock)
    assert len(receiver.calls()) == 1
    receiver.reply = Reply(200)
    clock.wait(3)
    serve(channel.pk, clock)
    told = [call.json["event"] for call in receiver.calls()]
    assert told == ["opened", "opened", "acknowledged"]


def test_one_subject_does_not_wait_for_another(
    channel: Channel, receiver: Receiver, clock: Clock
) -> None:
    receiver.answer = lambda request: Reply(
        429 if request.json["subject"] == "incident:1" else 200
    )
    put(channel)
    other = enqueue(channel, "incident:2", "opened", Message("Other"), NOW)
    assert other is not None
    serve(channel.pk, clock)
    assert state_of(other) == State.SENT


def test_a_channel_that_asks_for_time_is_left_alone(
    channel: Channel, receiver: Receiver, clock: Clock
) -> None:
    receiver.reply = Reply(429, headers={"Retry-After": "40"})
    put(channel)
    enqueue(channel, "incident:2", "opened", Message("Other"), NOW)
    serve(channel.pk, clock)
    clock.wait(30)
    assert (serve(channel.pk, clock), due_channels(clock())) == (0, [])
    clock.wait(11)
    assert due_channels(clock()) == [channel.pk]


def test_in_doubt_it_is_sent_again_with_the_same_key(
    channel: Channel, receiver: Receiver, clock: Clock
) -> None:
    receiver.reply = Reply(502)
    row = put(channel)
    serve(channel.pk, clock)
    assert (state_of(row), row.in_doubt) == (State.SENDING, True)
    receiver.reply = Reply(200)
    clock.wait(3)
    serve(channel.pk, clock)
    keys = {call.headers["idempotency-key"] for call in receiver.calls()}
    assert (state_of(row), len(receiver.calls()), len(keys)) == (State.SENT, 2, 1)


def test_what_a_dead_process_left_is_taken_up(
    channel: Channel, receiver: Receiver, clock: Clock
) -> None:
    row = put(channel)

    def die(request: Request) -> Answer:
        raise SystemExit

    with pytest.raises(SystemExit):
        serve(channel.pk, clock, die)
    assert state_of(row) == State.SENDING
    assert serve(channel.pk, clock) == 0
    clock.wait(STALE.total_seconds())
    serve(channel.pk, clock)
    assert (state_of(row), len(receiver.calls())) == (State.SENT, 1)


def test_a_channel_that_refuses_for_good_is_switched_off(
    channel: Channel, receiver: Receiver, clock: Clock
) -> None:
    other = make_channel("operations")
    receiver.reply = Reply(410, b"gone")
    row = put(channel)
    waits = put(channel, "acknowledged", thread=True)
    serve(channel.pk, clock)
    channel.refresh_from_db()
    assert (channel.is_active, channel.disabled_reason) == (False, "HTTP 410: gone")
    assert (state_of(row), state_of(waits)) == (State.FAILED, State.SKIPPED)
    assert "hook is switched off" in other.deliveries.get().message["title"]


def test_those_in_charge_hear_of_a_channel_that_is_off(
    channel: Channel, receiver: Receiver, clock: Clock
) -> None:
    silent, hearing = make_channel("silent"), make_channel("hearing")
    Channel.objects.filter(pk=hearing.pk).update(hears_trouble=True)
    receiver.reply = Reply(404)
    put(channel)
    serve(channel.pk, clock)
    assert hearing.deliveries.count() == 1
    assert not silent.deliveries.exists()


def test_a_refused_message_leaves_its_channel_on(
    channel: Channel, receiver: Receiver, clock: Clock
) -> None:
    receiver.reply = Reply(400, b"too long")
    row = put(channel)
    serve(channel.pk, clock)
    channel.refresh_from_db()
    assert (state_of(row), channel.is_active) == (State.FAILED, True)


def test_a_message_to_a_channel_that_is_off_says_so(channel: Channel) -> None:
    Channel.objects.filter(pk=channel.pk).update(is_active=False)
    channel.refresh_from_db()
    row = put(channel)
    assert (row.state, row.told) == (State.SKIPPED, "The channel is switched off.")


def test_after_hours_without_an_answer_it_is_given_up(
    channel: Channel, clock: Clock
) -> None:
    def away(request: Request) -> Answer:
        raise OutboundError("No name.", permanent=False, reached=False)

    row = put(channel)
    serve(channel.pk, clock, away)
    assert state_of(row) == State.PENDING
    clock.wait(GIVE_UP_AFTER.total_seconds() + 1)
    serve(channel.pk, clock, away)
    assert state_of(row) == State.FAILED
    assert "Given up after 6 hours" in row.told


def test_the_wait_grows_with_each_attempt(channel: Channel, clock: Clock) -> None:
    def away(request: Request) -> Answer:
        raise OutboundError("No name.", permanent=False, reached=False)

    row = put(channel)
    waits = []
    for _ in range(4):
        serve(channel.pk, clock, away)
        row.refresh_from_db()
        assert row.next_try_at is not None
        waits.append((row.next_try_at - clock()).total_seconds())
        clock.now = row.next_try_at
    assert waits == [2, 5, 15, 60]


def test_an_edit_is_skipped_where_the_head_cannot_be_edited(
    channel: Channel, receiver: Receiver, clock: Clock
) -> None:
    put(channel)
    edit = put(channel, "head acknowledged")
    serve(channel.pk, clock)
    assert state_of(edit) == State.SKIPPED
    assert len(receiver.calls()) == 1


def test_a_secret_of_another_key_switches_the_channel_off(
    channel: Channel, settings: Any, clock: Clock
) -> None:
    put(channel)
    settings.SECRET_KEY = "another"
    serve(channel.pk, clock)
    channel.refresh_from_db()
    assert "SECRET_KEY_FALLBACKS" in channel.disabled_reason
