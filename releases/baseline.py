"""Reads what a watch compares: minutes of a release, and what was usual before it."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Sum

from releases.models import (
    Calibration,
    Environment,
    ReleaseMinute,
    Watch,
)
from releases.verdict import Baseline, Minute
from tenants.models import Tenant

Source = Watch.Source
# The column that holds each source's exposure, of releases and of tenants.
EXPOSURE = {
    Source.TRAFFIC: "traffic",
    Source.SESSIONS: "sessions",
    Source.REQUESTS: "requests",
}
TENANT_EXPOSURE = {Source.TRAFFIC: "traffic", Source.REQUESTS: "requests"}
# Posted traffic is whole; sessions are whole where the SDK counts them; transactions
# are a sample.
PREFERENCE = (Source.TRAFFIC, Source.SESSIONS, Source.REQUESTS)

WINDOWS = [timedelta(hours=h) for h in (1, 2, 4, 8, 12, 24, 48, 168)]
ENOUGH = 200  # effective errors
HISTORY = timedelta(hours=24)  # of one tenant
LATELY = timedelta(hours=24)
FALLBACK_WINDOW = timedelta(hours=2)
FALLBACK_DISPERSION = 1.5
# Tenants whose usual errors and traffic a watch remembers; those of the rest are small.
REMEMBERED = 300
MINUTE = timedelta(minutes=1)

READ_MINUTES = """
SELECT minute, sum({exposure})::float8, sum(errors)::int FROM releases_releaseminute
WHERE release_id = ANY(%(releases)s) AND environment_id = %(environment)s
    AND minute >= %(start)s AND minute < %(end)s
GROUP BY minute
"""
READ_TENANTS = """
SELECT minute, tenant_id, sum(errors)::int FROM releases_tenantminute
WHERE release_id = ANY(%(releases)s) AND environment_id = %(environment)s
    AND minute >= %(start)s AND minute < %(end)s AND errors > 0
GROUP BY minute, tenant_id
"""
# Errors of nobody in particular count whole, those of a tenant up to the cap.
READ_WINDOW = """
SELECT coalesce(sum({exposure}), 0)::float8, coalesce(sum(errors), 0)::float8
FROM releases_releaseminute
WHERE release_id = ANY(%(releases)s) AND environment_id = %(environment)s
    AND minute >= %(start)s AND minute < %(end)s
"""
READ_CAPPED = """
SELECT tenant_id, sum(errors)::float8, sum(least(errors, %(cap)s))::float8
FROM releases_tenantminute
WHERE release_id = ANY(%(releases)s) AND environment_id = %(environment)s
    AND minute >= %(start)s AND minute < %(end)s AND errors > 0
GROUP BY tenant_id
"""
READ_SHARES = """
SELECT tenant_id, sum({exposure})::float8 FROM releases_tenantminute
WHERE release_id = ANY(%(releases)s) AND environment_id = %(environment)s
    AND minute >= %(start)s AND minute < %(end)s
GROUP BY tenant_id HAVING sum({exposure}) > 0
"""


@dataclass(frozen=True, slots=True)
class Span:
    """Releases in an environment from ``start`` up to, without, ``end``."""

    releases: Collection[int]
    environment: int
    start: datetime
    end: datetime

    @property
    def parameters(self) -> dict[str, Any]:
        return {
            "releases": list(self.releases),
            "environment": self.environment,
            "start": self.start,
            "end": self.end,
        }


def read_minutes(
    release_ids: Collection[int],
    environment_id: int,
    start: datetime,
    end: datetime,
    source: str,
) -> list[Minute]:
    """Every minute from ``start`` up to ``end``, with exposure and errors by tenant."""
    span = Span(release_ids, environment_id, start, end)
    column = EXPOSURE.get(Source(source), "traffic") if source else "traffic"
    with connection.cursor() as cursor:
        cursor.execute(READ_MINUTES.format(exposure=column), span.parameters)
        totals = {minute: (n, x) for minute, n, x in cursor.fetchall()}
        cursor.execute(READ_TENANTS, span.parameters)
        errors: dict[datetime, dict[int, int]] = defaultdict(dict)
        for minute, tenant, count in cursor.fetchall():
            errors[minute][tenant] = count
    minutes = []
    moment = start
    while moment < end:
        exposure, total = totals.get(moment, (0.0, 0))
        named = errors.get(moment, {})
        unnamed = total - sum(named.values())
        minutes.append(
            Minute(exposure, {**named, 0: unnamed} if unnamed > 0 else named)
        )
        moment += MINUTE
    return minutes


def releases_that_ran(
    environment: Environment, start: datetime, end: datetime
) -> dict[int, dict[str, float]]:
    """Releases (0: unnamed) with counts in the time, and what they had of each."""
    rows = (
        ReleaseMinute.objects.filter(
            project_id=environment.project_id,
            environment_id=environment.pk,
            minute__gte=start,
            minute__lt=end,
        )
        .values("release_id")
        .annotate(
            traffic_sum=Sum("traffic"),
            sessions_sum=Sum("sessions"),
            requests_sum=Sum("requests"),
            errors_sum=Sum("errors"),
        )
    )
    return {
        row["release_id"]: {
            Source.TRAFFIC: float(row["traffic_sum"]),
            Source.SESSIONS: float(row["sessions_sum"]),
            Source.REQUESTS: float(row["requests_sum"]),
            "errors": float(row["errors_sum"]),
        }
        for row in rows
    }


def read_baseline(
    release_ids: Collection[int],
    environment_id: int,
    before: datetime,
    source: str,
    calibration: Calibration | None,
) -> Baseline:
    """What was usual before ``before``: the shortest window with enough errors.

    ``source`` names the exposure; without one the exposure is the profile of the
    calibration, capped errors expected at that hour of the week.
    """
    cap = calibration.cap if calibration else 2
    dispersion = calibration.dispersion if calibration else 1.0
    known = {
        "cap": cap,
        "longest_episode": calibration.longest_episode if calibration else 0,
        "tenants": active_tenants(before),
    }
    if not source or source == Source.NONE:
        return _without_denominator(
            release_ids, environment_id, before, calibration, known
        )
    column = EXPOSURE[Source(source)]
    exposure, raw, errors = 0.0, 0.0, 0.0
    by_tenant: list[tuple[int, float, float]] = []
    since = _measured_since(release_ids, environment_id, before, column)
    for window in WINDOWS:
        start = max(before - window, since)
        span = Span(release_ids, environment_id, start, before)
        exposure, raw = _totals(span, column)
        by_tenant = capped_by_tenant(span, cap)
        errors = raw - sum(x for _, x, _ in by_tenant) + sum(c for _, _, c in by_tenant)
        if start == since or (exposure and errors / dispersion >= ENOUGH):
            break
    day = Span(release_ids, environment_id, max(before - HISTORY, since), before)
    history_exposure, history_errors = _totals(day, column)
    return Baseline(
        errors=errors,
        exposure=exposure,
        raw_errors=raw,
        dispersion=dispersion,
        history_errors=history_errors,
        history_exposure=history_exposure,
        tenant_share=_shares(release_ids, environment_id, before, Source(source)),
        tenant_errors_capped=_largest({t: capped for t, _, capped in by_tenant}),
        **known,  # type: ignore[arg-type]
    )


def _measured_since(
    release_ids: Collection[int], environment_id: int, before: datetime, column: str
) -> datetime:
    """The first minute with exposure: errors from before have nothing to be put to."""
    first = (
        ReleaseMinute.objects.filter(
            release_id__in=release_ids,
            environment_id=environment_id,
            minute__gte=before - WINDOWS[-1],
            minute__lt=before,
            **{f"{column}__gt": 0},
        )
        .order_by("minute")
        .values_list("minute", flat=True)
        .first()
    )
    return first or before


def _totals(span: Span, column: str) -> tuple[float, float]:
    with connection.cursor() as cursor:
        cursor.execute(READ_WINDOW.format(exposure=column), span.parameters)
        exposure, errors = cursor.fetchone() or (0.0, 0.0)
    return exposure, errors


def capped_by_tenant(span: Span, cap: int) -> list[tuple[int, float, float]]:
    """Errors of each tenant, raw and capped."""
    with connection.cursor() as cursor:
        cursor.execute(READ_CAPPED, {**span.parameters, "cap": cap})
        return list(cursor.fetchall())


def _shares(
    release_ids: Collection[int], environment_id: int, before: datetime, source: Source
) -> dict[int, float]:
    """The tenants' parts of the traffic in the last hour; empty where not known."""
    column = TENANT_EXPOSURE.get(source)
    if column is None:
        return {}
    span = Span(release_ids, environment_id, before - timedelta(hours=1), before)
    with connection.cursor() as cursor:
        cursor.execute(READ_SHARES.format(exposure=column), span.parameters)
        exposures = dict(cursor.fetchall())
    total = sum(exposures.values())
    return _largest({tenant: n / total for tenant, n in exposures.items()})


def _largest(values: dict[int, float]) -> dict[int, float]:
    ordered = sorted(values.items(), key=lambda item: -item[1])
    return dict(ordered[:REMEMBERED])


def tenant_history(
    release_ids: Collection[int],
    environment_id: int,
    before: datetime,
    tenants: Collection[int],
) -> dict[int, float]:
    """Errors of these tenants in the 24 hours before."""
    span = Span(release_ids, environment_id, before - HISTORY, before)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tenant_id, sum(errors)::float8 FROM releases_tenantminute"
            " WHERE release_id = ANY(%(releases)s)"
            " AND environment_id = %(environment)s AND minute >= %(start)s"
            " AND minute < %(end)s AND errors > 0 AND tenant_id = ANY(%(tenants)s)"
            " GROUP BY tenant_id",
            {**span.parameters, "tenants": list(tenants)},
        )
        return dict(cursor.fetchall())


def active_tenants(before: datetime) -> int:
    """How many tenants were seen lately; stands for how many there are."""
    return Tenant.objects.filter(
        last_seen__gt=before - LATELY, first_seen__lt=before
    ).count()


def _without_denominator(
    release_ids: Collection[int],
    environment_id: int,
    before: datetime,
    calibration: Calibration | None,
    known: dict[str, int],
) -> Baseline:
    if calibration is None or not calibration.profile:
        return Baseline(0.0, 0.0, **known)  # type: ignore[arg-type]
    start = before - FALLBACK_WINDOW
    span = Span(release_ids, environment_id, start, before)
    _, raw = _totals(span, "traffic")
    by_tenant = capped_by_tenant(span, known["cap"])
    errors = raw - sum(x for _, x, _ in by_tenant) + sum(c for _, _, c in by_tenant)
    exposure = sum(profile_at(calibration, start + MINUTE * i) for i in range(120))
    return Baseline(
        errors=errors,
        exposure=exposure,
        dispersion=max(FALLBACK_DISPERSION, calibration.dispersion),
        history_errors=raw,
        history_exposure=exposure,
        tenant_errors_capped=_largest({t: capped for t, _, capped in by_tenant}),
        **known,  # type: ignore[arg-type]
    )


def profile_at(calibration: Calibration, moment: datetime) -> float:
    """Capped errors that a minute like this one usually has.

    Interpolated between the middles of the hours of the week; never nothing, as hours
    without errors in the past are no proof of none.
    """
    middle = moment - timedelta(minutes=30)
    part = middle.minute / 60
    first = _hour_mean(calibration, middle)
    second = _hour_mean(calibration, middle + timedelta(hours=1))
    return max(first * (1 - part) + second * part, 0.01)


def _hour_mean(calibration: Calibration, moment: datetime) -> float:
    weeks = calibration.profile[moment.weekday() * 24 + moment.hour]
    return sum(weeks.values()) / len(weeks) if weeks else 0.0
