"""What a channel is given to send: plain values, and what each kind offers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from tenants.message import Message
from tenants.talks import Outcome, Send, Sighting

SHORTEST_QUOTED = 8  # letters of a secret that a text would give away


@dataclass(frozen=True, slots=True)
class Post:
    """One message on its way. ``key`` is the same at each attempt.

    ``head`` is what the channel calls the subject's head message, "" when none is
    there. ``since`` is when it was sent first: look-ups search from then.
    """

    key: str
    subject: str
    state_key: str
    message: Message
    at: datetime
    since: datetime
    head: str = ""

    @property
    def is_edit(self) -> bool:
        """Whether it changes the head message instead of adding one."""
        return bool(self.head) and not self.message.thread


@dataclass(frozen=True, slots=True)
class Access:
    """Where a channel is and how to get in: the fields of a Channel, readable.

    ``interactive``: what is pressed there comes back to us.
    """

    config: Mapping[str, Any] = field(default_factory=dict)
    secret: str = ""
    interactive: bool = False

    def text(self, name: str) -> str:
        """A field of the configuration as text, "" where it is not given."""
        value = self.config.get(name)
        return "" if value is None else str(value).strip()

    def concealed(self, text: str) -> str:
        """A text that may quote the secret, without it; of a URL also its path."""
        parts = self.secret.partition("://")[2].partition("/")
        for secret in (self.secret, f"/{parts[2]}"):
            if len(secret) >= SHORTEST_QUOTED:
                text = text.replace(secret, "(secret)")
        return text


class Kind(Protocol):
    """What each module of ``tenants.channels`` offers.

    ``EDITS``: the head can be changed in place, twice without harm; else an edit is not
    sent. ``UPDATES``: it has a place for updates, which else are not sent. ``REPEATS``:
    the other side acts once per key, so that an attempt in doubt may be made again.
    ``LOOKS_UP``: what was sent can be found again. With neither, an attempt in doubt
    ends as *outcome unknown*.
    """

    EDITS: bool
    UPDATES: bool
    REPEATS: bool
    LOOKS_UP: bool

    def problems(self, access: Access) -> dict[str, str]:
        """What cannot work, by field: config or secret."""

    def deliver(self, access: Access, post: Post, send: Send) -> Outcome:
        """Send it. ``Outcome.ref`` is what the channel calls the message."""

    def look_up(self, access: Access, post: Post, send: Send) -> Sighting:
        """Find a message that may have arrived; for kinds that look up."""


def unknown_fields(access: Access, known: Mapping[str, str]) -> dict[str, str]:
    """A problem when the configuration holds fields that the kind does not know.

    ``known``: each field with what it means.
    """
    unknown = sorted(set(access.config) - set(known))
    if not unknown:
        return {}
    offered = "; ".join(f"{name}: {meaning}" for name, meaning in known.items())
    return {"config": f"{', '.join(unknown)}: not known. There are: {offered}."}
