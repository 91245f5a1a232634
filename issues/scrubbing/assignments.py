"""Finds values in running text that stand under a name which tells a secret.

So in query strings, headers, code, ``repr`` of dicts and objects, and JSON that was cut
off: ``password=x``, ``"api_key": "x"``, ``Authorization: Basic x``, ``('token', 'x')``,
``<secret>x</secret>``, ``--password x``. ``names`` judges the name; this module finds
where its value begins and ends.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

from issues.scrubbing.names import holds_cookies
from issues.scrubbing.values import TOO_MANY, Span, compiled

# The word that makes a name secret, "" for none; the flag: it is a parameter's name.
WordOf = Callable[[str, bool], str]
Found = tuple[int, int, str]  # start and end of the value, and the name's word

# More names in one text are an attack on our time: the rest of the text goes.
MAX_NAMES = 5000

_ASSIGNED = compiled(
    r"[A-Za-z_$][\w.\-\[\]$]*\\*[\"'`]?\]?\s*(?:=>|:=|[:=]|%3[aAdD])\s*"
)
# What may stand between a name and its value elsewhere.
_OTHERS = (
    (b"(", compiled(r"\(\s*b?\\*[\"'][\w.-]+\\*[\"']\s*,\s*")),
    (b"<", compiled(r"<[A-Za-z_][\w.:-]*(?:\s[^<>]{0,500})?>")),
    (b"--", compiled(r"--[A-Za-z][\w-]*\s+")),
    (b"ass", compiled(r"passw(?:or)?d\s+[\"']", any_case=True)),
)
OTHER_WAYS = range(len(_OTHERS))
_NAME = re.compile(rb"[\w.\-\[\]$]+")
_OPENING = re.compile(rb"[bBuUrRfF]{0,2}(\\*)([\"'`])")
_BRACKETS = re.compile(rb"[\[\](){}]")
_PLAIN = re.compile(
    rb"(?:[^\s&;,)\]}\"'<>`\\%]|,(?=[^\s\"'])|%(?!26|3[bB])|[)\]}](?=\w))+"
)
_IN_TAG = re.compile(rb"[^<]+")
# No header is longer; bounded, as every name in a text may look for its line's end.
_LINE = re.compile(rb"[^\r\n\"'`\\]{0,16384}")
_WHOLE_LINE = re.compile(rb"[^\r\n]{0,16384}")
_SCHEME = re.compile(
    rb"(?:basic|bearer|token|negotiate|apikey|key|(?P<many>digest|hmac\S*|aws4\S*))\s",
    re.IGNORECASE,
)
_COOKIE = re.compile(rb"([^=;,\s\"']+)=([^;\"']*)")
# Values that tell nothing: placeholders, constants, what was scrubbed before.
_EMPTY = re.compile(
    rb"\s*(?:\[filtered.*|\*{3,}|\[?redacted\]?|null|none|nil|undefined|true|false|nan"
    rb"|%[-#0 +]*[\d.]*[a-z]|%\(\w+\)[a-z]|\$?\{{1,2}\s*[\w.$]*\s*\}{1,2}|x{3,}"
    rb"|=+.*)?\s*\Z",
    re.IGNORECASE | re.DOTALL,
)
# What follows "password:" in the messages of forms, and in code that has types.
_PROSE = frozenset(
    b"this must is the that cannot can too not no invalid required missing incorrect"
    b" wrong expected field should has have may please a an at does was were and or"
    b" string str bytes number any int bool boolean optional".split()
)
_SECOND_WORDS = frozenset({b"key", b"number", b"no", b"code", b"phrase"})
_WORD_BEFORE = re.compile(rb"[A-Za-z]{2,20} \Z")
_SPOKEN = re.compile(rb"[\w\x80-\xff]")
_WEAK = frozenset({"token", "auth", "bearer", "signature", "jwt", "iban"})


def assigned(text: bytes, word_of: WordOf) -> Iterator[Found]:
    """The values in ``text`` whose names tell a secret, in order."""
    at = 0
    for _ in range(MAX_NAMES):
        found = _ASSIGNED.search(text, at)
        if found is None:
            return
        start, at = found.span()
        name, word = _named(text, start, at, word_of)
        if holds_cookies(name.decode("latin-1")):
            begin, at = _line_extent(text, at)
            yield from _cookies(text, (begin, at), word_of)
        elif word:
            sign = text[start + len(name) : at].strip()
            begin, end = _value(text, at)
            is_plain = begin == at
            if _EMPTY.match(text[begin:end]) or (
                is_plain and _is_prose(text[begin:end], name, word, sign)
            ):
                continue
            yield begin, end, word
            at = max(at, end)
    yield at, len(text), TOO_MANY


def assigned_literals(text: bytes, word_of: WordOf) -> Iterator[Found]:
    """As ``assigned``, in a line of source: only literals that look like chance."""
    for start, end, word in assigned(text, word_of):
        quoted = text[start - 1 : start] in {b'"', b"'", b"`"}
        if word == TOO_MANY or (quoted and looks_random(text[start:end])):
            yield start, end, word


def assigned_otherwise(text: bytes, way: int, word_of: WordOf) -> list[Found]:
    """Values in tuples, tags, command lines or SQL, by the number of the way."""
    sign, pattern = _OTHERS[way]
    return list(_otherwise(text, pattern, word_of)) if sign in text.lower() else []


def _otherwise(text: bytes, pattern: Any, word_of: WordOf) -> Iterator[Found]:
    for number, found in enumerate(pattern.finditer(text)):
        start, end = found.span()
        if number == MAX_NAMES:
            yield start, len(text), TOO_MANY
            return
        is_tag = text.startswith(b"<", start)
        name = _NAME.findall(text, start, end)[0 if is_tag else -1].strip(b"-")
        word = word_of(name.decode("latin-1"), False)
        if is_tag:
            inner = _IN_TAG.match(text, end)
            if word and inner and not _EMPTY.match(inner[0]):
                yield *inner.span(), word
        else:
            # The pattern that ends in a quote took the one that opens the value.
            at = end - text[end - 1 : end].count(b'"') - text[end - 1 : end].count(b"'")
            yield from _value_of(text, at, name, word, word_of)


def _value_of(
    text: bytes, at: int, name: bytes, word: str, word_of: WordOf
) -> Iterator[Found]:
    if holds_cookies(name.decode("latin-1")):
        yield from _cookies(text, _line_extent(text, at), word_of)
    elif word:
        begin, end = _value(text, at)
        if not _EMPTY.match(text[begin:end]):
            yield begin, end, word


def _named(text: bytes, start: int, end: int, word_of: WordOf) -> tuple[bytes, str]:
    """The name that begins at ``start``, and its word."""
    found = _NAME.match(text, start, end)
    name = found[0] if found else b""
    is_parameter = text[start - 1 : start] in {b"", b"?", b"&", b";"}
    is_parameter = is_parameter and text[end - 1 : end] == b"="
    word = word_of(name.decode("latin-1"), is_parameter)
    if not word and name.lower() in _SECOND_WORDS:
        before = _WORD_BEFORE.search(text, max(0, start - 24), start)
        if before:
            word = word_of((before[0] + name).decode("latin-1"), False)
    return name, word


def _value(text: bytes, at: int) -> Span:
    """Where the value at ``at`` begins and ends, be it a header's with a scheme."""
    scheme = _SCHEME.match(text, at)
    if not scheme:
        return _extent(text, at)
    # Some schemes put texts in quotes behind commas.
    return _line_extent(text, at, _WHOLE_LINE if scheme["many"] else _LINE)


def _is_prose(value: bytes, name: bytes, word: str, sign: bytes) -> bool:
    """Whether an unquoted value rather belongs to a sentence, or to code."""
    if sign.endswith(b"=>"):
        return True
    if b":" not in sign:
        return False
    if word in _WEAK and not name.lower().endswith(b"authorization"):
        return not looks_random(value.split()[-1] if value.split() else b"")
    return value.lower().rstrip(b".,!?") in _PROSE or not _SPOKEN.search(value)


def tells_nothing(value: str) -> bool:
    """Whether a value is a placeholder, a constant, or was scrubbed before."""
    raw = value[:100].strip("'\"").encode("utf-8", "replace")
    return len(value) < 100 and _EMPTY.match(raw) is not None


def looks_random(value: bytes) -> bool:
    """Whether a text is long and mixed enough to be no word of a language."""
    if b" " in value.strip() or len(value) < 8:
        return False
    digits = sum(48 <= byte <= 57 for byte in value)
    return len(value) >= 20 or 0 < digits < len(value)


def _cookies(text: bytes, extent: Span, word_of: WordOf) -> Iterator[Found]:
    for found in _COOKIE.finditer(text, *extent):
        word = word_of(found[1].decode("latin-1"), True)
        if word and not _EMPTY.match(found[2]):
            yield *found.span(2), word


def _extent(text: bytes, at: int) -> Span:
    """Where the value at ``at`` begins and ends, without its quotes."""
    opening = _OPENING.match(text, at)
    if opening:
        return opening.end(), _closing(text, opening.end(), opening[1], opening[2])
    if text[at : at + 1] in {b"{", b"[", b"("}:
        return at, _balanced(text, at)
    plain = _PLAIN.match(text, at)
    return (at, plain.end()) if plain else (at, at)


def _line_extent(text: bytes, at: int, line: re.Pattern[bytes] = _LINE) -> Span:
    """To the end of the line, or of the text in quotes that this is."""
    opening = _OPENING.match(text, at)
    if opening:
        return opening.end(), _closing(text, opening.end(), opening[1], opening[2])
    found = line.match(text, at)
    return at, found.end() if found else at


def _closing(text: bytes, at: int, slashes: bytes, quote: bytes) -> int:
    """Where the quote that was opened with so many backslashes ends; the end if cut.

    Without backslashes an odd run of them escapes the quote; with some, a longer one.
    """
    begin = at
    while (found := text.find(quote, at)) >= 0:
        run = found
        while run > begin and text[run - 1] == 0x5C:
            run -= 1
        count = found - run
        if count == len(slashes) or (not slashes and count % 2 == 0):
            return run if slashes else found
        if slashes and count < len(slashes):
            return found
        at = found + 1
    return len(text)


def _balanced(text: bytes, at: int) -> int:
    """The end of what the bracket at ``at`` opens; the end of the text if cut."""
    depth = 0
    for found in _BRACKETS.finditer(text, at):
        depth += 1 if found[0] in b"[({" else -1
        if depth == 0:
            return found.end()
    return len(text)
