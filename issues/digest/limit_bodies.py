"""Which events of a batch keep their bodies: key limits, detail rules, samples.

Every event is counted; one whose body is dropped leaves an outcome that says why.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from django.db import connection

from issues.digest.context import KeyLimit
from issues.digest.store import GroupedEvent, KnownTags, Tally
from tenants.arrays import columns
from tenants.detail import keeps_body
from tenants.seen import events_since

# Past its key's limit a new issue keeps a body of usual size only: a flood of forged
# faults must not fill the disk.
USUAL_BODY = 32 * 1024

# The row stays locked until the batch ends, so that two workers never keep more than
# the cap between them.
ADD_DETAIL_MINUTES = """
INSERT INTO issues_detailminute AS old (issue_id, rule_id, minute, events)
SELECT i, r, to_timestamp(m * 60), n
FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::int[]) AS row (i, r, m, n)
ON CONFLICT (issue_id, rule_id, minute)
DO UPDATE SET events = old.events + excluded.events
RETURNING issue_id, rule_id, (extract(epoch FROM minute) / 60)::bigint, events
"""
KNOWN_RELEASES = """
SELECT t.issue_id, t.value
FROM unnest(%s::bigint[], %s::text[]) AS row (i, v)
JOIN issues_issuetag t ON t.issue_id = i AND t.key = 'release' AND t.value = v
"""

CapKey = tuple[int, int, int]  # issue, rule, minute


def limit_bodies(
    grouped: Sequence[GroupedEvent],
    limits: Mapping[int, KeyLimit],
    known_tags: KnownTags,
    tally: Tally,
    now: datetime,
) -> None:
    """Set ``dropped`` of the events without a body, and count them by its reason."""
    _limit_keys(grouped, limits, now)
    for item in grouped:
        if not item.dropped and not keeps_body(item.event.event_id, item.rule.share):
            item.dropped = "detail_rule"
    _cap(grouped)
    dropped = [item for item in grouped if item.dropped]
    if dropped:
        _keep_samples(grouped, known_tags)
    for item in dropped:
        if item.dropped:
            minute = _minute(item)
            key = (item.project_id, item.key_id, minute, "error", item.dropped)
            tally.outcomes[key] += 1


def _limit_keys(
    grouped: Sequence[GroupedEvent], limits: Mapping[int, KeyLimit], now: datetime
) -> None:
    for key_id in sorted({item.key_id for item in grouped} & set(limits)):
        limit = limits[key_id]
        window = now - timedelta(seconds=limit.seconds)
        left = limit.count - events_since(key_id, window)
        for item in grouped:
            if item.key_id == key_id:
                left -= 1
                if left < 0:
                    item.dropped = "rate_limit"


def _cap(grouped: Iterable[GroupedEvent]) -> None:
    """The first events of each minute keep their bodies, as many as the rule's cap."""
    capped: dict[CapKey, list[GroupedEvent]] = {}
    for item in grouped:
        if item.rule.cap is not None and not item.dropped:
            key = (item.issue.issue_id, item.rule.id, _minute(item))
            capped.setdefault(key, []).append(item)
    if not capped:
        return
    rows = [(*key, len(capped[key])) for key in sorted(capped)]
    with connection.cursor() as cursor:
        cursor.execute(ADD_DETAIL_MINUTES, columns(rows))
        for *key, events in cursor.fetchall():
            items = capped[tuple(key)]
            cap = items[0].rule.cap or 0
            before = events - len(items)
            for item in items[max(cap - before, 0) :]:
                item.dropped = "detail_cap"


def _keep_samples(grouped: Sequence[GroupedEvent], known_tags: KnownTags) -> None:
    """The first event of an issue, and its first of each release, keep their bodies.

    An issue without any body explains nothing.
    """
    firsts: dict[tuple[int, str], GroupedEvent] = {}
    seen: set[int] = set()
    for item in grouped:
        issue_id, release = item.issue.issue_id, item.event.release[:200]
        if item.issue.is_new and issue_id not in seen:
            _keep_first(item)
        seen.add(issue_id)
        if release:
            firsts.setdefault((issue_id, release), item)
    asked = [
        pair
        for pair, item in sorted(firsts.items(), key=lambda pair: pair[0])
        if item.dropped not in {"", "rate_limit"}
        and not known_tags.knows((pair[0], "release", pair[1]))
    ]
    if asked:
        with connection.cursor() as cursor:
            cursor.execute(KNOWN_RELEASES, columns(asked))
            for pair in set(asked).difference(cursor.fetchall()):
                firsts[pair].dropped = ""


def _keep_first(item: GroupedEvent) -> None:
    if item.dropped != "rate_limit" or len(item.body) <= USUAL_BODY:
        item.dropped = ""


def _minute(item: GroupedEvent) -> int:
    return int(item.event.received.timestamp() // 60)
