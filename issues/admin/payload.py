"""A stored event body, arranged for reading: crumbs, request, user, contexts.

Bodies were cleaned when they were stored, but by the rules of their day: every read
here accepts any shape and shows what it finds. Nothing here is markup; the templates
escape it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import orjson

TEXT_LIMIT = 4000
ROWS_LIMIT = 300
LINE = 90  # JSON that is not longer stays on one line


def as_dict(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """A list, or the list under ``values`` of the older form."""
    if isinstance(value, dict):
        value = value.get("values")
    return value if isinstance(value, list) else []


def as_text(value: Any, limit: int = TEXT_LIMIT) -> str:
    """Any value as text: JSON for what has parts; cut at ``limit`` characters."""
    if value is None:
        return ""
    if not isinstance(value, str):
        flat = orjson.dumps(value).decode()
        long = len(flat) > LINE
        value = (
            orjson.dumps(value, option=orjson.OPT_INDENT_2).decode() if long else flat
        )
    if len(value) > limit:
        return f"{value[:limit]}… ({len(value) - limit:,} more characters)"
    return str(value)


@dataclass(frozen=True, slots=True)
class Row:
    """A name with its text; ``block`` texts have lines and deserve a box."""

    name: str
    text: str

    @property
    def block(self) -> bool:
        return "\n" in self.text or len(self.text) > 200


@dataclass(frozen=True, slots=True)
class Section:
    """A titled table; ``note`` says what the title cannot."""

    title: str
    rows: list[Row]
    note: str = ""


def rows_of(value: Any) -> list[Row]:
    """A mapping, a list of pairs, or anything else as rows without empty ones."""
    if isinstance(value, dict):
        pairs = list(value.items())
    else:
        pairs = [_pair(item) for item in as_list(value)]
    shown = [(name, item) for name, item in pairs if item not in (None, "", [], {})]
    rows = [Row(as_text(name, 200), as_text(item)) for name, item in shown[:ROWS_LIMIT]]
    if len(shown) > ROWS_LIMIT:
        rows.append(Row("…", f"{len(shown) - ROWS_LIMIT:,} more in the raw event"))
    return rows


def _pair(item: Any) -> tuple[Any, Any]:
    if isinstance(item, list) and len(item) == 2:
        return item[0], item[1]
    if isinstance(item, dict) and "key" in item:
        return item["key"], item.get("value")
    return "", item


def web_address(text: Any) -> str:
    """The text where it is an http address that may become a link, else ''."""
    if not isinstance(text, str):
        return ""
    try:
        parts = urlsplit(text)
    except ValueError:
        return ""
    return text if parts.scheme in {"http", "https"} and parts.netloc else ""


@dataclass(frozen=True, slots=True)
class Crumb:
    """One breadcrumb; ``offset`` is seconds before the event (negative: before)."""

    time: str
    offset: str
    category: str
    level: str
    message: str
    kind: str
    data: list[Row] = field(default_factory=list)


def breadcrumbs(body: Mapping[str, Any]) -> list[Crumb]:
    """The trail in the order it happened, the crumb before the error last."""
    end = _time(body.get("timestamp"))
    return [_crumb(as_dict(item), end) for item in as_list(body.get("breadcrumbs"))]


def _crumb(item: Mapping[str, Any], end: datetime | None) -> Crumb:
    time = _time(item.get("timestamp"))
    offset = ""
    if time and end:
        offset = f"{(time - end).total_seconds():+,.1f} s".replace("-", "−")
    data = item.get("data")
    return Crumb(
        time=f"{time:%H:%M:%S}" if time else as_text(item.get("timestamp"), 40),
        offset=offset,
        category=as_text(item.get("category"), 100),
        level=as_text(item.get("level"), 20) or "info",
        message=as_text(item.get("message"), 1000),
        kind=as_text(item.get("type"), 40) or "default",
        # Keys such as __span are the SDK's own notes.
        data=[row for row in rows_of(data) if not row.name.startswith("__")],
    )


def _time(value: Any) -> datetime | None:
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
        if isinstance(value, str):
            time = datetime.fromisoformat(value)
            return time if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return None


@dataclass(frozen=True, slots=True)
class Request:
    """The HTTP request that failed, as the SDK sent it."""

    method: str
    url: str
    link: str
    sections: list[Section]


def request_of(body: Mapping[str, Any]) -> Request | None:
    """None where the event has no request."""
    request = as_dict(body.get("request"))
    if not request:
        return None
    query = request.get("query_string")
    data = request.get("data")
    sections = [
        Section("Query", rows_of(query) if not isinstance(query, str) else _one(query)),
        Section("Body", rows_of(data) if isinstance(data, dict) else _one(data)),
        Section("Headers", rows_of(request.get("headers"))),
        Section("Cookies", _either(request.get("cookies"))),
        Section("Server environment", rows_of(request.get("env"))),
    ]
    url = as_text(request.get("url"), 2000)
    return Request(
        method=as_text(request.get("method"), 20),
        url=url,
        link=web_address(url),
        sections=[section for section in sections if section.rows],
    )


def _either(value: Any) -> list[Row]:
    return rows_of(value) if isinstance(value, dict | list) else _one(value)


def _one(value: Any) -> list[Row]:
    text = as_text(value)
    return [Row("", text)] if text else []


def user_rows(body: Mapping[str, Any]) -> list[Row]:
    """The user: what identifies first, then the rest."""
    user = dict(as_dict(body.get("user")))
    known = {key: user.pop(key, None) for key in ("id", "email", "username", "name")}
    return rows_of({**known, **user})


# SDK names and their ids say little to people; what is left is worth a box each.
_LAST = ("trace", "culture", "response", "state")


def contexts(body: Mapping[str, Any]) -> list[Section]:
    """A section for each context, those about this client first."""
    found = as_dict(body.get("contexts"))
    names = sorted(found, key=lambda name: (name in _LAST, name))
    sections = [
        Section(
            name.replace("_", " "),
            [row for row in _either(found[name]) if row.name != "type"],
        )
        for name in names
    ]
    return [section for section in sections if section.rows]


def further_sections(body: Mapping[str, Any]) -> list[Section]:
    """Extra data, feature flags aside: what the SDK added beyond the interfaces."""
    sdk = as_dict(body.get("sdk"))
    told = {
        "name": sdk.get("name"),
        "version": sdk.get("version"),
        "integrations": ", ".join(map(str, as_list(sdk.get("integrations")))),
        "packages": ", ".join(
            f"{package.get('name')} {package.get('version', '')}".strip()
            for package in map(as_dict, _sequence(sdk.get("packages")))
        ),
    }
    sections = [
        Section("Extra", rows_of(body.get("extra"))),
        Section("Modules", rows_of(body.get("modules"))),
        Section("SDK", rows_of(told)),
    ]
    return [section for section in sections if section.rows]


def _sequence(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else []


@dataclass(frozen=True, slots=True)
class Scrubbed:
    """Values that were taken out of the event: where, by what rule, how many."""

    path: str
    rule: str
    count: int


def scrubbed(body: Mapping[str, Any]) -> list[Scrubbed]:
    """What was taken out when the event was stored, in the order of the event."""
    places = map(as_dict, as_list(as_dict(body.get("_rush")).get("scrubbed")))
    return [
        Scrubbed(as_text(p.get("path"), 300), as_text(p.get("rule"), 80), p["count"])
        for p in places
        if isinstance(p.get("count"), int)
    ]


def notes(body: Mapping[str, Any]) -> list[str]:
    """What was cleaned or cut when the event was stored, one sentence each."""
    found = as_list(as_dict(body.get("_rush")).get("notes"))
    return [as_text(note, 500) for note in found]


def message_of(body: Mapping[str, Any]) -> str:
    """The log message or captured message, formatted where the SDK did so."""
    for key in ("logentry", "message"):
        value = body.get(key)
        if isinstance(value, dict):
            value = value.get("formatted") or value.get("message")
        if isinstance(value, str) and value:
            return as_text(value)
    return ""
