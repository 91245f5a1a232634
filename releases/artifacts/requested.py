"""Answers who wants a bundle assembled: what is missing, or how far it is.

sentry-cli asks before it uploads (only missing parts are sent), after it, and with
``--wait`` again every second until the state is ``ok`` or ``error``.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from releases.artifacts.assembling import QUEUE
from releases.artifacts.stored import missing_parts
from releases.models import ArtifactBundle
from releases.versions import record_release
from tenants.audit import Actor, difference, record
from tenants.doorbell import ring_on_commit
from tenants.models import Project

TASK = "releases.assemble"
NOT_FOUND = "not_found"
# Who waits asks each second and must see an error; who uploads again tries again.
ERROR_STANDS = timedelta(minutes=1)
UPLOAD_GRAIN = timedelta(minutes=1)

State = ArtifactBundle.State
# What stands for several projects: the first of these that one of them is in.
PRECEDENCE = [State.ERROR, State.ASSEMBLING, State.CREATED, State.OK]


@dataclass(frozen=True, slots=True)
class Upload:
    """A bundle as its client names it; ``version`` "" for no release.

    ``checksum`` is the SHA-1 of the whole, ``chunks`` those of its parts, in order.
    """

    checksum: str
    chunks: Sequence[str]
    projects: Sequence[Project]
    version: str
    dist: str


@dataclass(frozen=True, slots=True)
class Answer:
    """``missing``: checksums of the parts that are to be uploaded."""

    state: str
    missing: Sequence[str] = ()
    detail: str = ""


def request_assembly(upload: Upload, actor: Actor, now: datetime) -> Answer:
    """How far the bundle is; starts its assembly once all parts are here."""
    rows = _rows_of(upload)
    known = {row.project_id: row for row in rows}
    due = [p for p in upload.projects if _is_due(known.get(p.pk), now)]
    if not due:
        _note_upload(rows, now)
        return _answer(rows)
    twins = ArtifactBundle.objects.filter(checksum=upload.checksum, state=State.OK)
    if not twins.exists():
        missing = missing_parts(upload.chunks)
        if missing or not upload.chunks:
            return Answer(NOT_FOUND, missing)
    with transaction.atomic():
        for project in due:
            _start(upload, project, actor, now)
        ring_on_commit(TASK, QUEUE)
    return _answer(_rows_of(upload))


def _rows_of(upload: Upload) -> list[ArtifactBundle]:
    rows = ArtifactBundle.objects.filter(
        project__in=upload.projects, checksum=upload.checksum, dist=upload.dist
    )
    if upload.version:
        return list(rows.filter(release__version=upload.version))
    return list(rows.filter(release=None))


def _is_due(row: ArtifactBundle | None, now: datetime) -> bool:
    if row is None:
        return True
    return row.state == State.ERROR and row.state_since <= now - ERROR_STANDS


def _start(upload: Upload, project: Project, actor: Actor, now: datetime) -> None:
    """Make the row of a bundle, or let one that failed be tried again."""
    release = None
    if upload.version:
        release, _ = record_release(project, upload.version, {}, actor)
    told = {"state": State.CREATED, "state_since": now, "uploaded": now}
    told |= {"last_used": now, "chunks": list(upload.chunks)}
    key = {"project": project, "release": release, "dist": upload.dist}
    row, is_new = ArtifactBundle.objects.get_or_create(
        checksum=upload.checksum, **key, defaults=told
    )
    if is_new:
        record(actor, "added", row, difference({}, key))
    elif row.state == State.ERROR:
        again = {**told, "attempts": 0, "detail": ""}
        ArtifactBundle.objects.filter(pk=row.pk, state=State.ERROR).update(**again)
        record(actor, "changed", row, {"state": [State.ERROR, State.CREATED]})


def _note_upload(rows: Collection[ArtifactBundle], now: datetime) -> None:
    """A bundle that is sent again is the newest of its release."""
    ArtifactBundle.objects.filter(
        pk__in=[row.pk for row in rows],
        state=State.OK,
        uploaded__lt=now - UPLOAD_GRAIN,
    ).update(uploaded=now, last_used=now)


def _answer(rows: Collection[ArtifactBundle]) -> Answer:
    first = min(rows, key=lambda row: PRECEDENCE.index(State(row.state)))
    return Answer(first.state, detail=first.detail)
