"""Decides how much of an event is kept, cuts its body, and notes in it why."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from issues.digest.cutting import cut
from issues.digest.resolve import LEVELS
from issues.normal_event import NormalEvent
from tenants.detail import (
    BUILT_IN,
    DETAILS,
    Detail,
    Facts,
    Rule,
    asks_plan,
    asks_release_age,
    choose,
)

FirstSeen = Callable[[str], datetime | None]


def _unknown(version: str) -> None:
    """Of a project whose rules do not ask how old a release is."""


@dataclass(slots=True)
class DetailPolicy:
    """The detail rules of a project, and what they ask besides the event.

    ``plans`` maps tenant keys to ids of plans, ``first_seen`` a version to when it
    was; neither is filled unless some rule asks.
    """

    rules: Sequence[Rule] = ()
    plans: Mapping[str, int] = field(default_factory=dict)
    first_seen: FirstSeen = _unknown
    asks_plan: bool = field(init=False)
    asks_release_age: bool = field(init=False)

    def __post_init__(self) -> None:
        self.asks_plan = asks_plan(self.rules)
        self.asks_release_age = asks_release_age(self.rules)

    def rule_for(self, event: NormalEvent) -> Rule:
        """The rule that decides for this event."""
        level = LEVELS[event.level]
        if not self.rules:
            return BUILT_IN[level > BUILT_IN[0].max_level]
        facts = Facts(
            level=level,
            environment=event.environment,
            tenant=event.tenant,
            plan_id=self.plans.get(event.tenant) if self.asks_plan else None,
            tags=event.tags,
            release_age=self._age(event) if self.asks_release_age else None,
        )
        return choose(self.rules, facts)

    def _age(self, event: NormalEvent) -> float | None:
        if not event.release:
            return None
        first = self.first_seen(event.release)
        return max((event.received - first).total_seconds(), 0.0) if first else 0.0


def apply_detail(event: NormalEvent, policy: DetailPolicy) -> Rule:
    """Cut the event's body as its rule says; returns the rule.

    What the built-in rules leave whole gets no note: that is what no note means.
    """
    rule = policy.rule_for(event)
    left_out = cut(event.body, rule.detail)
    if rule.id or left_out:
        note = {"rule": rule.id, "name": rule.name, "level": rule.detail.value}
        if rule.share < 1:
            note["share"] = rule.share
        if left_out:
            note["left_out"] = left_out
        event.body.setdefault("_rush", {})["detail"] = note
    return rule


def cut_again(body: dict[str, Any], level: int) -> None:
    """Leave out again what the note says: a source map may have brought some back."""
    note = read_note(body, level)
    if note.level in DETAILS:
        cut(body, Detail(note.level))


@dataclass(frozen=True, slots=True)
class DetailNote:
    """Which rule decided for a stored event, and what it left out, in words.

    ``rule`` is 0 for a built-in one; ``share`` is the fraction of bodies it keeps.
    """

    rule: int
    name: str
    level: str
    share: float
    left_out: list[str]


def read_note(body: Mapping[str, Any], level: int) -> DetailNote:
    """The note of a stored body, whatever its shape, of an event of this level."""
    rush = body.get("_rush")
    note = rush.get("detail") if isinstance(rush, dict) else None
    if not isinstance(note, dict):
        rule = choose((), Facts(level))
        return DetailNote(0, rule.name, rule.detail.value, 1.0, [])
    rule_id, share, left = note.get("rule"), note.get("share"), note.get("left_out")
    return DetailNote(
        rule=rule_id if isinstance(rule_id, int) else 0,
        name=str(note.get("name", "")),
        level=str(note.get("level", "")),
        share=float(share) if isinstance(share, int | float) else 1.0,
        left_out=[str(part) for part in left] if isinstance(left, list) else [],
    )
