"""What a rule would have told in the last seven days, by what is stored of them.

The same conditions and the same folding judge the past. What is not kept is said.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from heapq import nlargest

from issues.alerts.asking import asked_of, manner_of, sentence
from issues.alerts.counters import (
    MINUTE,
    WEEK,
    WEEKS,
    Counted,
    by_minute,
)
from issues.alerts.daily_users import past_users
from issues.alerts.folding import Waiting, replay
from issues.alerts.found import Found
from issues.alerts.happenings import (
    ACTIVITIES,
    HAPPENINGS,
    MOST_PAST,
    past_activities,
)
from issues.alerts.lags import past_lags
from issues.alerts.past_issues import MOST_ISSUES, past_impact, past_tenants
from issues.alerts.standing import judged, repeat_of
from issues.incidents.figure_texts import many
from issues.models import AlertRule

When = AlertRule.When
SPAN = timedelta(days=7)
HOUR = timedelta(hours=1)
# The newest causes that a preview replays.
MOST = MOST_PAST

AS_NOW = "Tags, tenants and levels are those that the issues have now."
NEWEST = f"{AS_NOW} The newest {MOST_PAST:,} issues are looked at."
WORST = f"The worst {MOST_ISSUES:,} issues that may meet the conditions are looked at."
NOT_KEPT = {
    When.NEW_ISSUE: NEWEST,
    When.REGRESSION: NEWEST,
    When.HIT_LIST: AS_NOW,
    When.IMPACT: "By the highest score of each hour, when it was reached; scores are "
    f"kept since this version was installed. {AS_NOW} {WORST}",
    When.TENANTS: "By whole minutes, which are kept for 8 days since this version was "
    f"installed, before that for 48 hours. {AS_NOW} {WORST}",
    When.INGEST_LAG: "By the longest wait of each minute; waits are kept since this "
    "version was installed.",
    When.EVENTS: "By whole minutes; the rule itself looks within a minute, too.",
    When.CRASH_FREE: "By whole minutes; the rule itself looks within a minute, too.",
    When.CRASH_FREE_USERS: "By day, by its numbers at its end (UTC) or now; the rule "
    "itself looks all day.",
    When.UNUSUAL: "By whole minutes. Minutes are kept for 15 days: the first of these "
    "days are compared with one earlier week only.",
    When.MONITOR: "Of monitors that are muted or disabled now, nothing is told.",
    When.VERDICT: "",
    When.ROLLBACK: "",
}
PAST: dict[str, Callable[[AlertRule, datetime, datetime], Iterable[Found]]] = {
    When.IMPACT: past_impact,
    When.TENANTS: past_tenants,
    When.INGEST_LAG: past_lags,
    When.CRASH_FREE_USERS: past_users,
}


@dataclass(frozen=True, slots=True)
class Told:
    """A message: when, and the causes that it tells of."""

    at: datetime
    found: Sequence[Found]

    @property
    def title(self) -> str:
        if len(self.found) == 1:
            return self.found[0].title
        return f"{len(self.found):,} alerts"

    @property
    def causes(self) -> list[str]:
        return [one.cause for one in self.found]


@dataclass(slots=True)
class Preview:
    """The messages, the newest first; ``again``: causes that were told of late."""

    rule: AlertRule
    start: datetime
    messages: list[Told] = field(default_factory=list)
    causes: int = 0
    again: int = 0
    not_kept: str = ""

    @property
    def sentence(self) -> str:
        told = f"{many(self.causes, 'cause')}, {many(len(self.messages), 'message')}"
        if self.again:
            told += f"; {self.again:,} not told again within the interval"
        return f"{told}. {sentence(self.rule)}"


def preview(rule: AlertRule, now: datetime) -> Preview:
    """Replay a saved rule, active or not; nothing is written."""
    start = now - SPAN
    found = _newest(_found(rule, start, now))
    told, again = first_of_each(found, repeat_of(rule))
    waiting = [Waiting(i, one.at) for i, one in enumerate(told)]
    messages = [
        Told(at, [told[i] for i in ids])
        for at, ids in replay(waiting, manner_of(rule), now)
    ]
    not_kept = NOT_KEPT[When(rule.when)]
    if len(found) == MOST:
        not_kept += f" Only the newest {MOST:,} causes are replayed."
    return Preview(rule, start, messages[::-1], len(told), again, not_kept.strip())


def _newest(found: Iterable[Found]) -> list[Found]:
    """The newest ``MOST``, the oldest of them first; no more of them are held."""
    newest = nlargest(MOST, found, key=lambda one: one.at)
    return sorted(newest, key=lambda one: one.at)


def first_of_each(found: Iterable[Found], repeat: timedelta) -> tuple[list[Found], int]:
    """Those that are told, and how many were told of within ``repeat``."""
    last: dict[str, datetime] = {}
    told, again = [], 0
    for one in found:
        before = last.get(one.about)
        if before is not None and one.at - before < repeat:
            again += 1
            continue
        last[one.about] = one.at
        told.append(one)
    return told, again


def _found(rule: AlertRule, start: datetime, now: datetime) -> Iterable[Found]:
    if rule.when in ACTIVITIES:
        return past_activities(rule, start, now)
    if rule.when in HAPPENINGS:
        return HAPPENINGS[rule.when](rule, start, now)
    if rule.when in PAST:
        return PAST[rule.when](rule, start, now)
    return _past_rates(rule, start, now)


def _past_rates(rule: AlertRule, start: datetime, now: datetime) -> Iterator[Found]:
    """The minutes at whose end the rule holds and is not silent."""
    back = WEEKS * WEEK if rule.when == When.UNUSUAL else timedelta(0)
    span = (rule.minutes or 1) * MINUTE
    end = now.replace(second=0, microsecond=0)
    counts = by_minute(asked_of(rule), start - back - max(span, HOUR), end)
    for place, minutes in counts.items():
        hours = _hours(minutes) if rule.when == When.UNUSUAL else {}
        silent_until = start
        for at, sums in _sliding(minutes, span):
            if at <= silent_until:
                continue
            usual = {place: _usual(hours, at, rule.minutes or 1)}
            for one in judged(rule, at, {place: sums}, usual):
                silent_until = at + repeat_of(rule) - MINUTE
                yield one


def _sliding(
    minutes: Mapping[datetime, Counted], span: timedelta
) -> Iterator[tuple[datetime, Counted]]:
    """The end of each minute that counted something, with the sums of its span."""
    ordered = sorted(minutes)
    sums, first = Counted(), 0
    for minute in ordered:
        one = minutes[minute]
        sums.add(one.events, one.sessions, one.crashed)
        while ordered[first] <= minute - span:
            gone = minutes[ordered[first]]
            sums.add(-gone.events, -gone.sessions, -gone.crashed)
            first += 1
        yield minute + MINUTE, Counted(sums.events, sums.sessions, sums.crashed)


def _hours(minutes: Mapping[datetime, Counted]) -> dict[datetime, int]:
    hours: dict[datetime, int] = {}
    for minute, counts in minutes.items():
        hour = minute.replace(minute=0)
        hours[hour] = hours.get(hour, 0) + counts.events
    return hours


def _usual(hours: Mapping[datetime, int], at: datetime, minutes: int) -> list[float]:
    hour = (at - MINUTE).replace(minute=0)
    found = [hours.get(hour - weeks * WEEK, 0) for weeks in range(1, WEEKS + 1)]
    return [events * minutes / 60 for events in found if events]
