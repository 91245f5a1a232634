"""Replace what differs from one occurrence of a fault to the next in its message.

The patterns are part of grouping v1: another answer here splits issues. Change them
only in a new version.
"""

import re
from functools import lru_cache

MAX_LENGTH = 600

_TOP_LEVEL = (
    "com|net|org|io|dev|app|shop|store|example|test|local|internal|invalid|localhost|"
    "info|biz|cloud|tech|online|site|xyz|co|me|ai|eu|uk|de|fr|at|ch|it|es|nl|be|dk|se|"
    "no|fi|pt|ie|bg|ro|cz|hu|gr|us|ca|au|nz|jp|cn|in|br|mx"
)
# In this order: the first that matches at a place decides.
_PATTERNS = {
    # These numbers tell faults apart; they stay.
    "kept": (
        r"\b(?i:(?:status(?:\s+code)?|HTTP)[\s:=]{1,3}[1-5]\d\d|errno\s-?\d{1,5})\b"
    ),
    "email": r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}",
    "gid": r"\bgid://[\w-]{1,40}/(?P<resource>\w{1,60})/[\w-]{1,40}(?:\?\S{0,200})?",
    "url": r"\b[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s'\"<>()\[\]{},]{1,900}",
    "shop": r"\b[a-zA-Z0-9][a-zA-Z0-9-]{0,80}\.myshopify\.com\b",
    "hostname": rf"\b(?:[a-zA-Z0-9_-]{{1,63}}\.){{1,6}}(?:{_TOP_LEVEL})\b(?!\.?[\w(])",
    "ip": (
        r"\b(?:\d{1,3}\.){3}\d{1,3}(?::\d{1,5})?\b(?!\.\d)"
        r"|(?<![\w:])(?:[0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}(?![\w:])"
        r"|(?<![\w:])(?:[0-9a-fA-F]{1,4}:){1,6}(?::[0-9a-fA-F]{1,4}){1,6}(?![\w:])"
    ),
    "trace": r"\b00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]\b|\b1-[0-9a-f]{8}-[0-9a-f]{24}\b",
    "uuid": r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b",
    "date": (
        r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?"
        r"(?:\s?(?:Z|UTC|[+-]\d\d:?\d\d))?)?(?!\w)"
        r"|\b(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,?\s)?"
        r"(?:\d{1,2}\s(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*"
        r"|(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\s\d{1,2},?)"
        r"\s\d{4}(?:\s\d\d:\d\d:\d\d)?(?:\s(?:GMT|UTC)(?:[+-]\d{4})?)?"
        r"|\b\d{1,2}[/.]\d{1,2}[/.]\d{4}\b|\b\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?!\w)"
    ),
    "duration": (
        r"(?<![\w.])\d{1,15}(?:\.\d{1,9})?(?:ns|us|µs|ms|s|min|h"
        r"| ?(?:ms|secs?|seconds?|mins?|minutes?|hours?|days?|milliseconds?))\b"
    ),
    "tracking": (
        r"\b(?:1Z[0-9A-Z]{16}|[A-Z]{2}\d{9}[A-Z]{2}|TBA\d{9,15}|J[JV]D\d{10,20})\b"
    ),
    "path": r"(?<![\w/])/(?:tmp|var/folders|private/var)/[\w./+-]{1,300}",
    "hex": (
        r"\b0x[0-9a-fA-F]{1,64}\b"
        r"|\b(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{8,128}\b"
        r"|\b(?=[A-F]*\d)(?=\d*[A-F])[0-9A-F]{8,128}\b"
        r"|\b(?=[a-f]*\d)(?=\d*[a-f])(?=\w*\d\w*\d)[0-9a-f]{7}\b"
    ),
    "random": (
        r"(?<![\w-])(?:[a-z]{2,10}_){0,2}(?=[A-Za-z0-9]*[A-Z])(?=[A-Za-z0-9]*[a-z])"
        r"(?=(?:[A-Za-z]*\d){3})[A-Za-z0-9]{14,200}(?![\w-])"
    ),
    "order": r"(?<!\w)#(?:[A-Z]{1,6}-?)?\d{1,15}(?:-?[A-Z]{1,6})?\b",
    "float": (
        r"(?:(?<=[\s(=:,\[])-|^-)?(?<![\w.])\d{1,40}"
        r"(?:\.\d{1,40}(?:[eE][+-]?\d{1,3})?|[eE][+-]?\d{1,3})(?!\w|\.\d)"
    ),
    "int": r"(?:(?<=[\s(=:,\[])-|^-)?(?<!\w)\d{1,100}(?!\w)",
    "quoted": r"(?<==)(?:'[^'\n]{0,300}'|\"[^\"\n]{0,300}\")",
    "bool": r"(?<==)(?i:true|false)\b",
}
_COMBINED = re.compile(
    "|".join(f"(?P<{name}>{pattern})" for name, pattern in _PATTERNS.items())
)
# Only digits, @, :// and = lead into a pattern; host names have dots.
_MAY_VARY = re.compile(r"[\d@=]|://|\.\w")


def parameterise(text: str) -> str:
    """The first two lines that are not empty, ids, addresses and numbers replaced.

    ``order 1001 of a.myshopify.com`` becomes ``order <int> of <shop>``. Names with
    digits in them, such as ``orders17``, stay: they tell faults apart. Only the first
    ``MAX_LENGTH`` characters count.
    """
    return _parameterised(text[:MAX_LENGTH])


@lru_cache(maxsize=4096)
def _parameterised(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    head = "\n".join(lines[:2])
    if not _MAY_VARY.search(head) and "/tmp/" not in head:
        return head
    return _COMBINED.sub(_replacement, head)


def _replacement(found: re.Match[str]) -> str:
    name = found.lastgroup
    if name == "kept":
        return found.group()
    if name == "gid":
        return f"<gid {found['resource']}>"
    return f"<{name}>"
