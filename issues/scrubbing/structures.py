"""Texts that hold a structure: JSON, forms and URLs, cookies, multipart bodies.

Each is taken apart just far enough for its values to be judged one by one, and put
together again without touching what stays.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote, unquote, unquote_plus

import orjson

# Given a name and a decoded value, the value that replaces it.
Judge = Callable[[str, str], str]

FILTERED = "[Filtered]"
MAX_PARAMETERS = 1000  # the rest goes unseen

_NO_FORM = re.compile(r"[\s\"'<>{}]")
_PARTS = re.compile(r"([&;])")
_FORM_DATA = re.compile(
    r"name=\\*\"([^\"\\\r\n]{1,200})\\*\"[^\r\n]*(?:\r?\n[^\r\n]+)*\r?\n\r?\n"
)
# What a query may hold as it is, so that a replaced value stays readable.
_READABLE = "[]/:@,?!$'()*~"


def parsed(text: str) -> Any:
    """The object, list or text that a text of JSON holds; None for all else."""
    head = text.lstrip()[:1]
    if not head or head not in '{["' or (head == '"' and text.rstrip()[-1] != '"'):
        return None
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict | list | str) else None


def written(value: Any) -> str:
    """The value as JSON."""
    return orjson.dumps(value).decode()


def with_parameters(text: str, judge: Judge) -> str:
    """A form, a query string or a URL with its parameters judged; else the text."""
    if "=" not in text or _NO_FORM.search(text):
        return text
    before, mark, fragment = text.partition("#")
    base, question, query = before.partition("?")
    if not question and "/" not in before.partition("=")[0]:
        base, query = "", before
    return "".join(
        (base, question, _judged(query, judge), mark, _judged(fragment, judge))
    )


def _judged(query: str, judge: Judge) -> str:
    parts = _PARTS.split(query, maxsplit=MAX_PARAMETERS)
    if len(parts) > 2 * MAX_PARAMETERS:
        parts[-1] = FILTERED
    for number in range(0, len(parts), 2):
        name, sign, raw = parts[number].partition("=")
        if raw:
            value = unquote_plus(raw)
            new = judge(unquote_plus(name), value)
            if new != value:
                parts[number] = f"{name}{sign}{quote(new, safe=_READABLE)}"
    return "".join(parts)


def parameter_names(text: str) -> set[str]:
    """The names of the parameters in a form, a query string or a URL."""
    parts = re.split(r"[?&;#]", text)
    return {part.partition("=")[0] for part in parts if "=" in part}


def with_cookies(text: str, judge: Judge) -> str:
    """A Cookie or Set-Cookie header with the values of its cookies judged."""
    parts = text.split(";", MAX_PARAMETERS)
    if len(parts) > MAX_PARAMETERS:
        parts[-1] = FILTERED
    for number, part in enumerate(parts):
        name, sign, raw = part.partition("=")
        value = unquote(raw)
        new = judge(name.strip(), value) if value else value
        if new != value:
            parts[number] = f"{name}{sign}{quote(new, safe=_READABLE)}"
    return ";".join(parts)


def form_data(text: str) -> Iterator[tuple[str, int, int]]:
    """Name, start and end of each value in a body of multipart/form-data."""
    for found in _FORM_DATA.finditer(text):
        end = text.find("\n--", found.end())
        yield found[1], found.end(), len(text) if end < 0 else end
