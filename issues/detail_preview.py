"""What detail rules would have done to the events that are stored."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import zstandard

from issues.bodies import pack
from issues.digest.cutting import cut
from issues.models import Event
from tenants.detail import Facts, Rule, choose, keeps_body
from tenants.models import DetailRule

EVENTS = 100
DAY = timedelta(hours=24)
Row = tuple[int | None, Rule]  # the project that it holds for, None for each


@dataclass(frozen=True, slots=True)
class Previewed:
    """A stored event; ``before`` and ``after`` are bytes as stored.

    ``dropped`` is the reason where its body would not be kept: share or cap.
    """

    event: Event
    rule: Rule
    before: int
    after: int
    left_out: list[str]
    dropped: str


@dataclass(slots=True)
class Preview:
    """The newest events first."""

    rows: list[Previewed] = field(default_factory=list)

    @property
    def before(self) -> int:
        return sum(row.before for row in self.rows)

    @property
    def after(self) -> int:
        return sum(row.after for row in self.rows)

    @property
    def sentence(self) -> str:
        if not self.rows:
            return "No event with a body was received within 24 hours."
        share = self.after / max(self.before, 1)
        return (
            f"Of the last {len(self.rows)} stored events {self.after:,} of "
            f"{self.before:,} bytes would stay ({share:.0%})."
        )


def preview(now: datetime, typed: DetailRule | None = None) -> Preview:
    """The last stored events of 24 hours under the rules in force.

    ``typed`` is a rule that is not saved: it takes its place in the order, instead of
    the saved one of its id; only events of its project are looked at.
    """
    rules = [(rule.project_id, rule.rule()) for rule in _in_force(typed)]
    kept: Counter[tuple[int, str, int]] = Counter()
    rows = [
        row
        # Oldest first, as caps count.
        for event in reversed(_stored(now, typed.project_id if typed else None))
        if (row := _previewed(event, rules, kept)) is not None
    ]
    return Preview(rows[::-1])


def _in_force(typed: DetailRule | None) -> list[DetailRule]:
    rules = list(DetailRule.objects.filter(is_active=True))
    if typed is None:
        return rules
    others = [rule for rule in rules if rule.pk != typed.pk]
    everything = [*others, typed] if typed.is_active else others
    # Among equals the oldest comes first, and one without an id is the newest.
    return sorted(everything, key=lambda r: (r.position, r.pk or float("inf")))


def _stored(now: datetime, project_id: int | None) -> list[Event]:
    events = Event.objects.filter(
        received__gte=now - DAY, received__lte=now, body__isnull=False
    )
    if project_id is not None:
        events = events.filter(project_id=project_id)
    related = ("project", "environment", "release", "tenant")
    return list(events.select_related(*related).order_by("-pk")[:EVENTS])


def _previewed(
    event: Event, rules: Sequence[Row], kept: Counter[tuple[int, str, int]]
) -> Previewed | None:
    """None for a body that cannot be read."""
    try:
        payload = event.payload
    except (ValueError, LookupError, zstandard.ZstdError):
        return None
    rule = choose(
        [rule for project, rule in rules if project in (None, event.project_id)],
        _facts(event, payload),
    )
    before = len(event.body or b"")
    left_out = cut(payload, rule.detail)
    dropped = _dropped(event, rule, kept)
    after = len(pack(payload)) if left_out else before
    return Previewed(
        event, rule, before, 0 if dropped else min(after, before), left_out, dropped
    )


def _dropped(event: Event, rule: Rule, kept: Counter[tuple[int, str, int]]) -> str:
    if not keeps_body(event.event_id.hex, rule.share):
        return "share"
    if rule.cap is not None:
        minute = int(event.received.timestamp() // 60)
        key = (event.issue_id, rule.name, minute)
        kept[key] += 1
        if kept[key] > rule.cap:
            return "cap"
    return ""


def _facts(event: Event, payload: dict[str, Any]) -> Facts:
    age = None
    if event.release:
        since = event.received - event.release.first_seen
        age = max(since.total_seconds(), 0.0)
    tags = payload.get("tags")
    return Facts(
        level=event.level,
        environment=event.environment.name if event.environment else "",
        tenant=event.tenant.key if event.tenant else "",
        plan_id=event.tenant.plan_id if event.tenant else None,
        tags=tags if isinstance(tags, dict) else {},
        release_age=age,
    )
