"""How levels and scores read on the pages; with all that ``display`` has."""

from typing import Any

from django import template

from issues.models import Level
from issues.monitors.recent import took_of
from tenants.models import ProjectKey
from tenants.templatetags import display

register = template.Library()
register.filters.update(display.register.filters)
register.tags.update(display.register.tags)


@register.filter
def score_band(score: float) -> str:
    """How an impact score is coloured: the bands that the legend explains."""
    for floor, band in ((60, "severe"), (25, "high"), (5, "some")):
        if score >= floor:
            return band
    return "low"


@register.filter
def seconds(value: float) -> str:
    """How long a run took."""
    return took_of(value)


@register.simple_tag
def dsn_of(key: ProjectKey, base_url: str) -> str:
    """The DSN of a key."""
    return key.dsn(base_url)


@register.filter
def level_label(level: Any) -> str:
    """The name of a level's number; unknown numbers stay numbers."""
    return Level(level).label if level in Level.values else str(level)


@register.filter
def term(value: Any, key: str) -> str:
    """A search term ``key:"value"`` for links to the issue list."""
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'{key}:"{text}"'
