"""Attachments of a batch: bounded, and kept in its transaction."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha1
from uuid import UUID

import zstandard
from django.conf import settings
from django.db import connection

from issues.digest.context import ProjectRules
from issues.digest.files import ReadyFile
from issues.digest.parcel import Parcel
from issues.digest.store import GroupedEvent, Tally
from tenants.arrays import columns
from tenants.blobs import stage_blobs
from tenants.detail import keeps_attachments
from tenants.sealing import seal

# The hour's sum is read before it is written: two workers may pass the bound together,
# each by one batch.
KEPT_IN_HOURS = """
SELECT p, h, coalesce(sum(a.size), 0)::bigint
FROM unnest(%s::bigint[], %s::bigint[]) AS row (p, h)
JOIN issues_attachment a ON a.project_id = p
    AND a.received >= to_timestamp(h * 3600)
    AND a.received < to_timestamp((h + 1) * 3600)
GROUP BY 1, 2
"""
INSERT = """
INSERT INTO issues_attachment
    (project_id, event_id, received, name, content_type, kind, size, blob, staged)
SELECT p, e, r, n, c, k, s, b, true
FROM unnest(%s::bigint[], %s::uuid[], %s::timestamptz[], %s::text[], %s::text[],
    %s::text[], %s::bigint[], %s::text[]) AS row (p, e, r, n, c, k, s, b)
ON CONFLICT (blob) DO NOTHING RETURNING blob
"""


@dataclass(slots=True)
class Found:
    """An attachment of a batch with the event that it belongs to."""

    project_id: int
    key_id: int
    received: datetime
    event_id: str  # 32 hex digits
    file: ReadyFile

    @property
    def hour(self) -> tuple[int, int]:
        """The project and the hour of receipt, counted from 1970."""
        return self.project_id, int(self.received.timestamp() // 3600)

    @property
    def blob(self) -> str:
        """The file's name in the storage: the same for the same file of the event."""
        told = f"{self.file.name}\0{self.file.content_type}\0{self.file.kind}\0"
        digest = sha1(told.encode(), usedforsecurity=False)
        digest.update(self.file.data)
        event = f"{self.event_id}-{self.project_id}"
        return f"attachments/{self.event_id[:2]}/{event}-{digest.hexdigest()}"


def keep(
    parcels: Sequence[Parcel],
    grouped: Sequence[GroupedEvent],
    projects: Mapping[int, ProjectRules],
    tally: Tally,
) -> None:
    """Keep the files of the batch that projects want and the hour allows.

    Those of events whose bodies are dropped, or kept with less than full detail, are
    dropped. Call it in the batch's transaction, after that was decided.
    """
    wanted = []
    for found, dropped in _found(parcels, grouped):
        if dropped:
            _count(tally, found, dropped)
        elif not projects[found.project_id].keeps_attachments:
            _count(tally, found, "switched_off")
        else:
            wanted.append(found)
    if wanted:
        _store(wanted, settings.ATTACHMENTS_MAX_BYTES_PER_HOUR, tally)


def _found(
    parcels: Sequence[Parcel], grouped: Sequence[GroupedEvent]
) -> Iterator[tuple[Found, str]]:
    """All files, each with the reason why its event keeps none."""
    for item in grouped:
        whole = keeps_attachments(item.rule.detail)
        dropped = item.dropped or ("" if whole else "detail_rule")
        for file in item.files:
            event = item.event
            found = Found(
                item.project_id, item.key_id, event.received, event.event_id, file
            )
            yield found, dropped
    for parcel in parcels:
        for event_id, file in parcel.files:
            yield (
                Found(
                    parcel.project_id, parcel.key_id, parcel.received, event_id, file
                ),
                "",
            )


def _count(tally: Tally, found: Found, reason: str) -> None:
    minute = int(found.received.timestamp() // 60)
    key = (found.project_id, found.key_id, minute, "attachment", reason)
    tally.outcomes[key] += 1


def _store(found: Sequence[Found], bytes_per_hour: int, tally: Tally) -> None:
    fitting: dict[str, Found] = {}
    kept = _kept_in_hours({one.hour for one in found})
    for one in found:
        size, blob = len(one.file.data), one.blob
        if blob in fitting:
            _count(tally, one, "duplicate")
        elif kept[one.hour] + size > bytes_per_hour:
            _count(tally, one, "hourly_limit")
        else:
            kept[one.hour] += size
            fitting[blob] = one
    new = _insert(fitting)
    for blob in fitting.keys() - new:
        _count(tally, fitting[blob], "duplicate")
    # Nobody scrubs them: at rest they can be read with our key only.
    packed = {blob: zstandard.compress(fitting[blob].file.data) for blob in sorted(new)}
    stage_blobs({blob: seal(data) for blob, data in packed.items()})


def _kept_in_hours(hours: set[tuple[int, int]]) -> Counter[tuple[int, int]]:
    """Bytes by project and hour."""
    with connection.cursor() as cursor:
        cursor.execute(KEPT_IN_HOURS, columns(sorted(hours)))
        return Counter({(project, hour): n for project, hour, n in cursor.fetchall()})


def _insert(files: Mapping[str, Found]) -> set[str]:
    """Write the rows; returns the names of those that are new."""
    if not files:
        return set()
    rows = [
        (
            one.project_id,
            UUID(one.event_id),
            one.received,
            one.file.name,
            one.file.content_type,
            one.file.kind,
            len(one.file.data),
            blob,
        )
        for blob, one in sorted(files.items())
    ]
    with connection.cursor() as cursor:
        cursor.execute(INSERT, columns(rows))
        return {blob for (blob,) in cursor.fetchall()}
