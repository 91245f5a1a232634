"""How numbers and times read on the pages of every app."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django import template
from django.http import QueryDict
from django.template import Context
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()

_STEPS = (
    (timedelta(days=365), "y"),
    (timedelta(days=30), "mo"),
    (timedelta(days=1), "d"),
    (timedelta(hours=1), "h"),
    (timedelta(minutes=1), "min"),
)


@register.filter
def compact(number: Any) -> str:
    """1234 as 1.2k, 5600000 as 5.6M; '' for what is no number."""
    try:
        value = float(number)
    except (TypeError, ValueError):
        return ""
    for size, suffix in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            short = value / size
            digits = 1 if abs(short) < 100 else 0
            return f"{short:.{digits}f}".removesuffix(".0") + suffix
    return f"{value:.0f}"


@register.filter
def ago(moment: datetime | None) -> SafeString | str:
    """A <time> that says how long ago, or how long until; '' for None."""
    if moment is None:
        return ""
    past = timezone.now() - moment
    text = duration(abs(past))
    words = f"in {text}" if past < timedelta(0) else f"{text} ago"
    if text == "0 s":
        words = "now"
    exact = f"{moment:%Y-%m-%d %H:%M:%S} UTC"
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', moment.isoformat(), exact, words
    )


@register.filter
def duration(span: timedelta) -> str:
    """The largest unit that fits, such as "3 d"."""
    for size, unit in _STEPS:
        if span >= size:
            return f"{int(span / size)} {unit}"
    return f"{int(span.total_seconds())} s"


@register.filter
def percent(share: Any) -> str:
    """0.054 as 5.4%; '' for what is no number."""
    if not isinstance(share, int | float):
        return ""
    return f"{share:.2%}" if share < 0.01 else f"{share:.1%}"


@register.filter
def get(mapping: Any, key: Any) -> Any:
    """``mapping[key]``, or None."""
    return mapping.get(key) if isinstance(mapping, Mapping) else None


@register.filter
def initials(user: Any) -> str:
    """One or two letters for a person's badge."""
    names = [name for name in (user.first_name, user.last_name) if name]
    letters = "".join(name[0] for name in names) or user.get_username()[:2]
    return str(letters.upper())


@register.filter
def split_words(text: str) -> list[str]:
    return text.split()


@register.filter
def field_named(form: Any, name: str) -> Any:
    """A form's field by name, for loops over some of them."""
    return form[name]


@register.simple_tag(takes_context=True)
def query_without(context: Context, name: str) -> str:
    """The page's query string without one parameter."""
    return query_with(context, **{name: None})


@register.simple_tag(takes_context=True)
def query_with(context: Context, **changes: Any) -> str:
    """The page's query string with some parameters set, or removed where None."""
    query: QueryDict = context["request"].GET.copy()
    query.pop("page", None)
    for key, value in changes.items():
        if value is None or value == "":
            query.pop(key, None)
        else:
            query[key] = str(value)
    return f"?{query.urlencode()}"
