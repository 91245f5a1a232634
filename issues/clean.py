"""Decode what clients send as JSON into values that PostgreSQL and orjson can hold.

The usual payload costs one orjson.loads and three scans of its bytes. Only a payload
that shows a sign of trouble is walked.
"""

import json
import re
from datetime import UTC, datetime
from math import isfinite
from typing import Any

import orjson

from issues.normal_event import NotAnEvent

# orjson.dumps stops at 254 levels; scrubbing and templates walk recursively.
MAX_DEPTH = 100

# PostgreSQL text columns take no NUL; UTF-8 has no lone surrogates.
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
REPLACEMENT = "\ufffd"

_DIGITS_TO_ZERO = bytes.maketrans(b"123456789", b"000000000")
_ALL_BUT_BRACKETS = bytes(code for code in range(256) if code not in b"[]{}")
_19_DIGITS = b"0" * 19
_LONG_INTEGER = re.compile(rb"[:,\[\s]-?[0-9]{19}")
_SCANNED = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[\]{}]', re.DOTALL)


def decode(payload: bytes) -> tuple[Any, list[str]]:
    """The JSON value in ``payload`` and one note for each kind of repair.

    Accepts what strict parsers refuse: bad UTF-8, lone surrogates, NaN, control
    characters, integers of any size (kept as text beyond 64 bits), any nesting (cut
    at ``MAX_DEPTH``). Raises NotAnEvent when it is not JSON even so.
    """
    try:
        value = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return _decode_leniently(payload)
    # orjson turns integers beyond 64 bits into floats and loads 1,024 levels.
    if (
        b"\\u0000" in payload
        or _may_hold_big_integers(payload)
        or _may_nest_deeply(payload)
    ):
        return _decode_leniently(payload)
    return value, []


def encode(value: Any) -> bytes:
    """The value as JSON; what orjson cannot write is cleaned first."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return orjson.dumps(_Cleaner().clean(value, 0))


def _may_hold_big_integers(payload: bytes) -> bool:
    # The scan without a pattern is ten times as fast; tracking numbers are texts.
    return (
        _19_DIGITS in payload.translate(_DIGITS_TO_ZERO)
        and _LONG_INTEGER.search(payload) is not None
    )


def _may_nest_deeply(payload: bytes) -> bool:
    """Whether nesting may exceed MAX_DEPTH.

    Brackets inside strings count too: they can hide depth from this test, not from
    ``encode``.
    """
    brackets = payload.translate(None, _ALL_BUT_BRACKETS)
    # Each round takes the innermost level away; few are left after two or three.
    for _ in range(MAX_DEPTH // 2):
        if len(brackets) < MAX_DEPTH:
            return False
        shorter = brackets.replace(b"{}", b"").replace(b"[]", b"")
        if len(shorter) == len(brackets):
            break
        brackets = shorter
    return True


def _decode_leniently(payload: bytes) -> tuple[Any, list[str]]:
    notes: list[str] = []
    text = payload.decode("utf-8", errors="surrogateescape").lstrip("\ufeff")
    try:
        value = _loads(text)
    except RecursionError:
        text = _without_deep_parts(text)
        notes.append(f"payload: nested deeper than {MAX_DEPTH} levels; cut there")
        value = _loads(text)
    cleaner = _Cleaner()
    value = cleaner.clean(value, 0)
    return value, notes + cleaner.notes()


def _loads(text: str) -> Any:
    try:
        return json.loads(
            text,
            strict=False,
            parse_int=_integer,
            parse_float=_float,
            parse_constant=str,
        )
    except json.JSONDecodeError as error:
        raise NotAnEvent(
            f"the payload is not JSON: {error.msg} at character {error.pos}"
        ) from error


class _BigInteger(str):
    """An integer beyond 64 bits as its digits, until it is counted and cleaned."""

    __slots__ = ()


def _integer(digits: str) -> int | str:
    if len(digits) <= 20:
        number = int(digits)
        if -(2**63) <= number < 2**64:
            return number
    return _BigInteger(digits)


def _float(digits: str) -> float | str:
    number = float(digits)
    return number if isfinite(number) else digits


def _without_deep_parts(text: str) -> str:
    """The JSON text with every container below MAX_DEPTH replaced by null."""
    kept: list[str] = []
    depth = 0
    copied_to = 0
    for token in _SCANNED.finditer(text):
        symbol = token.group()
        if symbol in ("[", "{"):
            depth += 1
            if depth == MAX_DEPTH + 1:
                kept.append(text[copied_to : token.start()])
        elif symbol in ("]", "}"):
            if depth == MAX_DEPTH + 1:
                kept.append("null")
                copied_to = token.end()
            depth -= 1
    if depth <= MAX_DEPTH:
        kept.append(text[copied_to:])
    return "".join(kept)


class _Cleaner:
    """Walks one decoded value, repairing texts and cutting depth, and counts."""

    def __init__(self) -> None:
        self.characters = 0
        self.integers = 0
        self.cut = 0

    def clean(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if kind is str:
            return self.text(value)
        if kind is _BigInteger:
            self.integers += 1
            return str(value)
        if kind is dict or kind is list:
            if depth >= MAX_DEPTH:
                self.cut += 1
                return None
            if kind is list:
                return [self.clean(item, depth + 1) for item in value]
            return {
                self.text(key): self.clean(item, depth + 1)
                for key, item in value.items()
            }
        return value

    def text(self, value: str) -> str:
        if value.isascii() and "\x00" not in value:
            return value
        cleaned, count = UNSTORABLE.subn(REPLACEMENT, value)
        self.characters += count
        return cleaned

    def notes(self) -> list[str]:
        found = []
        if self.characters:
            found.append(
                f"payload: {self.characters} characters that cannot be stored "
                "(NUL, lone surrogates, bad UTF-8) replaced"
            )
        if self.integers:
            found.append(
                f"payload: {self.integers} integers beyond 64 bits kept as text"
            )
        if self.cut:
            found.append(
                f"payload: {self.cut} parts nested deeper than {MAX_DEPTH} levels "
                "dropped"
            )
        return found


def kind(value: object) -> str:
    """The JSON name of the value's type, for notes."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "text"
    return "a list" if isinstance(value, list) else "an object"


def scalar_text(value: object) -> str | None:
    """Text of a JSON scalar ("" for null); None for a list or an object."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    return None


def any_text(value: object) -> str:
    """Text of any JSON value: scalars as they are, containers as JSON."""
    text = scalar_text(value)
    return orjson.dumps(value).decode() if text is None else text


def parse_time(value: object) -> datetime | None:
    """An instant from Unix seconds, milli-, micro- or nanoseconds, or ISO 8601.

    Times without a zone are UTC. None for what is no time at all.
    """
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value.strip().upper())
            if moment.tzinfo is None:
                return moment.replace(tzinfo=UTC)
            return moment.astimezone(UTC)
        except (ValueError, OverflowError):
            return _from_number_text(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _from_epoch(float(value))
    return None


def _from_number_text(value: str) -> datetime | None:
    try:
        return _from_epoch(float(value))
    except ValueError:
        return None


def _from_epoch(seconds: float) -> datetime | None:
    # 1e11 seconds is the year 5138: anything above counts a finer unit.
    for _ in range(3):
        if abs(seconds) < 1e11:
            break
        seconds /= 1000
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None
