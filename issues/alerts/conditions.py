"""What an alert rule asks, judged on plain values. Pure: no clock, no database.

Each judgement of a number returns the sentence that says why it holds, "" where it
does not. Too little to judge by is never a reason to tell.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from math import sqrt

from tenants.patterns import LOOKED_AT, Glob, parse_glob

# Fewer sessions or users say nothing of a share; fewer events are never unusual.
FEWEST_COUNTED = 20
FEWEST_EVENTS = 10
# Chance alone moves a count by its square root; this many of them it rarely does.
DEVIATIONS = 3.0


@dataclass(frozen=True, slots=True)
class Asked:
    """The conditions of a rule, all of which must hold; empty ones do.

    Texts are globs (``*`` any characters, ``?`` one), in any case.
    """

    project_id: int | None = None
    environment: str = ""
    min_level: int = 0
    tag_key: str = ""
    tag_value: str = ""
    tenant: str = ""
    plan_id: int | None = None
    release: str = ""
    path: str = ""


@dataclass(slots=True)
class Facts:
    """What is known of an issue, an environment or a deploy, as far as it is asked."""

    project_id: int | None = None
    level: int = 0
    environments: Collection[str] = ()
    releases: Collection[str] = ()
    tags: Mapping[str, Collection[str]] = field(default_factory=dict)
    tenants: Collection[str] = ()
    plans: Collection[int] = ()
    paths: Collection[str] = ()


def applies(asked: Asked, facts: Facts) -> bool:
    """Whether all conditions hold."""
    return (
        asked.project_id in {None, facts.project_id}
        and facts.level >= asked.min_level
        and one_matches(asked.environment, facts.environments)
        and one_matches(asked.release, facts.releases)
        and (not asked.tag_key or _tag_holds(asked, facts))
        and one_matches(asked.tenant, facts.tenants)
        and (asked.plan_id is None or asked.plan_id in facts.plans)
        and one_matches(asked.path, facts.paths)
    )


def _tag_holds(asked: Asked, facts: Facts) -> bool:
    values = facts.tags.get(asked.tag_key, ())
    return bool(values) and one_matches(asked.tag_value, values)


def one_matches(pattern: str, texts: Collection[str]) -> bool:
    """Whether one of the texts is of the glob; "" asks for nothing."""
    if not pattern:
        return True
    glob = _parsed(pattern)
    return any(glob.matches(text[:LOOKED_AT].lower()) for text in texts)


@lru_cache(maxsize=1024)
def _parsed(pattern: str) -> Glob:
    return parse_glob(pattern)


def impact_reached(score: float, threshold: float) -> str:
    """``score`` and ``threshold`` are 0-100."""
    if score < threshold:
        return ""
    return f"Its impact is {score:.0f}, at least {threshold:,.10g}."


def tenants_reached(tenants: int, threshold: float, minutes: int) -> str:
    if tenants < threshold:
        return ""
    return f"It hit {tenants:,} tenants in {minutes} min, at least {threshold:,.10g}."


def events_reached(events: int, threshold: float, minutes: int) -> str:
    if events < threshold:
        return ""
    return f"{events:,} events in {minutes} min, at least {threshold:,.10g}."


def unusual(events: int, usual: Sequence[float], percent: float, minutes: int) -> str:
    """``usual``: the events that as many minutes had in this hour of earlier weeks.

    Beyond the percentage the difference must be one that chance does not make.
    """
    if not usual or events < FEWEST_EVENTS:
        return ""
    mean = sum(usual) / len(usual)
    over = events - mean
    if over < mean * percent / 100 or over < DEVIATIONS * sqrt(mean):
        return ""
    return (
        f"{events:,} events in {minutes} min; {mean:,.0f} are usual in this hour of "
        f"the week, at most {percent:g} % more."
    )


def crash_free_below(sessions: int, crashed: int, percent: float, minutes: int) -> str:
    """``percent`` of the sessions should be free of crashes."""
    return _below(sessions, crashed, percent, f"sessions in {minutes} min")


def crash_free_users_below(users: int, crashed: int, percent: float) -> str:
    """``percent`` of the users of a day (UTC) should have met no crash."""
    return _below(users, crashed, percent, "users of the day (UTC)")


def _below(count: int, crashed: int, percent: float, what: str) -> str:
    if count < FEWEST_COUNTED:
        return ""
    free = 100 * max(0.0, 1 - crashed / count)
    if free >= percent:
        return ""
    return f"{free:.2f} % of {count:,} {what} were crash-free, below {percent:g} %."


def lag_over(seconds: float, threshold: float) -> str:
    if seconds <= threshold:
        return ""
    return (
        f"The oldest event has waited for {seconds:,.0f} s, longer than "
        f"{threshold:,.10g} s."
    )


def overstayed(hours: float, threshold: float | None) -> str:
    """Of an entry that still stands on the hit list."""
    if threshold is None or hours <= threshold:
        return ""
    return (
        f"It has stood on the hit list for {hours:.0f} hours, over {threshold:,.10g}."
    )
