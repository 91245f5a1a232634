"""What people are told, before any channel gives it its own shape. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

SEVERITIES = ("critical", "high", "low", "info")


@dataclass(frozen=True, slots=True)
class Action:
    """A button: where the channel can, it calls us back by its ``name``.

    ``value`` is what the call brings back, ``confirm`` a question asked before it. With
    no ``value``, and in channels that only show, it opens the page ``url``; without one
    it is left out there.
    """

    name: str
    label: str
    style: str = ""  # primary, danger or ""
    value: str = ""
    confirm: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """One message; ``text`` is plain, never markup of any channel.

    A subject has one *head*, which is edited in place where the channel can, and
    updates below it (``thread``). ``status`` is the subject's: open, acknowledged,
    mitigated, resolved or "".
    """

    title: str
    text: str = ""
    severity: str = "info"
    status: str = ""
    url: str = ""
    facts: Sequence[tuple[str, str]] = ()
    sections: Sequence[tuple[str, Sequence[str]]] = ()
    actions: Sequence[Action] = field(default=())
    thread: bool = False

    def as_json(self) -> dict[str, Any]:
        """Plain lists and objects; ``from_json`` reads them."""
        return {
            "title": self.title,
            "text": self.text,
            "severity": self.severity,
            "status": self.status,
            "url": self.url,
            "facts": [list(fact) for fact in self.facts],
            "sections": [[heading, list(lines)] for heading, lines in self.sections],
            "actions": [
                {name: getattr(action, name) for name in Action.__slots__}
                for action in self.actions
            ],
            "thread": self.thread,
        }

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Self:
        """The message that ``as_json`` wrote."""
        return cls(
            title=told["title"],
            text=told["text"],
            severity=told["severity"],
            status=told["status"],
            url=told["url"],
            facts=[(label, value) for label, value in told["facts"]],
            sections=[(heading, lines) for heading, lines in told["sections"]],
            actions=[Action(**action) for action in told["actions"]],
            thread=told["thread"],
        )

    def plain(self) -> str:
        """The whole message as lines of text, for e-mail and fallbacks."""
        lines = [self.title]
        if self.text:
            lines += ["", self.text]
        if self.facts:
            lines += ["", *(f"{label}: {value}" for label, value in self.facts)]
        for heading, told in self.sections:
            lines += ["", heading, *(f"- {line}" for line in told)]
        links = [(action.label, action.url) for action in self.actions if action.url]
        if self.url:
            links.insert(0, ("Open", self.url))
        if links:
            lines += ["", *(f"{label}: {url}" for label, url in links)]
        return "\n".join(lines)
