"""How much of an event is kept: the first rule that matches says so.

Rules leave out parts of a body, or the body; events count in full under every rule.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import blake2b

HOUR = 3600.0


class Detail(StrEnum):
    """What of a body stays, from least to most."""

    MINIMAL = "minimal"  # title and frames
    STANDARD = "standard"  # no locals, no request body, the last breadcrumbs only
    FULL = "full"  # all that was sent


DETAILS = [detail.value for detail in Detail]


@dataclass(frozen=True, slots=True)
class Rule:
    """Conditions, all of which must hold, and what follows.

    Levels are those of Python's logging (10 debug to 50 fatal), both included. Texts
    are patterns in which ``*`` stands for any characters; "" asks for nothing.
    ``share`` is the fraction of bodies to keep (0-1), ``cap`` the most bodies per
    issue and minute, None for no cap. ``id`` 0 marks a built-in rule.
    """

    id: int
    name: str
    detail: Detail
    environment: str = ""
    min_level: int = 0
    max_level: int = 100
    tenant: str = ""
    plan_id: int | None = None
    tag_key: str = ""
    tag_value: str = ""  # "" with a key: any value
    younger_hours: int | None = None
    older_hours: int | None = None
    share: float = 1.0
    cap: int | None = None

    @property
    def asks_release_age(self) -> bool:
        return self.younger_hours is not None or self.older_hours is not None


@dataclass(slots=True)
class Facts:
    """What rules ask of an event.

    ``release_age`` is in seconds: 0 for a release that nobody knows yet, None where
    the event names no release.
    """

    level: int
    environment: str = ""
    tenant: str = ""
    plan_id: int | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    release_age: float | None = None


# Debug and info messages come in masses and have little to explain; from warning on
# somebody has to find the cause, and what was left out cannot be asked for later.
BUILT_IN = (
    Rule(0, "built-in: debug and info", Detail.STANDARD, max_level=20),
    Rule(0, "built-in: warning and above", Detail.FULL),
)


def choose(rules: Iterable[Rule], facts: Facts) -> Rule:
    """The first rule that matches, else the built-in one."""
    for rule in rules:
        if applies(rule, facts):
            return rule
    return BUILT_IN[facts.level > BUILT_IN[0].max_level]


def applies(rule: Rule, facts: Facts) -> bool:
    """Whether all conditions of the rule hold."""
    return (
        rule.min_level <= facts.level <= rule.max_level
        and (not rule.tag_key or _tag_holds(rule, facts.tags))
        and concerns(rule, facts)
    )


def concerns(rule: Rule, facts: Facts) -> bool:
    """Whether the conditions hold that are the same for all events of a sender:
    environment, tenant, plan and release age.
    """
    return (
        (not rule.environment or matches(rule.environment, facts.environment))
        and (not rule.tenant or matches(rule.tenant, facts.tenant))
        and (rule.plan_id is None or rule.plan_id == facts.plan_id)
        and (not rule.asks_release_age or _age_holds(rule, facts.release_age))
    )


def _tag_holds(rule: Rule, tags: Mapping[str, str]) -> bool:
    value = tags.get(rule.tag_key)
    if value is None:
        return False
    return not rule.tag_value or matches(rule.tag_value, value)


def _age_holds(rule: Rule, age: float | None) -> bool:
    if age is None:
        return False
    if rule.younger_hours is not None and age >= rule.younger_hours * HOUR:
        return False
    return rule.older_hours is None or age >= rule.older_hours * HOUR


def matches(pattern: str, text: str) -> bool:
    """Whether the whole text fits; takes no longer than reading the text does."""
    first, *rest = pattern.split("*")
    if not rest:
        return text == first
    *middle, last = rest
    if not text.startswith(first):
        return False
    at = len(first)
    for part in middle:
        found = text.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return len(text) - at >= len(last) and text.endswith(last)


def keeps_body(event_id: str, share: float) -> bool:
    """Whether this event is among the ``share`` (0-1) that keep their bodies.

    The id alone decides, so that an event that is digested again fares alike; hashed,
    as SDKs do not fill every digit by chance.
    """
    if share >= 1.0:
        return True
    drawn = blake2b(event_id.encode(), digest_size=8).digest()
    return int.from_bytes(drawn) < share * 2**64


def keeps_attachments(detail: Detail) -> bool:
    """Whether an event of this detail keeps its attachments."""
    return detail is Detail.FULL


def asks_plan(rules: Sequence[Rule]) -> bool:
    return any(rule.plan_id is not None for rule in rules)


def asks_release_age(rules: Sequence[Rule]) -> bool:
    return any(rule.asks_release_age for rule in rules)
