"""Geometry of the chart of a deploy: rates in, SVG paths and places in percent out.

The drawing is stretched to the width of the page, so words stand beside it, placed in
percent of its width and height.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from releases.admin.words import rate_label, short
from releases.progress import Point, Progress
from tenants.charts import Tick

WIDTH, HEIGHT = 1000, 240
GRID_LINES = 4
HEADROOM = 1.12
# The part of a release's highest exposure below which its rate is noise.
NEXT_TO_NOTHING = 0.05
TICK_MINUTES = (5, 10, 15, 30, 60, 120, 180)
MOST_TICKS = 9


@dataclass(frozen=True, slots=True)
class Level:
    """A rate on the vertical axis; ``y`` in percent from the top."""

    y: float
    label: str


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened; ``x`` in percent. ``kind`` is its look."""

    x: float
    kind: str
    label: str
    title: str

    @property
    def side(self) -> str:
        """Where its label has room: there is an hour before the deploy."""
        return "left" if self.kind == "deploy" or self.x > 85 else "right"


@dataclass(frozen=True, slots=True)
class Line:
    """The rate of one release: unbroken pieces, and points that stand alone."""

    kind: str
    name: str
    path: str
    dots: str


@dataclass(frozen=True, slots=True)
class RateChart:
    """The whole chart; ``grace`` is the span that does not count: x and width."""

    lines: list[Line]
    grid: list[Level]
    ticks: list[Tick]
    moments: list[Moment]
    threshold: Level | None
    grace: tuple[float, float] | None
    columns: SafeString
    unit: str
    step: int
    label: str
    width: int = WIDTH
    height: int = HEIGHT

    @property
    def threshold_y(self) -> float:
        """Where the threshold is drawn, in the drawing's own units."""
        return round(self.threshold.y * HEIGHT / 100, 1) if self.threshold else 0.0

    @property
    def is_empty(self) -> bool:
        return not any(line.path or line.dots for line in self.lines)


@dataclass(frozen=True, slots=True)
class Limits:
    """What is drawn across the rates.

    ``threshold`` is a rate as the progress has it; ``unit`` what exposure counts, ""
    for errors per minute. ``judged_from`` is when the watch began, ``grace`` minutes
    later it counts.
    """

    version: str
    baseline: str = ""
    unit: str = ""
    threshold: float | None = None
    deployed_at: datetime | None = None
    judged_from: datetime | None = None
    grace: int = 0
    verdict: str = ""
    decided_at: datetime | None = None


def rate_chart(progress: Progress, limits: Limits) -> RateChart:
    """Draw the rates of both releases with all that the verdict rests on."""
    series = [("release", limits.version, progress.release)]
    if progress.baseline and limits.baseline:
        series.insert(0, ("baseline", limits.baseline, progress.baseline))
    rates = [
        rate for _, _, points in series for rate in _shown(points) if rate is not None
    ]
    highest = max([*rates, limits.threshold or 0.0])
    step, top = axis(highest * HEADROOM or 0.01)
    place = _Place(progress.start, progress.end, top)
    names = " and ".join(name for _, name, _ in reversed(series))
    return RateChart(
        lines=[_line(kind, name, points, place) for kind, name, points in series],
        grid=_grid(step, top, limits.unit),
        ticks=_ticks(progress.start, progress.end),
        moments=_moments(limits, place),
        threshold=_threshold(limits, place),
        grace=_grace(limits, place),
        columns=_columns(progress, limits, place),
        unit=limits.unit,
        step=progress.step,
        label=f"Error rate of {names}, {progress.start:%H:%M} to {progress.end:%H:%M} "
        f"UTC, at most {rate_label(max(rates, default=0.0), limits.unit)}",
    )


def axis(highest: float) -> tuple[float, float]:
    """A round step and the top of an axis that holds ``highest``."""
    rough = highest / GRID_LINES
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(n * size for n in (1, 2, 2.5, 5, 10) if n * size >= rough * 0.999)
    return step, step * math.ceil(highest / step - 1e-9)


class _Place:
    """Times and rates to places in the drawing."""

    def __init__(self, start: datetime, end: datetime, top: float) -> None:
        self.start, self.span, self.top = start, end - start, top

    def share(self, moment: datetime) -> float:
        """Where a moment is, in percent of the width."""
        return round(100 * ((moment - self.start) / self.span), 2)

    def x(self, moment: datetime) -> float:
        return round(WIDTH * ((moment - self.start) / self.span), 1)

    def y(self, rate: float) -> float:
        return round(HEIGHT * (1 - rate / self.top), 1)

    def holds(self, moment: datetime | None) -> bool:
        return moment is not None and 0 <= self.share(moment) <= 100


def _shown(points: Sequence[Point]) -> list[float | None]:
    """The rate of each point; None where next to nothing was served."""
    most = max((point.exposure / point.minutes for point in points), default=0.0)
    least = most * NEXT_TO_NOTHING
    return [
        point.rate if point.exposure / point.minutes >= least else None
        for point in points
    ]


def _line(kind: str, name: str, points: Sequence[Point], place: _Place) -> Line:
    pieces: list[list[str]] = [[]]
    for point, rate in zip(points, _shown(points), strict=True):
        if rate is None:
            pieces.append([])
            continue
        middle = point.start + (point.end - point.start) / 2
        pieces[-1].append(f"{place.x(middle)} {place.y(rate)}")
    # A line of no length with round ends is a dot.
    dots = "".join(f"M{piece[0]}h0" for piece in pieces if len(piece) == 1)
    path = "".join("M" + "L".join(piece) for piece in pieces if len(piece) > 1)
    return Line(kind, name, path, dots)


def _grid(step: float, top: float, unit: str) -> list[Level]:
    count = round(top / step)
    labels = ["0"]
    for n in range(1, count + 1):
        rate = n * step
        labels.append(rate_label(rate, unit) if unit else short(rate))
    return [
        Level(round(100 - 100 * n / count, 2), label) for n, label in enumerate(labels)
    ]


def _ticks(start: datetime, end: datetime) -> list[Tick]:
    minutes = (end - start) / timedelta(minutes=1)
    fits = (n for n in TICK_MINUTES if minutes / n <= MOST_TICKS)
    step = timedelta(minutes=next(fits, TICK_MINUTES[-1]))
    midnight = start.replace(hour=0, minute=0)
    moment = midnight + math.ceil((start - midnight) / step) * step
    found = []
    while moment < end:
        share = (moment - start) / (end - start)
        found.append(Tick(round(100 * share, 2), f"{moment:%H:%M}"))
        moment += step
    return found


def _moments(limits: Limits, place: _Place) -> list[Moment]:
    told = [
        (limits.deployed_at, "deploy", "deployed", f"{limits.version} deployed"),
        (_grace_end(limits), "grace", "", "End of the grace: from here on it counts"),
        (limits.decided_at, limits.verdict, limits.verdict, f"Judged {limits.verdict}"),
    ]
    return [
        Moment(place.share(at), kind, label, f"{title}, {at:%H:%M:%S} UTC")
        for at, kind, label, title in told
        if at is not None and place.holds(at)
    ]


def _grace_end(limits: Limits) -> datetime | None:
    if limits.judged_from is None:
        return None
    return limits.judged_from + timedelta(minutes=limits.grace)


def _grace(limits: Limits, place: _Place) -> tuple[float, float] | None:
    end = _grace_end(limits)
    if limits.deployed_at is None or end is None or not place.holds(limits.deployed_at):
        return None
    x = place.x(limits.deployed_at)
    return x, max(min(place.x(end), WIDTH) - x, 0.0)


def _threshold(limits: Limits, place: _Place) -> Level | None:
    if limits.threshold is None:
        return None
    label = rate_label(limits.threshold, limits.unit)
    return Level(round(place.y(limits.threshold) / HEIGHT * 100, 2), label)


def _columns(progress: Progress, limits: Limits, place: _Place) -> SafeString:
    """What each span of time says when pointed at, as SVG; hundreds of them."""
    base: Sequence[Point | None] = progress.baseline or [None] * len(progress.release)
    found = []
    for point, other in zip(progress.release, base, strict=True):
        title = f"{point.start:%H:%M}–{point.end:%H:%M} UTC"
        title += _told(limits.version, point, limits.unit)
        if other is not None:
            title += _told(limits.baseline, other, limits.unit)
        x = place.x(point.start)
        found.append(
            f'<g><title>{escape(title)}</title><rect class="rm-bar-hover" x="{x}" y="0"'
            f' width="{round(place.x(point.end) - x, 1)}" height="{HEIGHT}"/></g>'
        )
    return mark_safe("".join(found))


def _told(version: str, point: Point, unit: str) -> str:
    if point.rate is None:
        return f"\n{version}: nothing served"
    rate = rate_label(point.rate, unit)
    if not unit:
        return f"\n{version}: {rate} ({point.errors:,} errors)"
    served = f"{point.exposure:,.0f} {unit}"
    return f"\n{version}: {rate} ({point.errors:,} errors in {served})"
