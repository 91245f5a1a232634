"""Grouping v1: by rule, by the SDK's fingerprint, by place, by message; and why.

This module and those it imports in this package define v1 together. An event's hash
must never change within a version: whoever wants another answer writes v2.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

from issues.grouping.javascript import one_wording
from issues.grouping.outcome import Grouping, Part
from issues.grouping.parameterise import parameterise
from issues.grouping.rules import (
    FingerprintRule,
    first_match,
    is_default,
    resolve_variables,
)
from issues.grouping.stack import (
    FrameText,
    is_javascript,
    place_frames,
)
from issues.normal_event import ExceptionValue, NormalEvent

VERSION = "v1"
MAX_TITLE = 200
MAX_PARTS = 60


@dataclass(slots=True)
class _Default:
    """The key of an event without rule or fingerprint, its parts and a reason."""

    key: list[str]
    parts: list[Part]
    reason: str
    crash: FrameText | None


def group(event: NormalEvent, rules: Sequence[FingerprintRule] = ()) -> Grouping:
    """The fingerprint of ``event``; ``rules`` in their order, the first match wins.

    1. A fingerprint rule. 2. The SDK's fingerprint, ``{{ default }}`` standing for
    3 to 5. 3. The in-app frames of all exceptions in the chain, with their types.
    4. Types and parameterised messages, where there are no frames. 5. The
    parameterised log message.

    JavaScript stacks without any source line are weak evidence: bundlers rename the
    functions in each build, so that only files, method names and depth are left, and
    different faults share them. There the parameterised message and the kind of
    handler that caught it count as well; 3 and 4 together.
    """
    rule = first_match(rules, event) if rules else None
    fingerprint = list(rule.fingerprint) if rule else event.fingerprint
    default = _default(event)
    title = _title(event)
    if not fingerprint or all(is_default(value) for value in fingerprint):
        key, parts, reason = default.key, default.parts, default.reason
    else:
        key, parts, reason = _by_fingerprint(event, fingerprint, default, rule)
        if rule and rule.title:
            [title] = resolve_variables([rule.title], event, _crash_text(default))
    raised = event.exceptions[-1] if event.exceptions else None
    return Grouping(
        version=VERSION,
        hash=_hash(key),
        parts=parts,
        reason=reason,
        title=_short(title, MAX_TITLE),
        type=raised.type if raised else "",
        value=(raised.value if raised else "") or event.message,
        culprit=_short(
            event.culprit or event.transaction or _crash_text(default), MAX_TITLE
        ),
    )


def _hash(key: Sequence[str]) -> str:
    text = "\x1e".join([VERSION, *key])
    return blake2b(text.encode("utf-8", "replace"), digest_size=16).hexdigest()


def _by_fingerprint(
    event: NormalEvent,
    fingerprint: Sequence[str],
    default: _Default,
    rule: FingerprintRule | None,
) -> tuple[list[str], list[Part], str]:
    """Key, parts and reason of an explicit fingerprint."""
    key: list[str] = ["fingerprint"]
    told = resolve_variables(fingerprint, event, _crash_text(default))
    values = _messages(event)
    uses_default = False
    for raw, value in zip(fingerprint, told, strict=True):
        if is_default(raw):
            key += default.key
            uses_default = True
        else:
            # A message as fingerprint would open an issue for each order number.
            key.append(parameterise(value) if value in values else value)
    parts = [Part("fingerprint", value, True) for value in told]
    if rule:
        parts.insert(0, Part("rule", rule.text, True))
        reason = f"The fingerprint rule “{_short(rule.text, 200)}” matches."
    else:
        shown = ", ".join(told)
        reason = f"The SDK sent the fingerprint “{_short(shown, 200)}”."
    if uses_default:
        reason += " Its default part is explained by the parts below."
        return key, parts + default.parts, reason
    silent = [Part(part.kind, part.text, False) for part in default.parts]
    return key, parts + silent, reason


def _messages(event: NormalEvent) -> set[str]:
    return {event.message, *(exception.value for exception in event.exceptions)}


def _default(event: NormalEvent) -> _Default:
    if not event.exceptions:
        return _by_message(event)
    places = [
        place_frames(exception.frames, event.platform) for exception in event.exceptions
    ]
    if not any(kept for kept, _ in places):
        return _by_values(event)
    weak = not any(frame.is_place for kept, _ in places for frame in kept)
    return _by_frames(event, places, weak=weak)


def _by_frames(
    event: NormalEvent,
    places: Sequence[tuple[list[FrameText], list[FrameText]]],
    *,
    weak: bool,
) -> _Default:
    parts: list[Part] = []
    keys: list[tuple[str, ...]] = []
    raised = event.exceptions[-1]
    # A made-up stack shows where it was reported: what was reported tells more.
    by_value = weak or raised.synthetic or not raised.type
    count = 0
    for exception, (kept, described) in zip(event.exceptions, places, strict=True):
        texts = [frame.text for frame in kept]
        count += len(texts)
        own = [*texts]
        if exception.type:
            parts.append(Part("type", exception.type, not exception.synthetic))
            if not exception.synthetic:
                own.insert(0, exception.type)
        if exception is raised and by_value:
            message = _stable_message(event, raised)
            own.append(message)
            parts.append(Part("value", message, True))
        elif exception.value:
            parts.append(Part("value", _short(exception.value, 200), False))
        _add_frame_parts(parts, kept, described)
        keys.append(tuple(own))
    key = ["frames", *_chain_key(event.exceptions, keys)]
    if weak:
        handler = raised.mechanism.rpartition(".")[2].lower()
        key.append(handler)
        parts.append(Part("mechanism", handler, True))
    last = next((kept for kept, _ in reversed(places) if kept), [])
    return _Default(
        key=key,
        parts=parts,
        reason=_frames_reason(event.exceptions, count, weak=weak, by_value=by_value),
        crash=last[-1] if last else None,
    )


def _add_frame_parts(
    parts: list[Part], kept: Sequence[FrameText], described: Sequence[FrameText]
) -> None:
    counted = set(map(id, kept))
    for frame in described[-MAX_PARTS:]:
        if len(parts) < MAX_PARTS:
            parts.append(frame.contributing if id(frame) in counted else frame.silent)


def _chain_key(
    exceptions: Sequence[ExceptionValue], keys: Sequence[tuple[str, ...]]
) -> list[str]:
    """One text for each exception that tells something new.

    The members of an exception group arrive in any order and number. A retry that
    failed again and again is one exception.
    """
    groups = {e.exception_id for e in exceptions if e.is_group}
    members = {
        "\x1f".join(key)
        for exception, key in zip(exceptions, keys, strict=True)
        if groups and exception.parent_id in groups
    }
    chain: list[str] = sorted(members)
    previous = ""
    for exception, key in zip(exceptions, keys, strict=True):
        if groups and exception.parent_id in groups:
            continue
        text = "\x1f".join(key)
        if text != previous:
            chain.append(text)
        previous = text
    return chain


def _frames_reason(
    exceptions: Sequence[ExceptionValue], count: int, *, weak: bool, by_value: bool
) -> str:
    types = [exception.type for exception in exceptions if exception.type]
    name = " ← ".join(dict.fromkeys(reversed(types))) or "the message"
    frames = "1 frame" if count == 1 else f"{count} frames"
    if weak:
        return (
            f"{_short(name, 120)}, its message and {frames}: without source lines the "
            "frames of minified code alone say too little."
        )
    if by_value:
        return f"The message and {frames} from where it was reported."
    return f"{_short(name, 200)} raised through the same {frames}."


def _by_values(event: NormalEvent) -> _Default:
    parts: list[Part] = []
    keys: list[tuple[str, ...]] = []
    for exception in event.exceptions:
        message = _stable_message(event, exception)
        keys.append((exception.type, message))
        if exception.type:
            parts.append(Part("type", exception.type, True))
        if message:
            parts.append(Part("value", message, True))
    if not any(any(key) for key in keys):
        return _by_message(event)
    return _Default(
        key=["values", *_chain_key(event.exceptions, keys)],
        parts=parts,
        reason="Type and message without their variable parts: no frame tells a place.",
        crash=None,
    )


def _by_message(event: NormalEvent) -> _Default:
    message = event.message_template or event.message
    message = parameterise(_without_tenant(event, message))
    kept, described = place_frames(event.threads_frames, event.platform)
    parts = [Part("message", message, True)] if message else []
    _add_frame_parts(parts, kept, described)
    if not message and not kept:
        origin = event.logger or event.culprit or event.transaction
        return _Default(
            key=["empty", origin],
            parts=[Part("message", origin, True)],
            reason="The event has neither exception nor message.",
            crash=None,
        )
    reason = "The message without its variable parts."
    if kept:
        reason = "The message without its variable parts, and from where it was logged."
    return _Default(
        key=["message", message, *(frame.text for frame in kept)],
        parts=parts,
        reason=reason,
        crash=kept[-1] if kept else None,
    )


def _stable_message(event: NormalEvent, exception: ExceptionValue) -> str:
    """The exception's message without what differs by occurrence and browser."""
    value = exception.value
    if not exception.type and event.message_template:
        value = event.message_template
    elif not value:
        value = event.message
    if is_javascript(event.platform):
        value = one_wording(value)
    return parameterise(_without_tenant(event, value))


def _without_tenant(event: NormalEvent, text: str) -> str:
    """The tenant's name and the page's host differ by shop, whatever their domain."""
    host = event.url.partition("://")[2].partition("/")[0]
    for name in (event.tenant, host):
        if len(name) >= 4 and name in text and not name.isalpha():
            text = text.replace(name, "<tenant>")
    return text


def _title(event: NormalEvent) -> str:
    raised = event.exceptions[-1] if event.exceptions else None
    if raised and raised.type:
        value = _first_line(raised.value)
        return f"{raised.type}: {value}" if value else raised.type
    message = (raised.value if raised else "") or event.message
    return (
        _first_line(message)
        or event.culprit
        or event.transaction
        or "Event without a message"
    )


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def _crash_text(default: _Default) -> str:
    return default.crash.shown.partition(": ")[0] if default.crash else ""


def _short(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
