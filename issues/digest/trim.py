"""Bring a large event body under the size that is stored, telling what went."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from issues.clean import encode
from issues.normal_event import NormalEvent

MAX_STORED = 1024 * 1024
FEW_FRAMES = 50
_KEPT_AT_LAST = {
    *("event_id", "timestamp", "level", "platform", "environment", "release", "dist"),
    *("logger", "transaction", "server_name", "culprit", "tags", "user"),
    *("fingerprint", "exception", "logentry", "sdk"),
}
# Dropped only with the step that names them; the rest of the top level goes together.
_NAMED = _KEPT_AT_LAST | {"extra", "breadcrumbs", "request", "contexts", "threads"}

Removable = tuple[dict[str, Any], str, str]


def trim(event: NormalEvent, limit: int = MAX_STORED) -> None:
    """Drop parts of ``event.body`` until its JSON takes at most ``limit`` bytes.

    Least useful first, and the largest of each kind first: local variables, extra,
    breadcrumbs, request data, contexts and the rest, source lines, frames in the
    middle, ends of long texts. One note tells what was dropped.
    """
    body = event.body
    before = size = len(encode(body))
    if size <= limit:
        return
    dropped: Counter[str] = Counter()
    for find in _STEPS:
        measured = [
            (len(encode(owner[key])), owner, key, label)
            for owner, key, label in find(body)
        ]
        measured.sort(key=lambda found: found[0], reverse=True)
        for length, owner, key, label in measured:
            if size <= limit:
                break
            del owner[key]
            size -= length
            dropped[label] += 1
    if size > limit:
        _drop_middle_frames(event, dropped)
        for longest in (8192, 1024, 128):
            if len(encode(body)) <= limit:
                break
            _cut_texts(body, longest)
            dropped[f"texts beyond {longest} characters"] += 1
        if len(encode(body)) > limit:
            _keep_essence(body)
            dropped["all but type, value, tags and user"] += 1
    told = ", ".join(
        label if count == 1 else f"{label} ({count})"
        for label, count in dropped.most_common(8)
    )
    event.notes.append(
        f"body: trimmed from {before} to {len(encode(body))} bytes; dropped {told}"
    )


def _stacks(body: dict[str, Any]) -> Iterator[list[dict[str, Any]]]:
    for key in ("exception", "threads"):
        for value in body.get(key, {}).get("values", ()):
            if "stacktrace" in value:
                yield value["stacktrace"]["frames"]


def _variables(body: dict[str, Any]) -> Iterator[Removable]:
    for frames in _stacks(body):
        for frame in frames:
            if frame.get("vars"):
                yield frame, "vars", "local variables of a frame"


def _extra(body: dict[str, Any]) -> Iterator[Removable]:
    extra = body.get("extra", {})
    for key in list(extra):
        yield extra, key, f"extra.{key[:40]}"


def _crumb_data(body: dict[str, Any]) -> Iterator[Removable]:
    for crumb in body.get("breadcrumbs", {}).get("values", ()):
        if crumb.get("data"):
            yield crumb, "data", "data of a breadcrumb"


def _crumbs(body: dict[str, Any]) -> Iterator[Removable]:
    if "breadcrumbs" in body:
        yield body, "breadcrumbs", "breadcrumbs"


def _request(body: dict[str, Any]) -> Iterator[Removable]:
    request = body.get("request", {})
    for key in ("data", "env", "cookies"):
        if key in request:
            yield request, key, f"request.{key}"


def _rest(body: dict[str, Any]) -> Iterator[Removable]:
    for key in list(body.get("contexts", ())):
        yield body["contexts"], key, f"contexts.{key[:40]}"
    for key in body.keys() - _NAMED:
        yield body, key, key[:40]
    for key in ("threads", "request"):
        if key in body:
            yield body, key, key


def _source_lines(body: dict[str, Any]) -> Iterator[Removable]:
    for frames in _stacks(body):
        for frame in frames:
            for key in ("pre_context", "post_context"):
                if frame.get(key):
                    yield frame, key, "source lines of a frame"


_STEPS = (_variables, _extra, _crumb_data, _crumbs, _request, _rest, _source_lines)


def _drop_middle_frames(event: NormalEvent, dropped: Counter[str]) -> None:
    values = event.body.get("exception", {}).get("values", ())
    for value, exception in zip(values, event.exceptions, strict=True):
        frames = value.get("stacktrace", {}).get("frames", ())
        if len(frames) > FEW_FRAMES:
            middle = slice(FEW_FRAMES // 2, -FEW_FRAMES // 2)
            dropped["frames in the middle"] += len(frames) - FEW_FRAMES
            del frames[middle]
            del exception.frames[middle]


def _cut_texts(value: Any, longest: int) -> Any:
    """Cut every text inside ``value`` in place; returns what replaces ``value``."""
    if isinstance(value, str):
        return value[:longest]
    if isinstance(value, dict):
        for key in list(value):
            value[key[:longest]] = _cut_texts(value.pop(key), longest)
    elif isinstance(value, list):
        value[:] = [_cut_texts(item, longest) for item in value]
    return value


def _keep_essence(body: dict[str, Any]) -> None:
    for key in body.keys() - _KEPT_AT_LAST:
        del body[key]
    body["tags"] = dict(list(body.get("tags", {}).items())[:20])
    for key, kept in (
        ("user", ("id", "email", "username", "ip_address")),
        ("sdk", ("name", "version")),
        ("logentry", ("message", "formatted")),
    ):
        if key in body:
            body[key] = {k: v for k, v in body[key].items() if k in kept}
    if "exception" in body:
        body["exception"]["values"] = [
            {k: v for k, v in value.items() if k in ("type", "value")}
            for value in body["exception"]["values"]
        ]
