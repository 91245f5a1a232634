"""What the pages read of stored events: one event, its neighbours, many by filter.

The event table has a partition for each day: ids grow with time, so "newest first" is
``id DESC`` and every read ends after the first rows of the (issue_id, id) index.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone

from issues.models import Event

SAMPLE = 100  # newest events that tag distributions look at


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Ids of the events around the shown one; None at either end."""

    older: int | None
    newer: int | None


# LATERAL: each member of the family walks its own index to the first rows, where
# "issue_id IN (…) ORDER BY id" would sort all of their events. The limits on the time
# of receipt only spare partitions: ids and times run alike to within a day.
NEWEST = """
SELECT e.id, e.received, e.tags, e."user", e.transaction, env.name, r.version
FROM unnest(%(family)s::bigint[]) AS member (issue_id) CROSS JOIN LATERAL (
    SELECT id, received, tags, "user", transaction, environment_id, release_id
    FROM issues_event WHERE issue_id = member.issue_id AND received <= %(now)s
    ORDER BY id DESC LIMIT %(limit)s
) AS e
LEFT JOIN releases_environment env ON env.id = e.environment_id
LEFT JOIN releases_release r ON r.id = e.release_id
ORDER BY e.id DESC LIMIT %(limit)s
"""
OLDEST = """
SELECT min(e.id)
FROM unnest(%(family)s::bigint[]) AS member (issue_id) CROSS JOIN LATERAL (
    SELECT id FROM issues_event
    WHERE issue_id = member.issue_id AND received <= %(now)s ORDER BY id LIMIT 1
) AS e
"""
AROUND = """
SELECT max(ends.older), min(ends.newer)
FROM unnest(%(family)s::bigint[]) AS member (issue_id) CROSS JOIN LATERAL (SELECT
    (SELECT id FROM issues_event e WHERE e.issue_id = member.issue_id
        AND received < %(after)s AND id < %(id)s ORDER BY id DESC LIMIT 1) AS older,
    (SELECT id FROM issues_event e WHERE e.issue_id = member.issue_id
        AND received BETWEEN %(before)s AND %(now)s AND id > %(id)s
        ORDER BY id LIMIT 1) AS newer
) AS ends
"""
DAY = timedelta(days=1)


def _soon() -> datetime:
    """Just after the last event: partitions are made for 14 days ahead."""
    return timezone.now() + timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Sampled:
    """What the page needs of each of the newest events."""

    id: int
    received: datetime
    tags: list[str]
    user: str
    transaction: str
    environment: str | None
    release: str | None


def newest_events(family: Sequence[int], limit: int = SAMPLE) -> list[Sampled]:
    """The newest events of a family, without their bodies."""
    asked = {"family": list(family), "limit": limit, "now": _soon()}
    return [Sampled(*row) for row in _all(NEWEST, asked)]


def oldest_event(family: Sequence[int]) -> int:
    """The id of the oldest event that is stored, 0 where none is."""
    found = _all(OLDEST, {"family": list(family), "now": _soon()})
    return int(found[0][0] or 0)


def shown_event(
    family: Sequence[int], newest: Sequence[Sampled], event_id: int = 0
) -> Event | None:
    """The event with this id if the family has it, else the newest; None: no events."""
    events = Event.objects.select_related("release", "environment", "tenant")
    if event_id:
        found = events.filter(pk=event_id, issue_id__in=family).first()
        if found:
            return found
    if not newest:
        return None
    return events.filter(pk=newest[0].id, received=newest[0].received).first()


def neighbours(
    family: Sequence[int], newest: Sequence[Sampled], event: Event
) -> Neighbours:
    """The way from an event to the others of its family.

    Most often ``newest`` holds them, and they are not looked for.
    """
    ids = [sampled.id for sampled in newest]
    if event.pk in ids:
        place = ids.index(event.pk)
        newer = ids[place - 1] if place else None
        if place + 1 < len(ids):
            return Neighbours(ids[place + 1], newer)
        if len(ids) < SAMPLE:
            return Neighbours(None, newer)
    around = {
        "family": list(family),
        "id": event.pk,
        "before": event.received - DAY,
        "after": min(event.received + DAY, _soon()),
        "now": _soon(),
    }
    return Neighbours(*_all(AROUND, around)[0])


@dataclass(frozen=True, slots=True)
class Distribution:
    """How often the values of one key occur among ``sample`` events."""

    key: str
    values: list[tuple[str, int]]
    others: int
    sample: int


# Shown first, in this order; every other tag follows by name.
LEADING = ("release", "environment", "browser", "os", "url", "template", "transaction")
TOP_VALUES = 5


def tag_distributions(newest: Sequence[Sampled]) -> list[Distribution]:
    """The most frequent values of each tag among these events."""
    counts: dict[str, Counter[str]] = {}
    for event in newest:
        pairs: dict[str, str | None] = dict(
            tag.partition("=")[::2] for tag in event.tags
        )
        pairs["environment"], pairs["release"] = event.environment, event.release
        pairs["transaction"], pairs["user"] = event.transaction, event.user
        for key, value in pairs.items():
            if value:
                counts.setdefault(key, Counter())[value] += 1
    ordered = sorted(counts, key=lambda key: (_rank(key), key))
    return [_distribution(key, counts[key], len(newest)) for key in ordered]


def _rank(key: str) -> int:
    return LEADING.index(key) if key in LEADING else len(LEADING)


def _distribution(key: str, counter: Counter[str], sample: int) -> Distribution:
    top = counter.most_common(TOP_VALUES)
    others = counter.total() - sum(count for _, count in top)
    return Distribution(key, top, others, sample)


@dataclass(frozen=True, slots=True)
class EventFilter:
    """What the event list may be narrowed to; None: not narrowed."""

    project_id: int | None = None
    issue_ids: Sequence[int] | None = None
    tenant_id: int | None = None
    release_ids: Sequence[int] | None = None
    start: datetime | None = None
    end: datetime | None = None
    event_id: UUID | None = None


def events_before(
    chosen: EventFilter, before: int | None, size: int
) -> tuple[list[Event], bool]:
    """A page of events older than the id ``before``, newest first, and if more follow.

    Times are of receipt and prune partitions; a start keeps wide filters from walking
    through every day.
    """
    events = Event.objects.filter(**_lookups(chosen))
    if before is not None:
        events = events.filter(pk__lt=before)
    first, *others = (
        part.order_by("-pk").values_list("pk", "received")[: size + 1]
        for part in _by_issue(events, chosen.issue_ids)
    )
    # Each issue walks its own index, see NEWEST.
    joined = first.union(*others, all=True).order_by("-id") if others else first
    found = list(joined[: size + 1])
    return _rows_of(found[:size]), len(found) > size


def _rows_of(found: Sequence[tuple[int, datetime]]) -> list[Event]:
    """The events of these ids; their times keep the look-up to few partitions."""
    if not found:
        return []
    times = [received for _, received in found]
    return list(
        Event.objects.filter(
            pk__in=[pk for pk, _ in found], received__range=(min(times), max(times))
        )
        .select_related("project", "issue", "release", "environment", "tenant")
        .defer("body", "issue__value")
        .order_by("-pk")
    )


def _by_issue(
    events: QuerySet[Event], issue_ids: Sequence[int] | None
) -> list[QuerySet[Event]]:
    if issue_ids is None:
        return [events]
    return [events.filter(issue_id=pk) for pk in issue_ids] or [events.none()]


def _lookups(chosen: EventFilter) -> dict[str, Any]:
    lookups = {
        "project_id": chosen.project_id,
        "tenant_id": chosen.tenant_id,
        "release_id__in": chosen.release_ids,
        "received__gte": chosen.start,
        "received__lt": chosen.end or _soon(),
        "event_id": chosen.event_id,
    }
    return {key: value for key, value in lookups.items() if value is not None}


def _all(sql: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())
