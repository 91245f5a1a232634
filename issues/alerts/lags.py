"""Keeps how long events waited for digest, so that previews can replay it."""

from collections.abc import Iterator
from datetime import datetime

from django.db import connection

from issues.alerts.found import Found
from issues.alerts.standing import lag_at, of_lag, repeat_of
from issues.models import AlertRule, IngestLagMinute

KEEP = """
INSERT INTO issues_ingestlagminute AS old (minute, seconds) VALUES (%s, %s)
ON CONFLICT (minute) DO UPDATE SET seconds = excluded.seconds
    WHERE old.seconds < excluded.seconds
"""


def keep_lag(now: datetime) -> None:
    """Note the present lag where it is the worst of its minute."""
    seconds = lag_at(now)
    if seconds > 0:
        minute = now.replace(second=0, microsecond=0)
        with connection.cursor() as cursor:
            cursor.execute(KEEP, [minute, seconds])


def past_lags(rule: AlertRule, start: datetime, end: datetime) -> Iterator[Found]:
    """The minutes whose worst lag is over the threshold and that are not silent."""
    rows = IngestLagMinute.objects.filter(
        minute__gte=start, minute__lte=end, seconds__gt=rule.threshold or 0.0
    )
    silent_until = start
    for minute, seconds in rows.order_by("minute").values_list("minute", "seconds"):
        if minute >= silent_until:
            silent_until = minute + repeat_of(rule)
            yield from of_lag(rule, minute, seconds)
