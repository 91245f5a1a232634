"""Labelled pairs of events: those of one fault, and those of two."""

import json
import re
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from functools import cache, wraps
from itertools import combinations
from pathlib import Path
from typing import Any

from issues.normal_event import NormalEvent
from tests.normal_events import normal

Payload = dict[str, Any]
SAMPLES = Path(__file__).parent.parent / "samples" / "grouping"


@dataclass(frozen=True)
class Pair:
    """Two events and whether one fault made both."""

    name: str
    same: bool
    left: NormalEvent
    right: NormalEvent


@cache
def events() -> dict[str, Payload]:
    """The recorded events by name; copy before changing one."""
    loaded: dict[str, Payload] = json.loads((SAMPLES / "events.json").read_text())
    return loaded


def each_frame(payload: Payload) -> list[Payload]:
    chain = payload.get("exception") or payload.get("threads") or {"values": []}
    return [
        frame
        for value in chain["values"]
        for frame in (value.get("stacktrace") or {}).get("frames", [])
    ]


def changed(change: Callable[[Payload], None]) -> Callable[[Payload], Payload]:
    @wraps(change)
    def apply(payload: Payload) -> Payload:
        copy = deepcopy(payload)
        change(copy)
        return copy

    return apply


def in_text(name: str, pattern: str, replacement: str) -> Callable[[Payload], Payload]:
    def apply(payload: Payload) -> Payload:
        text = json.dumps(payload, ensure_ascii=False)
        copy: Payload = json.loads(re.sub(pattern, replacement, text))
        return copy

    apply.__name__ = name
    return apply


@changed
def other_visit(payload: Payload) -> None:
    """Another visitor, other breadcrumbs, another time, another page."""
    payload["user"] = {"id": "visitor-99", "ip_address": "203.0.113.9"}
    payload["breadcrumbs"] = [{"category": "ui.click", "message": "button#pay"}]
    payload["timestamp"] = 1795425999.5
    payload["event_id"] = "f" * 32
    payload["transaction"] = "/order/7777"
    if "request" in payload:
        payload["request"]["url"] = "https://elsewhere.example/order/7777?utm=mail"


@changed
def other_release(payload: Payload) -> None:
    payload["release"] = "orders@9.9.9+build.512"
    payload["dist"] = "512"
    payload["environment"] = "staging"
    payload["server_name"] = "web-7"


@changed
def other_locals(payload: Payload) -> None:
    for frame in each_frame(payload):
        frame["vars"] = {"order": "{'id': 9}", "shop": "'other.example'"}


@changed
def moved_lines(payload: Payload) -> None:
    for frame in each_frame(payload):
        if frame.get("lineno"):
            frame["lineno"] += 37
        if frame.get("colno"):
            frame["colno"] += 511


@changed
def moved_folders(payload: Payload) -> None:
    """Deployed to another directory, as Capistrano and containers do."""
    for frame in each_frame(payload):
        for key in ("abs_path", "filename"):
            if frame.get(key, "").startswith("/srv/"):
                tail = frame[key].removeprefix("/srv/")
                frame[key] = f"/srv/releases/20261124093000/{tail}"


@changed
def other_ids(payload: Payload) -> None:
    """Other order numbers in the messages."""
    for value in (payload.get("exception") or {"values": []})["values"]:
        if "value" in value:
            value["value"] = re.sub(r"\d+", "87654", value["value"])
    entry = payload.get("logentry", {})
    if "formatted" in entry:
        entry["formatted"] = re.sub(r"\d+", "87654", entry["formatted"])


@changed
def shortened_anew(payload: Payload) -> None:
    """Another build: each shortened local name is another one."""
    for frame in each_frame(payload):
        parts = frame.get("function", "?").split(".")
        if len(parts[-1]) <= 3 and parts[-1] not in ("?", "map"):
            parts[-1] = "q" + chr(97 + len(parts[-1]) + ord(parts[-1][0]) % 20)
            frame["function"] = ".".join(parts)


other_hashes = in_text(
    "other_hashes", r"-(?:ok-s_Bct|C-jc_N-7|Cb9Xjzjg)\.js", "-Dk3xP_0a.js"
)
other_shop = in_text(
    "other_shop",
    r"(?:track\.)?(?:bella-boutique|nordic-gear|tiny-toys)\.example",
    "shop-77.example",
)

BROWSER_CHANGES = (
    other_visit,
    other_release,
    moved_lines,
    shortened_anew,
    other_hashes,
    other_shop,
)
SERVER_CHANGES = (
    other_visit,
    other_release,
    other_locals,
    moved_lines,
    moved_folders,
    other_ids,
    other_shop,
)


def same_by_change() -> list[Pair]:
    """Each sample against itself with one thing changed that is not the fault."""
    pairs = []
    for name, payload in events().items():
        is_page = payload.get("platform") == "javascript"
        for change in BROWSER_CHANGES if is_page else SERVER_CHANGES:
            other = change(payload)
            if other != payload:
                label = f"{name}, {change.__name__}"
                pairs.append(Pair(label, True, normal(payload), normal(other)))
    return pairs


SAME_SAMPLES = (
    ("checkout", "checkout_no_pii"),
    ("checkout", "checkout_2000"),
    ("checkout_2000", "checkout_2003"),
    ("view_failed_1", "view_failed_2"),
    ("click", "click_other_shop"),
    ("click", "click_tunnel"),
    ("cause", "cause_other_shop"),
    ("attachment", "attachment_again"),
    ("spam_0", "spam_4"),
    ("express", "express_again"),
    ("cli_file", "cli_file_raw"),
)
# Recorded twice from one fault, or reported by one line of code.
_ONE_FAULT = {frozenset(pair) for pair in SAME_SAMPLES} | {
    frozenset(("checkout_no_pii", "checkout_2000")),
    frozenset(("checkout_no_pii", "checkout_2003")),
    frozenset(("checkout", "checkout_2003")),
    frozenset(("click_other_shop", "click_tunnel")),
}


def recorded() -> list[Pair]:
    """Every two samples of one platform: one fault only where listed."""
    loaded = events()
    pairs = []
    for left, right in combinations(loaded, 2):
        key = frozenset((left, right))
        if loaded[left].get("platform") != loaded[right].get("platform"):
            continue
        pairs.append(
            Pair(
                f"{left} and {right}",
                key in _ONE_FAULT,
                normal(loaded[left]),
                normal(loaded[right]),
            )
        )
    return pairs


def page_event(chain: list[Payload], origin: str, frames: str) -> NormalEvent:
    """The event of a build's fault; ``frames`` is "frames" (minified) or "mapped"."""
    values = [
        {
            "type": link["type"],
            "value": link["value"],
            "stacktrace": {"frames": link[frames]},
            "mechanism": {"type": "auto.browser.global_handlers.onerror"},
        }
        for link in chain
    ]
    text = json.dumps({"platform": "javascript", "exception": {"values": values}})
    event = normal(json.loads(text.replace("@ORIGIN@", origin)))
    for exception in event.exceptions:
        for frame in exception.frames:
            frame.mapped = bool(frame.context_line)
    return event


def two_builds() -> list[Pair]:
    """Each fault in two builds is one; two faults are two, in one build and across."""
    builds = json.loads((SAMPLES / "builds.json").read_text())
    pairs = []
    for bundler, (first, second) in builds.items():
        for frames in ("frames", "mapped"):
            name = f"{bundler}, {frames}"
            early = {
                fault: page_event(chain, "https://shop-1.example.com", frames)
                for fault, chain in first.items()
            }
            late = {
                fault: page_event(chain, "https://b.myshopify.com/apps", frames)
                for fault, chain in second.items()
            }
            for fault in first:
                label = f"{name}: {fault} in two builds"
                pairs.append(Pair(label, True, early[fault], late[fault]))
            for left, right in combinations(first, 2):
                label = f"{name}: {left} and {right}"
                pairs.append(Pair(label, False, early[left], early[right]))
                pairs.append(Pair(f"{label} across", False, early[left], late[right]))
    return pairs


def _edit(name: str, change: Callable[[Payload], None]) -> tuple[Payload, Payload]:
    payload = events()[name]
    return payload, changed(change)(payload)


def _last_value(payload: Payload) -> Payload:
    value: Payload = payload["exception"]["values"][-1]
    return value


def _last_frame(payload: Payload) -> Payload:
    frame: Payload = _last_value(payload)["stacktrace"]["frames"][-1]
    return frame


def _set_type(payload: Payload) -> None:
    _last_value(payload)["type"] = "OverflowError"


def _set_function(payload: Payload) -> None:
    _last_frame(payload)["function"] = "refund_total"


def _set_module(payload: Payload) -> None:
    _last_frame(payload).update(module="orders.refunds", filename="orders/refunds.py")


def _set_line(payload: Payload) -> None:
    _last_frame(payload)["context_line"] = "    return refund / order.total"


def _set_caller(payload: Payload) -> None:
    frames = _last_value(payload)["stacktrace"]["frames"]
    own = [frame for frame in frames if frame.get("in_app")]
    own[0].update(function="nightly_report", context_line="    run(report)")


def _drop_cause(payload: Payload) -> None:
    del payload["exception"]["values"][0]


def _set_message(payload: Payload) -> None:
    payload["message"] = "the carrier feed is empty"


def _set_template(payload: Payload) -> None:
    payload["logentry"] = {
        "message": "import of %s ended early",
        "formatted": "import of feed ended early",
        "params": ["feed"],
    }


def _set_property(payload: Payload) -> None:
    _last_value(payload)["value"] = "Cannot read properties of undefined (reading 'id')"


def _set_file(payload: Payload) -> None:
    _last_frame(payload)["filename"] = (
        "https://track.example/assets/returns-Bq8_xZ1c.js"
    )


def _set_method(payload: Payload) -> None:
    _last_frame(payload)["function"] = "t.renderReturnLabel"


def _set_fingerprint(payload: Payload) -> None:
    payload["fingerprint"] = ["{{ default }}", "carrier-dhl"]


DIFFERENT_EDITS: tuple[tuple[str, Callable[[Payload], None]], ...] = (
    *((name, _set_type) for name in ("checkout", "express", "minimal", "click")),
    *((name, _set_function) for name in ("checkout", "shipping", "celery", "express")),
    *((name, _set_module) for name in ("checkout", "view_failed_1", "celery")),
    *((name, _set_line) for name in ("checkout", "minimal", "express", "thread")),
    *((name, _set_caller) for name in ("checkout", "shipping", "celery")),
    *(
        (name, _drop_cause)
        for name in ("checkout", "shipping", "cause", "express_cause")
    ),
    *((name, _set_message) for name in ("message_warning", "message_stack")),
    *((name, _set_template) for name in ("log_sync", "log_queue")),
    *((name, _set_property) for name in ("click", "lazy", "thirdparty", "inline")),
    *((name, _set_file) for name in ("click", "lazy", "rejection", "timer")),
    *((name, _set_method) for name in ("click", "cause", "lazy", "thirdparty")),
    *((name, _set_fingerprint) for name in ("checkout", "click", "log_sync")),
)


def different_by_edit() -> list[Pair]:
    """A sample against the same message or type from another place, and the like."""
    pairs = []
    for name, change in DIFFERENT_EDITS:
        left, right = _edit(name, change)
        label = f"{name}, {change.__name__}"
        pairs.append(Pair(label, False, normal(left), normal(right)))
    return pairs


def _deeper(payload: Payload) -> None:
    frames = _last_value(payload)["stacktrace"]["frames"]
    frames.extend(deepcopy(frames[-1]) for _ in range(7))


def _retried(payload: Payload) -> None:
    values = payload["exception"]["values"]
    values.insert(0, deepcopy(values[0]))


def _in_safari(payload: Payload) -> None:
    """What WebKit makes of it: other words, no class names, native map unlabelled."""
    _last_value(payload)["value"] = (
        "undefined is not an object (evaluating 'e.events.slice')"
    )
    for frame in each_frame(payload):
        frame["function"] = frame["function"].rpartition(".")[2].strip("<>")
        if frame["filename"] == "<anonymous>":
            frame["filename"] = "[native code]"
        if frame["function"] == "anonymous":
            frame["function"] = "?"


def _in_firefox(payload: Payload) -> None:
    """What Gecko makes of it: other words, no native frames."""
    _last_value(payload)["value"] = (
        'can\'t access property "slice", e.events is undefined'
    )
    stacktrace = _last_value(payload)["stacktrace"]
    stacktrace["frames"] = [
        {**frame, "function": frame["function"].rpartition(".")[2].replace("?", "E/<")}
        for frame in stacktrace["frames"]
        if frame["filename"] != "<anonymous>"
    ]


def _members_shuffled(payload: Payload) -> None:
    values = payload["exception"]["values"]
    values[:-1] = reversed(values[:-1])


def _less_in_group(payload: Payload) -> None:
    """One more member that failed in the same way."""
    values = payload["exception"]["values"]
    twin = deepcopy(values[-2])
    twin["mechanism"]["exception_id"] = 99
    values.insert(0, twin)


SAME_EDITS: tuple[tuple[str, Callable[[Payload], None]], ...] = (
    *(
        (name, _deeper)
        for name in ("checkout", "minimal", "express", "click", "inline")
    ),
    *((name, _retried) for name in ("checkout", "shipping", "express_cause")),
    ("click", _in_safari),
    ("click", _in_firefox),
    ("group", _members_shuffled),
    ("group", _less_in_group),
)


def same_by_edit() -> list[Pair]:
    """A sample against another run, or another browser, of the same fault."""
    pairs = []
    for name, change in SAME_EDITS:
        left, right = _edit(name, change)
        label = f"{name}, {change.__name__}"
        pairs.append(Pair(label, True, normal(left), normal(right)))
    return pairs


def all_pairs() -> list[Pair]:
    """Every labelled pair."""
    return [
        *same_by_change(),
        *recorded(),
        *two_builds(),
        *different_by_edit(),
        *same_by_edit(),
    ]
