"""Fingerprint rules: ``error.type:KeyError tags.shop:* -> prices, {{ tags.shop }}``.

Left of the arrow stand matchers, all of which must hold: a key, a colon and a glob
(``*``, ``?``, in quotes where it has spaces), ``!`` before the key to negate. Matchers
on the stack must hold for one and the same frame. Right of it stand the parts of the
fingerprint, separated by commas, and optionally title="…". Globs ignore case.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import translate

from issues.normal_event import Frame, NormalEvent

_TOKEN = re.compile(r'\s*(?P<not>!?)(?P<key>[^\s:"]+|tags\."[^"]+"):')
_QUOTED_OR_BARE = re.compile(r'"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>[^\s"]+)')
_TITLE = re.compile(r'(?:^|[\s,])title="(?P<title>(?:[^"\\]|\\.)*)"\s*$')
_VALUE = re.compile(r'\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>[^,"]+))\s*(?:,|$)')
_VARIABLE = re.compile(r"\{\{\s*(?P<name>[^{}]*?)\s*\}\}")

_EVENT_VALUES: dict[str, Callable[[NormalEvent], Iterable[str]]] = {
    "error.type": lambda event: (e.type for e in event.exceptions),
    "error.value": lambda event: (e.value for e in event.exceptions),
    "message": lambda event: (event.message, *(e.value for e in event.exceptions)),
    "logger": lambda event: (event.logger,),
    "level": lambda event: (event.level,),
    "platform": lambda event: (event.platform,),
    "environment": lambda event: (event.environment,),
    "release": lambda event: (event.release,),
    "transaction": lambda event: (event.transaction,),
    "server_name": lambda event: (event.server_name,),
    "url": lambda event: (event.url,),
    "tenant": lambda event: (event.tenant,),
}
_FRAME_VALUES: dict[str, Callable[[Frame], Iterable[str]]] = {
    "stack.function": lambda frame: (frame.function,),
    "stack.module": lambda frame: (frame.module,),
    "stack.abs_path": lambda frame: (frame.abs_path, frame.filename),
    "stack.filename": lambda frame: (frame.filename,),
    "app": lambda frame: ("yes",) if frame.in_app else ("no",),
}
_EVENT_VARIABLES = frozenset(_EVENT_VALUES) - {"url"}
_CRASH_VARIABLES = frozenset({"stack.function", "stack.module", "stack.filename"})


class RuleError(ValueError):
    """A fingerprint rule cannot be read; the message says where and what helps."""


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition: some value of ``key`` fits the pattern, or none if negated."""

    key: str
    pattern: re.Pattern[str]
    negated: bool

    def fits(self, values: Iterable[str]) -> bool:
        """Whether the condition holds for these values of the key."""
        found = any(self.pattern.match(value) for value in values if value)
        return found != self.negated


@dataclass(frozen=True, slots=True)
class FingerprintRule:
    """A rule as parsed; ``text`` is what was written."""

    text: str
    event_matchers: tuple[Matcher, ...]
    frame_matchers: tuple[Matcher, ...]
    fingerprint: tuple[str, ...]
    title: str = ""


def parse_rules(text: str) -> list[FingerprintRule]:
    """The rules in ``text``, one a line; empty lines and ``#`` comments are skipped.

    Raises RuleError naming the first line that cannot be read.
    """
    rules = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            try:
                rules.append(parse_rule(line))
            except RuleError as error:
                raise RuleError(f"line {number}: {error}") from None
    return rules


def parse_rule(text: str) -> FingerprintRule:
    """The rule that one line tells; raises RuleError where it tells none."""
    left, right = _halves(text)
    matchers = _matchers(left)
    title = _TITLE.search(right)
    if title:
        right = right[: title.start()]
    values = _values(right)
    for value in [*values, title["title"] if title else ""]:
        _check_variables(value)
    return FingerprintRule(
        text=text.strip(),
        event_matchers=tuple(m for m in matchers if m.key not in _FRAME_VALUES),
        frame_matchers=tuple(m for m in matchers if m.key in _FRAME_VALUES),
        fingerprint=tuple(values),
        title=_unescaped(title["title"]) if title else "",
    )


def _halves(text: str) -> tuple[str, str]:
    """What stands left and right of the first arrow outside of quotes."""
    outside = re.sub(r'"(?:[^"\\]|\\.)*"', lambda quoted: "\0" * len(quoted[0]), text)
    if '"' in outside:
        raise RuleError("a quotation mark is not closed")
    at = outside.find("->")
    if at < 0:
        raise RuleError(
            "there is no arrow; write it as matcher:pattern -> fingerprint, such as "
            "error.type:TimeoutError -> timeout"
        )
    return text[:at].strip(), text[at + 2 :].strip()


def _matchers(left: str) -> list[Matcher]:
    matchers: list[Matcher] = []
    at = 0
    while left[at:].strip():
        head = _TOKEN.match(left, at)
        if not head:
            word = left[at:].split(maxsplit=1)[0]
            raise RuleError(f"“{word}” is no matcher; write it as key:pattern")
        key = head["key"].replace('"', "")
        if not (key in _EVENT_VALUES or key in _FRAME_VALUES or _is_tag(key)):
            known = sorted([*_EVENT_VALUES, *_FRAME_VALUES, "tags.NAME"])
            raise RuleError(
                f"there is no matcher “{key}”; there are {', '.join(known)}"
            )
        value = _QUOTED_OR_BARE.match(left, head.end())
        if not value:
            raise RuleError(f"“{key}:” needs a pattern right behind the colon")
        glob = value["bare"] or _unescaped(value["quoted"] or "")
        if not glob:
            raise RuleError(f"the pattern of “{key}” is empty; * matches any value")
        pattern = re.compile(translate(glob), re.IGNORECASE)
        matchers.append(Matcher(key, pattern, bool(head["not"])))
        at = value.end()
    if not matchers:
        raise RuleError("there is no matcher left of the arrow")
    return matchers


def _is_tag(key: str) -> bool:
    return key.startswith("tags.") and len(key) > len("tags.")


def _values(right: str) -> list[str]:
    values: list[str] = []
    at = 0
    while right[at:].strip():
        found = _VALUE.match(right, at)
        if not found:
            raise RuleError(
                f"cannot read “{right[at:].strip()}”; separate the parts of the "
                "fingerprint by commas"
            )
        bare = found["bare"]
        value = bare.strip() if bare is not None else _unescaped(found["quoted"])
        if not value:
            raise RuleError("a part of the fingerprint is empty")
        values.append(value)
        at = found.end()
    if not values:
        raise RuleError("there is no fingerprint right of the arrow")
    return values


def _unescaped(quoted: str) -> str:
    return re.sub(r"\\(.)", r"\1", quoted)


def _check_variables(value: str) -> None:
    for found in _VARIABLE.finditer(value):
        name = found["name"]
        known = name in _EVENT_VARIABLES or name in _CRASH_VARIABLES
        if not (known or name == "default" or name.startswith("tags.")):
            names = [*_EVENT_VARIABLES, *_CRASH_VARIABLES, "default", "tags.NAME"]
            raise RuleError(
                f"there is no variable “{name}”; there are {', '.join(sorted(names))}"
            )
        if name == "default" and not is_default(value):
            raise RuleError(
                "{{ default }} stands alone between commas, not inside other text"
            )


def first_match(
    rules: Sequence[FingerprintRule], event: NormalEvent
) -> FingerprintRule | None:
    """The first rule that fits the event."""
    return next((rule for rule in rules if matches(rule, event)), None)


def matches(rule: FingerprintRule, event: NormalEvent) -> bool:
    """Whether all of the rule's conditions hold."""
    for matcher in rule.event_matchers:
        if matcher.key.startswith("tags."):
            values: Iterable[str] = (event.tags.get(matcher.key[5:], ""),)
        else:
            values = _EVENT_VALUES[matcher.key](event)
        if not matcher.fits(values):
            return False
    if not rule.frame_matchers:
        return True
    frames = [frame for e in event.exceptions for frame in e.frames]
    return any(
        all(m.fits(_FRAME_VALUES[m.key](frame)) for m in rule.frame_matchers)
        for frame in frames + event.threads_frames
    )


def is_default(value: str) -> bool:
    """Whether the part stands for the fingerprint that the event had without it."""
    found = _VARIABLE.fullmatch(value.strip())
    return found is not None and found["name"] == "default"


def resolve_variables(
    values: Sequence[str], event: NormalEvent, crash: str
) -> list[str]:
    """The parts with variables replaced; ``{{ default }}`` stays as it is.

    ``crash`` describes the frame that failed, "file in function".
    """

    def value_of(found: re.Match[str]) -> str:
        name = found["name"]
        if name == "default":
            return found[0]
        if name.startswith("tags."):
            told = event.tags.get(name[5:], "")
        elif name in _CRASH_VARIABLES:
            told = _crash_value(event, name)
        elif name in _EVENT_VALUES:
            # Of a chain the raised exception counts, which stands last.
            told = ([value for value in _EVENT_VALUES[name](event) if value] or [""])[
                -1
            ]
        else:
            return found[0]
        return told or f"<no {name}>"

    return [_VARIABLE.sub(value_of, value) for value in values]


def _crash_value(event: NormalEvent, name: str) -> str:
    frames = [frame for e in event.exceptions for frame in e.frames]
    frames = frames or event.threads_frames
    own = [frame for frame in frames if frame.in_app] or frames
    return "".join(_FRAME_VALUES[name](own[-1])) if own else ""
