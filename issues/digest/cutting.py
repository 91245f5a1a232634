"""Cuts an event's body down to its level of detail, telling what was left out.

What grouping and counting read is never cut: exceptions, frames, message, tags.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from tenants.detail import Detail

LAST_CRUMBS = 20
# What makes title and frames, what groups them again when their source map comes late,
# and what finds that map. Of the request the address without its query is kept, which
# is a tag of the event anyway.
_MINIMAL = frozenset(
    {
        *("event_id", "timestamp", "level", "platform", "environment", "release"),
        *("dist", "logger", "transaction", "server_name", "culprit", "type", "tags"),
        *("fingerprint", "exception", "threads", "logentry", "sdk", "debug_meta"),
        *("request", "_rush"),
    }
)
_AROUND = ("pre_context", "post_context")


def cut(body: dict[str, Any], detail: Detail) -> list[str]:
    """Cut ``body`` in place; returns what was left out, in words."""
    if detail is Detail.FULL:
        return []
    left_out = [*_cut_request_body(body), *_cut_breadcrumbs(body, detail)]
    if detail is Detail.MINIMAL:
        left_out += _cut_to_minimum(body)
    return left_out + _cut_frames(body, detail)


def _cut_request_body(body: dict[str, Any]) -> Iterator[str]:
    request = body.get("request")
    if request and request.pop("data", None):
        yield "request body"


def _cut_breadcrumbs(body: dict[str, Any], detail: Detail) -> Iterator[str]:
    crumbs = (body.get("breadcrumbs") or {}).get("values") or []
    kept = LAST_CRUMBS if detail is Detail.STANDARD else 0
    if len(crumbs) > kept:
        yield f"{len(crumbs) - kept} of {len(crumbs)} breadcrumbs"
        del crumbs[: len(crumbs) - kept]


def _cut_to_minimum(body: dict[str, Any]) -> Iterator[str]:
    if (body.get("logentry") or {}).pop("params", None):
        yield "message parameters"
    request = body.pop("request", None) or {}
    address = str(request.pop("url", "")).partition("?")[0]
    if address:
        body["request"] = {"url": address}
    if request:
        yield "request but its address"
    named = {"threads"} if (body.get("exception") or {}).get("values") else set()
    for key in sorted(body.keys() - (_MINIMAL - named)):
        # Breadcrumbs have been told of; empty parts are not worth a word.
        if body.pop(key) and key != "breadcrumbs":
            yield key


def _cut_frames(body: dict[str, Any], detail: Detail) -> list[str]:
    dropped: Counter[str] = Counter()
    for frame in _frames(body):
        if frame.pop("vars", None):
            dropped["local variables"] += 1
        if detail is Detail.MINIMAL:
            around = [frame.pop(key, None) for key in _AROUND]
            dropped["source lines around"] += any(around)
    return [
        f"{what} of {count} frame{'s' if count > 1 else ''}"
        for what, count in dropped.items()
        if count
    ]


def _frames(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for key in ("exception", "threads"):
        for value in (body.get(key) or {}).get("values") or ():
            for trace in ("stacktrace", "raw_stacktrace"):
                yield from (value.get(trace) or {}).get("frames") or ()
