"""Take out of file names what changes with each build, release or shop.

The names are part of grouping v1: another answer here splits issues. Change them only
in a new version.
"""

import re
from functools import lru_cache

MAX_NAME = 300

_WEB_FILE = re.compile(r"(.*)\.(m?jsx?|cjs|[mc]?tsx?|vue|svelte|astro|jsbundle)$", re.I)
_VERSION = re.compile(
    r"[-._@]v?\d+(?:\.\d+){1,4}(?:[-.+]?(?:alpha|beta|rc|next|canary|dev)[\w.]*)?"
    r"(?=[-._]|$)",
    re.I,
)
# They tell how it was built, not what it is.
_BUILD_MARKS = frozenset({"min", "prod", "production", "development"})
_HEX_HASH = re.compile(r"(?=[a-f]*\d)(?:[0-9a-f]{7,64}|[0-9A-F]{7,64})$")
_ESBUILD_HASH = re.compile(r"[A-Z2-7]{8}$")
_LONG_HASH = re.compile(r"(?=.*[A-Z])(?=.*[a-z])(?=.*\d)[A-Za-z0-9]{10,40}$")
_TOKEN = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|\d+")
_FOUR_CONSONANTS = re.compile(r"[bcdfghjklmnpqrstvwxz]{4}")
_SEPARATED = re.compile(r"([-_~])")
_PLACE_OF_NOTHING = frozenset(
    {"", ".", "..", "src", "dist", "lib", "build", "out", "assets", "static", "js"}
    | {"app", "apps", "pages", "chunks", "public", "scripts", "current", "esm", "cjs"}
    | {"releases", "www", "html", "srv", "var", "opt", "home", "usr", "server"}
)
# Names so common that the directory has to tell which one is meant.
_SHARED_NAMES = frozenset(
    {"index", "page", "route", "layout", "error", "loading", "default", "template"}
    | {"mod", "__init__", "+page", "+layout", "+server", "+page.server"}
)


def stable_name(name: str) -> str:
    """A file's base name in lower case, without hashes and versions.

    ``main.3f2a9c1b.js`` and ``main.min.js`` are ``main.js``; a name that is nothing
    but a hash is ``*.js``. Only names of web files are looked into.
    """
    return _stable_name(name[:MAX_NAME])


@lru_cache(maxsize=4096)
def _stable_name(name: str) -> str:
    name = re.split(r"[?#]", name, maxsplit=1)[0]
    found = _WEB_FILE.match(name)
    if not found:
        return name.lower()
    stem, suffix = found.groups()
    parts = _VERSION.sub("", stem).split(".")
    kept = [
        shorter
        for i, part in enumerate(parts)
        if part not in _BUILD_MARKS and (shorter := _without_hash(part, alone=i > 0))
    ]
    return f"{'.'.join(kept) or '*'}.{suffix}".lower()


def stable_file(path: str) -> str:
    """The stable base name; with its directory where the name alone is too common.

    Routes of Next.js stay whole, as their files are all called page. The host never
    counts, nor do directories of other URLs: they differ by shop and release.
    """
    path = path.replace("\\", "/")
    is_url = path.startswith(("http:", "https:"))
    _, marker, route = path.partition("/_next/static/chunks/")
    if marker:
        *directories, name = route.split("/")
        return "/".join([*map(str.lower, directories), stable_name(name)])
    *directories, name = path.split("/")
    stable = stable_name(name)
    if is_url or stable.rpartition(".")[0] not in _SHARED_NAMES:
        return stable
    for directory in reversed(directories[-3:]):
        if directory.lower() not in _PLACE_OF_NOTHING and not _is_release(directory):
            return f"{directory.lower()}/{stable}"
    return stable


def _is_release(directory: str) -> bool:
    """Whether the directory names a release: a number, version, hash, or domain."""
    return (
        any(symbol in directory for symbol in ":.%")
        or directory.lstrip("v").replace("_", "").isdigit()
        or _without_hash(directory, alone=True) != directory
    )


def _without_hash(part: str, *, alone: bool) -> str:
    """``part`` without the hashes in it; "" where nothing else was in it.

    ``alone``: the part stands between dots or slashes, so all of it may be a hash.
    """
    if alone and (_is_hash(part) or part.isdigit()):
        return ""
    # Vite and Rollup: eight characters of base64url, "-" and "_" among them.
    if len(part) > 8 and part[-9] in "-." and _is_eight_random(part[-8:]):
        return _without_hash(part[:-9], alone=False)
    if part.isdigit() or _HEX_HASH.match(part):
        return ""
    pieces = _SEPARATED.split(part)
    kept = [
        piece
        for i, piece in enumerate(pieces)
        if i % 2 or not (_is_hash(piece) or (piece.isdigit() and len(piece) >= 4))
    ]
    if len(kept) == len(pieces):
        return part
    rest = "".join(kept).strip("-~_")
    return "" if rest.isdigit() else rest


def _is_hash(part: str) -> bool:
    if _HEX_HASH.match(part):
        return True
    if len(part) == 8:
        return _is_eight_random(part)
    return bool(_LONG_HASH.match(part)) and _oddities(part) >= 2


def _is_eight_random(text: str) -> bool:
    """Whether eight characters are a hash and no word, such as tracking or cartItem."""
    letters = text.replace("-", "").replace("_", "")
    if letters.isalpha() and letters.islower():
        return False
    if _ESBUILD_HASH.match(text) or _HEX_HASH.match(text):
        return True
    if not re.fullmatch(r"[A-Za-z0-9_-]{8}", text):
        return False
    return any(
        _oddities(word) > 0 and not re.fullmatch(r"v\d{1,3}|\d{1,4}", word)
        for word in re.split(r"[-_]", text)
    )


def _oddities(text: str) -> int:
    """How many tokens of the text could not be part of a name that people give.

    A word has three letters and a vowel, no four consonants in a row; digits stand
    last, as in orders12.
    """
    tokens = _TOKEN.findall(text)
    odd = 0 if tokens else 1
    for i, token in enumerate(tokens):
        if token.isdigit():
            odd += i < len(tokens) - 1 or i == 0
        else:
            word = token.lower()
            odd += (
                len(word) < 3
                or not re.search("[aeiouy]", word)
                or _FOUR_CONSONANTS.search(word) is not None
                or (token.isupper() and len(tokens) > 1)
            )
    return odd
