"""What was not stored, and why: refused, counted only, or dropped by the clients."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import Max, Sum
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from issues.admin.issue_filters import PERIODS
from issues.models import Outcome
from issues.outcome_words import explained
from tenants.audited import may
from tenants.models import Project, ProjectKey

ROWS = 200


@dataclass(frozen=True, slots=True)
class Unstored:
    """How much of a category went unstored for one reason."""

    project: str
    key: str
    category: str
    reason: str
    explanation: str
    quantity: int
    last: datetime


def outcomes_view(request: HttpRequest, each_context: dict[str, Any]) -> HttpResponse:
    """Sums by project, key, category and reason over the chosen time."""
    if not may(request, "issues.view_outcome"):
        raise PermissionDenied
    period = request.GET.get("period", "")
    period = period if period in PERIODS else "24h"
    rows = unstored(timezone.now() - PERIODS[period][1])
    context = {
        **each_context,
        "rows": rows,
        "peak": max((row.quantity for row in rows), default=1),
        "periods": [(key, name) for key, (name, _) in PERIODS.items()],
        "period": period,
        "title": "What was not stored",
        "content_title": "What was not stored",
    }
    return TemplateResponse(request, "issues/outcomes.html", context)


def unstored(since: datetime) -> list[Unstored]:
    """The largest sums first."""
    names = dict(Project.objects.values_list("pk", "name"))
    keys = dict(ProjectKey.objects.values_list("pk", "label"))
    sums = (
        Outcome.objects.filter(minute__gte=since)
        .values_list("project_id", "key_id", "category", "reason")
        .annotate(total=Sum("quantity"), last=Max("minute"))
        .order_by("-total")
    )
    return [
        Unstored(
            names.get(project, f"number {project}"),
            keys.get(key, f"number {key}" if key else "the server"),
            category,
            reason,
            explained(reason),
            total,
            last,
        )
        for project, key, category, reason, total, last in sums[:ROWS]
    ]
