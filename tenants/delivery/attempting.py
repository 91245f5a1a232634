"""One attempt: the request of a row's message, and what became of it."""

from dataclasses import replace
from datetime import datetime

from tenants.channels import Access, Kind, Post
from tenants.message import Message
from tenants.models import Channel, Delivery
from tenants.secrets import SecretUnreadable, decrypt
from tenants.talks import Fate, Outcome, Send, Sighting


def attempt(delivery: Delivery, kind: Kind, at: datetime, send: Send) -> Outcome:
    """Send the message. What is told and kept of the answer shows no secret."""
    try:
        access = access_of(delivery.channel)
    except SecretUnreadable as error:
        return Outcome(Fate.REFUSED, str(error), broken=True)
    post = post_of(delivery, at)
    outcome = kind.deliver(access, post, send)
    answer = outcome.answer
    if answer is not None:
        body = access.concealed(answer.text).encode("utf-8", "replace")
        answer = replace(answer, body=body)
    # An edit changes nothing the second time.
    if outcome.fate == Fate.DOUBT and post.is_edit:
        outcome = replace(outcome, fate=Fate.LATER)
    return replace(outcome, told=access.concealed(outcome.told), answer=answer)


def look_up(delivery: Delivery, kind: Kind, at: datetime, send: Send) -> Sighting:
    """Search for a message that may have arrived."""
    try:
        access = access_of(delivery.channel)
    except SecretUnreadable as error:
        return Sighting(False, str(error))
    found = kind.look_up(access, post_of(delivery, at), send)
    return replace(found, told=access.concealed(found.told))


def access_of(channel: Channel) -> Access:
    """How to get in; raises SecretUnreadable."""
    interactive = bool(channel.signing_secret)
    return Access(channel.config, decrypt(channel.secret), interactive)


def head_of(delivery: Delivery) -> Delivery | None:
    """The head message of the subject that is there."""
    heads = Delivery.objects.filter(
        channel=delivery.channel_id,
        subject=delivery.subject,
        thread=False,
        state=Delivery.State.SENT,
        pk__lt=delivery.pk,
    )
    return heads.order_by("pk").first()


def post_of(delivery: Delivery, at: datetime) -> Post:
    """The message as a channel is given it."""
    head = head_of(delivery)
    return Post(
        key=str(delivery.key),
        subject=delivery.subject,
        state_key=delivery.state_key,
        message=Message.from_json(delivery.message),
        at=at,
        since=delivery.created,
        head=head.external_id if head else "",
    )
