"""Keeps each file of the storage once, and deletes those that nothing names any more.

Writer and deleter never hold a transaction while the storage works, and yet never
meet. The writer first touches the file's row and only then asks whether it is written.
The deleter takes files that no artifact names and that were not touched for a day; it
unmarks them, commits, then locks those that are still untouched and deletes them. So a
writer either keeps the file from it, or finds it unmarked and writes it again.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from io import BytesIO
from time import monotonic

from django.core.files.storage import storages
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from releases.models import Artifact, StoredFile
from tenants.blobs import content_name, delete_blob, name_of

FILES, PARTS = "artifacts", "chunks"

# The time within which an upload has to name what it touched.
UNTOUCHED = timedelta(days=1)
PIECE = 100


def keep(folder: str, contents: Sequence[bytes]) -> list[int]:
    """Store files, each once; the ids of their rows, in the same order."""
    names = [content_name(folder, content) for content in contents]
    data = dict(zip(names, contents, strict=True))
    # Sorted: two writers may bring the same files.
    StoredFile.objects.bulk_create(
        [
            StoredFile(name=name, size=len(data[name]), touched=timezone.now())
            for name in sorted(data)
        ],
        update_conflicts=True,
        unique_fields=["name"],
        update_fields=["touched"],
    )
    rows = list(StoredFile.objects.filter(name__in=data).order_by("name"))
    unwritten = [row for row in rows if not row.written]
    # Where the storage is the database, they are committed at once; where it is not,
    # the transaction begins when all are written.
    with transaction.atomic():
        for row in unwritten:
            # Over what a writer may have left that was killed half-way.
            storages["blobs"].save(row.name, BytesIO(data[row.name]))
        ids = [row.pk for row in unwritten]
        StoredFile.objects.filter(pk__in=ids).update(written=True)
    by_name = {row.name: row.pk for row in rows}
    return [by_name[name] for name in names]


def part_name(checksum: str) -> str:
    """The name in the storage of a part of an upload, by its SHA-1."""
    return name_of(PARTS, checksum)


def missing_parts(checksums: Iterable[str]) -> list[str]:
    """Those that are not stored, in the given order; the others stay for a day."""
    wanted = list(dict.fromkeys(checksums))
    rows = StoredFile.objects.filter(
        name__in=[part_name(checksum) for checksum in wanted], written=True
    )
    with transaction.atomic():
        # Locked in the order of `keep`.
        found = list(rows.order_by("name").select_for_update())
        ids = [row.pk for row in found]
        StoredFile.objects.filter(pk__in=ids).update(touched=timezone.now())
    names = {row.name for row in found}
    return [checksum for checksum in wanted if part_name(checksum) not in names]


def delete_unused(now: datetime, seconds: float) -> int:
    """Delete files that nothing names, for at most ``seconds``; how many."""
    deadline, deleted, before = monotonic() + seconds, 0, now - UNTOUCHED
    while monotonic() < deadline:
        ids = unmark(before)
        deleted += delete_unmarked(ids, before)
        if len(ids) < PIECE:
            break
    return deleted


def unmark(before: datetime) -> list[int]:
    """The ids of some files that nothing names; from now on a writer writes them."""
    unused = _unused(before).order_by("touched")[:PIECE]
    ids = list(unused.values_list("pk", flat=True))
    # The condition again: a row may have been touched since.
    _unused(before).filter(pk__in=ids).update(written=False)
    return ids


def delete_unmarked(ids: Sequence[int], before: datetime) -> int:
    """Delete those of the files that no writer touched since; how many."""
    unmarked = _unused(before).filter(pk__in=ids, written=False)
    with transaction.atomic():
        rows = list(unmarked.order_by("name").select_for_update(of=("self",)))
        for row in rows:
            delete_blob(row.name)
        StoredFile.objects.filter(pk__in=[row.pk for row in rows]).delete()
    return len(rows)


def _unused(before: datetime) -> QuerySet[StoredFile]:
    named = Artifact.objects.filter(stored=OuterRef("pk"))
    return StoredFile.objects.filter(~Exists(named), touched__lt=before)
