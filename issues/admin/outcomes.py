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
from tenants.audited import may
from tenants.models import Filter, Project

ROWS = 200
REASONS = {
    "unsupported": "a kind that is not kept",
    "duplicate": "an event id that was seen within 7 days",
    "rate_limit": "over a limit: events counted, their bodies dropped",
    "detail_rule": "a detail rule keeps no such body or attachment: counted",
    "detail_cap": "over a detail rule's cap per issue and minute: counted",
    "inbox_full": "refused with 429 while the inbox was full",
    "invalid": "could not be read",
    "too_large": "over a bound in bytes",
    "hourly_limit": "attachments or feedback over what a project may keep in an hour",
    "switched_off": "the project keeps no attachments, or the monitor is disabled",
    "too_many": "more monitors, or environments of one, than a project may have; "
    "more feedback than an envelope may hold",
    "filtered": "its event was filtered out",
}


@dataclass(frozen=True, slots=True)
class Unstored:
    """How much of a category went unstored for one reason."""

    project: str
    category: str
    reason: str
    explanation: str
    quantity: int
    last: datetime


def outcomes_view(request: HttpRequest, each_context: dict[str, Any]) -> HttpResponse:
    """Sums by project, category and reason over the chosen time."""
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
    sums = (
        Outcome.objects.filter(minute__gte=since)
        .values_list("project_id", "category", "reason")
        .annotate(total=Sum("quantity"), last=Max("minute"))
        .order_by("-total")
    )
    return [
        Unstored(
            names.get(project, f"number {project}"),
            category,
            reason,
            explained(reason),
            total,
            last,
        )
        for project, category, reason, total, last in sums[:ROWS]
    ]


def explained(reason: str) -> str:
    """A reason in words; '' for one that nobody has described."""
    kind, _, told = reason.partition(":")
    if kind == "filtered" and told in Filter.values:
        return f"an inbound filter of the project drops these ({Filter(told).label})"
    if kind == "client" and told:
        return f"the client says it dropped these itself ({told})"
    return REASONS.get(reason, "")
