"""Read stack traces and exceptions out of an event, mending them in place."""

from collections.abc import Sequence
from typing import Any, TypeVar

from issues.clean import any_text, kind, scalar_text
from issues.normal_event import ExceptionValue, Frame

T = TypeVar("T")

MAX_FRAMES = 250
MAX_EXCEPTIONS = 50
MAX_VALUE = 8192
# What the server says of a frame, see symbolicate.py; no client may.
MARK = "_rush"
_TEXTS = ("function", "module", "filename", "abs_path", "context_line")
_OTHER_TEXTS = ("raw_function", "package", "platform", "symbol", "instruction_addr")


def values_of(data: dict[str, Any], key: str, notes: list[str]) -> list[dict[str, Any]]:
    """The objects under ``key``, a list or {"values": list}; stored as the latter."""
    raw = data.get(key)
    if raw is None:
        data.pop(key, None)
        return []
    values = raw.get("values") if type(raw) is dict else raw
    if values is None and raw.keys() & {"type", "value", "stacktrace"}:
        values = [raw]
    if type(values) is not list:
        if values is not None:
            notes.append(f"{key}: expected a list, got {kind(values)}; dropped")
        del data[key]
        return []
    if not set(map(type, values)) <= {dict}:
        notes.extend(
            f"{key}[{i}]: expected an object, got {kind(value)}; dropped"
            for i, value in enumerate(values)
            if value is not None and type(value) is not dict
        )
        values = [value for value in values if type(value) is dict]
    data[key] = {"values": values}
    return values


def read_exceptions(data: dict[str, Any], notes: list[str]) -> list[ExceptionValue]:
    """The exception chain of the event; the raised one stands last."""
    values = values_of(data, "exception", notes)
    if len(values) > MAX_EXCEPTIONS:
        notes.append(
            f"exception: the last {MAX_EXCEPTIONS} of {len(values)} exceptions kept"
        )
        del values[:-MAX_EXCEPTIONS]
    return [_exception(raw, f"exception[{i}]", notes) for i, raw in enumerate(values)]


def _exception(raw: dict[str, Any], path: str, notes: list[str]) -> ExceptionValue:
    for key in ("type", "module", "value"):
        text = raw.get(key, "")
        if type(text) is not str:
            mend_text(raw, key, path, notes, convert=key == "value")
    mechanism = dict_at(raw, "mechanism", path, notes)
    handled = mechanism.get("handled")
    type_of_mechanism = mechanism.get("type")
    return ExceptionValue(
        type=raw.get("type", "")[:200],
        value=raw.get("value", "")[:MAX_VALUE],
        module=raw.get("module", "")[:200],
        frames=read_stacktrace(raw, path, notes),
        handled=handled if type(handled) is bool else None,
        synthetic=mechanism.get("synthetic") is True,
        mechanism=type_of_mechanism[:200] if type(type_of_mechanism) is str else "",
        exception_id=_small_int(mechanism.get("exception_id")),
        parent_id=_small_int(mechanism.get("parent_id")),
        is_group=mechanism.get("is_exception_group") is True,
    )


def _small_int(value: object) -> int | None:
    return value if type(value) is int else None


def read_thread_frames(data: dict[str, Any], notes: list[str]) -> list[Frame]:
    """Frames of the thread that crashed, or is current, or is the only one."""
    threads = values_of(data, "threads", notes)
    frames = [
        read_stacktrace(thread, f"threads[{i}]", notes)
        for i, thread in enumerate(threads)
    ]
    return main_thread(frames, threads)


def main_thread(
    frames: Sequence[list[T]], threads: Sequence[dict[str, Any]]
) -> list[T]:
    """Of the frames of each thread those that tell of the event."""
    for mark in ("crashed", "current"):
        for i, thread in enumerate(threads):
            if thread.get(mark) is True and frames[i]:
                return frames[i]
    return frames[0] if len(frames) == 1 else []


def read_stacktrace(owner: dict[str, Any], path: str, notes: list[str]) -> list[Frame]:
    """The frames of ``owner["stacktrace"]``, parallel to those left in the body."""
    stacktrace = owner.get("stacktrace")
    if stacktrace is None:
        owner.pop("stacktrace", None)
        return []
    if type(stacktrace) is list:
        stacktrace = owner["stacktrace"] = {"frames": stacktrace}
    stacktrace = dict_at(owner, "stacktrace", path, notes)
    frames = stacktrace.get("frames")
    if type(frames) is not list:
        if frames is not None:
            notes.append(f"{path}.frames: expected a list, got {kind(frames)}; dropped")
        stacktrace["frames"] = []
        return []
    if not set(map(type, frames)) <= {dict}:
        notes.append(f"{path}.frames: parts that are no objects dropped")
        frames = [frame for frame in frames if type(frame) is dict]
    if len(frames) > MAX_FRAMES:
        notes.append(
            f"{path}: {len(frames)} frames, the first and last {MAX_FRAMES // 2} kept"
        )
        frames = frames[: MAX_FRAMES // 2] + frames[-MAX_FRAMES // 2 :]
    stacktrace["frames"] = frames
    return [_frame(raw, path, notes) for raw in frames]


def _frame(raw: dict[str, Any], path: str, notes: list[str]) -> Frame:
    get = raw.get
    function = get("function", "")
    module = get("module", "")
    filename = get("filename", "")
    abs_path = get("abs_path", "")
    context = get("context_line", "")
    line = get("lineno", 0)
    column = get("colno", 0)
    in_app = get("in_app")
    variables = get("vars")
    # One chain of type tests: this runs ten times for each event.
    if not (
        type(function) is type(module) is type(filename) is str
        and type(abs_path) is type(context) is str
        and type(line) is type(column) is int
        and (in_app is None or type(in_app) is bool)
        and (variables is None or type(variables) is dict)
    ):
        _mend_frame(raw, path, notes)
        in_app = get("in_app")
        function, module, filename = get("function"), get("module"), get("filename")
        abs_path, context = get("abs_path"), get("context_line")
        line, column = get("lineno", 0), get("colno", 0)
    if "pre_context" in raw or "post_context" in raw:
        _check_context(raw, path, notes)
    if MARK in raw:
        del raw[MARK]
    return Frame(
        function or "",
        module or "",
        filename or "",
        abs_path or "",
        context or "",
        line if line > 0 else 0,
        column if column > 0 else 0,
        in_app,
    )


def _mend_frame(raw: dict[str, Any], path: str, notes: list[str]) -> None:
    where = f"{path}.frame"
    for key in (*_TEXTS, *_OTHER_TEXTS):
        if key in raw and type(raw[key]) is not str:
            mend_text(raw, key, where, notes)
    for key in ("lineno", "colno"):
        if key in raw and type(raw[key]) is not int:
            mend_int(raw, key, where, notes)
    if type(raw.get("in_app")) not in (bool, type(None)):
        notes.append(f"{where}.in_app: expected a boolean; dropped")
        del raw["in_app"]
    dict_at(raw, "vars", where, notes)


def _check_context(raw: dict[str, Any], path: str, notes: list[str]) -> None:
    for key in ("pre_context", "post_context"):
        lines = raw.get(key)
        if lines is None:
            continue
        try:
            "".join(lines)
        except TypeError:
            lines = None
        if type(lines) is not list:
            notes.append(f"{path}.frame.{key}: expected a list of lines; dropped")
            del raw[key]


def dict_at(
    owner: dict[str, Any], key: str, path: str, notes: list[str]
) -> dict[str, Any]:
    """The object under ``key``; anything else is dropped with a note."""
    value = owner.get(key)
    if type(value) is dict:
        return value
    if key in owner:
        del owner[key]
    if value is not None:
        notes.append(f"{path}.{key}: expected an object, got {kind(value)}; dropped")
    return {}


def mend_text(
    owner: dict[str, Any],
    key: str,
    path: str,
    notes: list[str],
    *,
    convert: bool = False,
) -> None:
    """Make ``owner[key]`` text: scalars converted, containers too if ``convert``."""
    value = owner[key]
    if value is None:
        del owner[key]
        return
    text = any_text(value) if convert else scalar_text(value)
    if text is None:
        del owner[key]
        notes.append(f"{path}.{key}: expected text, got {kind(value)}; dropped")
        return
    owner[key] = text
    notes.append(f"{path}.{key}: expected text, got {kind(value)}; kept as text")


def mend_int(owner: dict[str, Any], key: str, path: str, notes: list[str]) -> None:
    """Make ``owner[key]`` an integer or take it away."""
    value = owner.pop(key)
    if value is None:
        return
    try:
        number = int(float(value))
    except (TypeError, ValueError, OverflowError):
        number = -1
    if 0 <= number < 2**31:
        owner[key] = number
    else:
        notes.append(
            f"{path}.{key}: expected a small number, got {kind(value)}; dropped"
        )
