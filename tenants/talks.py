"""Talks with other systems: what is sent, and what became of it, whatever came back.

A *talk* is a generator that yields a request, is sent its answer, and returns what it
made of it. It reads no clock and opens no connection, so that it is tested as values.
"""

import re
from collections.abc import Callable, Generator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from tenants.outbound import Answer, OutboundError, Request

EXCERPT = 300  # letters of an answer that a sentence quotes
LONGEST_URL = 500

T = TypeVar("T")
Talk = Generator[Request, Answer, T]
Send = Callable[[Request], Answer]


class Fate(StrEnum):
    """What became of a call: for the last three it is known that nothing was done, or
    not known at all.
    """

    CALLED = "called"
    REFUSED = "refused"  # surely not done, and the same call will not be
    LATER = "later"  # surely not done, but it may be later
    DOUBT = "doubt"  # it may have been done


@dataclass(frozen=True, slots=True)
class Outcome:
    """``told`` is for a person, ``wait`` the seconds that the other side asked for.

    ``ref`` is what the other side calls it: the URL of a run, the id of a message.
    ``broken``: nothing will be taken before somebody mends the address or the secret.
    """

    fate: Fate
    told: str
    ref: str = ""
    wait: int = 0
    answer: Answer | None = None
    broken: bool = False


@dataclass(frozen=True, slots=True)
class Sighting:
    """Whether a look-up found what was sent, and what the other side calls it.

    ``sure``: it is not there and will not turn up, so it may be sent again.
    """

    seen: bool
    told: str
    ref: str = ""
    sure: bool = False


def converse(talk: Talk[T], send: Send) -> T:
    """Send what a talk asks for until it ends; raises OutboundError.

    The error of a GET says that nothing was reached: reading orders nothing.
    """
    try:
        request = next(talk)
        while True:
            try:
                answer = send(request)
            except OutboundError as error:
                error.reached = error.reached and request.method != "GET"
                raise
            request = talk.send(answer)
    except StopIteration as end:
        value: T = end.value
        return value


def called(talk: Talk[Outcome], send: Send) -> Outcome:
    """What became of a call, whether or not an answer came."""
    try:
        return converse(talk, send)
    except OutboundError as error:
        if error.reached:
            return Outcome(Fate.DOUBT, str(error))
        if error.permanent:
            return Outcome(Fate.REFUSED, str(error), broken=True)
        return Outcome(Fate.LATER, str(error))


def looked_up(talk: Talk[Sighting], send: Send) -> Sighting:
    """What a look-up found; one that failed has found nothing."""
    try:
        return converse(talk, send)
    except OutboundError as error:
        return Sighting(False, f"The look-up failed: {error}")


def outcome_of(answer: Answer) -> Outcome:
    """What an answer's status says of a POST that orders something.

    A refusal (4xx) was not acted on. After 5xx, a time-out of the server or a redirect
    that may follow an action, nobody knows.
    """
    told = quoted(answer)
    status = answer.status
    if answer.headers.get("location") and 300 <= status < 400:
        told = f"HTTP {status}: it redirects, which is not followed."
    if 200 <= status < 300:
        return Outcome(Fate.CALLED, told, answer=answer)
    if status in {425, 429}:
        return Outcome(Fate.LATER, told, wait=retry_after(answer), answer=answer)
    in_doubt = status >= 500 or status in {301, 302, 303, 408, 409}
    if in_doubt:
        return Outcome(Fate.DOUBT, told, answer=answer)
    broken = status in {401, 403, 404, 405, 410}
    return Outcome(Fate.REFUSED, told, answer=answer, broken=broken)


def outcome_of_telling(answer: Answer) -> Outcome:
    """The same of a message: where it redirects, nobody took it, nor will."""
    outcome = outcome_of(answer)
    if 300 <= answer.status < 400:
        return Outcome(Fate.REFUSED, outcome.told, answer=answer, broken=True)
    return outcome


def outcome_of_reading(answer: Answer) -> Outcome | None:
    """What a GET before the call says when it failed; None: it worked."""
    if 200 <= answer.status < 300:
        return None
    passing = answer.status >= 500 or answer.status in {408, 429}
    return Outcome(
        Fate.LATER if passing else Fate.REFUSED,
        quoted(answer),
        wait=retry_after(answer),
        answer=answer,
    )


def quoted(answer: Answer) -> str:
    """The status and the beginning of the body, on one line."""
    text = " ".join(answer.text.split())
    return f"HTTP {answer.status}" + (f": {text[:EXCERPT]}" if text else ".")


def retry_after(answer: Answer) -> int:
    """Seconds that Retry-After asks for, at most an hour; 0 where it does not."""
    text = answer.headers.get("retry-after", "")
    return min(int(text), 3600) if text.isascii() and text.isdecimal() else 0


def link(value: Any) -> str:
    """A URL that a page may link to, or ""."""
    text = value if isinstance(value, str) else ""
    is_url = re.match(r"https?://[!-~]+\Z", text) and len(text) <= LONGEST_URL
    return text if is_url else ""


def part(value: Any, *names: str) -> Any:
    """What lies in nested objects under these names; None where they end."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def parts(value: Any, *names: str) -> list[Any]:
    """The list that lies there, [] where there is none."""
    found = part(value, *names)
    return found if isinstance(found, list) else []


def storable(text: str) -> str:
    """Text of somebody else as PostgreSQL keeps it: no NUL, no half of a pair."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
