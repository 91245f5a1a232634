"""What the frames of a stack trace say about the place of a fault.

Part of grouping v1: another answer here splits issues. Change only in a new version.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from issues.grouping.bundles import MAX_NAME, stable_file
from issues.grouping.javascript import readable_name
from issues.grouping.outcome import Part
from issues.normal_event import Frame

MAX_CONTEXT = 120
# From this size on a stack is a recursion without end if half of it repeats.
RUNAWAY = 40
_JAVASCRIPT = frozenset({"javascript", "node", "react-native", "bun", "deno"})
_WITH_SOURCE = frozenset({"python", "php", "ruby"})
# Chunks of libraries, as bundlers and their guides name them.
_LIBRARY_CHUNKS = frozenset(
    {"sentry", "vendor", "vendors", "framework", "polyfills", "webpack"}
)
_SCRIPT = re.compile(r"\.(?:m?jsx?|cjs|[mc]?tsx?|vue|svelte|astro|jsbundle)$")
_PAGE = re.compile(r"\.(?:html?|php|aspx?|liquid)$")
_LIBRARY_PATH = re.compile(
    r"[\\/](?:(?:site|dist)-packages|node_modules|gems|lib(?:64)?[\\/]python\d[\d.]*)"
    r"[\\/]|^(?:<frozen|node:|internal/|/usr/lib/|/usr/local/lib/)"
)
_COUNTERS = re.compile(
    r"(?<=lambda)\$(?:\w+\$)?\d+|\$\$Lambda[$/][\w/.]*|\$\$(?:Enhancer|FastClass)\w*"
    r"|\$\$\w*CGLIB\w*\$\$\w*|\$Proxy\d+|_\$\$_jvst\w*|_{2,3}\d{4,}_\d{4,}$|::h[0-9a-f]{16}$"
    r"|(?<=@anonymous).*"
)


@dataclass(frozen=True, slots=True)
class FrameText:
    """A frame as grouping sees it.

    ``text`` is "file or module|function|source line" as far as they contribute, ""
    where nothing does; ``shown`` what the client sent. ``is_place``: it names
    a place in the source that stays from build to build. ``is_library``: not the
    application's own code, whatever the client says. The parts are made here as the
    descriptions are cached.
    """

    text: str
    shown: str
    is_place: bool
    is_library: bool
    contributing: Part = field(init=False)
    silent: Part = field(init=False)

    def __post_init__(self) -> None:
        where, name, line = (self.text.split("|", 2) + ["", ""])[:3]
        told = f"{where or '?'} in {name}" if name else where or "?"
        counted = f"{told}: {line}" if line else told
        object.__setattr__(self, "contributing", Part("frame", counted, True))
        object.__setattr__(self, "silent", Part("frame", self.shown, False))


def is_javascript(platform: str) -> bool:
    """Whether events of the platform come from JavaScript, minified or not."""
    return platform in _JAVASCRIPT or platform.startswith("javascript")


def place_frames(
    frames: Sequence[Frame], platform: str
) -> tuple[list[FrameText], list[FrameText]]:
    """The frames that contribute, outermost first, and all of them as described.

    The application's own frames; where there are none, all. Without those that say
    nothing, and without repetitions by recursion. A frame that the client marks
    neither way (the Python SDK: code outside of the working directory and of
    site-packages) is own unless its path is a runtime's or a package's.
    """
    family = (
        "javascript"
        if is_javascript(platform)
        else ("source" if platform in _WITH_SOURCE else "")
    )
    described = [_described(frame, family) for frame in frames]
    own = [
        (text, frame)
        for text, frame in zip(described, frames, strict=True)
        if frame.in_app is not False
        and text.text
        and not text.is_library
        and (frame.in_app or not _is_library_path(_path(frame)))
    ]
    if not own:
        pairs = zip(described, frames, strict=True)
        own = [(text, frame) for text, frame in pairs if text.text]
    return _without_recursion(own), described


def _described(frame: Frame, family: str) -> FrameText:
    # Cut before the caches: a stranger's event must not fill them with megabytes.
    filename = (frame.filename or frame.abs_path)[:MAX_NAME]
    function = frame.function[:MAX_NAME]
    context = frame.context_line
    if len(context) > MAX_CONTEXT + 80:
        context = ""
    if family == "javascript" and filename.startswith("http"):
        # Without host and directories, so that the shops share one cached answer.
        if "/_next/static/chunks/" not in filename:
            filename = "http:/" + filename.partition("?")[0].rpartition("/")[2]
        return _javascript(function, filename, context, frame.mapped)
    if family == "javascript":
        return _javascript(function, filename, context, frame.mapped)
    return _other(frame.module[:MAX_NAME], function, filename, context, family)


def _path(frame: Frame) -> str:
    return (frame.abs_path or frame.filename)[:MAX_NAME]


@lru_cache(maxsize=4096)
def _is_library_path(path: str) -> bool:
    return _LIBRARY_PATH.search(path) is not None


@lru_cache(maxsize=8192)
def _javascript(function: str, filename: str, context: str, mapped: bool) -> FrameText:
    """By file, readable name, and source line if there is one.

    Bundlers choose local names and columns anew for each build, so that only names
    of methods, of four letters and more, count. A source map may tell a wrong name,
    never a wrong line.
    """
    line = _one_line(context)
    name = "" if mapped and line else readable_name(function)
    file = _script_name(filename)
    shown = f"{file or filename[:80] or '?'} in {function[:80] or '?'}"
    if line:
        return FrameText(
            f"{file}|{name}|{line}",
            shown,
            is_place=True,
            is_library=_is_library(filename, file),
        )
    is_native = not filename or filename.startswith(("<", "[", "native", "node:"))
    is_text = bool(name or file) and not is_native
    return FrameText(
        f"{file}|{name}" if is_text else "",
        shown,
        is_place=False,
        is_library=_is_library(filename, file),
    )


def _script_name(filename: str) -> str:
    """The stable file; "page" for a page with inline script, whose path holds ids."""
    if filename.startswith(("blob:", "data:", "<", "[")):
        return ""
    file = stable_file(filename)
    if _SCRIPT.search(file):
        return file
    return "page" if filename.startswith("http") or _PAGE.search(file) else file


def _is_library(filename: str, file: str) -> bool:
    return "node_modules/" in filename or re.split(r"[-~._]", file, maxsplit=1)[0] in (
        _LIBRARY_CHUNKS
    )


@lru_cache(maxsize=8192)
def _other(
    module: str, function: str, filename: str, context: str, family: str
) -> FrameText:
    """By module, else file, with function and (Python, PHP, Ruby) the source line."""
    line = _one_line(context) if family == "source" else ""
    name = _COUNTERS.sub("", function)
    if name in ("?", "<unknown>", "<redacted>", "<anonymous>", "unknown"):
        name = ""
    if module and module != "__main__":
        where = _COUNTERS.sub("", module)
    else:
        where = "" if filename.startswith("<") else stable_file(filename)
    shown = f"{where or '?'} in {name or '?'}"
    return FrameText(
        f"{where}|{name}|{line}" if where or name or line else "",
        shown,
        is_place=True,
        is_library=False,
    )


def _one_line(context: str) -> str:
    line = " ".join(context.split())
    return line if len(line) <= MAX_CONTEXT else ""


def _without_recursion(pairs: Sequence[tuple[FrameText, Frame]]) -> list[FrameText]:
    """Consecutive calls of one place count once.

    Frames without a place are the same call only at the same position. How deep a
    runaway recursion was when it ended, and in which of its functions, is chance: its
    frames count once each, in a fixed order.
    """
    if len(pairs) >= RUNAWAY:
        calls = Counter(
            (text.text, frame.function, frame.lineno, frame.colno)
            for text, frame in pairs
        )
        again = {key: times for key, times in calls.items() if times >= RUNAWAY // 10}
        if 2 * sum(again.values()) >= len(pairs):
            distinct = {text.text: text for text, _ in pairs}
            return [distinct[text] for text in sorted({key[0] for key in again})]
    kept: list[FrameText] = []
    previous: tuple[FrameText, Frame] | None = None
    for text, frame in pairs:
        if previous is None or not _is_same_call(previous, text, frame):
            kept.append(text)
        previous = (text, frame)
    return kept


def _is_same_call(
    previous: tuple[FrameText, Frame], text: FrameText, frame: Frame
) -> bool:
    before, earlier = previous
    return before.text == text.text and (
        text.is_place
        or (
            earlier.function == frame.function
            and earlier.lineno == frame.lineno
            and earlier.colno == frame.colno
        )
    )
