"""Finds what is a secret by its own form, wherever it stands in a text.

Texts are UTF-8 bytes and patterns are RE2's: texts come from strangers, and RE2 takes
time linear in their length. RE2 looks around no match, so a judge does: it is given the
text and the span of a match, and answers with the spans to replace.
"""

import base64
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import re2

from issues.scrubbing.checksums import iban_length, is_card
from issues.scrubbing.tokens import BOUNDED, DISTINCT

Span = tuple[int, int]
Judge = Callable[[bytes, int, int], Iterable[Span]]

FILTERED = b"[Filtered]"
# More matches of one kind are an attack on our time: the rest of the text goes.
MAX_MATCHES = 1000
TOO_MANY = "too many to look at"

_WORD_BYTES = frozenset(
    b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_"
)
# What follows "bearer" in sentences.
_NO_BEARER = frozenset(
    b"token tokens auth authentication authorization scheme header is was must not"
    b" missing invalid of and or in for the realm".split()
)
# Names of numbers that may look like a card's: variant_id=, "trackingNumber": ".
_ID_BEFORE = re.compile(
    rb"(?:(?<![A-Za-z])(?:[iI][dD]s?|[gG][iI][dD]|[sS][kK][uU])|[a-z]I[dD]s?"
    rb"|[vV]ariant|[bB]arcode|[tT]racking\w*)\\*[\"']?(?:\s*[:=]\s*|/)\\*[\"']?\Z"
)
_DIGIT_GROUP = re.compile(rb"\d+")


def compiled(pattern: str, *, any_case: bool = False) -> Any:
    """A pattern on bytes, in which ``\\w`` and ``\\b`` know ASCII only."""
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.case_sensitive = not any_case
    options.log_errors = False
    return re2.compile(pattern.encode(), options)


@dataclass(frozen=True, slots=True)
class Detector:
    """One kind of secret: what it is called, and how it is found."""

    rule: str
    pattern: Any
    judge: Judge
    step: int = 0  # bytes after which another may begin in what was judged to be none

    def spans(self, text: bytes) -> Iterator[Span]:
        """The spans to replace, in order."""
        at = 0
        for _ in range(MAX_MATCHES):
            found = self.pattern.search(text, at)
            if found is None:
                return
            start, end = found.span()
            judged = list(self.judge(text, start, end))
            yield from judged
            at = end if judged or not self.step else start + self.step
            at = max(at, judged[-1][1]) if judged else at
        yield at, len(text)


def replaced(text: bytes, spans: Iterable[Span]) -> tuple[bytes, int]:
    """The text with each span as ``[Filtered]``, and how many there were."""
    parts: list[bytes] = []
    at = count = 0
    for start, end in spans:
        if start < at:
            continue
        parts += [text[at:start], FILTERED]
        at = end
        count += 1
    if not count:
        return text, 0
    parts.append(text[at:])
    return b"".join(parts), count


def _whole(text: bytes, start: int, end: int) -> Sequence[Span]:
    return ((start, end),)


def _runs_on(text: bytes, start: int, end: int) -> bool:
    """Whether a word begins before the span or ends behind it."""
    before = start > 0 and text[start - 1] in _WORD_BYTES
    return before or (end < len(text) and text[end] in _WORD_BYTES)


def _bounded(text: bytes, start: int, end: int) -> Sequence[Span]:
    return () if _runs_on(text, start, end) else ((start, end),)


def _private_key(text: bytes, start: int, end: int) -> Sequence[Span]:
    """To the end marker; a text that was cut off has none."""
    closing = text.find(b"-----END", end)
    if closing < 0:
        return ((start, len(text)),)
    dashes = text.find(b"-----", closing + 8)
    return ((start, len(text) if dashes < 0 else dashes + 5),)


def _user_info(text: bytes, start: int, end: int) -> Sequence[Span]:
    """Between the slashes and the @ of an address."""
    return ((text.rindex(b"/", start, end) + 1, end - 1),)


def _bearer(text: bytes, start: int, end: int) -> Sequence[Span]:
    value = re.split(rb"\s+|\++|(?:%20)+", text[start:end], maxsplit=1)[1]
    if value.lower().rstrip(b".:!?") in _NO_BEARER or value.startswith(b"[Filtered"):
        return ()
    return ((end - len(value), end),)


def _basic(text: bytes, start: int, end: int) -> Sequence[Span]:
    """The base64 of user:password after the word."""
    value = re.split(rb"\s+|(?:%20)+", text[start:end], maxsplit=1)[1]
    try:
        plain = base64.b64decode(value + b"=" * (-len(value) % 4)).decode()
    except ValueError:
        return ()
    return ((end - len(value), end),) if ":" in plain else ()


def _cards(text: bytes, start: int, end: int) -> Iterator[Span]:
    """Card numbers among groups of digits, which may run into others."""
    groups = [found.span() for found in _DIGIT_GROUP.finditer(text, start, end)]
    if len(groups) > MAX_MATCHES:
        yield start, end
        return
    if len(groups) == 1 and _ID_BEFORE.search(text, max(0, start - 40), start):
        return
    done = start
    for number, (first, _) in enumerate(groups):
        span = _card_at(text, groups[number : number + 19]) if first >= done else None
        if span:
            yield span
            done = span[1]


def _card_at(text: bytes, groups: Sequence[Span]) -> Span | None:
    """The longest card number that begins with the first of the groups."""
    start = groups[0][0]
    if text[start] not in b"23456":
        return None
    ends = []
    digits = 0
    for begin, end in groups:
        digits += end - begin
        if digits > 19:
            break
        if digits >= 14:
            ends.append(end)
    for end in reversed(ends):
        if _runs_on(text, start, end) or _is_fraction(text, start):
            continue
        if is_card(text[start:end].decode()):
            return start, end
    return None


def _is_fraction(text: bytes, start: int) -> bool:
    return (
        start > 1
        and text[start - 1 : start] == b"."
        and text[start - 2] in b"0123456789"
    )


def _iban(text: bytes, start: int, end: int) -> Sequence[Span]:
    if start > 0 and text[start - 1] in _WORD_BYTES:
        return ()
    length = iban_length(text[start : end + 1].decode("latin-1"))
    return ((start, start + length),) if length else ()


def _ssn(text: bytes, start: int, end: int) -> Sequence[Span]:
    """Areas 000, 666 and from 900 on, groups 00 and 0000 were never given out."""
    area, group, serial = text[start:end].split(b"-")
    if (
        area in {b"000", b"666"}
        or area >= b"900"
        or group == b"00"
        or serial == b"0000"
    ):
        return ()
    apart = text[start - 1 : start] != b"-" and text[end : end + 1] != b"-"
    return _bounded(text, start, end) if apart else ()


def _phone(text: bytes, start: int, end: int) -> Sequence[Span]:
    digits = sum(byte in b"0123456789" for byte in text[start:end])
    return _bounded(text, start, end) if 8 <= digits <= 15 else ()


# In this order: what a private key or an address holds is not looked at again.
PRIVATE_KEY = Detector(
    "private key",
    compiled(r"-----BEGIN[A-Z0-9 +_]*PRIVATE[ +_]KEY[A-Z +_]*-----"),
    _private_key,
)
ALWAYS = (
    PRIVATE_KEY,
    Detector(
        "password in an address",
        compiled(r":(?:\\*/){2}[^/@\s\"'<>\\]*:[^/@\s\"'<>\\]+@"),
        _user_info,
    ),
    Detector("token", compiled("|".join(DISTINCT.values())), _whole),
    Detector("token", compiled("|".join(BOUNDED.values())), _bounded),
)
IN_TEXTS = (
    Detector(
        "bearer",
        compiled(r"bearer(?:\s|\+|%20)+[^\s\"'<>,;)\]}\\&%]+", any_case=True),
        _bearer,
    ),
    Detector(
        "basic",
        compiled(r"\bbasic(?:\s|%20)+[\w+/=-]{6,}", any_case=True),
        _basic,
    ),
    Detector("card", compiled(r"\d(?:[ -]?\d){12,}"), _cards),
    Detector("iban", compiled(r"[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,31}"), _iban, step=4),
    Detector("ssn", compiled(r"\d{3}-\d{2}-\d{4}"), _ssn),
)
PERSONAL = (
    Detector(
        "email", compiled(r"[\w.%+-]{1,64}@(?:[\w-]{1,63}\.)+[A-Za-z]{2,}"), _whole
    ),
    Detector(
        "phone",
        compiled(
            r"\+\d[\d ().-]{6,18}\d|\(\d{3}\) ?\d{3}[-. ]\d{4}|\d{3}[-.]\d{3}[-.]\d{4}"
        ),
        _phone,
    ),
)
