"""E-mail, as text and HTML. A subject is one thread: updates refer to its first mail.

Sent through the server of EMAIL_URL. SMTP has no idempotency: when the connection
breaks while the server takes the message, nobody knows; it ends as *outcome unknown*.
The Message-ID is the same at each attempt, so that mail programs show a repeated one
once.
"""

import smtplib
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.smtp import EmailBackend
from django.core.validators import validate_email
from django.template.loader import render_to_string

from tenants.channels.post import Access, Post, unknown_fields
from tenants.channels.smtp import hand_over
from tenants.talks import Fate, Outcome, Send, Sighting

EDITS, UPDATES = False, True
REPEATS, LOOKS_UP = False, False
FIELDS = {"to": "a list of addresses"}
SUBJECT = 200


def problems(access: Access) -> dict[str, str]:
    found = unknown_fields(access, FIELDS)
    wrong = [address for address in addresses(access) if not _is_address(address)]
    if not addresses(access):
        found["config"] = 'Give the addresses: {"to": ["team@example.com"]}.'
    elif wrong:
        found["config"] = f"{', '.join(wrong)}: not an e-mail address."
    return found


def addresses(access: Access) -> Sequence[str]:
    value: Any = access.config.get("to") or []
    listed = value.split(",") if isinstance(value, str) else value
    if not isinstance(listed, list):
        return []
    return [str(address).strip() for address in listed]


def _is_address(text: str) -> bool:
    try:
        validate_email(text)
    except ValidationError:
        return False
    return True


def deliver(access: Access, post: Post, send: Send) -> Outcome:
    if not settings.EMAIL_HOST:
        told = "No mail server is set: put one into EMAIL_URL."
        return Outcome(Fate.REFUSED, told, broken=True)
    backend = EmailBackend(timeout=settings.EMAIL_TIMEOUT)
    try:
        return hand_over(backend, mail(access, post), message_id(post))
    finally:
        # What the server says to our good-bye changes nothing any more.
        with suppress(OSError, smtplib.SMTPException):
            backend.close()


def look_up(access: Access, post: Post, send: Send) -> Sighting:
    return Sighting(False, "A mail server cannot be searched.")


def mail(access: Access, post: Post) -> EmailMultiAlternatives:
    """The mail of a post."""
    message = post.message
    headers = {"Message-ID": message_id(post)}
    if post.head:
        headers |= {"In-Reply-To": post.head, "References": post.head}
    found = EmailMultiAlternatives(
        subject=" ".join(message.title.split())[:SUBJECT],
        body=message.plain(),
        to=list(addresses(access)),
        headers=headers,
    )
    html = render_to_string("tenants/message.html", {"message": message})
    found.attach_alternative(html, "text/html")
    return found


def message_id(post: Post) -> str:
    """The same at each attempt."""
    domain = settings.DEFAULT_FROM_EMAIL.rpartition("@")[2].rstrip(">")
    return f"<{post.key}@{domain}>"
