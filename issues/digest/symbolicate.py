"""Replaces minified JavaScript frames by their places in the source; pure.

Where the maps lie is the caller's: ``Maps`` answers spots with places. A frame that was
replaced keeps what the client sent in ``_rush.minified``; one that stays as it was says
why in ``_rush.unmapped``, or the event says it for all. Lines and columns are 1-based
everywhere here.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol
from uuid import UUID

from issues.digest.frames import MARK, main_thread
from issues.grouping.stack import is_javascript
from issues.normal_event import Frame, NormalEvent

CONTEXT_LINES = 5  # before and after
# A stranger's event may name any number of files and places.
MAX_SCRIPTS = 50
MAX_POSITIONS = 500
MAX_ADDRESS = 2000

NO_UPLOADS = "No source map was uploaded to this project."
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


# Stands for all scripts of an event whose project has no uploads.
ANY_SCRIPT = Script("")


@dataclass(frozen=True, slots=True)
class Origin:
    """Whose scripts they are: uploads belong to a project, some to a release."""

    project_id: int
    release: str
    dist: str


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


Spot = tuple[int, int]  # line and column in a script
Pair = tuple[dict[str, Any], Frame]
Spots = dict[Spot, list[Pair]]


class Maps(Protocol):
    """What was uploaded."""

    def has_uploads(self, project_id: int) -> bool: ...

    def look(
        self, origin: Origin, script: Script, spots: Sequence[Spot]
    ) -> Sequence[Place | Unmapped] | Unmapped:
        """The place of each spot in a script, or why there is none of them."""
        ...


def symbolicate(event: NormalEvent, project_id: int, maps: Maps) -> list[Script]:
    """Replace the frames of ``event`` and of its body; returns the scripts awaited.

    Frames that were replaced before are left alone. Events that are not JavaScript,
    and those of projects without uploads, cost next to nothing.
    """
    if not is_javascript(event.platform):
        return []
    if not maps.has_uploads(project_id):
        return _without_uploads(event)
    _say_of_all(event, "")
    origin = Origin(project_id, event.release, event.dist)
    awaited, left = [], MAX_POSITIONS
    for script, spots in _by_script(event).items():
        if len(spots) > left:
            for spot in list(spots)[left:]:
                _leave([spots.pop(spot)], script, Unmapped(TOO_MUCH))
        left -= len(spots)
        answers = maps.look(origin, script, list(spots)) if spots else []
        if isinstance(answers, Unmapped):
            _leave(spots.values(), script, answers)
            is_awaited = answers.awaited
        else:
            is_awaited = _take(answers, spots, script)
        if is_awaited:
            awaited.append(script)
    return awaited


def _without_uploads(event: NormalEvent) -> list[Script]:
    """One reason for all frames: most projects of this kind never upload a map."""
    images = _debug_ids(event.body)
    found: Script | None = None
    for raw, frame in frames_of(event):
        if "/sentry" in frame.filename and _is_sdk_chunk(frame.filename):
            raw["in_app"] = frame.in_app = False
        if found is None and frame.lineno and not is_mapped(raw):
            script = _script(frame.filename, frame.abs_path, images)
            if script and (script.debug_id or not frame.context_line):
                found = script
    if found is None:
        return []
    _say_of_all(event, NO_UPLOADS)
    return [ANY_SCRIPT] if event.release or found.debug_id else []


def _say_of_all(event: NormalEvent, reason: str) -> None:
    """Note in the body why none of its scripts has a map; "" takes it away."""
    told = event.body.get(MARK)
    if not told and not reason:
        return
    kept = {key: value for key, value in (told or {}).items() if key != "unmapped"}
    if reason:
        kept["unmapped"] = reason
    if kept:
        event.body[MARK] = kept
    else:
        del event.body[MARK]


def why_unmapped(raw: Mapping[str, Any], body: Mapping[str, Any]) -> str:
    """Why a frame of a stored body is minified still; "" where it is not."""
    own, whole = raw.get(MARK), body.get(MARK)
    if isinstance(own, dict) and own:
        return str(own.get("unmapped") or "")
    reason = whole.get("unmapped") if isinstance(whole, dict) else None
    if not reason or not raw.get("lineno") or raw.get("context_line"):
        return ""
    names = (raw.get("abs_path"), raw.get("filename"))
    name = next((name for name in names if isinstance(name, str) and name), "")
    return str(reason) if _has_address(name[:MAX_ADDRESS]) else ""


def _take(answers: Sequence[Place | Unmapped], spots: Spots, script: Script) -> bool:
    """Apply an answer to each spot; whether a map is awaited for one of them."""
    is_awaited = False
    for answer, pairs in zip(answers, spots.values(), strict=True):
        if isinstance(answer, Unmapped):
            _leave([pairs], script, answer)
            is_awaited |= answer.awaited
        else:
            for raw, frame in pairs:
                _replace(raw, frame, answer)
    return is_awaited


def is_mapped(raw: dict[str, Any]) -> bool:
    """Whether a frame of a stored body was replaced."""
    return MARK in raw and "minified" in raw[MARK]


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


def _by_script(event: NormalEvent) -> dict[Script, Spots]:
    """The frames to replace by script and spot: a recursion has one spot."""
    images = _debug_ids(event.body)
    scripts: dict[tuple[str, str], tuple[Script, Spots] | None] = {}
    found: dict[Script, Spots] = {}
    for raw, frame in frames_of(event):
        if not frame.lineno or is_mapped(raw):
            continue
        names = (frame.filename, frame.abs_path)
        if names in scripts:
            known = scripts[names]
        else:
            script = _script(*names, images)
            known = (script, found.setdefault(script, {})) if script else None
            scripts[names] = known
        if known is None:
            continue
        if not frame.colno:
            raw[MARK] = {"unmapped": NO_COLUMN}
        else:
            known[1].setdefault((frame.lineno, frame.colno), []).append((raw, frame))
    for script in list(found)[MAX_SCRIPTS:]:
        _leave(found.pop(script).values(), script, Unmapped(TOO_MUCH))
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
    return Script(name, debug_id) if debug_id or _has_address(name) else None


@lru_cache(maxsize=4096)
def _has_address(name: str) -> bool:
    return bool(_ADDRESS.match(name) and _SCRIPT.search(name))


def _leave(groups: Iterable[list[Pair]], script: Script, answer: Unmapped) -> None:
    mark = {"unmapped": answer.reason}
    is_sdk = _is_sdk_chunk(script.url)
    for pairs in groups:
        for raw, frame in pairs:
            # A server's frames bring source lines of their own: most need no map.
            if script.debug_id or not frame.context_line:
                raw[MARK] = mark
            if is_sdk:
                raw["in_app"] = frame.in_app = False


@lru_cache(maxsize=4096)
def _is_sdk_chunk(url: str) -> bool:
    return _SDK_CHUNK.search(url) is not None


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
    raw[MARK] = mark


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
