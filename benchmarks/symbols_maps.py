"""Makes scripts with source maps of a given size, minified as bundlers do.

Every function of the source is one of a few shapes with names and texts of its own; its
minified form stands in one long line. Each piece of a function has a mapping of its
own, so that maps have the mix of mappings, names and source text that real ones have
(about 30 mappings and 500 bytes of map for a function).
"""

import json
import random
from dataclasses import dataclass
from uuid import UUID

FUNCTIONS_A_FILE = 25
VERBS = ["read", "total", "render", "format", "sync", "merge", "load", "check"]
NOUNS = ["Order", "Cart", "Label", "Parcel", "Return", "Carrier", "Price", "Address"]
DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
# Minified and original text of the pieces; {f} {s} the function's names, {n} a number.
PIECES = [
    (
        "function ",
        "/** {n}: what the shop asked for, by its plan. */\nexport function ",
    ),
    ("{s}", "{f}"),
    ("(", "("),
    ("t", "order"),
    (",", ", "),
    ("e", "settings"),
    ("){{", ") {{\n  "),
    ("const ", "const "),
    ("n", "total"),
    ("=", " = "),
    ("t", "order"),
    (".lines{n}.", ".lines{n}."),
    ("reduce((", "reduce(("),
    ("r", "sum"),
    (",", ", "),
    ("o", "line"),
    (")=>", ") => "),
    ("r", "sum"),
    ("+", " + "),
    ("o", "line"),
    (".price*", ".price * "),
    ("o", "line"),
    (".count,0);", ".count, 0);\n  "),
    ("if(!", "if (!"),
    ("e", "settings"),
    (".currency)", ".currency) {{\n    "),
    ("throw new Error(", "throw new Error("),
    ('"no currency for {n}");', "'no currency for {n}');\n  }}\n  "),
    ("return ", "return "),
    ("{c}", "{g}"),
    ("(", "("),
    ("n", "total"),
    (",", ", "),
    ("e", "settings"),
    (")}}", ");\n}}\n\n"),
]
NAMED = {"{f}", "order", "settings", "total", "sum", "line"}


@dataclass(frozen=True)
class Build:
    """A script with its map; ``places`` are (line, column) of its pieces, from 1."""

    url: str
    debug_id: UUID
    script: bytes
    source_map: bytes
    places: list[tuple[int, int]]


def build(number: int, map_bytes: int) -> Build:
    """Script ``number`` with a map of about ``map_bytes``."""
    rng = random.Random(number)
    debug_id = UUID(int=rng.getrandbits(128), version=4)
    functions = map_bytes // 530
    script, mappings = ["\n"], [";"]
    files: list[str] = []
    contents: list[str] = []
    names: dict[str, int] = {}
    column, last = 0, [0, 0, 0, 0, 0]
    places: list[tuple[int, int]] = []
    text, line, at = "", 0, 0
    segments: list[str] = []
    for index in range(functions):
        if index % FUNCTIONS_A_FILE == 0:
            if files:
                contents.append(text)
            files.append(f"../../src/part{number}/module{len(files)}.ts")
            text, line, at = "", 0, 0
        words = {
            "f": f"{rng.choice(VERBS)}{rng.choice(NOUNS)}{index}",
            "s": f"f{index}",
            "n": str(index),
            "c": f"f{index - 1}" if index else "String",
            "g": "convert",
        }
        for short, long in PIECES:
            minified, original = short.format(**words), long.format(**words)
            if long.startswith("/**"):
                head, _, _ = original.rpartition("\n")
                text, line, at = text + head + "\n", line + 1, 0
                original = original[len(head) + 1 :]
            value = [column, len(files) - 1, line, at]
            if long in NAMED:
                value.append(names.setdefault(original, len(names)))
            segments.append(_segment(value, last))
            places.append((2, column + 1))
            script.append(minified)
            column += len(minified)
            text += original
            breaks = original.count("\n")
            line += breaks
            at = (
                len(original) - original.rfind("\n") - 1
                if breaks
                else at + len(original)
            )
    contents.append(text)
    url = f"assets/part{number}-{debug_id.hex[:8]}.js"
    script.append(f"\n//# sourceMappingURL={url[7:]}.map\n//# debugId={debug_id}")
    source_map = {
        "version": 3,
        "sources": files,
        "sourcesContent": contents,
        "names": list(names),
        "mappings": mappings[0] + ",".join(segments),
        "debugId": str(debug_id),
    }
    return Build(
        url, debug_id, "".join(script).encode(), json.dumps(source_map).encode(), places
    )


def _segment(value: list[int], last: list[int]) -> str:
    """A mapping: each field as the difference to the one before; VLQ, base 64."""
    told = ""
    for field, number in enumerate(value):
        told += _vlq(number - last[field])
        last[field] = number
    return told


def _vlq(number: int) -> str:
    rest = (-number << 1 | 1) if number < 0 else number << 1
    told = ""
    while True:
        digit, rest = rest & 31, rest >> 5
        told += DIGITS[digit | (32 if rest else 0)]
        if not rest:
            return told
