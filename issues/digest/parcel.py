"""What digest reads from one envelope, before anything is written."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from issues.digest.feedback import ReadyFeedback
from issues.digest.files import ReadyFile
from issues.digest.requests import RequestSample
from issues.digest.sessions import SessionBucket, SessionState
from issues.digest.symbolicate import Script
from issues.grouping import Grouping
from issues.monitors.told import ToldCheckIn
from issues.normal_event import NormalEvent
from tenants.detail import Rule


@dataclass(slots=True)
class ReadyEvent:
    """An event with its fingerprint and its packed body.

    The tree of the event is gone by then: hundreds of trees held at once are built and
    freed twice as slowly as one after another, because no cache holds them.
    """

    event: NormalEvent
    project_id: int
    key_id: int
    grouping: Grouping
    fingerprint: UUID
    body: bytes
    remote_addr: str
    rule: Rule  # of detail
    awaited: list[Script]  # scripts whose source map may still come
    files: Sequence[ReadyFile] = ()


@dataclass(slots=True)
class FilteredEvent:
    """An event that nobody wants, with the name of the filter that says so.

    Its id is noted like that of the others, so that it counts once; its tree is gone.
    """

    event: NormalEvent
    project_id: int
    key_id: int
    filtered_by: str
    files: Sequence[ReadyFile] = ()


@dataclass(slots=True)
class Parcel:
    """What one envelope holds, readable and of the right types.

    ``files`` came without their event, whose id they name (32 hex digits).
    """

    project_id: int
    key_id: int
    received: datetime
    from_page: bool  # a browser sent it
    events: list[ReadyEvent] = field(default_factory=list)
    filtered: list[FilteredEvent] = field(default_factory=list)
    sessions: list[SessionState] = field(default_factory=list)
    buckets: list[SessionBucket] = field(default_factory=list)
    requests: list[RequestSample] = field(default_factory=list)
    check_ins: list[ToldCheckIn] = field(default_factory=list)
    feedback: list[ReadyFeedback] = field(default_factory=list)
    files: list[tuple[str, ReadyFile]] = field(default_factory=list)
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, event: ReadyEvent | FilteredEvent) -> None:
        if isinstance(event, ReadyEvent):
            self.events.append(event)
        else:
            self.filtered.append(event)
