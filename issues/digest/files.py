"""The files that an envelope carries beside its event."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from issues.clean import scalar_text
from issues.ingest.limits import SWITCHED_OFF, TOO_LARGE, UNSUPPORTED
from issues.scrubbing import Policy, scrub_text, scrubber_of

DEFAULT_KIND = "event.attachment"
UNNAMED = "unnamed"
LEFT_OUT = frozenset({SWITCHED_OFF, TOO_LARGE})


@dataclass(slots=True)
class ReadyFile:
    """A file as its item tells it, in texts that can be stored."""

    name: str
    content_type: str
    kind: str
    data: bytes


def why_left_out(header: Mapping[str, Any], payload: bytes) -> str:
    """Why the front door left the payload out; "" where it did not."""
    if payload or "discarded_bytes" not in header:
        return ""
    why = header.get("discarded")
    return why if isinstance(why, str) and why in LEFT_OUT else UNSUPPORTED


def read_file(header: Mapping[str, Any], payload: bytes) -> ReadyFile:
    """The file in an item; names are shortened, never believed to be paths."""
    return ReadyFile(
        _text(header.get("filename"), 255) or UNNAMED,
        _text(header.get("content_type"), 100),
        _text(header.get("attachment_type"), 50) or DEFAULT_KIND,
        payload,
    )


def _text(value: object, limit: int) -> str:
    """Printable characters only: no line breaks, and nothing that turns the direction
    of writing, which can make one ending of a name look like another. No secrets.
    """
    told = (scalar_text(value) or "")[: 4 * limit]
    text = "".join(c if c.isprintable() else " " for c in told)
    return scrub_text(" ".join(text.split()), scrubber_of(Policy()))[0][:limit]
