"""The typed shape of one error event between normalising and storing."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


class NotAnEvent(ValueError):
    """The payload holds no event at all; the message says why."""

    tellable = True


@dataclass(slots=True)
class Frame:
    """One stack frame; ``lineno`` and ``colno`` are 1-based, 0 where unknown."""

    function: str = ""
    module: str = ""
    filename: str = ""
    abs_path: str = ""
    context_line: str = ""
    lineno: int = 0
    colno: int = 0
    in_app: bool | None = None
    mapped: bool = False  # a source map told this place


@dataclass(slots=True)
class ExceptionValue:
    """One link of the exception chain, in the order sent: the raised one last.

    ``frames`` run parallel to the frames in ``body``: outermost call first. The
    ids tie the members of an exception group to it; None where none was sent.
    """

    type: str = ""
    value: str = ""
    module: str = ""
    frames: list[Frame] = field(default_factory=list)
    handled: bool | None = None
    synthetic: bool = False
    mechanism: str = ""  # "django", "auto.browser.global_handlers.onerror"
    exception_id: int | None = None
    parent_id: int | None = None
    is_group: bool = False


@dataclass(slots=True)
class NormalEvent:
    """What digest needs of an event, each field of the right type and storable.

    ``occurred`` is corrected by ``sent_at`` and lies within 24 h of ``received``.
    ``body`` is the cleaned event as it will be stored; ``notes`` say what was
    cleaned, one sentence each, and stand in ``body["_rush"]["notes"]`` as well.
    No text holds NUL bytes or lone surrogates.
    """

    event_id: str  # 32 lower-case hex digits
    received: datetime
    occurred: datetime
    level: str = "error"  # fatal, error, warning, info or debug
    platform: str = "other"
    environment: str = "production"
    release: str = ""
    dist: str = ""
    logger: str = ""
    transaction: str = ""
    culprit: str = ""  # as sent by old clients
    server_name: str = ""
    url: str = ""
    message: str = ""  # formatted
    message_template: str = ""  # with its placeholders, "" where none was sent
    exceptions: list[ExceptionValue] = field(default_factory=list)
    threads_frames: list[Frame] = field(default_factory=list)
    fingerprint: list[str] = field(default_factory=list)
    handled: bool = True  # False: the error escaped its handler
    tags: dict[str, str] = field(default_factory=dict)
    user: str = ""  # "id:…", "email:…", "username:…" or "ip:…"; "" where unknown
    tenant: str = ""  # "" where the event names none
    browser: str = ""  # "Safari 19", from contexts or User-Agent
    os: str = ""  # "iOS 19"
    sdk: str = ""  # "sentry.python 2.75.0"
    notes: list[str] = field(default_factory=list)
    body: dict[str, Any] = field(default_factory=dict)
