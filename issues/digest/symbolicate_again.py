"""Symbolicates stored events again whose source map came later than they.

A bundle that was uploaded is due; ``WaitingEvent`` tells which events may wait for it.
Each event is done in one transaction with the rows that say it waits: once, whoever
dies. No counter moves: the event was counted when it came.
"""

import logging
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from time import monotonic
from typing import Any
from uuid import UUID

import orjson
from django.db import DatabaseError, transaction
from django.db.models import Q, QuerySet

from issues.bodies import pack
from issues.digest.context import DigestContext, ProjectRules
from issues.digest.late_fingerprints import TakenMeanwhile, adopt
from issues.digest.map_finder import without_host
from issues.digest.normalise import normalise
from issues.digest.source_maps import SourceMaps
from issues.digest.symbolicate import (
    Origin,
    Script,
    frames_of,
    is_mapped,
    symbolicate,
)
from issues.grouping import group
from issues.models import Event, WaitingEvent
from issues.normal_event import NormalEvent
from releases import artifacts
from releases.models import Artifact, ArtifactBundle

logger = logging.getLogger(__name__)

# Digest may believe for so long that a bundle is not there; see MapFinder.
SETTLED = timedelta(seconds=60)
PIECE = 200
ATTEMPTS = 3


def catch_up(maps: SourceMaps, now: datetime, seconds: float) -> tuple[int, bool]:
    """Look again at what waited for the bundles that are due, for about ``seconds``.

    Returns how many events were looked at, and whether all is done.
    """
    deadline, context, done = monotonic() + seconds, DigestContext(), 0
    context.refresh()
    due = ArtifactBundle.objects.filter(events_due=True)
    for bundle in due.select_related("release").order_by("pk"):
        files = _arrived(bundle, maps)
        while files:
            events = _waiting(bundle.project_id, files)
            if not events:
                break
            for event_id, received in events:
                if monotonic() >= deadline:
                    return done, False
                _look_again(
                    bundle.project_id, event_id, received, files, context, maps, now
                )
                done += 1
        # A bundle that was changed since has its own time.
        settled = due.filter(pk=bundle.pk, state_since__lte=now - SETTLED)
        settled.update(events_due=False)
    used = maps.to_touch()
    if used:
        with transaction.atomic():
            artifacts.touch(used, now)
    return done, True


def _arrived(bundle: ArtifactBundle, maps: SourceMaps) -> list[UUID]:
    """Of the files that events wait for those whose map is there now."""
    ids = Artifact.objects.filter(bundle=bundle, debug_id__isnull=False)
    concerned = Q(debug_id__in=ids.values("debug_id"))
    names: set[str] = set()
    if bundle.release:
        concerned |= Q(release=bundle.release.version)
        urls = Artifact.objects.filter(bundle=bundle).exclude(url__startswith="~/")
        names = {without_host(url) for url in urls.values_list("url", flat=True)}
    waiting = WaitingEvent.objects.filter(concerned, project_id=bundle.project_id)
    rows = waiting.values_list("file", "debug_id", "release", "dist", "url").distinct()
    arrived = []
    for file, debug_id, release, dist, url in rows:
        origin = Origin(bundle.project_id, release, dist)
        found = maps.find(origin, Script(url, debug_id))
        if url in names or (found and found.source_map):
            arrived.append(file)
    return arrived


def _waiting(project_id: int, files: Collection[UUID]) -> list[tuple[UUID, datetime]]:
    rows = WaitingEvent.objects.filter(project_id=project_id, file__in=files)
    return list(rows.values_list("event_id", "received").distinct()[:PIECE])


def _look_again(
    project_id: int,
    event_id: UUID,
    received: datetime,
    files: Collection[UUID],
    context: DigestContext,
    maps: SourceMaps,
    now: datetime,
) -> None:
    """Symbolicate one event; an event that cannot be is left as it is, and logged."""
    rows = WaitingEvent.objects.filter(
        project_id=project_id, event_id=event_id, file__in=files
    )
    for _ in range(ATTEMPTS):
        try:
            with transaction.atomic():
                _in_transaction(rows, received, context, maps, now)
            return
        except TakenMeanwhile:
            continue
        except DatabaseError:
            raise
        except Exception:
            logger.exception("event %s is not symbolicated again", event_id)
            break
    rows.delete()


def _in_transaction(
    rows: QuerySet[WaitingEvent],
    received: datetime,
    context: DigestContext,
    maps: SourceMaps,
    now: datetime,
) -> None:
    locked = list(rows.order_by("pk").select_for_update())
    if not locked:
        return
    first = locked[0]
    rules = context.projects.get(first.project_id)
    event = Event.objects.filter(
        event_id=first.event_id, project_id=first.project_id, received=received
    ).first()
    if rules is not None and event is not None and event.body is not None:
        _replace_body(event, rules, maps, now)
    WaitingEvent.objects.filter(pk__in=[row.pk for row in locked]).delete()


def _replace_body(
    event: Event, rules: ProjectRules, maps: SourceMaps, now: datetime
) -> None:
    normal = stored_event(event, rules.tenant_tags)
    before = group(normal, rules.fingerprint_rules, rules.grouping_version)
    symbolicate(normal, event.project_id, maps.look)
    after = group(normal, rules.fingerprint_rules, rules.grouping_version)
    adopt(event, before, after, now)
    Event.objects.filter(pk=event.pk, received=event.received).update(
        body=pack(normal.body), title=after.title[:200]
    )


def stored_event(event: Event, tenant_tags: Sequence[str]) -> NormalEvent:
    """A stored event as digest had it; its ``body`` is the stored one."""
    body: dict[str, Any] = event.payload
    normal = normalise(
        orjson.dumps(body),
        header_event_id=event.event_id.hex,
        sent_at=None,
        received=event.received,
        remote_addr="",
        user_agent="",
        tenant_tags=tenant_tags,
    )
    normal.body = body
    for raw, frame in frames_of(normal):
        frame.mapped = is_mapped(raw)
    return normal
