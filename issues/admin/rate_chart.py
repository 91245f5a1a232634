"""The chart of a release page: error rates by hour as lines, deploys as marks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from releases.exposure import Source
from releases.figures import HOUR, Health, ReleaseFigures
from releases.models import Deploy

WIDTH, HEIGHT = 1000, 140
TICKS = 7
# An hour with less than this share of a release's busiest one is not drawn: a rate of
# a few stragglers would flatten all the others.
WORTH_DRAWING = 0.02
UNITS = {
    Source.TRAFFIC.value: "request",
    Source.SESSIONS.value: "session",
    Source.REQUESTS.value: "transaction",
}


@dataclass(frozen=True, slots=True)
class Line:
    """A release's rates as one SVG path with gaps; ``mark`` names its looks."""

    name: str
    mark: str
    path: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A deploy; ``x`` in the drawing, ``own`` of the release that the page shows."""

    x: float
    own: bool


@dataclass(frozen=True, slots=True)
class RateChart:
    """Lines in a drawing of WIDTH by HEIGHT, stretched to fit; ticks in percent."""

    name: str
    label: str
    peak: str
    lines: list[Line]
    marks: list[Mark]
    ticks: list[tuple[float, str]]
    columns: SafeString
    width: int = WIDTH
    height: int = HEIGHT


def rate_chart(name: str, health: Health, deploys: Sequence[Deploy]) -> RateChart:
    """Error rates by hour, or errors where there is no denominator."""
    sides = [health.own] + ([health.previous] if health.previous else [])
    times = [time for time, _ in health.own.hours]
    values = [_values(side) for side in sides]
    peak = max((v for line in values for v in line if v is not None), default=0.0)
    shown = peak or 1.0
    unit = UNITS.get(health.source)
    most = f"{_text(peak, unit)} at most"
    versions = " and ".join(side.release.version for side in sides)
    return RateChart(
        name=name,
        label=f"{name}, {'error rate' if unit else 'errors'} of {versions}, {most}",
        peak=_text(peak, unit),
        lines=[
            Line(side.release.version, mark, path_of(line, shown))
            for side, line, mark in zip(
                sides, values, ("is-own", "is-previous"), strict=False
            )
        ],
        marks=_marks(deploys, health, times),
        ticks=ticks_of(times, "%H:%M" if len(times) <= 48 else "%d %b"),
        columns=_columns(times, sides, values, deploys, unit),
    )


def _values(side: ReleaseFigures) -> list[float | None]:
    if side.source == Source.NONE:
        return [float(counts.errors) for _, counts in side.hours]
    exposures = [counts.exposure(side.source) for _, counts in side.hours]
    least = max(exposures, default=0.0) * WORTH_DRAWING
    return [
        rate if exposure >= least else None
        for rate, exposure in zip(side.rates, exposures, strict=True)
    ]


def path_of(values: Sequence[float | None], peak: float) -> str:
    """Steps to the middle of each hour; a lonely hour is a dot."""
    slot = WIDTH / max(len(values), 1)
    path, drawing = [], False
    for i, value in enumerate(values):
        if value is None:
            drawing = False
            continue
        x, y = slot * (i + 0.5), HEIGHT - 2 - value / peak * (HEIGHT - 6)
        path.append(f"{'L' if drawing else 'M'}{x:.1f} {y:.1f}")
        if not drawing:
            path.append("h.1")
        drawing = True
    return "".join(path)


def _marks(
    deploys: Sequence[Deploy], health: Health, times: Sequence[datetime]
) -> list[Mark]:
    span = (HOUR * len(times)).total_seconds()
    return [
        Mark(
            round((deploy.started_at - times[0]).total_seconds() / span * WIDTH, 1),
            deploy.release_id == health.own.release.pk,
        )
        for deploy in deploys
    ]


def ticks_of(times: Sequence[date], style: str) -> list[tuple[float, str]]:
    """Where times are written below a chart, in percent, and how."""
    step = max(len(times) // TICKS, 1)
    return [
        (round(100 * i / len(times), 2), f"{times[i]:{style}}")
        for i in range(0, len(times), step)
    ]


def _columns(
    times: Sequence[datetime],
    sides: Sequence[ReleaseFigures],
    values: Sequence[Sequence[float | None]],
    deploys: Sequence[Deploy],
    unit: str | None,
) -> SafeString:
    """What each hour says when it is pointed at."""
    shipped: dict[datetime, list[str]] = {}
    for deploy in deploys:
        hour = deploy.started_at.replace(minute=0, second=0, microsecond=0)
        shipped.setdefault(hour, []).append(deploy.release.version)
    says = []
    for i, time in enumerate(times):
        told = [
            f"{side.release.version} {_text(line[i], unit)}"
            for side, line in zip(sides, values, strict=True)
        ]
        told += [f"{version} deployed" for version in shipped.get(time, [])]
        says.append(f"{time:%d %b %H:00} UTC: {', '.join(told)}")
    return columns_of(says)


def columns_of(says: Sequence[str]) -> SafeString:
    """A column over each slot of a chart, which says something when pointed at."""
    slot = WIDTH / max(len(says), 1)
    rows = [(text, f"{slot * i:.2f}", f"{slot:.2f}") for i, text in enumerate(says)]
    column = (
        f'<g><title>{{}}</title><rect class="rm-bar-hover" x="{{}}" y="0" width="{{}}"'
        f' height="{HEIGHT}"/></g>'
    )
    return format_html_join("", column, rows)


def _text(value: float | None, unit: str | None) -> str:
    if value is None:
        return "–"
    if unit is None:
        return f"{value:,.0f} errors"
    return f"{value:.2%}" if value < 0.1 else f"{value:.1%}"
