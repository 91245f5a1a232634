"""Fourteen days of minute counters, as a shop app with some errors leaves them."""

import math
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta

from django.db import connection

from releases.models import Environment, Release, ReleaseMinute

MINUTE = timedelta(minutes=1)
COPY_RELEASES = """
COPY releases_releaseminute (project_id, release_id, environment_id, minute, events,
    errors, unhandled, errors_public, transactions, requests, traffic, sessions,
    sessions_errored, sessions_abnormal, sessions_unhandled, sessions_crashed)
FROM STDIN
"""
COPY_TENANTS = """
COPY releases_tenantminute (project_id, release_id, environment_id, minute, tenant_id,
    errors, requests, traffic) FROM STDIN
"""

# Draws the tenants that meet that many errors.
Hit = Callable[[int], Sequence[int]]


def load_history(
    release: Release,
    environment: Environment,
    end: datetime,
    *,
    requests_per_minute: float,
    errors_per_minute: float,
    hit: Hit,
    chance: random.Random,
    days: float = 14,
    column: str = "traffic",
) -> int:
    """Write the counters of a release up to ``end``; returns the number of rows.

    Traffic and errors follow the day (half as much at night, half more by day).
    ``column`` is the exposure that is filled: traffic, sessions or requests. Does
    nothing for a release that has counters already.
    """
    if ReleaseMinute.objects.filter(
        release_id=release.pk, environment_id=environment.pk
    ).exists():
        return 0
    place = (environment.project_id, release.pk, environment.pk)
    start = end.replace(second=0, microsecond=0) - timedelta(days=days)
    whole, single = [], []
    for i, wave in _waves(start, int(days * 1440)):
        minute = start + MINUTE * i
        requests = _poisson(requests_per_minute * wave, chance)
        errors = _poisson(errors_per_minute * wave, chance)
        exposure = {"traffic": 0, "sessions": 0, "requests": 0, column: requests}
        whole.append(
            (
                *(*place, minute, errors, errors, errors // 2, 0, 0),
                *(exposure["requests"], exposure["traffic"], exposure["sessions"]),
                *(0, 0, 0, 0),
            )
        )
        single += [
            (*place, minute, tenant, count, 0, 0)
            for tenant, count in Counter(hit(errors)).items()
        ]
    _copy(COPY_RELEASES, whole)
    _copy(COPY_TENANTS, single)
    return len(whole) + len(single)


def _waves(start: datetime, minutes: int) -> Iterator[tuple[int, float]]:
    """The minutes' numbers with their part of the mean traffic, 0.5 to 1.5."""
    begin = start.hour * 60 + start.minute
    for i in range(minutes):
        yield i, 1 + 0.5 * math.sin(2 * math.pi * (begin + i - 9 * 60) / 1440)


def _poisson(mean: float, chance: random.Random) -> int:
    """A Poisson number; the normal law is near enough for more than fifty."""
    if mean > 50:
        return max(0, round(chance.gauss(mean, math.sqrt(mean))))
    limit, product, count = math.exp(-mean), chance.random(), 0
    while product > limit:
        product *= chance.random()
        count += 1
    return count


def _copy(statement: str, rows: Sequence[tuple[object, ...]]) -> None:
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)
