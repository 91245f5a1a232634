"""Hands one mail over by SMTP, phase by phase: a failure means another thing in each.

Before DATA nothing can have been sent; after it, a connection that breaks leaves doubt.
RFC 5321: 4yz may pass, 5yz does not; sections 3.3 and 4.2.
"""

import smtplib
from smtplib import SMTP

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.smtp import EmailBackend

from tenants.talks import Fate, Outcome

TAKEN, PASSING, PERMANENT = 250, 400, 500
EXCERPT = 300

Reply = tuple[int, bytes]


def hand_over(backend: EmailBackend, mail: EmailMultiAlternatives, ref: str) -> Outcome:
    """Connect, name sender and recipients, and send the text."""
    try:
        smtp = _connected(backend)
        outcome, refused = _enveloped(smtp, mail)
    except (smtplib.SMTPException, OSError) as error:
        return _before(error)
    if outcome is not None:
        return outcome
    try:
        reply = smtp.data(_text_of(mail))
    except smtplib.SMTPDataError as error:
        return _answered(error.smtp_code, error.smtp_error)
    except (smtplib.SMTPException, OSError) as error:
        told = f"The mail server hung up, or did not answer in time: {error}"
        return Outcome(Fate.DOUBT, told)
    if reply[0] != TAKEN:
        return _answered(*reply)
    told = "The mail server took it"
    if refused:
        told += f", but not for {'; '.join(refused)}"
    return Outcome(Fate.CALLED, f"{told}.", ref)


def _connected(backend: EmailBackend) -> SMTP:
    backend.open()
    smtp = backend.connection
    if smtp is None:
        raise smtplib.SMTPServerDisconnected("There is no connection.")
    smtp.ehlo_or_helo_if_needed()
    return smtp


def _enveloped(
    smtp: SMTP, mail: EmailMultiAlternatives
) -> tuple[Outcome | None, list[str]]:
    """The outcome when the server wants no text, else the recipients that it refused.

    With no recipient that it takes: refused for good when each is.
    """
    sender = _address(settings.DEFAULT_FROM_EMAIL)
    reply = smtp.mail(sender)
    if reply[0] != TAKEN:
        return _answered(*reply), []
    replies = {address: smtp.rcpt(address) for address in mail.recipients()}
    bad = {name: reply for name, reply in replies.items() if not _is_taken(reply)}
    told = [f"{name}: {_text(*reply)}" for name, reply in bad.items()]
    if len(bad) < len(replies):
        return None, told
    later = any(code < PERMANENT for code, _ in bad.values())
    fate = Fate.LATER if later else Fate.REFUSED
    sentence = f"The mail server takes no recipient: {'; '.join(told)}."
    return Outcome(fate, sentence, broken=not later), []


def _text_of(mail: EmailMultiAlternatives) -> bytes:
    """The mail with the ends of lines that SMTP asks for."""
    return b"\r\n".join([*mail.message().as_bytes().splitlines(), b""])


def _is_taken(reply: Reply) -> bool:
    return TAKEN <= reply[0] < PASSING


def _address(text: str) -> str:
    """The bare address of "name <address>"."""
    return text.rpartition("<")[2].rstrip(">").strip()


def _before(error: Exception) -> Outcome:
    """Nothing was sent. Only a log-in that is refused needs somebody."""
    if isinstance(error, smtplib.SMTPAuthenticationError):
        told = f"The mail server refuses the log-in: {_text(*error.args)}."
        broken = error.smtp_code >= PERMANENT
        return Outcome(Fate.REFUSED if broken else Fate.LATER, told, broken=broken)
    told = f"The mail server cannot be reached, or hung up before the mail: {error}"
    return Outcome(Fate.LATER, told)


def _answered(code: int, text: bytes | str) -> Outcome:
    told = f"The mail server says {_text(code, text)}."
    passing = code < PERMANENT
    return Outcome(Fate.LATER if passing else Fate.REFUSED, told)


def _text(code: int, text: bytes | str) -> str:
    read = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
    return f"{code} {' '.join(read.split())[:EXCERPT]}"
