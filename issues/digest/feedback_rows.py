"""Feedback of a batch: kept once and in its transaction, beside the event's issue."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import orjson
from django.conf import settings
from django.db import connection

from issues.digest.feedback import ReadyFeedback
from issues.digest.parcel import Parcel
from issues.digest.store import GroupedEvent, Tally
from tenants.arrays import columns

Key = tuple[int, UUID]  # project, and the id of an event or a feedback
Hour = tuple[int, int]  # project, and the hour of receipt, counted from 1970

# The sum is read before it is written: two workers may pass the bound together, each
# by one batch.
KEPT_IN_HOURS = """
SELECT p, h, count(*)
FROM unnest(%s::bigint[], %s::bigint[]) AS row (p, h)
JOIN issues_feedback f ON f.project_id = p
    AND f.received >= to_timestamp(h * 3600)
    AND f.received < to_timestamp((h + 1) * 3600)
GROUP BY 1, 2
"""
# LATERAL: each id walks the index of its own, in every day.
ISSUES_OF = """
SELECT p, e, found.issue_id
FROM unnest(%s::bigint[], %s::uuid[]) AS row (p, e) CROSS JOIN LATERAL (
    SELECT issue_id FROM issues_event WHERE event_id = e AND project_id = p LIMIT 1
) AS found
"""
INSERT = """
INSERT INTO issues_feedback (project_id, feedback_id, received, event_id, issue_id,
    environment_id, release_id, tenant_id, message, name, email, url, replay_id,
    source, "user", notes)
SELECT p, f, at, nullif(e, '')::uuid, nullif(i, 0), nullif(en, 0), nullif(r, 0),
    nullif(t, 0), m, n, mail, u, re, s, us, no::jsonb
FROM unnest(%s::bigint[], %s::uuid[], %s::timestamptz[], %s::text[], %s::bigint[],
    %s::bigint[], %s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::text[],
    %s::text[], %s::text[], %s::text[], %s::text[], %s::text[])
    AS row (p, f, at, e, i, en, r, t, m, n, mail, u, re, s, us, no)
ON CONFLICT (project_id, feedback_id) DO NOTHING RETURNING project_id, feedback_id
"""


class Names(Protocol):
    """Ids of what the batch names; ``write.Names`` is one."""

    environments: dict[tuple[int, str], int]

    def release(self, project_id: int, version: str) -> int: ...

    def tenant(self, key: str) -> int: ...


@dataclass(slots=True)
class Found:
    """A feedback of a batch with how it came."""

    project_id: int
    key_id: int
    received: datetime
    told: ReadyFeedback

    @property
    def key(self) -> Key:
        return self.project_id, self.told.feedback_id

    @property
    def hour(self) -> Hour:
        return self.project_id, int(self.received.timestamp() // 3600)


def keep(
    parcels: Sequence[Parcel],
    grouped: Sequence[GroupedEvent],
    names: Names,
    tally: Tally,
) -> None:
    """Keep the batch's feedback, as much of it as an hour allows.

    Call it in the batch's transaction, after its events were written.
    """
    found = [
        Found(parcel.project_id, parcel.key_id, parcel.received, told)
        for parcel in parcels
        for told in parcel.feedback
    ]
    if not found:
        return
    fitting = _fitting(found, tally)
    new = _insert(fitting, _issues(fitting.values(), grouped), names)
    for key in fitting.keys() - new:
        _count(tally, fitting[key], "duplicate")


def _fitting(found: Sequence[Found], tally: Tally) -> dict[Key, Found]:
    """Each feedback once, in the order of receipt up to the bound of its hour."""
    fitting: dict[Key, Found] = {}
    kept = _kept_in_hours({one.hour for one in found})
    for one in found:
        if one.key in fitting:
            _count(tally, one, "duplicate")
        elif kept[one.hour] >= settings.FEEDBACK_MAX_PER_HOUR:
            _count(tally, one, "hourly_limit")
        else:
            kept[one.hour] += 1
            fitting[one.key] = one
    return fitting


def _kept_in_hours(hours: set[Hour]) -> Counter[Hour]:
    with connection.cursor() as cursor:
        cursor.execute(KEPT_IN_HOURS, columns(sorted(hours)))
        return Counter({(project, hour): n for project, hour, n in cursor.fetchall()})


def _issues(found: Any, grouped: Sequence[GroupedEvent]) -> dict[Key, int]:
    """The issues of the events that are known by now, of this batch or an earlier."""
    issues = {
        (item.project_id, UUID(item.event.event_id)): item.issue.issue_id
        for item in grouped
    }
    asked = {
        (one.project_id, one.told.event_id) for one in found if one.told.event_id
    } - issues.keys()
    if asked:
        with connection.cursor() as cursor:
            cursor.execute(ISSUES_OF, columns(sorted(asked)))
            issues |= {(project, event): pk for project, event, pk in cursor.fetchall()}
    return issues


def _insert(
    fitting: Mapping[Key, Found], issues: Mapping[Key, int], names: Names
) -> set[Key]:
    """Write the rows; returns the keys of those that are new."""
    if not fitting:
        return set()
    rows = [_row(fitting[key], issues, names) for key in sorted(fitting)]
    with connection.cursor() as cursor:
        cursor.execute(INSERT, columns(rows))
        return {(project, feedback) for project, feedback in cursor.fetchall()}


def _row(one: Found, issues: Mapping[Key, int], names: Names) -> tuple[Any, ...]:
    """In the order of INSERT; 0 and "" stand for null."""
    told, project = one.told, one.project_id
    return (
        project,
        told.feedback_id,
        one.received,
        told.event_id.hex if told.event_id else "",
        issues.get((project, told.event_id), 0) if told.event_id else 0,
        names.environments[project, told.environment] if told.environment else 0,
        names.release(project, told.release),
        names.tenant(told.tenant),
        told.message,
        told.name,
        told.email,
        told.url,
        told.replay_id,
        told.source,
        told.user,
        orjson.dumps(told.notes).decode(),
    )


def _count(tally: Tally, one: Found, reason: str) -> None:
    minute = int(one.received.timestamp() // 60)
    tally.outcomes[one.project_id, one.key_id, minute, "feedback", reason] += 1
