"""One pass over one event: trees of JSON in, the same trees without secrets out."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from issues.scrubbing import structures
from issues.scrubbing.addresses import is_address_name, truncated_list
from issues.scrubbing.assignments import tells_nothing
from issues.scrubbing.names import holds_cookies
from issues.scrubbing.scrubber import TRUNCATED, Scrubber
from issues.scrubbing.texts import SHORTEST, Level, scrub_text

FILTERED = "[Filtered]"
MAX_NESTED = 5  # JSON in a text of JSON in a text …
MAX_DEPTH = 150  # of containers, JSON in texts included
MAX_PLACES = 200
SHORTEST_KEY = 12  # no shorter name is itself a secret

# What `repr` tells of code: a name, never a value.
_CODE = re.compile(r"['\"]?<(?:function|class|module|built-in) ")
_ID = re.compile(
    r"(?:(?:^|[^A-Za-z])(?:[iI][dD]s?|[gG][iI][dD]|[sS][kK][uU])|[a-z]I[dD]s?"
    r"|[vV]ariant|[bB]arcode|[tT]racking\w*)\Z"
)
# Of lists that tell names and values in turn, as Node's rawHeaders.
_HEADERS = frozenset(
    "authorization proxy-authorization cookie set-cookie x-api-key x-auth-token"
    " x-csrf-token x-csrftoken x-access-token x-shopify-access-token"
    " x-shopify-storefront-access-token x-shopify-hmac-sha256".split()
)
_NAME = re.compile(r"[\w.'\" \[\]-]{1,100}")
_NAMING = ("name", "key", "header", "field")
_SMALLEST_CARD = 10**13
# Too short for a secret of a known form, and without what parts a name from a value.
_HARMLESS = re.compile(r"[\w'/ .-]{0,10}")


@dataclass(slots=True)
class Replaced:
    """What was replaced: where in the event, and by what rule."""

    path: str
    rule: str
    count: int = 1


@dataclass(slots=True)
class Run:
    """Scrubs by one project's rules and remembers where.

    ``literals``: texts to replace wherever they stand, such as the client's address,
    each with its replacement.
    """

    scrubber: Scrubber
    literals: Mapping[str, str] = field(default_factory=dict)
    count: int = 0
    places: dict[tuple[str, str], Replaced] = field(default_factory=dict)
    _literals: tuple[bytes, ...] = ()
    _nested: int = 0
    _depth: int = 0

    def __post_init__(self) -> None:
        self._literals = tuple(text.encode() for text in self.literals)

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

    def tree(self, value: Any, path: str) -> Any:
        """The value without secrets: containers changed in place, texts returned."""
        kind = type(value)
        if kind is str:
            return self.text(value, path)
        if kind is not dict and kind is not list:
            return self._number(value, path) if kind is int else value
        if self._depth >= MAX_DEPTH:
            self.record(path, "nested too deeply")
            return FILTERED
        self._depth += 1
        if kind is dict:
            self._members(value, path)
        else:
            self._items(value, path)
        self._depth -= 1
        return value

    def member(self, name: str, value: Any, path: str) -> Any:
        """What stands under ``name`` in the object at ``path``, without secrets."""
        scrubber = self.scrubber
        word = scrubber.word(name)
        if word:
            return self._secret(name, value, _joined(path, name), word)
        if scrubber.keeps(name):
            return value
        kind = type(value)
        if scrubber.hides_addresses and kind is str and is_address_name(name):
            return self._address(value, _joined(path, name))
        if holds_cookies(name):
            return self._cookies(value, _joined(path, name))
        if kind is str:
            if value.isdigit() and _ID.search(name):
                return value
            return self.text(value, path, name)
        if kind is int and _ID.search(name):
            return value
        return self.tree(value, _joined(path, name)) if value else value

    def text(
        self, text: str, path: str, name: str = "", level: Level = Level.FULL
    ) -> str:
        """The text at ``path`` and ``name`` without secrets."""
        if _HARMLESS.fullmatch(text) and not self.scrubber.patterns:
            return text
        if len(text) < SHORTEST or not self.may_touch_text(_bytes(text)):
            return text
        where = _joined(path, name) if name else path
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

    def lines(self, lines: list[Any], path: str) -> None:
        """Lines of source code, in place."""
        key_lines = False
        for number, line in enumerate(lines):
            if type(line) is str:
                key_lines = _in_private_key(line, key_lines)
                if key_lines and "-----BEGIN" not in line:
                    lines[number] = self._secret("", line, path, "private key")
                else:
                    lines[number] = self.text(line, path, level=Level.CODE)

    def _address(self, value: str, path: str) -> str:
        """What the project wants to keep of an address, or of a list of them."""
        if not value or value == FILTERED:
            return value
        kept = ""
        if self.scrubber.policy.addresses == TRUNCATED:
            kept = truncated_list(value)
        if kept != value:
            self.record(path, "address")
        return kept or FILTERED

    def _members(self, owner: dict[str, Any], path: str) -> None:
        renamed = False
        for name, value in owner.items():
            new = self.member(name, value, path)
            if new is not value:
                owner[name] = new
            renamed |= len(name) >= SHORTEST_KEY and self.may_touch_text(
                _bytes(name)
            )
        if "value" in owner:
            self._named_value(owner, path)
        if renamed:
            self._rename(owner, path)

    def _rename(self, owner: dict[str, Any], path: str) -> None:
        """A secret may stand in the place of a name."""
        names = {name: scrub_text(name, self.scrubber) for name in owner}
        if any(rules for _, rules in names.values()):
            for name in list(owner):
                new, rules = names[name]
                for rule in rules:
                    self.record(f"{path}.{new}", rule)
                owner[new] = owner.pop(name)

    def _named_value(self, owner: dict[str, Any], path: str) -> None:
        """{"name": "Authorization", "value": "…"}"""
        for naming in _NAMING:
            name = owner.get(naming)
            if type(name) is str:
                owner["value"] = self.member(name, owner["value"], path)
                return

    def _items(self, items: list[Any], path: str) -> None:
        key_lines = False
        before: Any = None
        for number, item in enumerate(items):
            where = f"{path}[{number}]"
            if type(item) is str:
                key_lines = _in_private_key(item, key_lines)
                if key_lines and "-----BEGIN" not in item:
                    items[number] = self._secret("", item, where, "private key")
                elif _introduces(before):
                    items[number] = self.member(before.lstrip("-"), item, path)
                else:
                    items[number] = self.text(item, where)
            elif _is_pair(item):
                item[1] = self.member(item[0], item[1], where)
                item[0] = self.text(item[0], where)
            else:
                items[number] = self.tree(item, where)
            before = item

    def _secret(self, name: str, value: Any, path: str, word: str) -> Any:
        """What replaces the value under a secret's name."""
        kind = type(value)
        if not value or kind is bool:
            return value
        if kind is str:
            if tells_nothing(value) or _CODE.match(value):
                return value
            if word == "pwd" and value[:1] == "/":  # the working directory
                return value
        elif kind in (int, float) and name.lower().endswith("tokens"):
            return value
        self.record(path, word)
        return FILTERED

    def _number(self, value: int, path: str) -> Any:
        if value < _SMALLEST_CARD:
            return value
        text = str(value)
        new = self.text(text, path)
        return value if new is text else new

    def _cookies(self, value: Any, path: str) -> Any:
        """Cookies of a header, or as a mapping, pairs or a list of headers."""
        if type(value) is str:
            judged = structures.with_cookies(value, self._cookie_judge(path))
            return self.text(judged, path)
        if type(value) is dict:
            for name, cookie in value.items():
                value[name] = self._cookie(name, cookie, path)
        elif type(value) is list:
            for number, item in enumerate(value):
                if _is_pair(item):
                    item[1] = self._cookie(item[0], item[1], path)
                else:
                    value[number] = self._cookies(item, path)
        return value

    def _cookie(self, name: str, value: Any, path: str) -> Any:
        word = self.scrubber.word(name, True)
        if word:
            return self._secret(name, value, f"{path}.{name}", word)
        return self.member(name, value, path)

    def _cookie_judge(self, path: str) -> structures.Judge:
        def judge(name: str, value: str) -> str:
            word = self.scrubber.word(name, True)
            return self._secret(name, value, f"{path}.{name}", word) if word else value

        return judge

    def _parameter_judge(self, text: str, path: str) -> structures.Judge:
        """``code`` is a secret beside what else OAuth hands over with it."""
        names = structures.parameter_names(text) if "code=" in text else set()
        grants = bool(names & {"state", "hmac"})

        def judge(name: str, value: str) -> str:
            word = self.scrubber.word(name, True)
            if not word and grants and name == "code":
                word = "code"
            if word:
                return str(self._secret(name, value, f"{path}?{name}", word))
            self._nested += 1
            new = self.member(name, value, path)
            self._nested -= 1
            return str(new)

        return judge

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


def _is_longer(text: str, start: int, end: int) -> bool:
    """Whether an address runs on before or behind the span: 10.0.0.1 in 10.0.0.12."""
    before, after = text[max(0, start - 2) : start], text[end : end + 2]
    return before[-1:].isalnum() or after[:1].isalnum() or (
        (before[-1:] == "." and before[:1].isdigit())
        or (after[:1] == "." and after[1:].isdigit())
    )


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _in_private_key(line: str, already: bool) -> bool:
    """Whether a line belongs to a private key that a list tells line by line."""
    if "-----END" in line:
        return False
    return already or ("-----BEGIN" in line and "PRIVATE KEY" in line)


def _is_pair(item: Any) -> bool:
    """Whether a list tells a name and its value, as headers often come."""
    return (
        type(item) is list
        and len(item) == 2
        and type(item[0]) is str
        and _NAME.fullmatch(item[0]) is not None
    )


def _introduces(before: Any) -> bool:
    """Whether the value of this name follows as the list's next text."""
    if type(before) is not str:
        return False
    return before.lower() in _HEADERS or (before[:2] == "--" and "=" not in before)
