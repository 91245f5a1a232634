"""Measures how an environment's errors usually behave, once a night.

A judgement needs to know how much one tenant may count, how bursty errors are without
anybody's fault, and how long an episode of one tenant lasts that goes by itself.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Q

from releases.baseline import EXPOSURE, PREFERENCE, releases_that_ran
from releases.models import Calibration, Environment, Rollback, Watch
from releases.verdict import block_minutes, cap_of, dispersion_of

SPAN = timedelta(days=14)
AGE = timedelta(hours=24)
# Without a day of history the dispersion is a guess, so it is measured again soon.
YOUNG = timedelta(hours=24)
YOUNG_AGE = timedelta(minutes=30)
HOURS_OF_WEEK = 168
# How many weeks the profile of an hour remembers.
PROFILE_WEEKS = 6

READ = """
SELECT minute, release_id, errors, sessions::float8, requests, traffic
FROM releases_releaseminute
WHERE project_id = %s AND environment_id = %s AND minute >= %s AND minute < %s
"""
# What the cap takes away, by minute.
READ_OVER = """
SELECT minute, sum(errors - %s)::int FROM releases_tenantminute
WHERE release_id = ANY(%s) AND environment_id = %s AND minute >= %s AND minute < %s
    AND errors > %s
GROUP BY minute
"""


def due(now: datetime) -> list[Environment]:
    """Environments whose calibration is missing or old, and that have counts."""
    old = Q(calibration=None) | Q(calibration__at__lt=now - AGE)
    young = Q(
        calibration__at__lt=now - YOUNG_AGE,
        calibration__hours__lt=YOUNG.total_seconds() / 3600,
    )
    return list(Environment.objects.filter(old | young).order_by("pk"))


def calibrate(
    environment: Environment, now: datetime, episode: int | None = None
) -> Calibration:
    """Measure an environment over the last 14 days and store what was found.

    ``episode``: minutes of the longest time of late that new issues hit one tenant and
    went by themselves; the longest of 14 days is what guards ask for.
    """
    start = (now - SPAN).replace(second=0, microsecond=0)
    end = now.replace(second=0, microsecond=0)
    minutes = _read(environment, start, end)
    hours = (end - min(minutes, default=end)).total_seconds() / 3600
    total = sum(errors for errors, _ in minutes.values())
    per_minute = total / (hours * 60) if hours else 0.0
    cap = cap_of(per_minute)
    over = _over(environment, cap, start, end)
    capped = {m: (x - over.get(m, 0), n) for m, (x, n) in minutes.items()}
    before = Calibration.objects.filter(environment=environment).first()
    row, _ = Calibration.objects.update_or_create(
        environment=environment,
        defaults={
            "at": now,
            "hours": hours,
            "errors_per_minute": per_minute,
            "cap": cap,
            "dispersion": dispersion_of(
                blocks(capped, per_minute, _bad_times(environment, start))
            ),
            "episodes": _episodes(before, episode, now),
            "profile": merged_profile(before.profile if before else [], capped, end),
        },
    )
    return row


def calibration_of(environment: Environment, before: datetime) -> Calibration:
    """The environment's calibration; measured up to ``before`` where there is none.

    So that the release under judgement is no part of what is usual.
    """
    row = Calibration.objects.filter(environment=environment).first()
    return row or calibrate(environment, before)


Counts = Mapping[datetime, tuple[float, float]]


def _read(
    environment: Environment, start: datetime, end: datetime
) -> dict[datetime, tuple[float, float]]:
    """Errors and exposure of all releases by minute, in the source that has most."""
    with connection.cursor() as cursor:
        cursor.execute(READ, [environment.project_id, environment.pk, start, end])
        rows = cursor.fetchall()
    source = _source(rows)
    found: dict[datetime, tuple[float, float]] = {}
    for minute, _, errors, *exposures in rows:
        x, n = found.get(minute, (0.0, 0.0))
        found[minute] = (x + errors, n + (exposures[source] if source >= 0 else 0.0))
    return found


def _source(rows: Sequence[tuple[object, ...]]) -> int:
    """Which of READ's exposures most minutes have, the preferred first; -1: none."""
    order = ("sessions", "requests", "traffic")
    have = {name: sum(1 for row in rows if row[3 + i]) for i, name in enumerate(order)}
    most = max(have.values(), default=0)
    for source in PREFERENCE:
        name = EXPOSURE[source]
        if have[name] and have[name] >= most / 2:
            return order.index(name)
    return -1


def _over(
    environment: Environment, cap: int, start: datetime, end: datetime
) -> dict[datetime, int]:
    releases = list(releases_that_ran(environment, start, end))
    with connection.cursor() as cursor:
        cursor.execute(READ_OVER, [cap, releases, environment.pk, start, end, cap])
        return dict(cursor.fetchall())


def blocks(
    counts: Counts,
    errors_per_minute: float,
    left_out: Collection[tuple[datetime, datetime]] = (),
) -> list[tuple[float, float]]:
    """Counts in equal spans for ``dispersion_of``, without those that overlap a time
    in ``left_out``. Without any exposure, time itself is the exposure.
    """
    length = block_minutes(errors_per_minute) * 60
    with_exposure = any(n for _, n in counts.values())
    sums: dict[int, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for minute, (errors, exposure) in counts.items():
        if any(start <= minute < end for start, end in left_out):
            continue
        block = sums[int(minute.timestamp()) // length]
        block[0] += errors
        block[1] += exposure if with_exposure else 1.0
    return [(errors, exposure) for errors, exposure in sums.values()]


def _bad_times(
    environment: Environment, start: datetime
) -> list[tuple[datetime, datetime]]:
    """From the deploy to the end of the watch of each release that was rolled back."""
    rows = Watch.objects.filter(
        deploy__environment=environment,
        verdict=Watch.Verdict.DEGRADED,
        opened_at__gte=start,
    ).values_list("deploy__started_at", "decided_at", "deploy__pk")
    called = set(
        Rollback.objects.filter(
            deploy__environment=environment, called_at__gte=start
        ).values_list("deploy_id", flat=True)
    )
    lasts = timedelta(minutes=30)
    return [
        (began, (decided or began) + lasts)
        for began, decided, deploy in rows
        if deploy in called
    ]


def _episodes(
    before: Calibration | None, episode: int | None, now: datetime
) -> list[list[str | int]]:
    oldest = (now - SPAN).date().isoformat()
    kept = [row for row in (before.episodes if before else []) if row[0] >= oldest]
    return [*kept, [now.date().isoformat(), episode]] if episode else kept


Profile = Sequence[Mapping[str, float]]


def merged_profile(
    before: Profile, counts: Counts, end: datetime
) -> list[dict[str, float]]:
    """Mean capped errors per minute by hour of the week and ISO week, newest weeks.

    Whole hours between the first count and ``end`` replace what was known of them; an
    hour without a row had no errors.
    """
    sums: dict[datetime, float] = defaultdict(float)
    for minute, (errors, _) in counts.items():
        sums[minute.replace(minute=0)] += errors
    profile = [dict(known) for known in before] or [{} for _ in range(HOURS_OF_WEEK)]
    first = min(counts, default=end)
    hour = first.replace(minute=0)
    if first.minute:
        hour += timedelta(hours=1)  # only whole hours tell a mean
    while hour + timedelta(hours=1) <= end:
        year, week, _ = hour.isocalendar()
        place = profile[hour.weekday() * 24 + hour.hour]
        place[f"{year}-{week:02}"] = round(sums.get(hour, 0.0) / 60, 5)
        hour += timedelta(hours=1)
    return [dict(sorted(known.items())[-PROFILE_WEEKS:]) for known in profile]
