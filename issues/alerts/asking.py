"""A rule's row as plain values, and in a sentence."""

from collections.abc import Iterator
from datetime import timedelta

from issues.alerts.conditions import Asked
from issues.alerts.folding import Manner, Quiet
from issues.models import AlertRule, Level
from issues.schedules import zone_or_utc

When = AlertRule.When
# How those that compare are said, with threshold and minutes.
COMPARED = {
    When.IMPACT: "the impact of an issue is at least {threshold}",
    When.TENANTS: "an issue hits at least {threshold} tenants within {minutes} min",
    When.EVENTS: "events of an environment are at least {threshold} within "
    "{minutes} min",
    When.UNUSUAL: "events within {minutes} min are {threshold} % above the usual",
    When.CRASH_FREE: "crash-free sessions fall below {threshold} % within "
    "{minutes} min",
    When.CRASH_FREE_USERS: "crash-free users today fall below {threshold} %",
    When.INGEST_LAG: "the oldest event that waits is older than {threshold} s",
}


def asked_of(rule: AlertRule) -> Asked:
    """The conditions of the rule."""
    return Asked(
        project_id=rule.project_id,
        environment=rule.environment,
        min_level=0 if rule.min_level == Level.DEBUG else rule.min_level,
        tag_key=rule.tag_key,
        tag_value=rule.tag_value,
        tenant=rule.tenant,
        plan_id=rule.plan_id,
        release=rule.release,
        path=rule.path,
    )


def manner_of(rule: AlertRule) -> Manner:
    """How the rule tells."""
    quiet = None
    if rule.quiet_from is not None and rule.quiet_until is not None:
        zone = zone_or_utc(rule.quiet_timezone)
        quiet = Quiet(rule.quiet_from, rule.quiet_until, zone)
    return Manner(
        timedelta(minutes=rule.digest_minutes),
        None if rule.ignores_quiet_hours else quiet,
    )


def when_text(rule: AlertRule) -> str:
    """Such as "an issue hits at least 20 tenants within 10 min"."""
    when = When(rule.when)
    text = str(when.label)
    if when == When.HIT_LIST and rule.threshold is not None:
        return f"{text}, or stands for over {rule.threshold:,.10g} h"
    if when not in COMPARED:
        return text
    threshold = f"{rule.threshold or 0:,.10g}"
    return COMPARED[when].format(threshold=threshold, minutes=rule.minutes)


def if_text(rule: AlertRule) -> str:
    """The conditions, "" without any."""
    return ", ".join(_conditions(rule))


def _conditions(rule: AlertRule) -> Iterator[str]:
    if rule.project is not None:
        yield f"project {rule.project}"
    if rule.environment:
        yield f"environment {rule.environment}"
    if rule.min_level != Level.DEBUG:
        yield f"level {Level(rule.min_level).label} or worse"
    if rule.tag_key:
        yield f"tag {rule.tag_key}={rule.tag_value or '*'}"
    if rule.tenant:
        yield f"tenant {rule.tenant}"
    if rule.plan is not None:
        yield f"a tenant on {rule.plan}"
    if rule.release:
        yield f"release {rule.release}"
    if rule.path:
        yield f"path {rule.path}"


def then_text(rule: AlertRule) -> str:
    """Who is told and how; reads channels and people, prefetched in lists."""
    told = [channel.name for channel in rule.channels.all()]
    told += [person.get_username() for person in rule.people.all()]
    names = ", ".join(told)
    parts = [f"tell {names}" if names else "list it, and tell nobody"]
    if rule.opens_incident:
        parts.insert(0, f"open a {rule.severity} incident")
    if rule.digest_minutes:
        parts.append(f"in one message every {rule.digest_minutes} min")
    if rule.quiet_from is not None and rule.quiet_until is not None:
        hours = f"{rule.quiet_from:%H:%M}–{rule.quiet_until:%H:%M}"
        loud = "also" if rule.ignores_quiet_hours else "not"
        parts.append(f"{loud} from {hours} {rule.quiet_timezone}")
    return ", ".join(parts)


def sentence(rule: AlertRule) -> str:
    """The rule in one sentence."""
    asked = if_text(rule)
    condition = f" – if {asked} –" if asked else ","
    return f"When {when_text(rule)}{condition} {then_text(rule)}."
