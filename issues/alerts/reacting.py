"""Looks at what alert rules have not looked at yet, and tells.

One evaluator at a time: a lock that each step holds for its short transaction, with the
alerts, their messages and the marks of what it looked at. A process that dies leaves
all of it or nothing, so nothing is lost and nothing is told twice.
"""

import logging
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from django.db import InterfaceError, OperationalError, transaction

from issues.alerts.found import Found
from issues.alerts.happenings import ACTIVITIES, HAPPENINGS, of_activities
from issues.alerts.lags import keep_lag
from issues.alerts.noting import note, note_what_is_over
from issues.alerts.standing import STANDING, resolved_of_late
from issues.alerts.telling import settle
from issues.evidence import digested_until
from issues.models import Alert, AlertRule, IssueActivity
from tenants.ticks import one_after_another

logger = logging.getLogger(__name__)

LOCK = "issues.alerts.evaluator"
PIECE, MOST = 500, 2_000
# Rows that no rule asks for are marked in larger pieces.
UNASKED = 20_000
# So much is looked at twice: some rows become visible after their moment.
OVERLAP = timedelta(hours=1)
# What is older is history, such as after the system was off.
LONGEST = timedelta(days=7)


def react_to_issues(now: datetime) -> int:
    """Judge new issues and regressions, at most ``MOST`` of them; returns how many.

    Digest calls it after each slice; the tick does the rest.
    """
    done = 0
    while done < MOST and IssueActivity.objects.filter(alerts_due=True).exists():
        looked = _react(now)
        done += looked
        if not looked:
            break
    return done


def _react(now: datetime) -> int:
    with one_after_another(LOCK):
        rules = active_rules(ACTIVITIES)
        due = IssueActivity.objects.filter(alerts_due=True).order_by("pk")
        if not rules:
            ids = list(due.values_list("pk", flat=True)[:UNASKED])
            _mark(ids)
            return len(ids)
        rows = list(due.select_related("issue__project")[:PIECE])
        for rule in rules:
            _judge(rule, rows, now)
        _mark([row.pk for row in rows])
        return len(rows)


def _judge(rule: AlertRule, rows: Sequence[IssueActivity], now: datetime) -> None:
    try:
        with transaction.atomic():
            noted = note(rule, of_activities(rule, rows), now)
        if noted:
            # Apart: what cannot be told now stays pending, for the tick.
            with transaction.atomic():
                settle(rule, now)
    except (OperationalError, InterfaceError):
        raise  # not the rule's fault: all of it is done again
    except Exception:
        # Else one rule that cannot be read would silence all others for good.
        logger.exception("alert rule %s could not judge %s issues", rule, len(rows))


def _mark(ids: Sequence[int]) -> None:
    IssueActivity.objects.filter(pk__in=ids).update(alerts_due=False)


def active_rules(whens: Collection[str]) -> list[AlertRule]:
    rules = AlertRule.objects.filter(is_active=True, when__in=list(whens))
    return list(rules.select_related("project", "plan"))


def tick(now: datetime) -> None:
    """Everything that is due: what digest left, all other rules, what waits."""
    try:
        react_to_issues(now)
    except Exception:
        # Digest and the next tick look again; all else must not wait for it.
        logger.exception("alert rules could not look at new issues")
    try:
        keep_lag(now)
    except Exception:
        # Previews alone read it.
        logger.exception("the lag of digest could not be kept")
    for rule in active_rules([*STANDING, *HAPPENINGS]):
        try:
            _look(rule, now)
        except Exception:
            # The next tick looks again; the other rules must not wait for it.
            logger.exception("alert rule %s could not be looked at", rule)
    settle_waiting(now)


def _look(rule: AlertRule, now: datetime) -> None:
    # Read outside of the lock, for which digest waits: note() looks again within.
    if rule.when in STANDING:
        resolved = list(resolved_of_late(rule, now))
        found = STANDING[rule.when](rule, now)
        note_what_is_over(rule, resolved, found, now)
        _note(rule, found, now)
        return
    # Runs are known as far as digest has come, which may be behind after a stop.
    until = digested_until(now) if rule.when == AlertRule.When.MONITOR else now
    found = HAPPENINGS[rule.when](rule, looks_from(rule, now), now)
    with transaction.atomic():
        _note(rule, found, now)
        AlertRule.objects.filter(pk=rule.pk).update(looked_until=until)


def looks_from(rule: AlertRule, now: datetime) -> datetime:
    """From when on the rule asks for what happened."""
    start = rule.asks_since or rule.created
    if rule.looked_until is not None:
        start = max(start, rule.looked_until - OVERLAP)
    return max(start, now - LONGEST)


def _note(rule: AlertRule, found: Sequence[Found], now: datetime) -> None:
    if found:
        with one_after_another(LOCK):
            note(rule, found, now)


def settle_waiting(now: datetime) -> int:
    """Tell what is due of all that waits; returns how many messages that made."""
    waiting = Alert.objects.filter(state__in=Alert.WAITING).order_by()
    messages = 0
    for pk in waiting.values_list("rule", flat=True).distinct():
        try:
            messages += _settle(pk, now)
        except Exception:
            logger.exception("what waits for alert rule %s could not be told", pk)
    return messages


def _settle(rule_id: int, now: datetime) -> int:
    with one_after_another(LOCK):
        rule = AlertRule.objects.filter(pk=rule_id).first()
        return settle(rule, now) if rule else 0
