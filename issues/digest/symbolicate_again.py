"""Symbolicates stored events again whose source map came later than they.

A bundle that was uploaded is due; ``WaitingEvent`` tells which events may wait for it.
Each event is done in one transaction with the rows that say it waits: once, whoever
dies. No counter moves: the event was counted when it came.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from time import monotonic
from typing import Any
from uuid import UUID

import orjson
from django.db import DatabaseError, transaction
from django.db.models import Q, QuerySet

from issues.bodies import pack
from issues.digest.context import DigestContext, ProjectRules
from issues.digest.detail import cut_again
from issues.digest.late_fingerprints import TakenMeanwhile, adopt
from issues.digest.map_finder import without_host
from issues.digest.normalise import normalise
from issues.digest.source_maps import SourceMaps
from issues.digest.symbolicate import (
    ANY_SCRIPT,
    Origin,
    Script,
    frames_of,
    is_mapped,
    symbolicate,
)
from issues.digest.waiting import Room, Waiter, note
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

    Returns how many events were looked at, and False when time ran out. What the
    storage does not give now is looked at in the next call.
    """
    second_look, deadline = SecondLook(maps, now), monotonic() + seconds
    due = ArtifactBundle.objects.filter(events_due=True)
    for bundle in due.select_related("release").order_by("pk"):
        try:
            done = second_look.at_what_waited(bundle, deadline)
        except Unfetched as error:
            logger.warning("events go on waiting for bundle %s: %s", bundle.pk, error)
            continue
        if not done:
            return second_look.events, False
        # A bundle that was changed since has its own time.
        settled = due.filter(pk=bundle.pk, state_since__lte=now - SETTLED)
        settled.update(events_due=False)
    used = maps.to_touch()
    if used:
        with transaction.atomic():
            artifacts.touch(used, now)
    return second_look.events, True


class Unfetched(Exception):
    """The storage does not give the map now: what waits for it is left as it is."""


class SecondLook:
    """At stored events, one after the other; ``events`` counts them."""

    def __init__(self, maps: SourceMaps, now: datetime) -> None:
        self.events = 0
        self._maps, self._now = maps, now
        self._context, self._room = DigestContext(), Room()
        self._context.refresh()

    def at_what_waited(self, bundle: ArtifactBundle, deadline: float) -> bool:
        """Look at the events that a bundle may help; False when time is over."""
        files = _arrived(bundle, self._maps)
        rows = WaitingEvent.objects.filter(project_id=bundle.project_id, file__in=files)
        while files and (
            events := list(rows.values_list("event_id").distinct()[:PIECE])
        ):
            for (event_id,) in events:
                if monotonic() >= deadline:
                    return False
                self._look(rows.filter(event_id=event_id))
                self.events += 1
        return True

    def _look(self, rows: QuerySet[WaitingEvent]) -> None:
        """Symbolicate the event of these rows; what cannot be is logged, and left.

        Raises Unfetched while the storage does not give its map.
        """
        for _ in range(ATTEMPTS):
            try:
                with transaction.atomic():
                    self._in_transaction(rows)
                return
            except TakenMeanwhile:
                continue
            except (DatabaseError, Unfetched):
                raise
            except Exception:
                logger.exception("an event is not symbolicated again: %s", rows.first())
                break
        rows.delete()

    def _in_transaction(self, rows: QuerySet[WaitingEvent]) -> None:
        locked = list(rows.order_by("pk").select_for_update())
        WaitingEvent.objects.filter(pk__in=[row.pk for row in locked]).delete()
        if not locked:
            return
        row = locked[0]
        rules = self._context.projects.get(row.project_id)
        event = Event.objects.filter(
            event_id=row.event_id, project_id=row.project_id, received=row.received
        ).first()
        if rules is None or event is None or event.body is None:
            return
        waiter = self._replace_body(event, rules)
        if any(not row.url for row in locked):
            note([waiter], self._room)

    def _replace_body(self, event: Event, rules: ProjectRules) -> Waiter:
        """Symbolicate a stored event; the scripts whose map it lacks even now."""
        normal = stored_event(event, rules.tenant_tags)
        before = group(normal, rules.fingerprint_rules, rules.grouping_version)
        awaited = symbolicate(normal, event.project_id, self._maps)
        unfetched = self._maps.unfetched()
        if unfetched:
            raise Unfetched(f"the storage does not give files of bundles {unfetched}")
        after = group(normal, rules.fingerprint_rules, rules.grouping_version)
        adopt(event, before, after, self._now)
        cut_again(normal.body, event.level)
        Event.objects.filter(pk=event.pk, received=event.received).update(
            body=pack(normal.body), title=after.title[:200]
        )
        return Waiter(
            event.project_id,
            event.event_id,
            event.received,
            normal.release,
            normal.dist,
            [script for script in awaited if script != ANY_SCRIPT],
        )


def _arrived(bundle: ArtifactBundle, maps: SourceMaps) -> list[UUID]:
    """Of the files that events wait for those whose map is there now."""
    ids = Artifact.objects.filter(bundle=bundle, debug_id__isnull=False)
    concerned = Q(debug_id__in=ids.values("debug_id")) | Q(url="")
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
        found = url and maps.find(origin, Script(url, debug_id))
        if not url or url in names or (found and found.source_map):
            arrived.append(file)
    return arrived


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
