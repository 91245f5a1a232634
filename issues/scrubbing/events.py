"""Scrubs an event before anything of it is grouped, counted or stored.

The body is scrubbed part by part, each only where the pre-check finds a sign in it.
What else is known of the event is then read from the body again, so that titles, tags
and fingerprints are made of what is left.
"""

from collections import Counter
from typing import Any

from issues.clean import any_text, encode
from issues.normal_event import Frame, NormalEvent
from issues.scrubbing.addresses import truncated
from issues.scrubbing.identity import identity_after
from issues.scrubbing.names import words
from issues.scrubbing.run import Run
from issues.scrubbing.scrubber import OFF, Scrubber
from issues.scrubbing.structures import FILTERED
from issues.scrubbing.texts import Level, holds_token

# Written by us, or read as an id, a time or a level before.
UNTOUCHED = frozenset({"event_id", "timestamp", "level"})
# Packages and versions: their names tell of tokens without holding any.
NAMES_ONLY = frozenset({"modules", "release", "dist", "environment", "platform"})
STACKS = frozenset({"exception", "threads"})
PLACES = frozenset({"filename", "abs_path"})
IMAGE_PLACES = frozenset({"code_file", "debug_file", "name"})
CODE_NAMES = words(
    "function raw_function module package platform symbol instruction_addr"
)
CODE_LINES = frozenset({"context_line", "pre_context", "post_context"})
FRAME_TEXTS = ("function", "module", "filename", "abs_path", "context_line")
MAX_VALUE = 8192
SHORTEST_PARAMETER = 3


def scrub_event(event: NormalEvent, scrubber: Scrubber, remote_addr: str) -> Run | None:
    """Take the secrets out of the event and its body, and note there where they were.

    ``remote_addr`` is the sender's: where the policy hides addresses, it goes from
    every text. None where nothing had to be looked at.
    """
    body = event.body
    run = Run(scrubber, _addresses(body, scrubber, remote_addr))
    if not run.may_touch(encode(body)):
        return None
    user = dict(body.get("user") or {})
    scrub_body(body, run)
    _read_again(event, run)
    event.user = identity_after(
        event.user, user, body.get("user") or {}, scrubber.policy
    )
    if run.count:
        _report(event, run)
    return run


def scrub_body(body: dict[str, Any], run: Run) -> None:
    """Take the secrets out of an event's body, in place.

    ``body`` was normalised, today or by the rules of another day.
    """
    for name, value in body.items():
        if name in UNTOUCHED or not value or not run.may_touch(encode({name: value})):
            continue
        values = value.get("values") if type(value) is dict else None
        if name in STACKS and type(values) is list:
            for number, entry in enumerate(values):
                if type(entry) is dict:
                    _scrub_thread(entry, run, f"{name}[{number}]")
        elif name == "breadcrumbs" and type(values) is list:
            _scrub_each(values, run, name)
        else:
            body[name] = _scrub_part(name, value, run)


def _addresses(
    body: dict[str, Any], scrubber: Scrubber, remote_addr: str
) -> dict[str, str]:
    """The client's addresses as they may stand in any text, and what replaces them."""
    if not scrubber.hides_addresses:
        return {}
    told = {remote_addr, (body.get("user") or {}).get("ip_address", "")}
    kept = {address: truncated(address) for address in told}
    return {
        address: FILTERED if scrubber.policy.addresses == OFF else network
        for address, network in kept.items()
        if network not in ("", "127.0.0.0", "::")
    }


def _scrub_part(name: str, value: Any, run: Run) -> Any:
    if name in NAMES_ONLY:
        is_safe = not run.scrubber.may_hold_token(encode(value))
        return value if is_safe else _names_only(value, run, name)
    if type(value) is dict:
        if name == "tags":
            _scrub_but_tenant(value, value, run, name)
            return value
        if name == "contexts":
            trace = value.get("trace")
            attributes = trace.get("data") if type(trace) is dict else {}
            attributes = attributes if type(attributes) is dict else {}
            _scrub_but_tenant(value, attributes, run, name)
            return value
        if name == "logentry":
            _scrub_message(value, run)
            return value
        if name == "debug_meta":
            _scrub_images(value, run)
            return value
        if name == "user" and run.scrubber.policy.personal:
            _hide_names(value, run)
    return run.member(name, value, "")


def _scrub_each(values: list[Any], run: Run, path: str) -> None:
    for number, value in enumerate(values):
        if run.may_touch(encode(value)):
            values[number] = run.tree(value, f"{path}[{number}]")


def _scrub_thread(entry: dict[str, Any], run: Run, path: str) -> None:
    """An exception or a thread: its frames one by one, then the rest of it."""
    stacktrace = entry.pop("stacktrace", None)
    if run.may_touch(encode(entry)):
        run.tree(entry, path)
    if stacktrace is None:
        return
    entry["stacktrace"] = stacktrace
    frames = stacktrace.get("frames") if type(stacktrace) is dict else None
    for number, frame in enumerate(frames or ()):
        if run.may_touch(encode(frame)):
            _scrub_frame(frame, run, f"{path}.frames[{number}]")


def _scrub_frame(frame: dict[str, Any], run: Run, path: str) -> None:
    for name, value in frame.items():
        if name in CODE_LINES and type(value) is list:
            run.lines(value, f"{path}.{name}")
        elif type(value) is str:
            frame[name] = _frame_text(name, value, run, path)
        else:
            frame[name] = run.member(name, value, path)


def _frame_text(name: str, text: str, run: Run, path: str) -> str:
    """Names of code and files say "token" without holding one."""
    if name in CODE_LINES:
        return run.text(text, path, name, Level.CODE)
    if name in CODE_NAMES or (name in PLACES and "?" not in text):
        return run.text(text, path, name, Level.TOKENS)
    return str(run.member(name, text, path))


def _scrub_images(debug_meta: dict[str, Any], run: Run) -> None:
    """Only places: they must change as those of the frames do, to which they belong."""
    images = debug_meta.get("images")
    for image in images if type(images) is list else ():
        for name in IMAGE_PLACES & (image.keys() if type(image) is dict else set()):
            if type(image[name]) is str:
                image[name] = _frame_text("abs_path", image[name], run, "debug_meta")


def _names_only(value: Any, run: Run, path: str) -> Any:
    if type(value) is str:
        return run.text(value, path, level=Level.TOKENS)
    if type(value) is dict:
        for name, inner in value.items():
            value[name] = _names_only(inner, run, f"{path}.{name}")
    elif type(value) is list:
        value[:] = [_names_only(inner, run, path) for inner in value]
    return value


def _scrub_but_tenant(
    part: dict[str, Any], attributes: dict[str, Any], run: Run, path: str
) -> None:
    """The tenant's tag or attribute stays, whatever the rules; a token is no tenant."""
    names = run.scrubber.tenant_tags & attributes.keys()
    named = {name: attributes.pop(name) for name in names}
    run.tree(part, path)
    for name, value in named.items():
        is_token = type(value) is str and holds_token(value)
        if is_token:
            run.record(f"{path}.{name}", "token")
        attributes[name] = FILTERED if is_token else value


def _scrub_message(entry: dict[str, Any], run: Run) -> None:
    """A parameter that was a secret in the formatted text is one by itself."""
    before = entry.get("formatted", "")
    run.tree(entry, "logentry")
    after = entry.get("formatted", "")
    parameters = entry.get("params")
    if after == before or not parameters:
        return
    places = parameters.items() if type(parameters) is dict else enumerate(parameters)
    for place, value in list(places):
        text = any_text(value)
        if len(text) >= SHORTEST_PARAMETER and text in before and text not in after:
            parameters[place] = FILTERED
            run.record(f"logentry.params[{place}]", "in the message")


def _hide_names(user: dict[str, Any], run: Run) -> None:
    for name in ("username", "name"):
        if user.get(name) and user[name] != FILTERED:
            user[name] = FILTERED
            run.record(f"user.{name}", "name")


def _read_again(event: NormalEvent, run: Run) -> None:
    """Take over what is left in the body."""
    body = event.body
    for name in ("transaction", "culprit", "server_name", "logger", "release", "dist"):
        setattr(event, name, body.get(name, ""))
    event.environment, event.platform = body["environment"], body["platform"]
    entry = body.get("logentry") or {}
    event.message = entry.get("formatted", "")
    event.message_template = entry.get("message", "")
    event.fingerprint = list(body.get("fingerprint") or ())
    event.url = (body.get("request") or {}).get("url", "")[:2048]
    tags = body.get("tags") or {}
    if len(tags) < len(event.tags):  # the body was too large for all
        tags = event.tags
        _scrub_but_tenant(tags, tags, run, "tags")
    event.tags = dict(tags)
    for name in ("browser", "os", "sdk"):
        setattr(event, name, run.text(getattr(event, name), name, level=Level.TOKENS))
    _read_exceptions_again(event, run)


def _read_exceptions_again(event: NormalEvent, run: Run) -> None:
    values = event.body.get("exception", {}).get("values", ())
    for exception, value in zip(event.exceptions, values, strict=True):
        exception.type = value.get("type", "")[:200]
        exception.value = value.get("value", "")[:MAX_VALUE]
        exception.module = value.get("module", "")[:200]
        mechanism = (value.get("mechanism") or {}).get("type")
        exception.mechanism = mechanism[:200] if type(mechanism) is str else ""
    frames = [*event.threads_frames, *(f for e in event.exceptions for f in e.frames)]
    texts = "\n".join(getattr(f, name) for f in frames for name in FRAME_TEXTS)
    if run.may_touch_text(texts.encode()):
        silent = Run(run.scrubber, run.literals)
        for frame in frames:
            _read_frame_again(frame, silent)


def _read_frame_again(frame: Frame, run: Run) -> None:
    for name in FRAME_TEXTS:
        setattr(frame, name, _frame_text(name, getattr(frame, name), run, ""))


def _report(event: NormalEvent, run: Run) -> None:
    """Tell in the body what was replaced where, never the value."""
    rules: Counter[str] = Counter()
    for place in run.places.values():
        rules[place.rule] += place.count
    told = ", ".join(
        rule if count == 1 else f"{rule} ({count})"
        for rule, count in rules.most_common(8)
    )
    values = "1 value" if run.count == 1 else f"{run.count} values"
    event.notes.append(f"privacy: {values} replaced by {FILTERED}: {told}")
    event.body["_rush"] = {
        "notes": event.notes,
        "scrubbed": [
            {"path": place.path, "rule": place.rule, "count": place.count}
            for place in run.places.values()
        ],
    }
