"""Which filter drops an event or a request, asked as digest asks."""

import json
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from issues.digest.clock import Clock
from issues.digest.inbound import InboundRules, filter_of_event, filter_of_sender
from issues.digest.normalise import event_from_security_report, normalise
from issues.digest.requests import read_segment_spans, read_transaction
from issues.ingest.envelope import EnvelopeError, frame
from tenants.models import Filter, InboundFilters
from tests import wire
from tests.normal_events import RECEIVED, normal

DEFAULT = InboundRules.of(InboundFilters())
EVERYTHING = {name.value: True for name in Filter}
CLOCK = Clock(datetime(2026, 11, 23, 12, 0, tzinfo=UTC))

GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"
)
MSIE = "Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko"


def rules(**fields: Any) -> InboundRules:
    """Only what is named is on."""
    off = dict.fromkeys(EVERYTHING, False)
    return InboundRules.of(InboundFilters(**{**off, **fields}))


def page_error(
    value: str = "boom", type: str = "TypeError", *paths: str, **fields: Any
) -> Any:
    frames = [{"filename": path, "lineno": 1} for path in paths]
    raised: dict[str, Any] = {"type": type, "value": value}
    if frames:
        raised["stacktrace"] = {"frames": frames}
    return {
        "platform": "javascript",
        "exception": {"values": [raised]},
        "request": {"url": "https://shop.example/", "headers": {"User-Agent": SAFARI}},
        **fields,
    }


def judged(
    payload: Any,
    by: InboundRules = DEFAULT,
    remote_addr: str = "198.51.100.7",
    **a: Any,
) -> str:
    event = normal(payload, remote_addr=remote_addr, **a)
    return filter_of_event(event, by, remote_addr, a.get("user_agent", ""))


def test_an_error_of_the_page_is_wanted() -> None:
    payload = page_error("x is undefined", "TypeError", "https://shop.example/a.js")
    assert judged(payload, InboundRules.of(InboundFilters(**EVERYTHING))) == ""


@pytest.mark.parametrize(
    ("payload", "name"),
    [
        (
            page_error("boom", "Error", "chrome-extension://x/y.js"),
            "browser_extensions",
        ),
        (page_error("Extension context invalidated."), "browser_extensions"),
        (page_error(request={"headers": {"User-Agent": GOOGLEBOT}}), "crawlers"),
        (page_error(request={"headers": {"user-agent": MSIE}}), "legacy_browsers"),
        # A server's error that a robot ran into.
        (
            {
                "platform": "python",
                "message": "boom",
                "request": {"headers": [["User-Agent", GOOGLEBOT]]},
            },
            "crawlers",
        ),
        # Off by default, and why is in docs/filters.md.
        (page_error("Loading chunk 7 failed.", "ChunkLoadError"), ""),
        (page_error("Hydration failed because the initial UI does not match"), ""),
        (page_error(request={"url": "http://localhost:9292/"}), ""),
    ],
)
def test_by_default_a_project_drops_what_no_storefront_can_mend(
    payload: Any, name: str
) -> None:
    assert judged(payload) == name


def test_the_user_agent_of_the_post_counts_for_pages_only() -> None:
    page = page_error(request={"url": "https://shop.example/"})
    server = {"platform": "python", "message": "boom"}
    assert judged(page, user_agent=GOOGLEBOT) == "crawlers"
    assert judged(server, user_agent=GOOGLEBOT) == ""


def test_what_pages_say_is_not_looked_for_on_servers() -> None:
    everything = rules(
        browser_extensions=True, chunk_load_errors=True, hydration_errors=True
    )
    for value in ("Loading chunk 7 failed.", "Hydration failed because", "gCrWeb"):
        payload = {**page_error(value, "ChunkLoadError"), "platform": "node"}
        assert judged(payload, everything) == ""


def test_a_filter_that_is_off_drops_nothing() -> None:
    payload = page_error(
        "Extension context invalidated.", request={"headers": {"User-Agent": GOOGLEBOT}}
    )
    assert judged(payload, rules()) == ""


def test_the_first_filter_in_their_order_counts() -> None:
    payload = page_error(
        "Extension context invalidated.",
        request={"url": "http://localhost/", "headers": {"User-Agent": GOOGLEBOT}},
        release="web@dev",
    )
    known: list[dict[str, Any]] = [
        {"addresses": True, "address_patterns": ["198.51.100.0/24"]},
        {"releases": True, "release_patterns": ["*@dev"]},
        {"localhost": True},
        {"crawlers": True},
        {"browser_extensions": True},
        {"messages": True, "message_patterns": ["*context*"]},
    ]
    left = {name: value for part in known for name, value in part.items()}
    found = []
    for part in known:
        found.append(judged(payload, rules(**left)))
        for name in part:
            del left[name]
    assert found == [next(iter(part)) for part in known]
    ordered = [name.value for name in Filter]
    assert found == sorted(found, key=ordered.index)


@pytest.mark.parametrize(
    ("header", "versions", "name"),
    [
        (MSIE, ["Internet Explorer"], "legacy_browsers"),
        (MSIE, ["Internet Explorer < 11"], ""),
        (MSIE, ["Chrome < 200"], ""),
        (SAFARI, ["Safari < 18"], ""),
        (SAFARI, ["Safari < 19"], "legacy_browsers"),
        # The higher of two holds, in whatever order they stand.
        (SAFARI, ["Safari < 19", "Safari < 12"], "legacy_browsers"),
        (SAFARI, ["Safari < 12", "Safari < 19"], "legacy_browsers"),
        (SAFARI, [], ""),
        ("curl/8.5.0", ["Chrome", "Safari"], ""),
    ],
)
def test_legacy_browsers_are_those_of_the_list(
    header: str, versions: list[str], name: str
) -> None:
    payload = page_error(request={"headers": {"User-Agent": header}})
    chosen = rules(legacy_browsers=True, legacy_versions=versions)
    assert judged(payload, chosen) == name


@pytest.mark.parametrize(
    ("fields", "local"),
    [
        ({"request": {"url": "http://localhost:9292/products"}}, True),
        ({"request": {"url": "http://LOCALHOST/"}}, True),
        ({"request": {"url": "https://theme.localhost/"}}, True),
        ({"request": {"url": "http://127.0.0.1:8000/"}}, True),
        ({"request": {"url": "http://127.8.0.1/"}}, True),
        ({"request": {"url": "http://[::1]:3000/"}}, True),
        ({"request": {"url": "http://0.0.0.0:8000/"}}, True),
        ({"request": {"url": "file:///Users/ann/theme/index.html"}}, True),
        ({"request": {"headers": {"Host": "localhost:8000"}}}, True),
        ({"request": {"headers": [["host", "127.0.0.1"]]}}, True),
        ({"user": {"ip_address": "127.0.0.1"}, "request": {}}, True),
        ({"user": {"ip_address": "::1"}, "request": {}}, True),
        (
            {
                "request": {
                    "url": "http://localhost:8000/",
                    "headers": {"X-Forwarded-For": "127.0.0.1"},
                }
            },
            True,
        ),
        # A server behind a proxy of its own machine.
        (
            {
                "request": {
                    "url": "http://localhost:8000/",
                    "headers": {"X-Forwarded-Host": "shop.example"},
                }
            },
            False,
        ),
        (
            {
                "request": {
                    "url": "http://127.0.0.1/",
                    "headers": {"x-forwarded-for": "203.0.113.9, 127.0.0.1"},
                }
            },
            False,
        ),
        # Every visitor has the proxy's address; the page's says what counts.
        (
            {
                "request": {"url": "https://shop.example/"},
                "user": {"ip_address": "127.0.0.1"},
            },
            False,
        ),
        ({"request": {"url": "https://localhost.example/"}}, False),
        ({"request": {"url": "https://mylocalhost/"}}, False),
        ({"request": {"url": "https://shop.example/?next=http://localhost/"}}, False),
        ({"request": {"url": "https://127.example/"}}, False),
        ({"request": {"url": "https://shop.example/127.0.0.1"}}, False),
        ({"request": {"url": "http://[::1"}}, False),
        ({"request": {"headers": {"Host": "shop.example"}}}, False),
        ({"user": {"ip_address": "198.51.100.4"}, "request": {}}, False),
    ],
)
def test_localhost_is_where_the_page_or_the_server_is(
    fields: dict[str, Any], local: bool
) -> None:
    assert judged(page_error(**fields), rules(localhost=True)) == (
        "localhost" if local else ""
    )


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("TypeError: Failed to fetch", True),
        ("typeerror: failed to FETCH", True),
        ("Failed to fetch", True),
        ("*fetch", True),
        ("TypeError:*", True),
        ("*failed*fetch*", True),
        ("Type?rror: *", True),
        ("Failed", False),
        ("fetch*", False),
        ("*fetch*failed*", False),
        ("TypeError", False),
    ],
)
def test_messages_are_matched_whole_by_type_and_value_or_by_value(
    pattern: str, matches: bool
) -> None:
    chosen = rules(messages=True, message_patterns=["*nothing*", pattern])
    found = judged(page_error("Failed to fetch"), chosen)
    assert found == ("messages" if matches else "")


def test_every_exception_of_the_chain_and_the_message_are_matched() -> None:
    chosen = rules(messages=True, message_patterns=["*broken pipe*"])
    cause = {"type": "OSError", "value": "[Errno 32] Broken pipe"}
    raised = {"type": "RuntimeError", "value": "no answer"}
    chained = {"platform": "python", "exception": {"values": [cause, raised]}}
    told = {"platform": "python", "logentry": {"formatted": "lost: broken pipe"}}
    assert judged(chained, chosen) == judged(told, chosen) == "messages"


@pytest.mark.parametrize(
    ("release", "name"),
    [("shop@0.9.1", "releases"), ("SHOP@0.1", "releases"), ("shop@1.0", ""), ("", "")],
)
def test_releases_are_matched_by_glob(release: str, name: str) -> None:
    chosen = rules(releases=True, release_patterns=["shop@0.*"])
    assert judged(page_error(release=release), chosen) == name


@pytest.mark.parametrize(
    ("address", "remote_addr", "name"),
    [
        ("203.0.113.77", "198.51.100.7", "addresses"),
        ("198.51.100.1", "203.0.113.77", "addresses"),
        ("2001:db8:1:2::3", "198.51.100.7", "addresses"),
        ("::ffff:203.0.113.77", "198.51.100.7", "addresses"),
        ("203.0.114.1", "198.51.100.7", ""),
        ("no address", "", ""),
    ],
)
def test_addresses_are_the_visitors_or_the_senders(
    address: str, remote_addr: str, name: str
) -> None:
    networks = ["203.0.113.0/24", "2001:db8::/32"]
    chosen = rules(addresses=True, address_patterns=networks)
    payload = page_error(user={"ip_address": address})
    assert judged(payload, chosen, remote_addr) == name


@pytest.mark.parametrize(
    ("report", "name"),
    [
        ({"blocked-uri": "chrome-extension"}, "browser_extensions"),
        ({"blocked-uri": "moz-extension://3a1f/x.js"}, "browser_extensions"),
        ({"blocked-uri": "safari-web-extension"}, "browser_extensions"),
        ({"blocked-uri": "symres://x"}, "browser_extensions"),
        (
            {"blocked-uri": "inline", "source-file": "chrome-extension"},
            "browser_extensions",
        ),
        (
            {"blocked-uri": "https://x.example/", "source-file": "moz-extension"},
            "browser_extensions",
        ),
        (
            {"blocked-uri": "https://gc.kis.v2.scr.kaspersky-labs.com/a"},
            "browser_extensions",
        ),
        ({"blocked-uri": "https://evil.example/x.js"}, ""),
        ({"blocked-uri": "inline"}, ""),
        ({"blocked-uri": "eval", "source-file": "https://shop.example/a.js"}, ""),
        ({"blocked-uri": "data"}, ""),
        ({}, ""),
    ],
)
def test_a_csp_report_about_an_extension_is_dropped(
    report: dict[str, str], name: str
) -> None:
    told = {"effective-directive": "script-src", "document-uri": "https://s.example/"}
    (event,) = event_from_security_report(
        json.dumps({"csp-report": {**told, **report}}).encode(),
        query="",
        received=RECEIVED,
        remote_addr="198.51.100.7",
        user_agent=SAFARI,
        tenant_tags=(),
    )
    assert filter_of_event(event, DEFAULT, "198.51.100.7", SAFARI) == name


def served(**fields: Any) -> dict[str, Any]:
    """A transaction of a server."""
    trace = {"op": "http.server", "data": fields.pop("data", {})}
    return {"platform": "python", "contexts": {"trace": trace}, **fields}


def judged_request(payload: Any, by: InboundRules, remote_addr: str = "") -> str:
    sample = read_transaction(payload, {"release": "web@trace"}, [], CLOCK)
    return filter_of_sender(sample.sender, by, remote_addr)


@pytest.mark.parametrize(
    ("payload", "name"),
    [
        (served(transaction="/healthz"), "health_checks"),
        (served(transaction="/orders/{id}"), ""),
        (
            served(transaction="/", request={"headers": {"user-agent": GOOGLEBOT}}),
            "crawlers",
        ),
        (
            served(transaction="/", request={"headers": [["User-Agent", GOOGLEBOT]]}),
            "crawlers",
        ),
        (served(data={"user_agent.original": GOOGLEBOT}), "crawlers"),
        (
            served(data={"http.request.header.user-agent": [GOOGLEBOT]}),
            "crawlers",
        ),
        (served(request={"headers": {"User-Agent": MSIE}}), "legacy_browsers"),
        (served(transaction=7, request=[], user="x", contexts=[]), ""),
        (served(request={"headers": {"User-Agent": 7}, "url": {}}, data=[]), ""),
        (served(request={"headers": [["a"], 3, {}, ["b", "c", "d"]]}), ""),
        ({}, ""),
        # A page and a task of these names are no probes.
        ({"transaction": "/health", "contexts": {"trace": {"op": "pageload"}}}, ""),
        ({"transaction": "ping", "contexts": {"trace": {"op": "queue.task"}}}, ""),
        ({"transaction": "/health"}, "health_checks"),
    ],
)
def test_requests_are_judged_by_who_made_them(payload: Any, name: str) -> None:
    assert judged_request(payload, DEFAULT) == name


@pytest.mark.parametrize(
    ("payload", "fields", "name"),
    [
        (
            served(request={"url": "http://localhost/"}),
            {"localhost": True},
            "localhost",
        ),
        (
            served(data={"url.full": "http://127.0.0.1/"}),
            {"localhost": True},
            "localhost",
        ),
        (
            served(
                data={
                    "url.full": "http://localhost/",
                    "http.request.header.x-forwarded-host": ["shop.example"],
                }
            ),
            {"localhost": True},
            "",
        ),
        (
            served(release="web@0.1"),
            {"releases": True, "release_patterns": ["*0.1"]},
            "releases",
        ),
        (served(), {"releases": True, "release_patterns": ["*@trace"]}, "releases"),
        (
            served(user={"ip_address": "203.0.113.4"}),
            {"addresses": True, "address_patterns": ["203.0.113.0/24"]},
            "addresses",
        ),
        (
            served(data={"client.address": "203.0.113.4"}),
            {"addresses": True, "address_patterns": ["203.0.113.0/24"]},
            "addresses",
        ),
        (served(transaction="/healthz"), {"messages": True}, ""),
    ],
)
def test_every_filter_of_senders_holds_for_requests(
    payload: Any, fields: dict[str, Any], name: str
) -> None:
    assert judged_request(payload, rules(**fields)) == name


@pytest.mark.parametrize(
    ("span", "name"),
    [
        ({"name": "GET /healthz", "attributes": {}}, "health_checks"),
        (
            {
                "name": "x",
                "attributes": {
                    "sentry.op": {"value": "http.server"},
                    "sentry.segment.name": {"value": "/ping"},
                },
            },
            "health_checks",
        ),
        ({"name": "/ping", "attributes": {"sentry.op": {"value": "navigation"}}}, ""),
        ({"attributes": {"user_agent.original": {"value": GOOGLEBOT}}}, "crawlers"),
        ({"name": 7, "attributes": {"url.full": {"value": 7}}}, ""),
        ({}, ""),
    ],
)
def test_segment_spans_are_judged_like_transactions(
    span: dict[str, Any], name: str
) -> None:
    items = {"items": [{"is_segment": True, **span}]}
    (sample,) = read_segment_spans(items, {}, [], CLOCK)
    assert filter_of_sender(sample.sender, DEFAULT, "") == name


def captured() -> Any:
    """What real clients sent: each event, transaction and segment with its filters."""
    everything = InboundRules.of(
        InboundFilters(chunk_load_errors=True, hydration_errors=True, localhost=True)
    )
    for request in wire.load_all():
        if not request.target.partition("?")[0].endswith("/envelope/"):
            continue
        for item, payload in items_of(request.plain):
            if item == "event":
                event = normalise(
                    payload,
                    header_event_id="",
                    sent_at=None,
                    received=RECEIVED,
                    remote_addr="198.51.100.7",
                    user_agent=request.header("user-agent"),
                    tenant_tags=(),
                )
                yield (
                    request.name,
                    filter_of_event(event, DEFAULT, "198.51.100.7", ""),
                    filter_of_event(event, everything, "198.51.100.7", ""),
                )
            elif item in ("transaction", "span"):
                told = json.loads(payload)
                samples = (
                    [read_transaction(told, {}, [], CLOCK)]
                    if item == "transaction"
                    else read_segment_spans(told, {}, [], CLOCK)
                )
                for sample in samples:
                    yield (
                        request.name,
                        filter_of_sender(sample.sender, DEFAULT, "198.51.100.7"),
                        filter_of_sender(sample.sender, everything, "198.51.100.7"),
                    )


def items_of(body: bytes) -> list[tuple[str, bytes]]:
    try:
        envelope = frame(body)
    except EnvelopeError:
        return []
    return [(item.type, body[item.start : item.end]) for item in envelope.items]


def test_of_real_traffic_only_the_missing_chunk_would_be_dropped() -> None:
    found = list(captured())
    assert len(found) > 150
    assert Counter(default for _, default, _ in found) == {"": len(found)}
    dropped = [(name, every) for name, _, every in found if every]
    assert dropped == [("browser/076-lazy-chunk-missing", "chunk_load_errors")]
