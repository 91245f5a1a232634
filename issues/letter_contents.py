"""What may be shown of a dead letter: its parts, scrubbed, or only their shape.

A dead letter was never scrubbed. What can be read as JSON is scrubbed for showing, by
the rules of its project; of all else there is the shape: punctuation as it is, each
letter as x, each digit as 0. So one sees where the JSON breaks, but no value.
"""

import re
from dataclasses import dataclass
from typing import Any

import orjson
import zstandard

from issues.clean import decode
from issues.ingest.envelope import EnvelopeError, frame
from issues.models import DeadLetter
from issues.normal_event import NotAnEvent
from issues.scrub_policies import STRICTEST, policies
from issues.scrubbing import Policy, Run, scrubber_of
from issues.sealed_envelopes import Sender, unseal_envelope
from tenants.models import Project
from tenants.sealing import SealBroken

MAX_BYTES = 1 << 20  # of a body that is opened for showing
MAX_SHOWN = 64_000  # characters of a part

_LETTER = re.compile(r"[^\W\d_]")
_DIGIT = re.compile(r"\d")


@dataclass(frozen=True, slots=True)
class Part:
    """The header or an item of an envelope, or a body; ``text`` is scrubbed."""

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Contents:
    """What may be shown; ``problem`` says why there is less, "" where nothing is."""

    sender: Sender
    parts: list[Part]
    problem: str = ""


def contents_of(letter: DeadLetter) -> Contents:
    """The letter opened and scrubbed by its project's rules."""
    policy = _policy(letter.project_id)
    try:
        sender, packed = unseal_envelope(bytes(letter.body))
    except SealBroken as error:
        return Contents(Sender(), [], str(error))
    sender = _scrubbed_sender(sender, policy)
    try:
        with zstandard.ZstdDecompressor().stream_reader(packed) as reader:
            body = reader.read(MAX_BYTES + 1)
    except zstandard.ZstdError:
        return Contents(sender, [], "The body cannot be decompressed.")
    if len(body) > MAX_BYTES:
        return Contents(sender, [], "The body is over 1 MiB: too large to be shown.")
    if letter.kind == "envelope":
        return Contents(sender, _parts(body, policy))
    return Contents(
        sender, [Part(f"{letter.kind}, {len(body):,} bytes", _shown(body, policy))]
    )


def _policy(project_id: int) -> Policy:
    project = Project.objects.filter(pk=project_id).first()
    return policies([project])[project_id] if project else STRICTEST


def _scrubbed_sender(sender: Sender, policy: Policy) -> Sender:
    run = Run(scrubber_of(policy))
    return Sender(
        str(run.member("ip_address", sender.remote_addr, "")),
        run.text(sender.user_agent, "user_agent"),
        run.text(sender.origin, "origin"),
        run.text(sender.query, "query"),
    )


def _parts(body: bytes, policy: Policy) -> list[Part]:
    try:
        envelope = frame(body)
    except EnvelopeError:
        return [Part(f"not an envelope, {len(body):,} bytes", shape(body))]
    head = body[: body.find(b"\n")]
    parts = [Part("header", _shown(head, policy))]
    for number, item in enumerate(envelope.items, start=1):
        payload = body[item.start : item.end]
        run = Run(scrubber_of(policy))
        kind = run.text(item.type[:50], "type")
        title = f"item {number}: {kind}, {len(payload):,} bytes"
        parts.append(Part(title, _shown(payload, policy)))
    return parts


def _shown(raw: bytes, policy: Policy) -> str:
    """JSON without secrets, else the shape of the bytes."""
    try:
        value, _ = decode(raw)
    except NotAnEvent:
        return shape(raw)
    if not isinstance(value, dict | list):
        return shape(raw)
    tree: Any = Run(scrubber_of(policy)).tree(value, "")
    text = orjson.dumps(tree, option=orjson.OPT_INDENT_2).decode()
    return _cut(text)


def shape(raw: bytes) -> str:
    """The text with each letter as x, each digit as 0, and what cannot be seen as ·."""
    text = raw[:MAX_SHOWN].decode("utf-8", "replace")
    text = _DIGIT.sub("0", _LETTER.sub("x", text))
    seen = (c if c.isascii() and (c.isprintable() or c == "\n") else "·" for c in text)
    return "".join(seen) + _more(len(raw) - MAX_SHOWN)


def _cut(text: str) -> str:
    return text[:MAX_SHOWN] + _more(len(text) - MAX_SHOWN)


def _more(count: int) -> str:
    return f"\n… {count:,} more" if count > 0 else ""
