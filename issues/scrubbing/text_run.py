"""One pass over one event: its texts, with the structures that stand in them."""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from issues.scrubbing import structures
from issues.scrubbing.scrubber import Scrubber
from issues.scrubbing.structures import FILTERED
from issues.scrubbing.texts import SHORTEST, Level, scrub_text
from issues.scrubbing.values import TOO_MANY

MAX_NESTED = 5  # JSON in a text of JSON in a text …
MAX_PLACES = 200
MAX_LOOKS = 2000  # texts with a sign of a secret; more are an attack on our time
# Too short for a secret of a known form, and without what parts a name from a value.
_HARMLESS = re.compile(r"[\w'/ .-]{0,10}")


@dataclass(slots=True)
class Replaced:
    """What was replaced: where in the event, and by what rule."""

    path: str
    rule: str
    count: int = 1


@dataclass(slots=True)
class TextRun(ABC):
    """Scrubs texts by one project's rules and remembers where.

    ``literals``: texts to replace wherever they stand, such as the client's address,
    each with its replacement.
    """

    scrubber: Scrubber
    literals: Mapping[str, str] = field(default_factory=dict)
    count: int = 0
    places: dict[tuple[str, str], Replaced] = field(default_factory=dict)
    _literals: tuple[bytes, ...] = ()
    _nested: int = 0
    _looks: int = 0
    _by_default: bool = True

    def __post_init__(self) -> None:
        self._literals = tuple(text.encode() for text in self.literals)
        self._by_default = not (self.scrubber.patterns or self.literals)

    @abstractmethod
    def tree(self, value: Any, path: str) -> Any:
        """The value without secrets: containers changed in place, texts returned."""

    @abstractmethod
    def member(self, name: str, value: Any, path: str) -> Any:
        """What stands under ``name`` in the object at ``path``, without secrets."""

    @abstractmethod
    def secret(self, name: str, value: Any, path: str, word: str) -> Any:
        """What replaces the value under the name of a secret."""

    def record(self, path: str, rule: str) -> None:
        self.count += 1
        known = self.places.get((path, rule))
        if known:
            known.count += 1
        elif len(self.places) < MAX_PLACES:
            self.places[path, rule] = Replaced(path[:300], rule)

    def may_touch(self, json: bytes) -> bool:
        """Whether anything in the JSON may have to go."""
        return self.scrubber.may_touch(json) or self._holds_literal(json)

    def may_touch_text(self, text: bytes) -> bool:
        """Whether anything in the text may have to go."""
        return self.scrubber.may_touch_text(text) or self._holds_literal(text)

    def _holds_literal(self, raw: bytes) -> bool:
        for text in self._literals:  # noqa: SIM110  (any() costs more than the search)
            if text in raw:
                return True
        return False

    def text(
        self, text: str, path: str, name: str = "", level: Level = Level.FULL
    ) -> str:
        """The text at ``path`` and ``name`` without secrets."""
        if self._by_default and _HARMLESS.fullmatch(text):
            return text
        is_short = self._by_default and len(text) < SHORTEST
        if is_short or not self.may_touch_text(as_bytes(text)):
            return text
        where = joined(path, name) if name else path
        self._looks += 1
        if self._looks > MAX_LOOKS:
            self.record(where, TOO_MANY)
            return FILTERED
        if level is Level.FULL and self._nested < MAX_NESTED:
            value = structures.parsed(text)
            if value is not None:
                return self._json(text, value, where)
            text = structures.with_parameters(text, self._parameter_judge(text, where))
            if "form-data" in text:
                text = self._form_data(text, where)
        text, rules = scrub_text(text, self.scrubber, level)
        for rule in rules:
            self.record(where, rule)
        return self._without_literals(text, where) if self.literals else text

    def _parameter_judge(self, text: str, path: str) -> structures.Judge:
        """``code`` is a secret beside what else OAuth hands over with it."""
        names = structures.parameter_names(text) if "code=" in text else set()
        grants = bool(names & {"state", "hmac"})

        def judge(name: str, value: str) -> str:
            word = self.scrubber.word(name, True)
            if not word and grants and name == "code":
                word = "code"
            return str(self.parameter(name, value, f"{path}?{name}", word))

        return judge

    def parameter(self, name: str, value: Any, path: str, word: str) -> Any:
        """What stands in a parameter or cookie, whose name has ``word`` if secret."""
        if word:
            return self.secret(name, value, path, word)
        self._nested += 1
        new = self.member(name, value, path.removesuffix(name)[:-1])
        self._nested -= 1
        return new

    def _json(self, text: str, value: Any, path: str) -> str:
        before = self.count
        self._nested += 1
        value = self.tree(value, path)
        self._nested -= 1
        return text if self.count == before else structures.written(value)

    def _form_data(self, text: str, path: str) -> str:
        parts, at = [], 0
        for name, start, end in structures.form_data(text):
            value = text[start:end].rstrip("\r")
            parts += [text[at:start], str(self.member(name, value, path))]
            at = start + len(value)
        return "".join((*parts, text[at:]))

    def _without_literals(self, text: str, path: str) -> str:
        for literal, replacement in self.literals.items():
            parts, at = [], 0
            start = text.find(literal)
            while start >= 0:
                end = start + len(literal)
                if not _is_longer(text, start, end):
                    parts += [text[at:start], replacement]
                    at = end
                start = text.find(literal, end)
            if parts:
                self.record(path, "address")
                text = "".join((*parts, text[at:]))
        return text


def joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def as_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _is_longer(text: str, start: int, end: int) -> bool:
    """Whether an address runs on before or behind the span: 10.0.0.1 in 10.0.0.12."""
    before, after = text[max(0, start - 2) : start], text[end : end + 2]
    return (
        before[-1:].isalnum()
        or after[:1].isalnum()
        or (
            (before[-1:] == "." and before[:1].isdigit())
            or (after[:1] == "." and after[1:].isdigit())
        )
    )
