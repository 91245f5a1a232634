"""Mail over a real SMTP connection to a server that refuses and hangs up as told."""

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from tenants.channels import email
from tenants.channels.post import Access
from tenants.delivery import serve
from tenants.models import Channel, Delivery
from tests.mail_server import HANG_UP, MailServer, mail_server_running
from tests.running import free_port
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
TEAM, BOSS = "team@example.com", "boss@example.com"


@pytest.fixture
def server(settings: Settings) -> Iterator[MailServer]:
    with mail_server_running() as running:
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", running.port
        settings.EMAIL_TIMEOUT = 2
        settings.DEFAULT_FROM_EMAIL = "rush_monitor <rush@rush.example.com>"
        yield running


@pytest.fixture
def channel() -> Channel:
    return make_channel("email", config={"to": [TEAM, BOSS]}, secret="")


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_mail_has_text_and_html(channel: Channel, server: MailServer) -> None:
    fields = told_in_full()
    row = put(channel, **{name: getattr(fields, name) for name in fields.__slots__})
    serve(channel.pk)

    assert state_of(row) == State.SENT
    (mail,) = server.mails
    assert server.recipients == [[TEAM, BOSS]]
    assert mail["Subject"] == "Checkout <is> broken & burns"
    assert mail["From"] == "rush_monitor <rush@rush.example.com>"
    text, html = (part.get_content() for part in mail.iter_parts())
    assert "Tenants hit: 41 of 60" in text
    assert "Checkout &lt;is&gt; broken &amp; burns" in html
    assert "<!channel>" not in html


def test_updates_refer_to_the_first_mail(channel: Channel, server: MailServer) -> None:
    put(channel)
    put(channel, "note", thread=True)
    serve(channel.pk)

    first, second = server.mails
    assert second["In-Reply-To"] == second["References"] == first["Message-ID"]


def test_a_title_adds_no_header(channel: Channel, server: MailServer) -> None:
    put(channel, title="Broken\r\nBcc: other@example.com")
    serve(channel.pk)

    (mail,) = server.mails
    assert mail["Subject"] == "Broken Bcc: other@example.com"
    assert mail["Bcc"] is None


def test_a_dot_alone_does_not_end_the_mail(
    channel: Channel, server: MailServer
) -> None:
    put(channel, text="before\n.\nafter")
    serve(channel.pk)

    (mail,) = server.mails
    text = next(mail.iter_parts()).get_content()
    assert "before\n.\nafter" in text.replace("\r\n", "\n")


@pytest.mark.parametrize(
    ("verb", "reply"),
    [
        ("BANNER", "421 Busy"),
        ("BANNER", HANG_UP),
        ("EHLO", HANG_UP),
        ("MAIL", "451 Try later"),
        ("MAIL", HANG_UP),
        ("RCPT", "450 Greylisted"),
        ("RCPT", HANG_UP),
        ("DATA", "451 Try later"),
        ("TEXT", "452 No space"),
    ],
)
def test_what_may_pass_is_sent_again(
    channel: Channel, server: MailServer, clock: Clock, verb: str, reply: str
) -> None:
    server.replies = {verb: reply}
    row = put(channel)
    serve(channel.pk, clock)
    assert (state_of(row), server.mails) == (State.PENDING, [])

    server.replies = {}
    serve_for(channel, clock, 1)

    assert (state_of(row), len(server.mails)) == (State.SENT, 1)


@pytest.mark.parametrize("verb", ["DATA", "TEXT"])
def test_a_mail_in_doubt_is_not_sent_twice(
    channel: Channel, server: MailServer, clock: Clock, verb: str
) -> None:
    server.replies = {verb: HANG_UP}
    row = put(channel)
    serve(channel.pk, clock)
    server.replies = {}
    serve_for(channel, clock, 1)

    assert state_of(row) == State.UNKNOWN
    assert len(server.mails) == (1 if verb == "TEXT" else 0)


@pytest.mark.parametrize("verb", ["MAIL", "DATA", "TEXT"])
def test_a_refused_mail_fails_and_leaves_the_channel_on(
    channel: Channel, server: MailServer, verb: str
) -> None:
    server.replies = {verb: "554 Looks like spam"}
    row = put(channel)
    serve(channel.pk)

    channel.refresh_from_db()
    assert (state_of(row), channel.is_active) == (State.FAILED, True)
    assert "554 Looks like spam" in row.told


def test_a_channel_whose_addresses_are_all_unknown_is_switched_off(
    channel: Channel, server: MailServer
) -> None:
    server.replies = {"RCPT": "550 No such user"}
    put(channel)
    serve(channel.pk)

    channel.refresh_from_db()
    assert not channel.is_active
    assert "550 No such user" in channel.disabled_reason


def test_one_address_that_is_refused_is_named(
    channel: Channel, server: MailServer
) -> None:
    server.replies = {BOSS: "550 No such user"}
    row = put(channel)
    serve(channel.pk)

    assert state_of(row) == State.SENT
    assert "but not for boss@example.com: 550 No such user" in row.told
    assert server.recipients == [[TEAM]]


def test_a_server_that_is_away_is_tried_again(
    channel: Channel, settings: Settings, clock: Clock
) -> None:
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", free_port()
    row = put(channel)
    serve(channel.pk, clock)

    assert state_of(row) == State.PENDING


def test_without_a_server_the_channel_is_switched_off(
    channel: Channel, settings: Settings
) -> None:
    settings.EMAIL_HOST = ""
    put(channel)
    serve(channel.pk)

    channel.refresh_from_db()
    assert "EMAIL_URL" in channel.disabled_reason


def test_a_log_in_that_is_refused_switches_the_channel_off(
    channel: Channel, server: MailServer, settings: Settings
) -> None:
    settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "rush", "wrong"
    server.replies = {
        "EHLO": "250-mail.test\r\n250 AUTH PLAIN",
        "AUTH": "535 Bad credentials",
    }
    put(channel)
    serve(channel.pk)

    channel.refresh_from_db()
    assert "535 Bad credentials" in channel.disabled_reason


def test_a_good_bye_that_fails_changes_nothing(
    channel: Channel, server: MailServer
) -> None:
    server.replies = {"QUIT": HANG_UP}
    row = put(channel)
    serve(channel.pk)

    assert state_of(row) == State.SENT


@pytest.mark.parametrize("config", [{}, {"to": 5}, {"to": ["nobody"]}, {"cc": ["x"]}])
def test_addresses_must_be_some(config: dict[str, object]) -> None:
    assert "config" in email.problems(Access(config))
