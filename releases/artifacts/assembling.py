"""Unpacks the bundles that were uploaded, one after the other.

A bundle's row says how far it is. Only the process that holds the lock of the task
assembles, so a row that it finds half-way belonged to one that died.
"""

import logging
from collections.abc import Iterator
from hashlib import sha1
from tempfile import TemporaryFile
from time import monotonic
from typing import IO

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from releases.artifacts.bundle import (
    Bounds,
    Bundle,
    BundleError,
    Entry,
    directory_entries,
    pieces,
    source_map_url,
)
from releases.artifacts.lookup import SCRIPTS
from releases.artifacts.stored import FILES, keep, missing_parts, part_name
from releases.models import Artifact, ArtifactBundle
from tenants.blobs import read_blob
from tenants.doorbell import ring_on_commit

logger = logging.getLogger(__name__)

State = ArtifactBundle.State
MOST_ATTEMPTS = 5
PIECE_BYTES = 16 << 20
# What is woken when a bundle is ready; it lies above this app.
EVENTS_TASK, QUEUE = "issues.symbolicate_again", "upkeep"
ROWS = 2000


def assemble_waiting(seconds: float) -> int:
    """Assemble what waits, for about ``seconds``; how many bundles are done.

    A bundle whose processing fails for no fault of its own ends the round: the next
    one tries it again, behind the others.
    """
    deadline, done = monotonic() + seconds, 0
    while monotonic() < deadline:
        bundle = _next()
        if bundle is None or not assemble(bundle):
            break
        done += 1
    return done


def _next() -> ArtifactBundle | None:
    waiting = ArtifactBundle.objects.filter(state__in=[State.CREATED, State.ASSEMBLING])
    rows = waiting.select_related("project", "release")
    return rows.order_by("attempts", "pk").first()


def assemble(bundle: ArtifactBundle) -> bool:
    """Make a bundle ready, or note why it cannot be; False when it is tried again."""
    if bundle.attempts >= MOST_ATTEMPTS:
        told = f"The process that unpacked it ended {MOST_ATTEMPTS} times."
        _note(bundle, State.ERROR, f"{told} Upload it again.")
        return True
    ArtifactBundle.objects.filter(pk=bundle.pk).update(attempts=F("attempts") + 1)
    _note(bundle, State.ASSEMBLING, "")
    try:
        if not _copied(bundle):
            _unpack(bundle)
    except BundleError as error:
        _note(bundle, State.ERROR, str(error))
    except Exception as error:
        # The database, the storage, or a fault of ours.
        logger.exception("the artifact bundle %s could not be assembled", bundle.pk)
        last = bundle.attempts + 1 >= MOST_ATTEMPTS
        told = f"The server could not keep it ({type(error).__name__}); see its log."
        _note(bundle, State.ERROR if last else State.CREATED, told)
        return last
    return True


def _note(bundle: ArtifactBundle, state: State, detail: str) -> None:
    ArtifactBundle.objects.filter(pk=bundle.pk).update(
        state=state, detail=detail, state_since=timezone.now()
    )


def _copied(bundle: ArtifactBundle) -> bool:
    """Whether the same bundle was unpacked already, for another project or release."""
    with transaction.atomic():
        twins = ArtifactBundle.objects.filter(checksum=bundle.checksum, state=State.OK)
        # Locked, so that it does not expire meanwhile.
        twin = twins.order_by("pk").select_for_update().first()
        if twin is None:
            return False
        rows = list(twin.artifacts.all())
        for row in rows:
            row.pk, row.bundle, row.project = None, bundle, bundle.project
        _finish(bundle, rows, twin.size)
    return True


def _unpack(bundle: ArtifactBundle) -> None:
    """Keep the files of a bundle; raises BundleError."""
    with TemporaryFile() as file:
        _join(bundle, file)
        opened = Bundle(
            file,
            Bounds(
                files=settings.ARTIFACT_MAX_FILES,
                file_bytes=settings.ARTIFACT_MAX_FILE_BYTES,
                total_bytes=settings.ARTIFACT_MAX_UNPACKED_BYTES,
            ),
        )
        rows, size = [], 0
        for piece in pieces(opened, PIECE_BYTES):
            rows += _kept(bundle, piece)
            size += sum(len(data) for _, data in piece)
    with transaction.atomic():
        _finish(bundle, rows, size)


def _join(bundle: ArtifactBundle, file: IO[bytes]) -> None:
    """Write the parts one after the other, and check what they make."""
    digest, size, files = sha1(usedforsecurity=False), 0, 0
    for part in _parts(bundle):
        size += len(part)
        files += directory_entries(part)
        if size > settings.ARTIFACT_MAX_BUNDLE_BYTES:
            raise BundleError(
                "The bundle has more than ARTIFACT_MAX_BUNDLE_BYTES "
                f"({settings.ARTIFACT_MAX_BUNDLE_BYTES}). Upload it in parts."
            )
        # One more than the files that the manifest names is itself.
        if files > settings.ARTIFACT_MAX_FILES + 1:
            raise BundleError(
                "The bundle has more files than ARTIFACT_MAX_FILES "
                f"({settings.ARTIFACT_MAX_FILES}). Upload it in parts."
            )
        digest.update(part)
        file.write(part)
    if digest.hexdigest() != bundle.checksum:
        raise BundleError(
            f"The parts make a file with the SHA-1 {digest.hexdigest()}, not "
            f"{bundle.checksum}. Upload the bundle again."
        )
    file.seek(0)


def _parts(bundle: ArtifactBundle) -> Iterator[bytes]:
    lost = missing_parts(bundle.chunks)
    if lost:
        raise BundleError(
            f"{len(lost)} of its parts are no longer here. Upload the bundle again."
        )
    for checksum in bundle.chunks:
        yield read_blob(part_name(checksum))


def _kept(bundle: ArtifactBundle, piece: list[tuple[Entry, bytes]]) -> list[Artifact]:
    ids = keep(FILES, [data for _, data in piece])
    return [
        Artifact(
            bundle=bundle,
            project=bundle.project,
            stored_id=stored_id,
            kind=_kind(entry),
            url=entry.url,
            debug_id=entry.debug_id,
            source_map_url=source_map_url(entry.url, entry.reference, data)
            if _kind(entry) in SCRIPTS
            else "",
        )
        for stored_id, (entry, data) in zip(ids, piece, strict=True)
    ]


def _kind(entry: Entry) -> Artifact.Kind:
    try:
        return Artifact.Kind(entry.kind)
    except ValueError:
        return Artifact.Kind.OTHER


def _finish(bundle: ArtifactBundle, rows: list[Artifact], size: int) -> None:
    """Show the files to the look-up, and wake who waits for them."""
    kept = ArtifactBundle.objects.filter(pk=bundle.pk)
    # It may have been deleted meanwhile.
    if kept.select_for_update().first() is None:
        return
    Artifact.objects.bulk_create(rows, batch_size=ROWS)
    kept.update(
        state=State.OK,
        detail="",
        state_since=timezone.now(),
        file_count=len(rows),
        size=size,
        events_due=True,
    )
    ring_on_commit(EVENTS_TASK, QUEUE)
