"""Turn what browsers report of violated policies into event payloads."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

from issues.clean import decode, kind, scalar_text
from issues.normal_event import NotAnEvent

MAX_REPORTS = 100
# Of the Reporting API; the report-uri form writes the same words with dashes.
_DASHED = {
    "documentURL": "document-uri",
    "blockedURL": "blocked-uri",
    "effectiveDirective": "effective-directive",
    "violatedDirective": "violated-directive",
    "originalPolicy": "original-policy",
    "sourceFile": "source-file",
    "lineNumber": "line-number",
    "columnNumber": "column-number",
    "statusCode": "status-code",
    "sample": "script-sample",
    "disposition": "disposition",
    "referrer": "referrer",
}
# Title and logger of reports about a host's certificate, by where they stand.
_OF_HOSTS = {
    "expect-ct-report": ("Expect-CT failed for '%s'", "expect-ct"),
    "expect-staple-report": ("Expect-Staple failed for '%s'", "expect-staple"),
}
_PINNED = ("Public key pinning validation failed for '%s'", "hpkp")
_WEB = frozenset({"http", "https", "ws", "wss"})
_SCHEMES_AND_WORDS = frozenset({"inline", "eval", "self", "data", "blob", "about"})


def payloads_from_report(
    body: bytes, query: str, tenant_tags: Sequence[str]
) -> list[dict[str, Any]]:
    """Event payloads for the reports in ``body``, one for each violation.

    Understands {"csp-report": {…}}, the Reporting API's list of
    {"type": "csp-violation", "body": {…}}, and the reports of Expect-CT, Expect-Staple
    and HPKP. ``query`` is the raw query string, whose sentry_release,
    sentry_environment and tenant tags become the event's. Empty for reports of another
    kind (deprecation, intervention); NotAnEvent for what is no report at all.
    """
    data, _ = decode(body)
    if not isinstance(data, dict | list):
        raise NotAnEvent(
            f"a security report is a JSON object or a list; this one is {kind(data)}"
        )
    given = {name: values[0] for name, values in parse_qs(query).items()}
    named = {"release": "sentry_release", "environment": "sentry_environment"}
    common = {key: given[name] for key, name in named.items() if name in given}
    tags = {name: given[name] for name in tenant_tags if name in given}
    payloads = [_event(report, agent) for report, agent in _reports(data)]
    if isinstance(data, dict):
        payloads += _of_a_host(data)
    for payload in payloads:
        payload["tags"] |= tags
    return [{**common, **payload} for payload in payloads]


def _of_a_host(data: dict[str, Any]) -> list[dict[str, Any]]:
    """The event of a report that a host's certificate is not as was promised."""
    for name, (title, logger) in _OF_HOSTS.items():
        if isinstance(data.get(name), dict):
            return [_certificate_event(data[name], title, logger)]
    if "noted-hostname" in data or "known-pins" in data:
        return [_certificate_event(data, *_PINNED)]
    return []


def _certificate_event(
    report: dict[str, Any], title: str, logger: str
) -> dict[str, Any]:
    host = (scalar_text(report.get("hostname")) or "unknown")[:200]
    port = scalar_text(report.get("port")) or ""
    return {
        "platform": "javascript",
        "logger": logger,
        "level": "error",
        "logentry": {"formatted": title % host},
        "culprit": host,
        "fingerprint": [logger, host],
        "tags": {"hostname": host, **({"port": port[:20]} if port else {})},
        "extra": {f"{logger}-report": report},
    }


def _reports(data: object) -> list[tuple[dict[str, str], str]]:
    """Pairs of a report with dashed keys and the User-Agent it names."""
    found: list[tuple[dict[str, str], str]] = []
    for entry in data[:MAX_REPORTS] if isinstance(data, list) else [data]:
        if not isinstance(entry, dict):
            continue
        old, new = entry.get("csp-report"), entry.get("body")
        if isinstance(old, dict):
            found.append((_texts(old), ""))
        elif entry.get("type") == "csp-violation" and isinstance(new, dict):
            renamed = {_DASHED.get(str(key), str(key)): new[key] for key in new}
            found.append((_texts(renamed), scalar_text(entry.get("user_agent")) or ""))
    return found


def _texts(report: dict[str, Any]) -> dict[str, str]:
    texts = {key: scalar_text(value) for key, value in report.items()}
    return {key: text[:2048] for key, text in texts.items() if text}


def _event(report: dict[str, str], user_agent: str) -> dict[str, Any]:
    named = report.get("effective-directive") or report.get("violated-directive", "")
    directive = (named.split() or ["unknown"])[0][:100]
    page = report.get("document-uri", "")
    blocked = _blocked(report.get("blocked-uri", ""), page)
    reported_only = report.get("disposition") == "report"
    headers = {"Referer": report.get("referrer"), "User-Agent": user_agent}
    return {
        "platform": "javascript",
        "logger": "csp",
        "level": "warning" if reported_only else "error",
        "logentry": {"formatted": f"Blocked '{directive}' from '{blocked}'"},
        "culprit": directive,
        "fingerprint": ["csp", directive, blocked],
        "tags": {
            "effective-directive": directive,
            "blocked-host": blocked,
            "disposition": report.get("disposition", "enforce"),
        },
        "request": {
            "url": page,
            "headers": {name: value for name, value in headers.items() if value},
        },
        "extra": {"csp-report": report},
    }


def _blocked(uri: str, page: str) -> str:
    """What was blocked, without what differs by shop or visit: a host or a word."""
    word = uri.split(":", 1)[0].lower()
    host = _host(uri) if word in _WEB else ""
    if host:
        return "self" if host == _host(page) else host
    # An empty blocked-uri stands for inline code in older browsers.
    return word if word in _SCHEMES_AND_WORDS else word[:60] or "inline"


def _host(uri: str) -> str:
    try:
        return (urlsplit(uri).hostname or "")[:200]
    except ValueError:
        return ""
