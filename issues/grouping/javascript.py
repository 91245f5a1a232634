"""What is stable in JavaScript errors: readable names, and one wording per failure.

Part of grouping v1: another answer here splits issues. Change only in a new version.
"""

import re
from functools import lru_cache

from issues.grouping.parameterise import MAX_LENGTH

# Bundlers shorten local names to three letters at most; methods keep theirs.
_LONGEST_SHORTENED = 3
MAX_NAME = 300
_NOT_NAMES = frozenset(
    {"anonymous", "eval", "global code", "module code", "native code", "eval code"}
    | {"computed", "unknown", "undefined", "constructor", "default", "exports"}
)
_WRAPPERS = re.compile(
    r"^(?:async|new|get|set|bound|static)\s+|\s*\[as [^\]]*\]$|[/<]+$"
)
_IDENTIFIER = re.compile(r"[A-Za-z_$][\w$-]{3,}$")

# An expression by its last name; without an owner that name may be a shortened one.
_EXPRESSION = (
    r"(?P<owner>[\w$\[\]{}'\"()?!., -]*[.\[])?['\"]?(?P<local>[\w$]+)['\"]?[\])]*"
)
_NOTHING = r"(?P<nothing>undefined|null)"
# Chromium, WebKit and Gecko say the same in different words, with shortened names.
_WORDINGS = (
    (
        rf"Cannot (?:read|set) propert(?:y|ies) (?:'(?P<name>[^']+)' )?of {_NOTHING}"
        r"(?: \((?:reading|setting) '(?P<other>[^']+)'\))?$",
        "'{name}' of {nothing}",
    ),
    (
        rf"{_NOTHING} is not an object \(evaluating '(?P<code>.+)'\)$",
        "'{name}' of {nothing}",
    ),
    (
        rf"can't access property (?:\"(?P<name>[^\"]+)\"|(?P<other>[\w$]+)), .+"
        rf"{_NOTHING}$",
        "'{name}' of {nothing}",
    ),
    (
        rf"Cannot destructure property '(?P<name>[^']+)' of .+ as it is {_NOTHING}\.?$",
        "'{name}' of {nothing}",
    ),
    (rf"{_EXPRESSION} is not a function\b.*$", "'{name}' is not a function"),
    (rf"{_EXPRESSION} is not a constructor\b.*$", "'{name}' is not a constructor"),
    (rf"{_EXPRESSION} is not iterable\b.*$", "'{name}' is not iterable"),
    (rf"{_EXPRESSION} is {_NOTHING}$", "'{name}' is {nothing}"),
    (
        r"(?:Cannot access|can't access lexical declaration) '(?P<local>[\w$]+)'",
        "'{name}' was used too early",
    ),
    (r"(?P<name>[\w$]+) is not defined$", "variable '{name}' is missing"),
    (r"Can't find variable: (?P<name>[\w$]+)$", "variable '{name}' is missing"),
    (
        r"(?:Failed to fetch|Load failed|NetworkError when attempting to fetch "
        r"resource)\.?(?: \([^)]*\))?$",
        "a fetch failed",
    ),
    (
        r"(?:Failed to fetch dynamically imported module|Importing a module script "
        r"failed"
        r"|error loading dynamically imported module|Loading (?:CSS )?chunk \S+ failed)"
        r".*$",
        "a part of the page could not be loaded",
    ),
    (
        r"(?:Unexpected token .* in JSON at position|Unexpected (?:token|end of).*JSON"
        r"|JSON\.parse: |JSON Parse error: |Expected .* in JSON at position"
        r"|Unterminated string in JSON).*$",
        "text that is no JSON was parsed as JSON",
    ),
    (
        r"(?:Maximum call stack size exceeded|too much recursion)\.?.*$",
        "recursion without end",
    ),
)
_COMPILED = tuple((re.compile(pattern, re.S), words) for pattern, words in _WORDINGS)
_LAST_PROPERTY = re.compile(r"(?:\.|\?\.|\[['\"])([\w$]+)(?:['\"]\])?(?:\(.*)?$", re.S)


def readable_name(function: str) -> str:
    """The part of a function's name that stays from build to build; "" for none.

    ``Object.apply`` is ``apply``, ``a.hoursLeft`` is ``hoursLeft``; ``x``, ``S0`` and
    ``HTMLButtonElement.<anonymous>`` tell nothing.
    """
    name = _WRAPPERS.sub("", _WRAPPERS.sub("", function[:MAX_NAME].strip()))
    last = name.rpartition(".")[2].strip("<>#/ ")
    if len(last) <= _LONGEST_SHORTENED or last.lower() in _NOT_NAMES:
        return ""
    return last if _IDENTIFIER.match(last) else ""


def one_wording(message: str) -> str:
    """The message in words that do not depend on browser and build."""
    return _worded(message[:MAX_LENGTH].strip())


@lru_cache(maxsize=4096)
def _worded(text: str) -> str:
    for pattern, words in _COMPILED:
        found = pattern.match(text)
        if found:
            return words.format(
                name=_property(found), nothing=found.groupdict().get("nothing")
            )
    return text


def _property(found: re.Match[str]) -> str:
    named = found.groupdict()
    if named.get("code"):
        last = _LAST_PROPERTY.search(named["code"])
        return last.group(1) if last else "?"
    local = named.get("local")
    if local and len(local) <= 2 and local != "$" and not named.get("owner"):
        return "?"
    return local or named.get("name") or named.get("other") or "?"
