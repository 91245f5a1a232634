"""Stack traces of a stored event: what to read first comes first.

The raised exception leads, its causes follow; in a trace the newest call leads.
Source of the shapes: the event payload's exception and threads interfaces.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any
from urllib.parse import urlsplit

from issues.admin.payload import Row, as_dict, as_list, as_text, rows_of, web_address
from issues.digest.symbolicate import why_unmapped
from issues.source_links import NO_LINKS, SourceLinks

FRAMES_LIMIT = 120  # frames shown of one trace; deep recursion has hundreds
LINE_LIMIT = 220  # characters shown of a minified line, around the column
VARIABLES_LIMIT = 60
MEMBER = re.compile(r"\[(\d{1,4})\]\Z")  # "exceptions[0]", "errors[0]"


@dataclass(frozen=True, slots=True)
class Line:
    """A source line; ``current`` is where the frame stands, split at its column."""

    number: str
    text: str
    current: bool = False
    rest: str = ""  # from the column on, where the line is minified


@dataclass(frozen=True, slots=True)
class Frame:
    """One call; ``place`` is where (``full`` with its host), ``lines`` the source.

    ``link`` leads to the line in the repository. ``minified`` is the place in the
    script that a source map replaced, ``unmapped`` why none did.
    """

    function: str
    place: str
    full: str
    position: str
    in_app: bool
    lines: list[Line]
    variables: list[Row]
    link: str = ""
    minified: str = ""
    note: str = ""
    unmapped: str = ""

    @property
    def expandable(self) -> bool:
        return bool(self.lines or self.variables or self.link or self.minified)


@dataclass(frozen=True, slots=True)
class FrameRun:
    """Neighbouring frames that are all of the app, or all of libraries."""

    in_app: bool
    frames: list[Frame]


@dataclass(frozen=True, slots=True)
class Trace:
    """An exception or a thread with its frames, newest call first.

    ``relation`` says how it belongs to the one above; ``depth`` is its place in a tree
    of exception groups.
    """

    title: str
    text: str
    module: str
    relation: str
    depth: int
    unhandled: bool
    mechanism: str
    runs: list[FrameRun]
    left_out: int

    @property
    def unmapped(self) -> list[tuple[str, int]]:
        """Why frames are minified still, with their number; the most frequent first."""
        reasons = Counter(
            frame.unmapped
            for run in self.runs
            for frame in run.frames
            if frame.unmapped
        )
        return reasons.most_common()


@dataclass(frozen=True, slots=True)
class _Told:
    """What is known of frames besides themselves."""

    body: Mapping[str, Any]
    links: SourceLinks


def exceptions(body: Mapping[str, Any], links: SourceLinks = NO_LINKS) -> list[Trace]:
    """The raised exception, then its causes; members of a group below their group."""
    values = [as_dict(value) for value in as_list(body.get("exception"))]
    values = [value for value in reversed(values) if value]
    return [
        _exception(value, relation, depth, _Told(body, links))
        for value, relation, depth in _tree(values)
    ]


def threads(body: Mapping[str, Any], links: SourceLinks = NO_LINKS) -> list[Trace]:
    """Threads with a stack trace, the crashed and the current one first."""
    values = [as_dict(value) for value in as_list(body.get("threads"))]
    values = [value for value in values if as_dict(value.get("stacktrace"))]
    values.sort(key=lambda v: (not v.get("crashed"), not v.get("current")))
    return [_thread(value, _Told(body, links)) for value in values]


def bare_trace(body: Mapping[str, Any], links: SourceLinks = NO_LINKS) -> list[Trace]:
    """The stack trace of an event that has neither exceptions nor threads."""
    runs, left_out = _runs(as_dict(body.get("stacktrace")), _Told(body, links))
    if not runs:
        return []
    return [Trace("Stack trace", "", "", "", 0, False, "", runs, left_out)]


Node = tuple[Mapping[str, Any], str, int]


def _tree(values: Sequence[Mapping[str, Any]]) -> Iterator[Node]:
    """Values with their relation and depth, by the ids that SDKs send for groups."""
    numbered: dict[int, Mapping[str, Any]] = {}
    for value in values:
        number = as_dict(value.get("mechanism")).get("exception_id")
        if isinstance(number, int):
            numbered[number] = value
    if len(numbered) < len(values) or len(values) < 2:
        for place, value in enumerate(values):
            yield value, "caused by" if place else "", 0
        return
    children: dict[int | None, list[int]] = {}
    for number, value in sorted(numbered.items()):
        parent = as_dict(value.get("mechanism")).get("parent_id")
        # A parent that is missing, itself or newer would hide the value or loop.
        known = isinstance(parent, int) and parent in numbered and parent < number
        children.setdefault(parent if known else None, []).append(number)
    waiting = [(number, 0) for number in reversed(children[None])]
    while waiting:
        number, depth = waiting.pop()
        value = numbered[number]
        yield value, _relation(value), depth
        below = depth + (len(children.get(number, [])) > 1 or _is_group(value))
        waiting += [(child, below) for child in reversed(children.get(number, []))]


def _is_group(value: Mapping[str, Any]) -> bool:
    return bool(as_dict(value.get("mechanism")).get("is_exception_group"))


def _relation(value: Mapping[str, Any]) -> str:
    mechanism = as_dict(value.get("mechanism"))
    if not isinstance(mechanism.get("parent_id"), int):
        return ""
    source = as_text(mechanism.get("source"), 60)
    known = {"__cause__": "caused by", "cause": "caused by"}
    known["__context__"] = "raised while handling"
    member = MEMBER.search(source)
    if member:
        return f"member {int(member[1]) + 1}"
    return known.get(source, "caused by")


def _exception(
    value: Mapping[str, Any], relation: str, depth: int, told: _Told
) -> Trace:
    mechanism = as_dict(value.get("mechanism"))
    runs, left_out = _runs(as_dict(value.get("stacktrace")), told)
    return Trace(
        title=as_text(value.get("type"), 200) or "Error",
        text=as_text(value.get("value")),
        module=as_text(value.get("module"), 200),
        relation=relation,
        depth=min(depth, 6),
        unhandled=mechanism.get("handled") is False,
        mechanism=as_text(mechanism.get("type"), 100),
        runs=runs,
        left_out=left_out,
    )


def _thread(value: Mapping[str, Any], told: _Told) -> Trace:
    name = as_text(value.get("name"), 100) or as_text(value.get("id"), 40)
    states = [state for state in ("crashed", "current") if value.get(state)]
    runs, left_out = _runs(as_dict(value.get("stacktrace")), told)
    return Trace(
        title=f"Thread {name}".strip(),
        text=", ".join(states),
        module="",
        relation="",
        depth=0,
        unhandled=False,
        mechanism="",
        runs=runs,
        left_out=left_out,
    )


def _runs(stacktrace: Mapping[str, Any], told: _Told) -> tuple[list[FrameRun], int]:
    """Runs of frames, newest call first, and how many of the middle are left out."""
    raw = [as_dict(frame) for frame in as_list({"values": stacktrace.get("frames")})]
    left_out = max(len(raw) - FRAMES_LIMIT, 0)
    if left_out:
        half = FRAMES_LIMIT // 2
        raw = raw[:half] + raw[-half:]
    frames = [_frame(frame, told) for frame in reversed(raw)]
    if not any(frame.in_app for frame in frames):
        # Nothing is known to be the app's: show all as if it were.
        return ([FrameRun(True, frames)] if frames else []), left_out
    return list(_grouped(frames)), left_out


def _grouped(frames: Iterable[Frame]) -> Iterator[FrameRun]:
    for in_app, run in groupby(frames, key=lambda frame: frame.in_app):
        yield FrameRun(in_app, list(run))


def _frame(raw: Mapping[str, Any], told: _Told) -> Frame:
    filename = as_text(raw.get("filename") or raw.get("abs_path"), 300)
    module = as_text(raw.get("module"), 200)
    marks = as_dict(raw.get("_rush"))
    variables = rows_of(raw.get("vars"))
    place = filename or module or "unknown place"
    return Frame(
        function=as_text(raw.get("function"), 200) or "?",
        # Every shop serves the same bundle: its host says nothing of the place.
        place=(urlsplit(place).path or place) if web_address(place) else place,
        full=place,
        position=_position(raw),
        in_app=raw.get("in_app") is True,
        lines=_lines(raw),
        variables=variables[:VARIABLES_LIMIT],
        link=told.links.of_frame(raw),
        minified=_minified(as_dict(marks.get("minified"))),
        note=as_text(marks.get("note"), 300),
        unmapped=why_unmapped(raw, told.body)[:300],
    )


def _position(raw: Mapping[str, Any]) -> str:
    line, column = raw.get("lineno"), raw.get("colno")
    position = f"{line}" if isinstance(line, int) else ""
    return f"{position}:{column}" if position and isinstance(column, int) else position


def _minified(raw: Mapping[str, Any]) -> str:
    """Such as "e in https://a.example/x.js:1:2051"; "" where nothing was replaced."""
    if not raw:
        return ""
    file = as_text(raw.get("filename") or raw.get("abs_path"), 300)
    return f"{as_text(raw.get('function'), 200) or '?'} in {file}:{_position(raw)}"


def _lines(raw: Mapping[str, Any]) -> list[Line]:
    current = raw.get("context_line")
    if not isinstance(current, str):
        return []
    number = raw.get("lineno")
    before = [as_text(line, LINE_LIMIT) for line in as_list_of(raw, "pre_context")]
    after = [as_text(line, LINE_LIMIT) for line in as_list_of(raw, "post_context")]
    first = number - len(before) if isinstance(number, int) else None
    shown = [Line("", text) for text in before]
    shown.append(_current_line(current, raw.get("colno")))
    shown += [Line("", text) for text in after]
    if first is None:
        return shown
    return [
        Line(str(first + i), line.text, line.current, line.rest)
        for i, line in enumerate(shown)
    ]


def as_list_of(raw: Mapping[str, Any], key: str) -> list[Any]:
    value = raw.get(key)
    return value if isinstance(value, list) else []


def _current_line(text: str, column: Any) -> Line:
    """The line, or of a minified one the part around its column (1-based)."""
    if len(text) <= LINE_LIMIT:
        return Line("", text, current=True)
    at = column - 1 if isinstance(column, int) and 0 < column <= len(text) else 0
    start = max(at - LINE_LIMIT // 2, 0)
    end = start + LINE_LIMIT
    before = ("…" if start else "") + text[start:at]
    rest = text[at:end] + ("…" if end < len(text) else "")
    return Line("", before, current=True, rest=rest)
