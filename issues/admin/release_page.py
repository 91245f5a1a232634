"""One release: how it does beside the one before, and what it brought."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.http import Http404, HttpRequest
from django.utils import timezone

from issues import queries
from issues.admin.issue_list import rows_of
from issues.admin.rate_chart import UNITS, RateChart, rate_chart
from issues.admin.release_comparison import comparison
from issues.models import Issue
from releases.figures import PERIODS, Health, health_of, start_of, tenant_rates
from releases.models import Deploy, Release
from tenants.audited import row_id
from tenants.pages import capped_count

PERIOD_NAMES = {"24h": "24 hours", "14d": "14 days"}
TENANT_PERIODS = {"1h": ("1 hour", 1), "24h": ("24 hours", 24)}
COMMITS_SHOWN = 50
DEPLOYS_SHOWN = 20
ISSUES_SHOWN = 10
TENANTS_SHOWN = 8


def find(object_id: str) -> Release:
    """The release of this id; raises Http404."""
    rows = Release.objects.select_related("project").filter(pk=row_id(object_id))
    release = rows.first()
    if release is None:
        raise Http404(f"No release has the number {object_id}.")
    return release


def page_context(request: HttpRequest, release: Release) -> dict[str, Any]:
    """All that the release's template needs."""
    now = timezone.now()
    period = _period(request, release, now)
    healths = health_of(release, PERIODS[period], now)
    health = _chosen(healths, request.GET.get("environment", ""))
    fresh = queries.listed_issues("impact").filter(first_release=release)
    commits = list(release.commits.all()[: COMMITS_SHOWN + 1])
    return {
        "release": release,
        "healths": healths,
        "health": health,
        "period": period,
        "periods": PERIOD_NAMES,
        "chart": health and chart_of(health, period, now),
        "comparison": comparison(health) if health else [],
        "unit": health and UNITS.get(health.source),
        **(_tenants(request, health, now) if health else {}),
        "deploys": deploys_of(release),
        "bundle_count": capped_count(release.artifact_bundles.all()),
        "commits": commits[:COMMITS_SHOWN],
        "more_commits": len(commits) > COMMITS_SHOWN,
        "new_issues": rows_of(queries.page_of(fresh, 1, ISSUES_SHOWN).rows),
        "new_issues_count": capped_count(fresh),
        "open_issues_count": capped_count(fresh.filter(status=Issue.Status.OPEN)),
    }


def _period(request: HttpRequest, release: Release, now: datetime) -> str:
    """The one asked for, else the shorter for a release of the last day."""
    asked = request.GET.get("period", "")
    if asked in PERIODS:
        return asked
    young = release.first_seen >= start_of(PERIODS["24h"], now)
    return "24h" if young else "14d"


def _chosen(healths: Sequence[Health], name: str) -> Health | None:
    """The environment asked for, else the busiest."""
    named = (health for health in healths if health.environment.name == name)
    return next(named, healths[0] if healths else None)


def chart_of(health: Health, period: str, now: datetime) -> RateChart:
    """The chart of the period, with all deploys to the environment."""
    deploys = (
        Deploy.objects.filter(
            environment=health.environment,
            started_at__gte=start_of(PERIODS[period], now),
        )
        .select_related("release")
        .order_by("started_at", "pk")
    )
    return rate_chart(PERIOD_NAMES[period], health, list(deploys))


def deploys_of(release: Release) -> list[Deploy]:
    """The newest deploys of the release, to any environment, with their verdicts."""
    rows = release.deploys.select_related("environment", "watch")
    return list(rows.prefetch_related("rollbacks")[:DEPLOYS_SHOWN])


def _tenants(request: HttpRequest, health: Health, now: datetime) -> dict[str, Any]:
    """Whom the release fails; for the last hour, as a day of all tenants is long."""
    asked = request.GET.get("tenants", "")
    period = asked if asked in TENANT_PERIODS else "1h"
    release = health.own.release
    rates = tenant_rates(
        release.pk, health.environment.pk, TENANT_PERIODS[period][1], now
    )
    return {
        "tenants": rates,
        "tenant_rows": rates.rows[:TENANTS_SHOWN],
        "tenant_unit": UNITS.get(rates.source),
        "tenant_period": period,
        "tenant_periods": {key: name for key, (name, _) in TENANT_PERIODS.items()},
    }
