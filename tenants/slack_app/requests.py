"""Takes only what Slack has signed, lately, and acts on it once.

Source: docs.slack.dev/authentication/verifying-requests-from-slack.
"""

import hashlib
import hmac
import logging
from datetime import datetime, timedelta

from tenants.models import Channel, SlackPress
from tenants.refusals import Refusal
from tenants.secrets import SecretUnreadable, decrypt

logger = logging.getLogger(__name__)

OLDEST = timedelta(minutes=5)


class NotFromSlack(Refusal):
    """No app that is known here has signed this, or not lately."""


def signature_of(secret: str, timestamp: str, body: bytes) -> str:
    """``v0=`` and the hex HMAC-SHA256 of ``v0:<timestamp>:<body>``."""
    signed = b"v0:" + timestamp.encode() + b":" + body
    return "v0=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def channels_that_signed(
    timestamp: str, signature: str, body: bytes, now: datetime
) -> list[Channel]:
    """The channels of the app that sent this; raises NotFromSlack."""
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) < 12):
        raise NotFromSlack("X-Slack-Request-Timestamp is not a time in seconds.")
    age = abs(now.timestamp() - int(timestamp))
    if age > OLDEST.total_seconds():
        raise NotFromSlack("The request is older than five minutes: check the clocks.")
    rows = Channel.objects.usable().filter(kind=Channel.Kind.SLACK)
    rows = rows.exclude(signing_secret="").order_by("pk")
    found = [row for row in rows if _has_signed(row, timestamp, signature, body)]
    if not found:
        raise NotFromSlack(
            "The signature is of no Slack app that is known here: enter the app's "
            "signing secret in its channel."
        )
    return found


def _has_signed(channel: Channel, timestamp: str, signature: str, body: bytes) -> bool:
    try:
        secret = decrypt(channel.signing_secret)
    except SecretUnreadable as error:
        logger.error("the signing secret of channel %s: %s", channel, error)
        return False
    expected = signature_of(secret, timestamp, body)
    return hmac.compare_digest(expected.encode(), signature.encode())


def is_new(signature: str, now: datetime) -> bool:
    """Whether this request was never acted on; call it in the step's transaction."""
    SlackPress.objects.filter(at__lt=now - 2 * OLDEST).delete()
    _, made = SlackPress.objects.get_or_create(
        signature=signature, defaults={"at": now}
    )
    return made
