"""kill -9 of the process that delivers, at every point of a delivery.

The receivers count: a message arrives once where the channel can be searched or acts
once per key, and elsewhere once, or its outcome is said to be unknown; never silently
none, and never twice.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import ip_network
from urllib.parse import quote

import pytest
from django.db import connection
from pytest_django import Settings

from rush_monitor.spawn import wait_until
from tenants.models import Channel, Delivery
from tests.dying import PATIENCE, POINTS
from tests.receiver import Receiver, Reply, receiving
from tests.running import ROOT
from tests.slack_server import Slack, slack_running
from tests.tenants.sending import (
    Clock,
    make_channel,
    put,
    serve_for,
    slack_channel,
    state_of,
)

pytestmark = pytest.mark.django_db(transaction=True)

State = Delivery.State
LOCAL = "127.0.0.0/8"


@pytest.fixture
def receiver(settings: Settings) -> Iterator[Receiver]:
    settings.OUTBOUND_ALLOWED_NETWORKS = [ip_network(LOCAL)]
    with receiving() as running:
        yield running


@pytest.fixture
def api(settings: Settings) -> Iterator[Slack]:
    settings.OUTBOUND_ALLOWED_NETWORKS = [ip_network(LOCAL)]
    with slack_running() as running:
        yield running


def database_url() -> str:
    told = connection.settings_dict
    place = quote(told["HOST"], safe="")
    port = f":{told['PORT']}" if told["PORT"] else ""
    secret = f":{quote(told['PASSWORD'])}" if told["PASSWORD"] else ""
    return f"postgresql://{told['USER']}{secret}@{place}{port}/{told['NAME']}"


def process(point: str, channel: Channel) -> subprocess.Popen[bytes]:
    """A process that serves the channel, and dies at ``point``."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.dying", point, "messages", str(channel.pk)],
        cwd=ROOT,
        env={
            **os.environ,
            "DATABASE_URL": database_url(),
            "OUTBOUND_ALLOWED_NETWORKS": LOCAL,
        },
    )


def die_at(point: str, channel: Channel, receiver: Receiver) -> None:
    """Run a process to its death; during the call we kill it ourselves."""
    before = len(receiver.calls())
    running = process(point, channel)
    if point == "before_answer":
        assert wait_until(lambda: len(receiver.calls()) > before, PATIENCE)
        running.kill()
    status = running.wait(PATIENCE)
    assert status == (0 if point == "never" else -signal.SIGKILL)


@pytest.mark.parametrize("point", POINTS)
def test_slack_gets_it_once_whatever_dies(api: Slack, point: str) -> None:
    channel = slack_channel(api.api)
    row = put(channel)
    if point == "before_answer":
        api.failures, api.acts = [Reply(delay=3)], True

    die_at(point, channel, api.receiver)
    serve_for(channel, Clock())

    assert api.keys() == [str(row.key)]
    assert (state_of(row), row.external_id) == (State.SENT, api.messages[0]["ts"])


@pytest.mark.parametrize("point", POINTS)
def test_an_update_in_slack_s_thread_arrives_once_whatever_dies(
    api: Slack, point: str
) -> None:
    channel = slack_channel(api.api)
    rows = [put(channel)]
    die_at("never", channel, api.receiver)
    rows += [put(channel, f"note {i}", thread=True) for i in range(3)]
    if point == "before_answer":
        api.failures, api.acts = [Reply(delay=3)], True

    die_at(point, channel, api.receiver)
    serve_for(channel, Clock())

    assert api.keys() == [str(row.key) for row in rows]
    assert {state_of(row) for row in rows} == {State.SENT}


@pytest.mark.parametrize("point", POINTS)
def test_a_webhook_that_acts_once_per_key_gets_it_whatever_dies(
    receiver: Receiver, point: str
) -> None:
    channel = make_channel(config={"url": receiver.url})
    row = put(channel)
    receiver.reply = Reply(delay=3 if point == "before_answer" else 0)

    die_at(point, channel, receiver)
    receiver.reply = Reply()
    serve_for(channel, Clock())

    keys = [call.headers["idempotency-key"] for call in receiver.calls()]
    assert set(keys) == {str(row.key)}
    assert len(keys) == (2 if point in {"before_answer", "after_answer"} else 1)
    assert state_of(row) == State.SENT


UNKNOWN_AFTER = {
    # point: (calls, state) for a channel that can do neither
    "before_claim": (1, State.SENT),
    "after_claim": (0, State.UNKNOWN),
    "before_answer": (1, State.UNKNOWN),
    "after_answer": (1, State.UNKNOWN),
    "never": (1, State.SENT),
}


@pytest.mark.parametrize("point", POINTS)
def test_elsewhere_it_arrives_once_or_its_outcome_is_unknown(
    receiver: Receiver, point: str
) -> None:
    channel = make_channel("slack_webhook", secret=f"{receiver.url}/services/T1/B1/x")
    row = put(channel)
    receiver.reply = Reply(delay=3 if point == "before_answer" else 0)

    die_at(point, channel, receiver)
    receiver.reply = Reply()
    serve_for(channel, Clock())

    assert (len(receiver.calls()), state_of(row)) == UNKNOWN_AFTER[point]
    assert row.told


@pytest.mark.parametrize("point", POINTS)
def test_what_comes_after_a_death_keeps_its_order(
    receiver: Receiver, point: str
) -> None:
    channel = make_channel(config={"url": receiver.url})
    for i in range(4):
        put(channel, str(i), thread=i > 0)
    receiver.reply = Reply(delay=3 if point == "before_answer" else 0)

    die_at(point, channel, receiver)
    receiver.reply = Reply()
    serve_for(channel, Clock())

    told = [call.json["event"] for call in receiver.calls()]
    assert list(dict.fromkeys(told)) == ["0", "1", "2", "3"]
    assert told == sorted(told)


def test_processes_at_once_send_it_once(receiver: Receiver) -> None:
    channel = make_channel(config={"url": receiver.url})
    put(channel)
    receiver.reply = Reply(delay=0.3)

    running = [process("never", channel) for _ in range(3)]

    assert [each.wait(30) for each in running] == [0, 0, 0]
    assert len(receiver.calls()) == 1


def test_a_process_that_sleeps_through_its_own_funeral_sends_once(api: Slack) -> None:
    """It is stopped during its call, taken for dead, and then goes on."""
    channel = slack_channel(api.api)
    row = put(channel)
    api.failures, api.acts = [Reply(delay=1)], True
    running = process("never", channel)
    assert wait_until(lambda: bool(api.receiver.calls()), PATIENCE)
    os.kill(running.pid, signal.SIGSTOP)
    try:
        # It still serves the channel: nobody else does meanwhile.
        serve_for(channel, Clock(), 1)
        assert state_of(row) == State.SENDING
    finally:
        os.kill(running.pid, signal.SIGCONT)
    running.wait(PATIENCE)
    serve_for(channel, Clock())

    assert len(api.messages) == 1
    assert state_of(row) == State.SENT
