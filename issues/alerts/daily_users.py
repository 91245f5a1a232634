"""Crash-free users by day (UTC), as sessions name them; each counts once a day."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db import connection

from issues.alerts.asking import asked_of
from issues.alerts.conditions import (
    Asked,
    crash_free_users_below,
    one_matches,
)
from issues.alerts.counters import Place
from issues.alerts.found import Found, of_place
from issues.alerts.narrowing import regex_of
from issues.models import AlertRule
from releases.models import Environment, Release

DAY = timedelta(days=1)
# Whoever used two releases is one user.
USERS = """
SELECT day, environment_id, count(*), count(*) FILTER (WHERE crashed)
FROM (
    SELECT day, environment_id, "user", bool_or(crashed) AS crashed
    FROM releases_releaseuser
    WHERE day >= %(first)s AND day <= %(last)s
        AND environment_id = ANY(%(environments)s)
        AND (%(releases)s::bigint[] IS NULL OR release_id = ANY(%(releases)s))
    GROUP BY 1, 2, 3
) AS persons
GROUP BY 1, 2 ORDER BY 1, 2
"""


def users_today(rule: AlertRule, now: datetime) -> list[Found]:
    """Environments by their users of the running day."""
    return list(_judged(rule, now, now))


def past_users(rule: AlertRule, start: datetime, now: datetime) -> list[Found]:
    """Days by their numbers at their end, which lies behind ``start``, or now."""
    return list(_judged(rule, start, now))


def _judged(rule: AlertRule, start: datetime, now: datetime) -> Iterator[Found]:
    threshold = rule.threshold or 0.0
    days = start.astimezone(UTC).date(), now.astimezone(UTC).date()
    for day, place, users, crashed in _counted(asked_of(rule), *days):
        text = crash_free_users_below(users, crashed, threshold)
        if text:
            at = min(datetime.combine(day, time(), UTC) + DAY, now)
            data = {"users": users, "crashed": crashed}
            yield of_place(place, at, "users meet crashes", text, **data)


def _counted(
    asked: Asked, first: date, last: date
) -> Iterator[tuple[date, Place, int, int]]:
    """The users of each day and place that is asked for, and those who crashed."""
    places = _places(asked)
    given: dict[str, Any] = {
        "first": first,
        "last": last,
        "environments": list(places),
        "releases": _releases(asked) if asked.release else None,
    }
    with connection.cursor() as cursor:
        cursor.execute(USERS, given)
        rows = cursor.fetchall()
    for day, environment_id, users, crashed in rows:
        yield day, places[environment_id], users, crashed


def _places(asked: Asked) -> dict[int, Place]:
    rows = Environment.objects.all()
    if asked.project_id is not None:
        rows = rows.filter(project=asked.project_id)
    return {
        row.pk: Place(row.pk, row.project_id, row.name)
        for row in rows
        if one_matches(asked.environment, [row.name])
    }


def _releases(asked: Asked) -> list[int]:
    rows = Release.objects.filter(version__regex=regex_of(asked.release))
    if asked.project_id is not None:
        rows = rows.filter(project=asked.project_id)
    return [
        pk
        for pk, version in rows.values_list("pk", "version")
        if one_matches(asked.release, [version])
    ]
