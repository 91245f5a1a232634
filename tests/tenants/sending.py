"""Channels and messages for the tests of delivery."""

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from tenants.delivery import enqueue, serve
from tenants.message import Action, Message
from tenants.models import Channel, Delivery
from tenants.secrets import encrypt
from tests.slack_server import CHANNEL, TOKEN

SIGNING_KEY = "a signing key of ours"
SIGNING_SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
SUBJECT = "incident:1"


class Clock:
    """Stands still until it is told to go on; ahead of what a test enqueues."""

    def __init__(self, now: datetime | None = None) -> None:
        self.now = now or timezone.now() + timedelta(seconds=20)

    def __call__(self) -> datetime:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def make_channel(kind: str = "webhook", **fields: Any) -> Channel:
    """A channel of a kind; ``secret`` is readable here."""
    secret = fields.pop("secret", SIGNING_KEY)
    signing_secret = encrypt(fields.pop("signing_secret", ""))
    fields.setdefault("name", kind)
    return Channel.objects.create(
        kind=kind, secret=encrypt(secret), signing_secret=signing_secret, **fields
    )


def slack_channel(api: str, **fields: Any) -> Channel:
    """The Slack app at a local address."""
    config = {"channel": CHANNEL, "api": api}
    return make_channel("slack", config=config, secret=TOKEN, **fields)


def put(
    channel: Channel,
    state_key: str = "opened",
    subject: str = SUBJECT,
    now: datetime | None = None,
    **message: Any,
) -> Delivery:
    """A message on its way."""
    told = Message(**{"title": "Checkout is broken", **message})
    found = enqueue(channel, subject, state_key, told, now or timezone.now())
    assert found is not None
    return found


def told_in_full(**changes: Any) -> Message:
    """A message with everything that one may have."""
    fields: dict[str, Any] = {
        "title": "Checkout <is> broken & burns",
        "text": "Nobody can pay since 12:04.",
        "severity": "critical",
        "status": "open",
        "url": "https://rush.example.com/admin/issues/incident/1/",
        "facts": [("Tenants hit", "41 of 60"), ("Release", "shop@2.1")],
        "sections": [("What burns", ["TypeError in pay()", "@everyone <!channel>"])],
        "actions": [
            Action("acknowledge", "Acknowledge", "primary", value="1"),
            Action("open_deploy", "The deploy", url="https://rush.example.com/d/9"),
        ],
    }
    return Message(**{**fields, **changes})


def serve_for(channel: Channel, clock: Clock, minutes: float = 2) -> None:
    """What other processes make of a channel in the time that follows."""
    for _ in range(int(minutes * 6)):
        serve(channel.pk, clock)
        clock.wait(10)


def state_of(delivery: Delivery) -> str:
    delivery.refresh_from_db()
    return delivery.state
