"""Stored attachments: read, handed out, deleted, moved into their storage.

They are files of strangers: handed out as a download of bytes, never shown.
"""

from collections.abc import Collection
from contextlib import suppress
from datetime import datetime
from io import BytesIO
from time import monotonic
from uuid import UUID

import zstandard
from django.db import transaction
from django.http import FileResponse

from issues.models import Attachment
from tenants import blobs
from tenants.sealing import SealBroken, unseal

PIECE = 50
MOST_OF_EVENT = 200

# No browser guesses a type, runs a script or keeps a copy.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, no-store",
}


class FileMissing(Exception):
    """The file of an attachment is gone or cannot be read; the text says why."""


def of_event(project_id: int, event_id: UUID) -> list[Attachment]:
    """The attachments of an event, by name."""
    rows = Attachment.objects.filter(project_id=project_id, event_id=event_id)
    return list(rows.order_by("name", "pk")[:MOST_OF_EVENT])


def read(attachment: Attachment) -> bytes:
    """The file's bytes; raises FileMissing."""
    try:
        packed = unseal(_stored(attachment))
    except FileNotFoundError as error:
        raise FileMissing(f"The file of {attachment} is missing: {error}.") from error
    except SealBroken as error:
        raise FileMissing(
            f"The file of {attachment} cannot be read. {error}"
        ) from error
    data: bytes = zstandard.decompress(packed, max_output_size=attachment.size)
    return data


def _stored(attachment: Attachment) -> bytes:
    if attachment.staged:
        with suppress(FileNotFoundError):  # it may have been moved meanwhile
            return blobs.read_staged(attachment.blob)
    return blobs.read_blob(attachment.blob)


def download(attachment: Attachment) -> FileResponse:
    """The file as an answer that a browser saves; raises FileMissing."""
    name = attachment.name.replace("\\", "/").rsplit("/", 1)[-1]
    return FileResponse(
        BytesIO(read(attachment)),
        as_attachment=True,
        filename=name or "unnamed",
        content_type="application/octet-stream",
        headers=HEADERS,
    )


@transaction.atomic
def delete(ids: Collection[int]) -> int:
    """Delete attachments with their files; returns how many."""
    rows = list(Attachment.objects.select_for_update().filter(pk__in=ids))
    for row in rows:
        if not row.staged:
            blobs.delete_blob(row.blob)
    blobs.delete_staged([row.blob for row in rows if row.staged])
    Attachment.objects.filter(pk__in=[row.pk for row in rows]).delete()
    return len(rows)


def expire(before: datetime, deadline: float) -> int:
    """Delete those received before this moment, until ``deadline`` (monotonic)."""
    old = Attachment.objects.filter(received__lt=before).order_by("pk")
    total = 0
    while monotonic() < deadline:
        ids = list(old.values_list("pk", flat=True)[:PIECE])
        if not ids:
            break
        total += delete(ids)
    return total


def move_staged(deadline: float) -> int:
    """Move files from the database into the storage, until ``deadline`` (monotonic).

    Digest leaves them in the database: what it writes must come and go with its
    transaction, and must not wait for a storage elsewhere. Raises what that raises.
    """
    if blobs.is_staged_for_good():
        return 0
    waiting = Attachment.objects.filter(staged=True).order_by("pk")
    moved = 0
    while monotonic() < deadline:
        with transaction.atomic():
            row = waiting.select_for_update(skip_locked=True).first()
            if row is None:
                break
            blobs.unstage_blob(row.blob)
            waiting.filter(pk=row.pk).update(staged=False)
        moved += 1
    return moved
