"""Read the parts of an event that have several spellings on the wire."""

import re
from typing import Any
from urllib.parse import urlencode

from issues.clean import any_text, kind, scalar_text
from issues.digest.frames import dict_at, mend_text, values_of

MAX_MESSAGE = 8192
MAX_TAGS = 100
MAX_TAG = 200
MAX_BREADCRUMBS = 200
_LEGACY = {
    "sentry.interfaces.Message": "logentry",
    "sentry.interfaces.Exception": "exception",
    "sentry.interfaces.Stacktrace": "stacktrace",
    "sentry.interfaces.Http": "request",
    "sentry.interfaces.User": "user",
    "sentry.interfaces.Breadcrumbs": "breadcrumbs",
    "sentry.interfaces.Contexts": "contexts",
    "sentry.interfaces.Threads": "threads",
}
# What Relay filled in for browsers before SDKs said "infer_ip".
_ADDRESS_INFERRED = frozenset({"javascript", "cocoa", "objc"})
_CRUMB_TYPES: dict[str, set[type]] = {
    "message": {str},
    "category": {str},
    "type": {str},
    "level": {str},
    "data": {dict},
    "timestamp": {int, float, str},
}
_PLACEHOLDER = re.compile(
    r"%%|%\((?P<name>\w+)\)[a-zA-Z]|%[-+ #0]*[\d.]*[a-zA-Z]|\{(?P<field>\w*)\}"
)


def lift_legacy(data: dict[str, Any]) -> None:
    """Move raven's interface keys, and its bare stack trace, to today's places."""
    for old, new in _LEGACY.items():
        if old in data:
            value = data.pop(old)
            if data.get(new) is None:
                data[new] = value
    stacktrace = data.get("stacktrace")
    if stacktrace is not None:
        del data["stacktrace"]
        if data.get("threads") is None and stacktrace:
            data["threads"] = {"values": [{"current": True, "stacktrace": stacktrace}]}


def read_message(data: dict[str, Any], notes: list[str]) -> tuple[str, str]:
    """The formatted message and its template; stored under "logentry"."""
    message = data.pop("message", None)
    entry = data.get("logentry")
    if message is None and entry is None:
        data.pop("logentry", None)
        return "", ""
    if type(message) is dict:
        message, entry = None, entry or message
    if entry is not None and type(entry) is not dict:
        message, entry = message or entry, None
    logentry: dict[str, Any] = entry or {}
    for key in ("formatted", "message"):
        if key in logentry and type(logentry[key]) is not str:
            mend_text(logentry, key, "logentry", notes, convert=True)
    params = logentry.get("params")
    if params is not None and type(params) not in (list, dict):
        logentry["params"] = params = [params]
    template = logentry.get("message", "")
    formatted = logentry.get("formatted", "")
    if not formatted and template:
        formatted = fill(template, params)
    if not formatted and message is not None:
        if type(message) is not str:
            notes.append(f"message: expected text, got {kind(message)}; kept as text")
        formatted = any_text(message)
    if len(formatted) > MAX_MESSAGE or len(template) > MAX_MESSAGE:
        notes.append(f"message: cut to {MAX_MESSAGE} characters")
        formatted, template = formatted[:MAX_MESSAGE], template[:MAX_MESSAGE]
    logentry["formatted"] = formatted
    if template:
        logentry["message"] = template
    data["logentry"] = logentry
    return formatted, template


def fill(template: str, params: object) -> str:
    """The template with its placeholders filled as text, whatever their format.

    Never by the % operator: "%999999999d" from a stranger would take the memory.
    """
    values = list(params) if isinstance(params, list) else []
    names = params if isinstance(params, dict) else {}

    def put(found: re.Match[str]) -> str:
        name = found["name"] or found["field"]
        if name:
            return any_text(names[name])[:500] if name in names else found[0]
        if found[0] == "%%":
            return "%"
        return any_text(values.pop(0))[:500] if values else found[0]

    return _PLACEHOLDER.sub(put, template[:MAX_MESSAGE]) if params else template


def read_tags(data: dict[str, Any], notes: list[str]) -> dict[str, str]:
    """The tags as texts: of an object, of pairs, or of {"key": …, "value": …}."""
    raw = data.get("tags")
    if type(raw) is dict:
        pairs = list(raw.items())
    elif type(raw) is list:
        pairs = [pair for pair in map(_pair, raw) if pair is not None]
        if len(pairs) < len(raw):
            notes.append("tags: entries that are no pair of key and value dropped")
    else:
        if raw is not None:
            notes.append(f"tags: expected an object, got {kind(raw)}; dropped")
        pairs = []
    if len(pairs) > MAX_TAGS:
        notes.append(f"tags: the first {MAX_TAGS} of {len(pairs)} kept")
        del pairs[MAX_TAGS:]
    tags: dict[str, str] = {}
    for key, value in pairs:
        if type(value) is not str or len(value) > MAX_TAG or len(key) > MAX_TAG:
            text = scalar_text(value)
            if text is None:
                notes.append(f"tags.{key[:40]}: got {kind(value)}; dropped")
                continue
            if len(text) > MAX_TAG or len(key) > MAX_TAG:
                notes.append(f"tags.{key[:40]}: cut to {MAX_TAG} characters")
            tags[key[:MAX_TAG]] = text[:MAX_TAG]
        else:
            tags[key] = value
    data["tags"] = tags
    return dict(tags)


def _pair(entry: object) -> tuple[str, Any] | None:
    """[key, value] or {"key": key, "value": value} as a pair."""
    if isinstance(entry, dict):
        entry = [entry.get("key"), entry.get("value")]
    if isinstance(entry, list) and len(entry) == 2:
        key = scalar_text(entry[0])
        if key:
            return key, entry[1]
    return None


def read_breadcrumbs(data: dict[str, Any], notes: list[str]) -> None:
    """Mend the breadcrumbs in place; the last ``MAX_BREADCRUMBS`` are kept."""
    crumbs = values_of(data, "breadcrumbs", notes)
    if len(crumbs) > MAX_BREADCRUMBS:
        notes.append(f"breadcrumbs: the last {MAX_BREADCRUMBS} of {len(crumbs)} kept")
        del crumbs[:-MAX_BREADCRUMBS]
    # By column, as one set of types is faster than five tests for each crumb.
    for key, types in _CRUMB_TYPES.items():
        told = {type(crumb[key]) for crumb in crumbs if key in crumb}
        if not told <= types:
            for crumb in crumbs:
                if key in crumb and type(crumb[key]) not in types:
                    _mend_crumb(crumb, key, notes)


def _mend_crumb(crumb: dict[str, Any], key: str, notes: list[str]) -> None:
    if key == "data":
        dict_at(crumb, key, "breadcrumb", notes)
    elif key == "timestamp":
        if crumb.pop(key) is not None:
            notes.append("breadcrumb.timestamp: not a time; dropped")
    else:
        mend_text(crumb, key, "breadcrumb", notes, convert=key == "message")


def read_fingerprint(data: dict[str, Any], notes: list[str]) -> list[str]:
    """The fingerprint as texts; a single value is a list of one."""
    raw = data.get("fingerprint")
    if raw is None:
        data.pop("fingerprint", None)
        return []
    values = raw if type(raw) is list else [raw]
    texts = [scalar_text(value) for value in values[:32]]
    fingerprint = [text[:200] for text in texts if text]
    if len(fingerprint) < len(values):
        notes.append("fingerprint: parts that are no text dropped")
    if max(map(len, filter(None, texts)), default=0) > 200:
        notes.append("fingerprint: parts cut to 200 characters")
    data["fingerprint"] = fingerprint
    return fingerprint


def read_request(data: dict[str, Any], notes: list[str]) -> str:
    """Mend ``data["request"]``: headers become an object; returns the URL."""
    request = dict_at(data, "request", "event", notes)
    if not request:
        return ""
    for key in ("url", "method", "fragment"):
        if key in request and type(request[key]) is not str:
            mend_text(request, key, "request", notes)
    headers = request.get("headers")
    if headers is not None:
        request["headers"] = _headers(headers, notes)
    query = request.get("query_string")
    if query is not None and type(query) is not str:
        request["query_string"] = _query(query, notes)
    if type(request.get("env", request)) is not dict:
        dict_at(request, "env", "request", notes)
    url: str = request.get("url", "")
    return url[:2048]


def _headers(raw: object, notes: list[str]) -> dict[str, str]:
    if type(raw) is dict:
        if set(map(type, raw.values())) <= {str}:
            return raw
        pairs = list(raw.items())
    elif type(raw) is list:
        pairs = [tuple(pair) for pair in raw if type(pair) is list and len(pair) == 2]
    else:
        pairs = []
    headers: dict[str, str] = {}
    dropped = 0
    for name, value in pairs:
        values = value if type(value) is list else [value]
        texts = [text for text in map(scalar_text, values) if text]
        dropped += sum(scalar_text(value) is None for value in values)
        if type(name) is str:
            earlier = [headers[name]] if name in headers else []
            headers[name] = ", ".join(earlier + texts)
    if dropped:
        notes.append(f"request.headers: {dropped} values that are no text dropped")
    if not headers and raw:
        notes.append(f"request.headers: got {kind(raw)} without headers; dropped")
    return headers


def _query(raw: object, notes: list[str]) -> str:
    if type(raw) is dict:
        pairs = list(raw.items())
    elif type(raw) is list:
        pairs = [tuple(pair) for pair in raw if type(pair) is list and len(pair) == 2]
    else:
        pairs = []
    if not pairs and raw:
        notes.append(f"request.query_string: got {kind(raw)}; dropped")
    return urlencode([(any_text(key), any_text(value)) for key, value in pairs])


def user_agent_of(data: dict[str, Any]) -> str:
    """The User-Agent header of the visitor's request that failed."""
    headers = (data.get("request") or {}).get("headers")
    if not headers:
        return ""
    found = headers.get("User-Agent") or headers.get("user-agent")
    if found is None:
        found = next(
            (value for name, value in headers.items() if name.lower() == "user-agent"),
            "",
        )
    return found if type(found) is str else ""


def read_user(
    data: dict[str, Any], platform: str, remote_addr: str, notes: list[str]
) -> str:
    """Mend ``data["user"]`` and return the identity, such as "id:7"; "" for none."""
    user = dict_at(data, "user", "event", notes)
    for key in ("id", "email", "username", "ip_address"):
        if key in user and type(user[key]) is not str:
            text = scalar_text(user[key])
            if text:
                user[key] = text
            else:
                if user[key] is not None:
                    notes.append(f"user.{key}: got {kind(user[key])}; dropped")
                del user[key]
    address = user.get("ip_address", "")
    if address == "{{auto}}" or (not address and _infers_address(data, platform)):
        address = remote_addr
        if address:
            user["ip_address"] = address
        else:
            user.pop("ip_address", None)
    if user:
        data["user"] = user
    for key, mark in (("id", "id:"), ("email", "email:"), ("username", "username:")):
        value = user.get(key)
        if value:
            return f"{mark}{value}"[:200]
    return f"ip:{address}"[:200] if address else ""


def _infers_address(data: dict[str, Any], platform: str) -> bool:
    settings = (data.get("sdk") or {}).get("settings")
    if type(settings) is dict and "infer_ip" in settings:
        return bool(settings["infer_ip"] == "auto")
    return platform in _ADDRESS_INFERRED
