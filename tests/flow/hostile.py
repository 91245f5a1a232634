"""Values that no SDK sends, and where they may stand in what SDKs do send."""

import copy
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

# What may stand where something else belongs; "misplaced" is looked for afterwards.
WRONG: list[Any] = [
    None,
    True,
    0,
    -1,
    1.5,
    2**70,
    "",
    "misplaced",
    "misplaced\x00\ud83d",
    "misplaced " * 300,
    [],
    [None, 1, "misplaced", [], {}],
    {},
    {"misplaced": {"type": [{}]}, "values": {"a": 1}},
]
ODD_NUMBERS: list[Any] = [2**31, 2**40, 1e300, -1e300, 1e-320]

HOSTILE_NAMES: tuple[Any, ...] = (
    *("\x00", "a\x00b", "\ud83d", "x" * 10_000, "İ" * 200, "😀" * 200),
    *("'; DROP TABLE tenants;--", "<script>alert(1)</script>", "../../etc/passwd"),
    *("a\nb\rc\td", "\u202egnp.exe", "(unknown)", "null", "%s%s%n", "{{ default }}"),
    *("\u200b", "A" * 200, 7, True),
)

ABSURD_TIMES: tuple[Any, ...] = (
    *(0, -1, 1e308, -1e308, 2**70, 1e-300, 253402300800, "0001-01-01", "", "now"),
    *("9999-12-31T23:59:59.999999-23:59", "0001-01-01T00:00:00+23:59"),
    *("2026-02-30T00:00:00Z", "2026-11-23T09:00:00+99:99", [], {}, True),
)

NOW = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"

FRAME = {
    "function": "convert",
    "raw_function": "convert",
    "module": "orders.pricing",
    "filename": "orders/pricing.py",
    "abs_path": "/srv/orders/pricing.py",
    "package": "orders",
    "platform": "python",
    "symbol": "convert",
    "instruction_addr": "0x1",
    "lineno": 20,
    "colno": 4,
    "in_app": True,
    "context_line": "    return RATES[currency]",
    "pre_context": ["def convert(currency):"],
    "post_context": ["", ""],
    "vars": {"currency": "'CHF'"},
    "lock": {"type": 1},
}
EXCEPTION = {
    "type": "KeyError",
    "value": "'CHF'",
    "module": "builtins",
    "thread_id": 1,
    "mechanism": {
        "type": "django",
        "handled": False,
        "synthetic": False,
        "exception_id": 0,
        "parent_id": 0,
        "is_exception_group": False,
        "source": "__cause__",
        "data": {"a": "b"},
        "meta": {"errno": {"number": 1}},
    },
    "stacktrace": {"frames": [FRAME], "registers": {"rip": "0x1"}},
}
THREAD = {
    "id": 1,
    "name": "main",
    "crashed": True,
    "current": True,
    "state": "running",
    "stacktrace": {"frames": [FRAME]},
}
CRUMB = {
    "type": "http",
    "category": "net",
    "message": "step",
    "level": "info",
    "timestamp": NOW,
    "data": {"url": "/step"},
    "event_id": "a" * 32,
}
# An event that uses every part of the protocol.
EVENT: dict[str, Any] = {
    "event_id": "e" * 32,
    "timestamp": NOW,
    "start_timestamp": NOW,
    "received": NOW,
    "type": "error",
    "version": "7",
    "project": 1,
    "level": "error",
    "platform": "python",
    "logger": "orders",
    "transaction": "/checkout",
    "transaction_info": {"source": "route"},
    "culprit": "orders.pricing in convert",
    "server_name": "web-1",
    "site": "shop",
    "release": "orders@1.4.2",
    "dist": "7",
    "environment": "production",
    "modules": {"django": "5.2"},
    "fingerprint": ["{{ default }}", "chf"],
    "tags": {"tenant": "bella.example", "plan": "pro"},
    "extra": {"payload": {"a": [1]}},
    "user": {
        "id": "7",
        "email": "a@b.example",
        "username": "a",
        "ip_address": "203.0.113.7",
        "name": "A",
        "segment": "vip",
        "data": {"age": 30},
        "geo": {"city": "Wien", "country_code": "AT"},
    },
    "request": {
        "url": "https://shop.example/checkout",
        "method": "POST",
        "fragment": "top",
        "query_string": "utm=mail",
        "data": {"lines": [1]},
        "cookies": {"theme": "dark"},
        "headers": {"User-Agent": "Mozilla/5.0", "Referer": "https://a.example"},
        "env": {"SERVER_NAME": "web-1"},
        "inferred_content_type": "application/json",
    },
    "contexts": {
        "trace": {"trace_id": "a" * 32, "span_id": "b" * 16, "data": {"a": 1}},
        "browser": {"name": "Chrome", "version": "156.0", "type": "browser"},
        "os": {"name": "Linux", "version": "6.1"},
        "client_os": {"name": "Linux", "version": "6.1"},
        "device": {"family": "K"},
        "runtime": {"name": "CPython", "version": "3.11"},
        "flags": {"values": [{"flag": "new", "result": True}]},
    },
    "breadcrumbs": {"values": [CRUMB]},
    "logentry": {"message": "no %s", "params": ["CHF"], "formatted": "no CHF"},
    "exception": {"values": [EXCEPTION]},
    "threads": {"values": [THREAD]},
    "debug_meta": {
        "images": [{"type": "sourcemap", "code_file": "/a.js", "debug_id": "b" * 32}],
        "sdk_info": {"sdk_name": "x"},
    },
    "sdk": {
        "name": "sentry.python",
        "version": "2.75.0",
        "integrations": ["django"],
        "packages": [{"name": "pypi:sentry-sdk", "version": "2.75.0"}],
        "settings": {"infer_ip": "never"},
    },
    "spans": [{"op": "db"}],
    "measurements": {"lcp": {"value": 1.0}},
    "errors": [{"type": "invalid"}],
    "_meta": {"tags": {"": {"len": 1}}},
    "_metrics": {"bytes": 1},
}
# What old clients send in place of today's keys.
LEGACY: dict[str, Any] = {
    "message": "no CHF",
    "stacktrace": {"frames": [FRAME]},
    "sentry.interfaces.Message": {"message": "no %s", "params": ["CHF"]},
    "sentry.interfaces.Exception": {"values": [{"type": "E", "value": "v"}]},
    "sentry.interfaces.Stacktrace": {"frames": [{"function": "a"}]},
    "sentry.interfaces.Http": {"url": "https://a.example"},
    "sentry.interfaces.User": {"id": "1"},
}
_REPLACED_BY_LEGACY = {"exception", "logentry", "threads", "request", "user"}
OLD_EVENT = {k: v for k, v in EVENT.items() if k not in _REPLACED_BY_LEGACY}

SESSION = {
    "sid": "32f7a776-1179-4a0c-9aa6-b2cf75a3cbbd",
    "did": "visitor",
    "init": True,
    "seq": 1,
    "started": NOW,
    "timestamp": NOW,
    "duration": 1.5,
    "status": "crashed",
    "errors": 1,
    "abnormal_mechanism": "anr",
    "attrs": {"release": "web@1", "environment": "production", "ip_address": "::1"},
}
BUCKET = {"started": NOW, "exited": 1, "errored": 1, "crashed": 1, "abnormal": 1}
SESSIONS = {
    "attrs": {"release": "web@1", "environment": "production"},
    "aggregates": [BUCKET],
}
TRANSACTION = {
    "type": "transaction",
    "event_id": "a" * 32,
    "transaction": "/checkout",
    "timestamp": NOW,
    "start_timestamp": NOW,
    "release": "web@1",
    "environment": "production",
    "tags": {"tenant": "bella.example"},
    "contexts": {"trace": {"data": {"sentry.sample_rate": 0.5, "tenant": "a"}}},
    "spans": [{"op": "db"}],
}
SPAN = {
    "version": 2,
    "items": [
        {
            "name": "/checkout",
            "is_segment": True,
            "end_timestamp": 1795425285.5,
            "attributes": {
                "sentry.release": {"value": "web@1", "type": "string"},
                "sentry.environment": {"value": "production", "type": "string"},
                "sentry.sample_rate": {"value": 0.5, "type": "double"},
                "tenant": {"value": "bella.example", "type": "string"},
            },
        }
    ],
}
CLIENT_REPORT = {
    "timestamp": NOW,
    "discarded_events": [{"reason": "sample_rate", "category": "error", "quantity": 2}],
}
CSP = {
    "document-uri": "https://shop.example/cart",
    "referrer": "",
    "violated-directive": "img-src",
    "effective-directive": "img-src",
    "original-policy": "img-src 'none'",
    "disposition": "enforce",
    "blocked-uri": "https://cdn.example/a.png",
    "line-number": 3,
    "status-code": 200,
}

Path = tuple[str | int, ...]


def paths(value: Any, depth: int, here: Path = ()) -> Iterator[Path]:
    """Where something stands inside a JSON value, down to ``depth`` keys."""
    if here:
        yield here
    if isinstance(value, list):
        for index, part in enumerate(value):
            # Indexes do not count: what matters of an event lies in lists.
            yield from paths(part, depth, (*here, index))
    elif isinstance(value, dict) and depth:
        for key in value:
            yield from paths(value[key], depth - 1, (*here, key))


def mutations(
    whole: dict[str, Any], depth: int, wrong: list[Any]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each wrong value in each place of ``whole``, and what names it."""
    for path in paths(whole, depth):
        for value in wrong:
            told = ascii(str(value)[:20])
            yield f"{'.'.join(map(str, path))} = {told}", replaced(whole, path, value)


def replaced(value: Any, path: Path, by: Any) -> Any:
    """A copy of a JSON value with ``by`` at ``path``."""
    copied = copy.deepcopy(value)
    owner = copied
    for key in path[:-1]:
        owner = owner[key]
    owner[path[-1]] = by
    return copied


def dumps(value: Any) -> bytes:
    """As JSON in ASCII: lone surrogates and NUL are escaped."""
    return json.dumps(value).encode()
