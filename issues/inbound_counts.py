"""How much the inbound filters dropped: exact, by filter and by day."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import connection

from tenants.models import Filter

DAYS = 14
PREFIX = "filtered:"

BY_FILTER = """
SELECT reason, category = 'error', floor(extract(epoch FROM %(now)s - minute) / 86400),
    sum(quantity)
FROM issues_outcome
WHERE project_id = %(project)s AND minute > %(start)s AND minute <= %(now)s
    AND reason LIKE 'filtered:%%'
GROUP BY 1, 2, 3
"""
BY_PROJECT = """
SELECT project_id, sum(quantity) FROM issues_outcome
WHERE minute > %(start)s AND minute <= %(now)s AND reason LIKE 'filtered:%%'
GROUP BY 1
"""


@dataclass(slots=True)
class FilterCount:
    """What one filter dropped: ``errors`` and ``requests`` by day, oldest first.

    A day is 24 hours, the last one ends now. Requests are transactions and segment
    spans, which are taken out of denominators.
    """

    name: Filter
    errors: list[int] = field(default_factory=lambda: [0] * DAYS)
    requests: list[int] = field(default_factory=lambda: [0] * DAYS)

    @property
    def days(self) -> list[int]:
        return [sum(pair) for pair in zip(self.errors, self.requests, strict=True)]

    @property
    def total(self) -> int:
        return sum(self.days)


def counts_of(project_id: int, now: datetime) -> list[FilterCount]:
    """Of every filter, in their order, over the last 14 days."""
    counts = {name.value: FilterCount(name) for name in Filter}
    start = now - timedelta(days=DAYS)
    with connection.cursor() as cursor:
        cursor.execute(BY_FILTER, {"project": project_id, "now": now, "start": start})
        for reason, is_error, ago, quantity in cursor.fetchall():
            count = counts.get(reason.removeprefix(PREFIX))
            if count is not None:
                days = count.errors if is_error else count.requests
                days[DAYS - 1 - int(ago)] += int(quantity)
    return list(counts.values())


def filtered_by_project(now: datetime) -> dict[int, int]:
    """How much was filtered in the last 24 hours, by project id."""
    with connection.cursor() as cursor:
        cursor.execute(BY_PROJECT, {"now": now, "start": now - timedelta(days=1)})
        return {project: int(quantity) for project, quantity in cursor.fetchall()}
