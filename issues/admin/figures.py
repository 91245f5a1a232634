"""The page of figures: how fast incidents are dealt with, how many deploys fail."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from issues.admin.rate_chart import Line, RateChart, columns_of, path_of, ticks_of
from issues.incidents.figure_texts import (
    many,
    rate_text,
    share_words,
    spread_text,
    spread_words,
)
from issues.incidents.figures import Figures, Group
from issues.incidents.measured import figures_until
from issues.incidents.telling import minutes_text
from issues.models import Incident
from tenants.audited import may
from tenants.charts import BarChart, bar_chart
from tenants.models import Project

RANGES = {"4": "4 weeks", "12": "12 weeks", "26": "26 weeks", "52": "52 weeks"}
USUAL = "12"


Words = tuple[str, str]  # what is told, and a remark in small


@dataclass(frozen=True, slots=True)
class Row:
    """A group in words."""

    name: str
    incidents: int
    cells: list[Words]


@dataclass(frozen=True, slots=True)
class Table:
    """Groups of one kind."""

    heading: str
    columns: list[str]
    rows: list[Row]


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
        "title": "Figures",
        "content_title": "Figures",
    }
    return TemplateResponse(request, "issues/figures.html", context)


def headline(found: Figures) -> list[tuple[str, Words, str]]:
    """What counts most: label, figure, and of what it is."""
    of_all = found.all
    incidents = many(of_all.incidents, "incident")
    deploys = f"{of_all.deploys or 0:,} in all"
    return [
        ("Within 10 minutes", share_words(of_all.in_ten_minutes), incidents),
        ("Within the target", share_words(of_all.in_target), "of each severity"),
        ("Time to mitigate", spread_words(of_all.mitigate), "from detected"),
        ("Change failure rate", share_words(of_all.failures), "of deploys judged"),
        ("Deploys", (rate_text(found.deploys_a_week), ""), deploys),
        ("Time to restore", spread_words(of_all.restore), "of failed deploys"),
    ]


COLUMNS = ["Detect", "Acknowledge", "Mitigate", "Resolve", "In target", "In 10 min"]
OF_DEPLOYS = ["Restore", "Deploys", "Failed"]


def _tables(found: Figures) -> list[Table]:
    sources = {str(value): str(label) for value, label in Incident.Source.choices}
    return [
        _table("By project", found.by_project),
        _table("By severity", found.by_severity),
        _table("By what detected it", found.by_source, sources),
        _table("By week", found.by_week[::-1]),
    ]


def _table(
    heading: str, groups: list[Group], labels: Mapping[str, str] | None = None
) -> Table:
    with_deploys = any(group.deploys is not None for group in groups)
    return Table(
        heading,
        [*COLUMNS, *(OF_DEPLOYS if with_deploys else [])],
        [
            Row(
                (labels or {}).get(group.name, group.name),
                group.incidents,
                _cells(group),
            )
            for group in groups
        ],
    )


def _cells(group: Group) -> list[Words]:
    spreads = (group.detect, group.acknowledge, group.mitigate, group.resolve)
    cells = [
        *map(spread_words, spreads),
        share_words(group.in_target),
        share_words(group.in_ten_minutes),
    ]
    if group.deploys is not None:
        cells += [
            spread_words(group.restore),
            (f"{group.deploys:,}", ""),
            share_words(group.failures),
        ]
    return cells


def _incidents(found: Figures) -> BarChart:
    """Incidents by week; those over their target darker."""
    return bar_chart(
        "Incidents per week",
        _series(found, [group.incidents for group in found.by_week]),
        time_format="%d %b",
        parts=[g.in_target.whole - g.in_target.part for g in found.by_week],
        unit="incidents",
        part_unit="over the target",
    )


def _deploys(found: Figures) -> BarChart:
    """Deploys by week; those that failed darker."""
    return bar_chart(
        "Deploys per week",
        _series(found, [group.deploys or 0 for group in found.by_week]),
        time_format="%d %b",
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
        ticks=ticks_of(found.weeks, "%d %b"),
        columns=columns_of(_says(found)),
    )


def _says(found: Figures) -> list[str]:
    """What each week says when it is pointed at."""
    return [
        f"{group.name}: mitigated {spread_text(group.mitigate)}, "
        f"acknowledged {spread_text(group.acknowledge)}"
        for group in found.by_week
    ]


def _time(seconds: float) -> str:
    return minutes_text(timedelta(seconds=seconds))
