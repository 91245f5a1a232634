"""Geometry of the small charts: counts in, SVG coordinates out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.safestring import SafeString, mark_safe

BASELINE = 1.0  # pixels that a slot without events still shows


@dataclass(frozen=True, slots=True)
class Sparkline:
    """A row of thin columns as one SVG path; the newest column stands apart."""

    width: int
    height: int
    past: str
    newest: str
    stroke: float
    label: str


def sparkline(
    counts: Sequence[int], width: int = 118, height: int = 30, slot_name: str = "hour"
) -> Sparkline:
    """Columns scaled to the highest one, oldest first; one for each ``slot_name``."""
    slot = width / max(len(counts), 1)
    peak = max(counts, default=0) or 1
    columns = [
        f"M{slot * (i + 0.5):.1f} {height}V{height - _height(n, peak, height):.1f}"
        for i, n in enumerate(counts)
    ]
    total, most = sum(counts), max(counts, default=0)
    label = f"{total:,} events in {len(counts)} {slot_name}s, {most:,}"
    return Sparkline(
        width=width,
        height=height,
        past="".join(columns[:-1]),
        newest="".join(columns[-1:]),
        stroke=round(slot * 0.7, 1),
        label=f"{label} in the highest {slot_name}",
    )


def _height(count: int, peak: int, height: float) -> float:
    return max(count / peak * (height - 1), 2.0) if count else BASELINE


@dataclass(frozen=True, slots=True)
class Bar:
    """One column: its place in the drawing, and what it says when pointed at."""

    x: float
    y: float
    width: float
    height: float
    label: str
    part: float = 0.0  # height of the darker part, such as errors among events


@dataclass(frozen=True, slots=True)
class Tick:
    """A label under the time axis; ``x`` in percent of the width."""

    x: float
    label: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment drawn across a chart; ``x`` in percent of the width, ``url`` or ""."""

    x: float
    label: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class BarChart:
    """Columns over time in a drawing of ``width`` by ``height``, stretched to fit."""

    name: str
    width: int
    height: int
    bars: list[Bar]
    ticks: list[Tick]
    peak: int
    total: int
    part_total: int = 0
    marks: Sequence[Mark] = ()
    unit: str = "events"

    @property
    def columns(self) -> SafeString:
        """The SVG of the bars; hundreds of them make a template slow.

        Safe as it is: numbers and times of ours, no word of an event.
        """
        return mark_safe("".join(self._column(bar) for bar in self.bars))

    def _column(self, bar: Bar) -> str:
        part = (
            f'<rect class="rm-bar-part" x="{bar.x}" y="{self.height - bar.part}"'
            f' width="{bar.width}" height="{bar.part}"/>'
            if bar.part
            else ""
        )
        return (
            f"<g><title>{bar.label}</title>"
            f'<rect class="rm-bar-hover" x="{bar.x}" y="0" width="{bar.width}"'
            f' height="{self.height}"/>'
            f'<rect class="rm-bar" x="{bar.x}" y="{bar.y}" width="{bar.width}"'
            f' height="{bar.height}"/>{part}</g>'
        )


def bar_chart(
    name: str,
    series: Sequence[tuple[datetime, int]],
    *,
    time_format: str,
    ticks: int = 6,
    parts: Sequence[int] = (),
    marks: Sequence[Mark] = (),
    unit: str = "events",
    part_unit: str = "errors",
) -> BarChart:
    """A chart of counts by time; ``parts`` are counts within them, shown darker.

    ``time_format`` says how a time reads; the units what is counted, as plurals.
    """
    width, height = 1000, 100
    counts = [count for _, count in series]
    peak = max(counts, default=0)
    slot = width / max(len(series), 1)
    bars = []
    for i, (time, count) in enumerate(series):
        part = parts[i] if parts else 0
        tall = _height(count, peak or 1, height)
        label = f"{time:{time_format}} UTC: {count:,} {unit}"
        if parts:
            label += f", {part:,} {part_unit}"
        bars.append(
            Bar(
                x=round(slot * i, 2),
                y=round(height - tall, 2),
                width=round(slot * 0.82, 2),
                height=round(tall, 2),
                label=label,
                part=round(part / peak * (height - 1), 2) if peak else 0.0,
            )
        )
    step = max(len(series) // ticks, 1)
    times = [
        Tick(round(100 * i / len(series), 2), f"{series[i][0]:{time_format}}")
        for i in range(0, len(series), step)
    ]
    total, part_total = sum(counts), sum(parts)
    return BarChart(
        name, width, height, bars, times, peak, total, part_total, marks, unit
    )
