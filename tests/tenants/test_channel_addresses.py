"""Attempts to reach our own network through channels: no connection is ever opened."""

import socket
from collections.abc import Iterator, Sequence
from ipaddress import ip_network
from typing import Any

import pytest
from django.utils import timezone

from tenants.audit import SYSTEM
from tenants.delivery import send_test, serve
from tenants.models import Channel, Delivery
from tests.receiver import Reply, receiving
from tests.slack_server import CHANNEL, TOKEN
from tests.tenants.sending import SIGNING_KEY, make_channel, put, state_of

pytestmark = pytest.mark.django_db

State = Delivery.State
PUBLIC = "93.184.215.14"
NAME = "http://hooks.example.com"

# As it is written, and what its name leads to where it is one.
ATTEMPTS: list[tuple[str, Sequence[str]]] = [
    ("http://127.0.0.1{}", ()),
    ("http://127.0.0.1.{}", ()),
    ("http://127.1{}", ()),
    ("http://127.0.1{}", ()),
    ("http://2130706433{}", ()),
    ("http://0x7f000001{}", ()),
    ("http://0177.0.0.1{}", ()),
    ("http://017700000001{}", ()),
    ("http://0{}", ()),
    ("http://0.0.0.0{}", ()),
    ("http://localhost{}", ()),
    ("http://LOCALHOST.{}", ()),
    ("http://①②⑦.0.0.1{}", ()),
    ("http://127。0。0。1{}", ()),
    ("http://[::1]{}", ()),
    ("http://[::]{}", ()),
    ("http://[::ffff:127.0.0.1]{}", ()),
    ("http://[0:0:0:0:0:ffff:7f00:1]{}", ()),
    ("http://[::127.0.0.1]{}", ()),
    ("http://[64:ff9b::7f00:1]{}", ()),
    ("http://[2002:7f00:1::]{}", ()),
    ("http://[fe80::1]{}", ()),
    ("http://[fd00:ec2::254]{}", ()),
    ("http://169.254.169.254{}", ()),
    ("http://user@127.0.0.1{}", ()),
    ("http://hooks.example.com@127.0.0.1{}", ()),
    ("http://hooks.example.com\\@127.0.0.1{}", ()),
    ("http://hooks.example.com%00@127.0.0.1{}", ()),
    (NAME + "{}", ("127.0.0.1",)),
    (NAME + "{}", ("10.0.0.5",)),
    (NAME + "{}", ("172.16.3.4",)),
    (NAME + "{}", ("192.168.1.1",)),
    (NAME + "{}", ("100.64.0.1",)),
    (NAME + "{}", ("169.254.170.2",)),
    (NAME + "{}", ("::1",)),
    (NAME + "{}", ("::ffff:10.0.0.1",)),
    (NAME + "{}", ("fd12:3456::7",)),
    (NAME + "{}", (PUBLIC, "10.0.0.5")),
    (NAME + "{}", ("2606:2800:21f::1", "::1")),
    (NAME + "{}", ("0.0.0.0",)),
]


class Wire:
    """Notes each connection that somebody wants to open, and lets none out."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opened: list[Any] = []

        def create_connection(address: Any, *args: Any, **kwargs: Any) -> Any:
            self.opened.append(address)
            raise ConnectionRefusedError("Nothing goes out in this test.")

        monkeypatch.setattr(socket, "create_connection", create_connection)


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    return Wire(monkeypatch)


def resolving(monkeypatch: pytest.MonkeyPatch, *answers: Sequence[str]) -> list[str]:
    """Let names lead to ``answers``, one a look-up, the last for all further ones."""
    asked: list[str] = []

    def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
        found = answers[min(len(asked), len(answers) - 1)]
        asked.append(host)
        return [(0, 0, 0, "", (address, port)) for address in found]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


def channels(url: str) -> Iterator[Channel]:
    """A channel of each kind that calls an address of somebody's choice, in turn."""
    yield make_channel("webhook", config={"url": url}, secret=SIGNING_KEY)
    config = {"channel": CHANNEL, "api": url}
    yield make_channel("slack", config=config, secret=TOKEN)
    yield make_channel("pagerduty", config={"url": url}, secret="f" * 32)
    for kind in SECRET_URLS:
        yield make_channel(kind, secret=f"{url}/services/T1/B1/x")


SECRET_URLS = ("slack_webhook", "teams", "discord")


def test_there_are_forty_attempts() -> None:
    assert len(ATTEMPTS) == 40


@pytest.mark.parametrize(("written", "addresses"), ATTEMPTS)
def test_nothing_goes_into_our_own_network(
    wire: Wire,
    monkeypatch: pytest.MonkeyPatch,
    written: str,
    addresses: Sequence[str],
) -> None:
    if addresses:
        resolving(monkeypatch, addresses)
    for channel in channels(written.format(":6379/x")):
        row = put(channel)
        serve(channel.pk)
        test = send_test(channel, SYSTEM, timezone.now())

        assert (state_of(row), test.state) == (State.FAILED, State.FAILED)
        channel.refresh_from_db()
        assert not channel.is_active
        assert "/services/T1" not in channel.disabled_reason + row.told + test.told
    assert wire.opened == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_into_our_own_network_is_not_followed(
    settings: Any, status: int
) -> None:
    with receiving() as outside, receiving() as inside:
        settings.OUTBOUND_ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]
        outside.reply = Reply(status, headers={"Location": f"{inside.url}/admin"})
        for channel in channels(outside.url):
            put(channel)
            serve(channel.pk)
        assert (len(outside.requests), inside.requests) == (6, [])
    told = Delivery.objects.get(channel__kind="webhook").told
    assert told == f"HTTP {status}: it redirects, which is not followed."
    assert not Channel.objects.filter(is_active=True).exists()


def test_a_name_that_changes_its_mind_is_called_where_it_was_checked(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = resolving(monkeypatch, (PUBLIC,), ("127.0.0.1",))
    channel = make_channel(config={"url": f"{NAME}/x"})
    put(channel)
    serve(channel.pk)

    assert asked == ["hooks.example.com"]
    assert {address for address, _ in wire.opened} == {PUBLIC}


def test_a_name_that_has_changed_its_mind_is_refused_the_next_time(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolving(monkeypatch, (PUBLIC,), ("127.0.0.1",))
    channel = make_channel(config={"url": f"{NAME}/x"})
    send_test(channel, SYSTEM, timezone.now())
    wire.opened.clear()
    test = send_test(channel, SYSTEM, timezone.now())

    assert wire.opened == []
    assert "requests do not go there" in test.told
