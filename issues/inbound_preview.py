"""What inbound filters would have dropped of the newest stored events."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.db import connection

from issues.bodies import unpack
from issues.digest.inbound import InboundRules, filter_of_event
from issues.digest.normalise import normalise
from issues.normal_event import NormalEvent
from tenants.models import Filter, InboundFilters
from tenants.models.inbound import LISTS
from tenants.patterns import AddressSet, Globs, parse_browser

SAMPLE = 500
MAX_BYTES = 8 << 20  # of packed bodies
EXAMPLES = 3

# No index leads from a project to its events: the issues that were seen last do. Large
# bodies would make the answer slow, so that fewer of them are read.
NEWEST = """
SELECT id, title, received, body FROM (
    SELECT *, sum(coalesce(octet_length(body), 0)) OVER (ORDER BY id DESC) AS bytes
    FROM (
        SELECT e.id, e.title, e.received, e.body
        FROM (
            SELECT s.issue_id FROM issues_issuestats s
            JOIN issues_issue i ON i.id = s.issue_id
            WHERE i.project_id = %(project)s AND s.last_seen IS NOT NULL
            ORDER BY s.last_seen DESC LIMIT 100
        ) AS recent CROSS JOIN LATERAL (
            SELECT id, title, received, body FROM issues_event
            WHERE issue_id = recent.issue_id AND received <= %(soon)s
            ORDER BY id DESC LIMIT %(sample)s
        ) AS e
        ORDER BY e.id DESC LIMIT %(sample)s
    ) AS newest
) AS sized
WHERE bytes <= %(bytes)s
ORDER BY id DESC
"""

# What rules a single pattern of a list makes.
_RULES: dict[Filter, tuple[str, Callable[[str], Any]]] = {
    Filter.ADDRESSES: ("addresses", lambda pattern: AddressSet([pattern])),
    Filter.RELEASES: ("releases", lambda pattern: Globs([pattern])),
    Filter.LEGACY_BROWSERS: ("legacy", lambda pattern: dict([parse_browser(pattern)])),
    Filter.MESSAGES: ("messages", lambda pattern: Globs([pattern])),
}


@dataclass(frozen=True, slots=True)
class Example:
    """A stored event that a filter would have dropped."""

    id: int
    title: str


@dataclass(slots=True)
class Tried:
    """One filter, or one of its patterns, against the sample."""

    name: Filter
    pattern: str
    is_on: bool
    rules: InboundRules
    matched: int = 0
    examples: list[Example] = field(default_factory=list)


@dataclass(slots=True)
class Preview:
    """``dropped`` of ``looked_at`` events; ``without_body`` could not be judged."""

    looked_at: int
    without_body: int
    dropped: int
    tried: list[Tried]


def preview(filters: InboundFilters, now: datetime) -> Preview:
    """Try filters, saved or not, on the project's newest 500 stored events.

    Each filter stands alone: one event may count at several. What is filtered today
    is not stored, and so not in the sample; neither are requests, so health checks
    are not tried. Of addresses only the visitor's is stored.
    """
    rules = InboundRules.of(filters)
    found = Preview(0, 0, 0, list(_each(filters)))
    for event_id, title, event in _newest(filters.project_id, now):
        if event is None:
            found.without_body += 1
            continue
        found.looked_at += 1
        found.dropped += bool(filter_of_event(event, rules, "", ""))
        for tried in found.tried:
            if filter_of_event(event, tried.rules, "", ""):
                tried.matched += 1
                if len(tried.examples) < EXAMPLES:
                    tried.examples.append(Example(event_id, title))
    return found


def _newest(
    project_id: int, now: datetime
) -> Iterator[tuple[int, str, NormalEvent | None]]:
    """Id, title and event, newest first; None where the body was not kept."""
    asked: dict[str, int | datetime] = {
        "project": project_id,
        "soon": now + timedelta(hours=1),  # partitions are made for 14 days ahead
        "sample": SAMPLE,
        "bytes": MAX_BYTES,
    }
    with connection.cursor() as cursor:
        cursor.execute(NEWEST, asked)
        rows = cursor.fetchall()
    for event_id, title, received, body in rows:
        if body is None:
            yield event_id, title, None
            continue
        event = normalise(
            orjson.dumps(unpack(bytes(body))),
            header_event_id="",
            sent_at=None,
            received=received,
            remote_addr="",
            user_agent="",
            tenant_tags=(),
        )
        yield event_id, title, event


def _each(filters: InboundFilters) -> Iterator[Tried]:
    """Every filter alone, and those with a list by each of its entries."""
    on = filters.on
    for name in Filter:
        if name == Filter.HEALTH_CHECKS:
            continue
        alone = replace(InboundRules.off(), on=frozenset({name.value}))
        if name not in LISTS:
            yield Tried(name, "", name.value in on, alone)
            continue
        for pattern in getattr(filters, LISTS[name]):
            rules = replace(alone, **{_RULES[name][0]: _RULES[name][1](pattern)})
            yield Tried(name, pattern, name.value in on, rules)
