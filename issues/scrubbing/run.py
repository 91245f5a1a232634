"""One pass over one event: trees of JSON in, the same trees without secrets out."""

import re
from dataclasses import dataclass
from typing import Any

from issues.scrubbing import structures
from issues.scrubbing.addresses import is_address_name, truncated_list
from issues.scrubbing.assignments import tells_nothing
from issues.scrubbing.names import holds_cookies, words
from issues.scrubbing.scrubber import TRUNCATED
from issues.scrubbing.structures import FILTERED
from issues.scrubbing.text_run import TextRun, as_bytes, joined
from issues.scrubbing.texts import Level, scrub_text

MAX_DEPTH = 150  # of containers, JSON in texts included
SHORTEST_KEY = 12  # no shorter name is itself a secret

# What `repr` tells of code: a name, never a value.
_CODE = re.compile(r"['\"]?<(?:function|class|module|built-in) ")
_ID = re.compile(
    r"(?:(?:^|[^A-Za-z])(?:[iI][dD]s?|[gG][iI][dD]|[sS][kK][uU])|[a-z]I[dD]s?"
    r"|[vV]ariant|[bB]arcode|[tT]racking\w*)\Z"
)
# Of lists that tell names and values in turn, as Node's rawHeaders.
_HEADERS = words(
    "authorization proxy-authorization cookie set-cookie x-api-key x-auth-token"
    " x-csrf-token x-csrftoken x-access-token x-shopify-access-token"
    " x-shopify-storefront-access-token x-shopify-hmac-sha256"
)
_NAME = re.compile(r"[\w.'\" \[\]-]{1,100}")
_FLAG = re.compile(r"--?[A-Za-z][\w-]{0,100}")
_NAMING = ("name", "key", "header", "field")
_SMALLEST_CARD = 10**13


@dataclass(slots=True)
class Run(TextRun):
    """Scrubs trees by one project's rules and remembers where."""

    _depth: int = 0

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
        kind = type(value)
        if word:
            value = self.secret(name, value, joined(path, name), word)
        elif scrubber.hides_addresses and kind is str and is_address_name(name):
            value = self._address(value, joined(path, name))
        elif not scrubber.keeps(name):
            value = self._plain_member(name, value, path)
        return value

    def _plain_member(self, name: str, value: Any, path: str) -> Any:
        kind = type(value)
        if holds_cookies(name):
            return self._cookies(value, joined(path, name))
        is_number = kind is int or (kind is str and value.isdigit())
        if is_number and _ID.search(name):
            return value
        if kind is str:
            return self.text(value, path, name)
        return self.tree(value, joined(path, name)) if value else value

    def lines(self, lines: list[Any], path: str) -> None:
        """Lines of source code, in place."""
        key_lines = False
        for number, line in enumerate(lines):
            if type(line) is str:
                key_lines = _in_private_key(line, key_lines)
                if key_lines and "-----BEGIN" not in line:
                    lines[number] = self.secret("", line, path, "private key")
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
            renamed |= len(name) >= SHORTEST_KEY and self.may_touch_text(as_bytes(name))
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
                    items[number] = self.secret("", item, where, "private key")
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

    def secret(self, name: str, value: Any, path: str, word: str) -> Any:
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
            judged = structures.with_cookies(
                value, lambda name, cookie: str(self._cookie(name, cookie, path))
            )
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
        return self.parameter(name, value, f"{path}.{name}", word)


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
    return before.lower() in _HEADERS or _FLAG.fullmatch(before) is not None
