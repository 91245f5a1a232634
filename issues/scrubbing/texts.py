"""Scrubs one text by what it holds: named values, and secrets of a known form."""

from collections.abc import Iterable
from enum import Enum
from functools import lru_cache

from issues.scrubbing.assignments import (
    OTHER_WAYS,
    Found,
    assigned,
    assigned_literals,
    assigned_otherwise,
)
from issues.scrubbing.scrubber import Policy, Scrubber, scrubber_of
from issues.scrubbing.values import ALWAYS, FILTERED, Detector, replaced

_FILTERED = FILTERED.decode()
SHORTEST = 5  # no shorter text holds a name and its value


class Level(Enum):
    """How a text is looked at: as any text, as source code, or for tokens only."""

    FULL = "full"
    CODE = "code"
    TOKENS = "tokens"


class _Text:
    """A text on its way, and what was taken out of it."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.rules: list[str] = []

    def without(self, found: list[Found]) -> None:
        spans = ((start, end) for start, end, _ in found)
        self.raw, _ = replaced(self.raw, spans)
        self.rules += [word for _, _, word in found]

    def without_all(self, detectors: Iterable[Detector]) -> None:
        for detector in detectors:
            self.raw, count = replaced(self.raw, detector.spans(self.raw))
            self.rules += [detector.rule] * count


def scrub_text(
    text: str, scrubber: Scrubber, level: Level = Level.FULL
) -> tuple[str, list[str]]:
    """The text without its secrets, and what each of them was.

    What is JSON or a form as a whole is better read as such: see ``structures``.
    """
    raw = text.encode("utf-8", "surrogatepass")
    rules: list[str] = []
    if len(raw) >= SHORTEST and scrubber.may_touch_text(raw):
        found = _by_form(raw, scrubber, level)
        rules = found.rules
        text = found.raw.decode("utf-8", "surrogatepass") if rules else text
    for label, pattern in scrubber.patterns if level is Level.FULL else ():
        # What was scrubbed before is no text to match in.
        parts = [pattern.subn(_FILTERED, part) for part in text.split(_FILTERED)]
        text = _FILTERED.join(part for part, _ in parts)
        rules += [label] * sum(count for _, count in parts)
    return text, rules


def _by_form(raw: bytes, scrubber: Scrubber, level: Level) -> _Text:
    text = _Text(raw)
    text.without_all(ALWAYS)
    if level is Level.CODE:
        text.without(list(assigned_literals(text.raw, scrubber.word)))
    elif level is Level.FULL:
        text.without(list(assigned(text.raw, scrubber.word)))
        for way in OTHER_WAYS:
            text.without(assigned_otherwise(text.raw, way, scrubber.word))
        text.without_all(scrubber.detectors)
    return text


def holds_token(name: str) -> bool:
    """Whether a name that clients tell, such as a release or a tenant, is a secret."""
    return _holds_token(name[:500])


@lru_cache(maxsize=4096)
def _holds_token(name: str) -> bool:
    return bool(scrub_text(name, scrubber_of(Policy()), Level.TOKENS)[1])
