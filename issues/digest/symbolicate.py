"""Replaces minified JavaScript frames by their places in the source; pure.

Where the maps lie is the caller's: ``Look`` answers positions with places. A frame that
was replaced keeps what the client sent in ``_rush.minified``; one that stays as it was
says why in ``_rush.unmapped``. Lines and columns are 1-based everywhere here.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

from issues.digest.frames import MARK, main_thread
from issues.grouping.stack import is_javascript
from issues.normal_event import Frame, NormalEvent

CONTEXT_LINES = 5  # before and after
# A stranger's event may name any number of files and places.
MAX_SCRIPTS = 50
MAX_POSITIONS = 500

NO_COLUMN = "The client sent no column."
TOO_MUCH = (
    f"Only {MAX_POSITIONS} places in {MAX_SCRIPTS} scripts are looked up for an event."
)
NO_TEXT = "The source map holds no source text."

_KEPT = ("filename", "abs_path", "module", "function", "lineno", "colno")
_CONTEXT = ("pre_context", "context_line", "post_context")
_ADDRESS = re.compile(
    r"(?!webpack|turbopack|blob|data|node|native|[\w-]*extension)[a-z][a-z0-9+.-]*://",
    re.IGNORECASE,
)
_SCRIPT = re.compile(
    r"\.(?:[cm]?[jt]sx?|jsbundle|bundle|vue|svelte|astro)(?:[?#]|$)", re.I
)
# Packages, and what bundlers put in themselves.
_LIBRARY = re.compile(
    r"(?:^|[/\\])(?:node_modules|~|@sentry|bower_components)[/\\]"
    r"|(?:^|[/\\:(])webpack\)?[/\\](?:bootstrap|runtime|buildin|container|startup)"
    r"|\x00|\ufffd|(?:^|[/\\])vite[/\\](?:modulepreload-polyfill|preload-helper)"
    r"|(?:^|[/\\])(?:_?commonjsHelpers|_?rollupPluginBabelHelpers)"
)
_SDK_CHUNK = re.compile(r"(?:^|[/\\])sentry[-.~_][^/\\]*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Script:
    """A script as frames name it: its address or path, and its debug id if known."""

    url: str
    debug_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """Whose scripts they are: uploads belong to a project, some to a release."""

    project_id: int
    release: str
    dist: str


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a script as browsers tell it."""

    script: Script
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the source; ``function`` is "" where nothing tells its name.

    ``context_line`` is None where the map holds no text.
    """

    source: str
    line: int
    column: int
    function: str
    context_line: str | None
    pre_context: tuple[str, ...] = ()
    post_context: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unmapped:
    """Why a position stays as it is; ``awaited``: its map may still be uploaded."""

    reason: str
    awaited: bool = False


Look = Callable[[Origin, Sequence[Position]], Sequence[Place | Unmapped]]
Pair = tuple[dict[str, Any], Frame]


def symbolicate(event: NormalEvent, project_id: int, look: Look) -> list[Script]:
    """Replace the frames of ``event`` and of its body; returns the scripts awaited.

    Frames that were replaced before are left alone. Events that are not JavaScript,
    and frames that name no script, cost next to nothing.
    """
    if not is_javascript(event.platform):
        return []
    found = _positions(event)
    if not found:
        return []
    asked = list(found)[:MAX_POSITIONS]
    answers = look(Origin(project_id, event.release, event.dist), asked)
    awaited: dict[Script, None] = {}
    for position, answer in zip(asked, answers, strict=True):
        if isinstance(answer, Unmapped) and answer.awaited:
            awaited.setdefault(position.script)
        for raw, frame in found[position]:
            if isinstance(answer, Place):
                _replace(raw, frame, answer)
            else:
                _leave(raw, frame, position.script, answer)
    for position in list(found)[MAX_POSITIONS:]:
        for raw, _ in found[position]:
            _mark(raw, {"unmapped": TOO_MUCH})
    return list(awaited)


def is_mapped(raw: dict[str, Any]) -> bool:
    """Whether a frame of a stored body was replaced."""
    return "minified" in (raw.get(MARK) or {})


def frames_of(event: NormalEvent) -> Iterator[Pair]:
    """Frames of the body beside those of the event, the raised exception's first."""
    values = (event.body.get("exception") or {}).get("values") or []
    for value, exception in zip(
        reversed(values), reversed(event.exceptions), strict=True
    ):
        yield from _beside(_frames(value), exception.frames)
    if event.threads_frames:
        threads = (event.body.get("threads") or {}).get("values") or []
        found = main_thread([_frames(thread) for thread in threads], threads)
        yield from _beside(found, event.threads_frames)


def _beside(raw: list[dict[str, Any]], frames: list[Frame]) -> Iterator[Pair]:
    """Of a body that was too large the frames are gone, and yet group the event."""
    if len(raw) != len(frames):
        raw = [{} for _ in frames]
    return zip(raw, frames, strict=True)


def _frames(owner: dict[str, Any]) -> list[dict[str, Any]]:
    return (owner.get("stacktrace") or {}).get("frames") or []


def _positions(event: NormalEvent) -> dict[Position, list[Pair]]:
    """The frames to replace by their position: a recursion has one."""
    images = _debug_ids(event.body)
    scripts: dict[tuple[str, str], Script | None] = {}
    found: dict[Position, list[Pair]] = {}
    looked_up: set[Script] = set()
    for raw, frame in frames_of(event):
        if not frame.lineno or is_mapped(raw):
            continue
        names = (frame.filename, frame.abs_path)
        if names not in scripts:
            scripts[names] = _script(*names, images)
        script = scripts[names]
        if script is None:
            continue
        if not frame.colno:
            _mark(raw, {"unmapped": NO_COLUMN})
        elif script not in looked_up and len(looked_up) == MAX_SCRIPTS:
            _mark(raw, {"unmapped": TOO_MUCH})
        else:
            looked_up.add(script)
            position = Position(script, frame.lineno, frame.colno)
            found.setdefault(position, []).append((raw, frame))
    return found


def _debug_ids(body: dict[str, Any]) -> dict[str, UUID]:
    """The debug id of each script that the event names one for."""
    images = (body.get("debug_meta") or {}).get("images")
    found: dict[str, UUID] = {}
    for image in images if type(images) is list else ():
        if type(image) is dict and image.get("type") == "sourcemap":
            file, debug_id = image.get("code_file"), image.get("debug_id")
            if type(file) is str and type(debug_id) is str:
                try:
                    found[file] = UUID(debug_id)
                except ValueError:
                    continue
    return found


def _script(filename: str, abs_path: str, images: dict[str, UUID]) -> Script | None:
    """The script that a frame stands in; None where no map can help.

    A page with scripts in it, an extension and a runtime have none; nor do files of a
    server, unless they carry a debug id.
    """
    name = abs_path or filename
    debug_id = images.get(filename) or images.get(abs_path)
    if debug_id or (_ADDRESS.match(name) and _SCRIPT.search(name)):
        return Script(name, debug_id)
    return None


def _leave(raw: dict[str, Any], frame: Frame, script: Script, answer: Unmapped) -> None:
    # A server's frames bring source lines of their own: most need no map.
    if script.debug_id or not frame.context_line:
        _mark(raw, {"unmapped": answer.reason})
    if _SDK_CHUNK.search(frame.filename):
        raw["in_app"] = frame.in_app = False


def _replace(raw: dict[str, Any], frame: Frame, answer: Place) -> None:
    mark: dict[str, Any] = {"minified": {key: raw[key] for key in _KEPT if key in raw}}
    if answer.context_line is None:
        mark["note"] = NO_TEXT
    for key in ("abs_path", "module", *_CONTEXT):
        raw.pop(key, None)
    frame.filename, frame.abs_path, frame.module = answer.source, "", ""
    frame.lineno, frame.colno = answer.line, answer.column
    frame.function = _function(answer.function, frame.function)
    frame.context_line = answer.context_line or ""
    # What the client calls a library's stays so, also where its map says ../src.
    frame.in_app = frame.in_app is not False and not is_library(answer.source)
    frame.mapped = True
    raw.update(
        filename=frame.filename,
        function=frame.function,
        lineno=frame.lineno,
        colno=frame.colno,
        in_app=frame.in_app,
    )
    if answer.context_line is not None:
        raw["pre_context"] = list(answer.pre_context)
        raw["context_line"] = answer.context_line
        raw["post_context"] = list(answer.post_context)
    _mark(raw, mark)


@lru_cache(maxsize=4096)
def is_library(source: str) -> bool:
    """Whether a source is a package's or a bundler's own, by its path."""
    return _LIBRARY.search(source) is not None


def _function(told: str, sent: str) -> str:
    """The name by the scopes of the script; what the client sent, where none tells.

    For a function without a name "HTMLButtonElement.<anonymous>" says more than
    "<anonymous>", while "e" was never its name.
    """
    if told == "<anonymous>" and sent.endswith(told):
        return sent
    return told or sent


def _mark(raw: dict[str, Any], mark: dict[str, Any]) -> None:
    raw[MARK] = mark
