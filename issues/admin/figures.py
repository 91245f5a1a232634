"""The page of figures: how fast incidents are dealt with, how many deploys fail."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.html import format_html_join

from issues.admin.rate_chart import HEIGHT, TICKS, WIDTH, Line, RateChart, path_of
from issues.incidents.figure_texts import many, rate_text, share_text, spread_text
from issues.incidents.figures import Figures, Group
from issues.incidents.measured import figures_until
from issues.incidents.telling import minutes_text
from issues.models import Incident
from tenants.audited import may
from tenants.charts import BarChart, bar_chart
from tenants.models import Project

RANGES = {"4": "4 weeks", "12": "12 weeks", "26": "26 weeks", "52": "52 weeks"}
USUAL = "12"


@dataclass(frozen=True, slots=True)
class Row:
    """A group in words."""

    name: str
    incidents: int
    cells: list[str]


def figures_view(request: HttpRequest, each_context: dict[str, Any]) -> HttpResponse:
    """Charts by week, and tables by project, severity and source."""
    if not may(request, "issues.view_incident"):
        raise PermissionDenied
    weeks = request.GET.get("weeks", "")
    weeks = weeks if weeks in RANGES else USUAL
    projects = list(Project.objects.order_by("name"))
    slug = request.GET.get("project", "")
    project = next((one for one in projects if one.slug == slug), None)
    now = timezone.now()
    found = figures_until(now.date(), int(weeks), now, project=project)
    context = {
        **each_context,
        "ranges": RANGES,
        "weeks": weeks,
        "projects": projects,
        "project": project,
        "headline": headline(found),
        "incidents": _incidents(found),
        "deploys": _deploys(found),
        "times": times_chart(found),
        "tables": _tables(found),
        "columns": COLUMNS,
        "title": "Figures",
        "content_title": "Figures",
    }
    return TemplateResponse(request, "issues/figures.html", context)


def headline(found: Figures) -> list[tuple[str, str, str]]:
    """What counts most: label, figure, and a remark."""
    of_all = found.all
    incidents = many(of_all.incidents, "incident")
    return [
        ("Within 10 minutes", share_text(of_all.in_ten_minutes), incidents),
        ("Within the target", share_text(of_all.in_target), "of each severity"),
        ("Time to mitigate", spread_text(of_all.mitigate), "from detected"),
        ("Change failure rate", share_text(of_all.failures), "of deploys judged"),
        ("Deploys", rate_text(found.deploys_a_week), f"{of_all.deploys or 0:,} in all"),
        ("Time to restore", spread_text(of_all.restore), "of failed deploys"),
    ]


COLUMNS = [
    "Detect",
    "Acknowledge",
    "Mitigate",
    "Resolve",
    "In target",
    "In 10 min",
    "Deploys",
    "Failed",
    "Restore",
]


def row_of(group: Group, label: str) -> Row:
    spreads = (group.detect, group.acknowledge, group.mitigate, group.resolve)
    deploys = "" if group.deploys is None else f"{group.deploys:,}"
    cells = [
        *map(spread_text, spreads),
        share_text(group.in_target),
        share_text(group.in_ten_minutes),
        deploys,
        share_text(group.failures) if deploys else "",
        spread_text(group.restore),
    ]
    return Row(label, group.incidents, cells)


def _tables(found: Figures) -> list[tuple[str, list[Row]]]:
    sources = dict(Incident.Source.choices)
    newest_first = found.by_week[::-1]
    return [
        ("By project", [row_of(group, group.name) for group in found.by_project]),
        ("By severity", [row_of(group, group.name) for group in found.by_severity]),
        (
            "By what detected it",
            [row_of(group, str(sources[group.name])) for group in found.by_source],
        ),
        ("By week", [row_of(group, group.name) for group in newest_first]),
    ]


def _incidents(found: Figures) -> BarChart:
    """Incidents by week; those over their target darker."""
    return bar_chart(
        "Incidents per week",
        _series(found, [group.incidents for group in found.by_week]),
        time_format="week of %d %b",
        parts=[g.in_target.whole - g.in_target.part for g in found.by_week],
        unit="incidents",
        part_unit="over the target",
    )


def _deploys(found: Figures) -> BarChart:
    """Deploys by week; those that failed darker."""
    return bar_chart(
        "Deploys per week",
        _series(found, [group.deploys or 0 for group in found.by_week]),
        time_format="week of %d %b",
        parts=[group.failures.part for group in found.by_week],
        unit="deploys",
        part_unit="failed",
    )


def _series(found: Figures, counts: list[int]) -> list[tuple[datetime, int]]:
    times = [datetime.combine(monday, time(), UTC) for monday in found.weeks]
    return list(zip(times, counts, strict=True))


def times_chart(found: Figures) -> RateChart:
    """The middle incident of each week: until mitigated, and until acknowledged."""
    lines = {
        "mitigated": [group.mitigate.middle for group in found.by_week],
        "acknowledged": [group.acknowledge.middle for group in found.by_week],
    }
    known = [value for line in lines.values() for value in line if value is not None]
    peak = max(known, default=0.0)
    name = "Time to mitigate and to acknowledge"
    step = max(len(found.weeks) // TICKS, 1)
    count = len(found.weeks)
    return RateChart(
        name=name,
        label=f"{name}, the middle incident of each week, {_time(peak)} most",
        peak=_time(peak),
        lines=[
            Line(told, mark, path_of(line, peak or 1.0))
            for (told, line), mark in zip(
                lines.items(), ("is-own", "is-previous"), strict=True
            )
        ],
        marks=[],
        ticks=[
            (round(100 * i / count, 2), f"{found.weeks[i]:%d %b}")
            for i in range(0, count, step)
        ],
        columns=format_html_join(
            "",
            f'<g><title>{{}}</title><rect class="rm-bar-hover" x="{{}}" y="0"'
            f' width="{{}}" height="{HEIGHT}"/></g>',
            _says(found),
        ),
    )


def _says(found: Figures) -> list[tuple[str, str, str]]:
    """What each week says when it is pointed at, and where it lies."""
    slot = WIDTH / max(len(found.weeks), 1)
    return [
        (
            f"{group.name}: mitigated {spread_text(group.mitigate)}, "
            f"acknowledged {spread_text(group.acknowledge)}",
            f"{slot * i:.2f}",
            f"{slot:.2f}",
        )
        for i, group in enumerate(found.by_week)
    ]


def _time(seconds: float) -> str:
    return minutes_text(timedelta(seconds=seconds))
