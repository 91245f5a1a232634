"""Normalising: any event that real or hostile clients send is stored, with notes."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from issues.bodies import pack, unpack
from issues.clean import UNSTORABLE, encode
from issues.digest.normalise import MAX_NOTES, event_from_security_report
from issues.digest.trim import MAX_STORED
from issues.normal_event import NormalEvent, NotAnEvent
from tests import wire
from tests.issues.grouping_cases import events
from tests.normal_events import RECEIVED, normal

ID = "0123456789abcdef0123456789abcdef"


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from (key, *texts(inner))
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)


def assert_storable(event: NormalEvent) -> None:
    """Every promise that NormalEvent makes about its types and texts."""
    assert len(encode(event.body)) <= MAX_STORED + 4096
    assert not any(UNSTORABLE.search(text) for text in texts(asdict(event)))
    assert event.level in {"fatal", "error", "warning", "info", "debug"}
    assert abs(event.occurred - RECEIVED) <= timedelta(hours=24)
    assert len(event.event_id) == 32
    assert event.environment and len(event.environment) <= 64
    assert len(event.release) <= 250
    assert all(isinstance(v, str) for pair in event.tags.items() for v in pair)
    for name in ("transaction", "logger", "server_name", "user", "tenant", "browser"):
        text = getattr(event, name)
        assert isinstance(text, str) and len(text) <= 200
    for key in ("tags", "user", "request", "contexts", "extra", "sdk", "modules"):
        assert isinstance(event.body.get(key, {}), dict)
    for key in ("exception", "threads", "breadcrumbs"):
        values = event.body.get(key, {"values": []})["values"]
        assert all(isinstance(value, dict) for value in values)
    stored = event.body.get("exception", {"values": []})["values"]
    assert len(stored) == len(event.exceptions)
    for raw, exception in zip(stored, event.exceptions, strict=True):
        frames = raw.get("stacktrace", {}).get("frames", [])
        assert len(frames) == len(exception.frames)


ODD_VALUES: list[Any] = [
    *(None, 1, 1.5, True, "x", [], {}, [[]], {"a": 1}, [None], 2**70, -1, 1e300),
    *("\x00", "\ud83d", "9" * 5000, [["a", "b", "c"]], {"values": 5}, {"values": [1]}),
]


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where fields stand in the payload, outer ones first; of lists the first entry."""
    found = [path] if path else []
    if isinstance(value, dict):
        for key, inner in value.items():
            found += paths(inner, (*path, key))
    elif isinstance(value, list) and value:
        found += paths(value[0], (*path, 0))
    return found


def with_value(payload: Any, path: tuple[Any, ...], value: Any) -> Any:
    copy = deepcopy(payload)
    place = copy
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return copy


FIELDS = {
    name: paths(events()[name])
    for name in ("checkout", "click", "log_sync", "message_stack", "cli_message")
}


@pytest.mark.parametrize(
    ("name", "path"), [(name, path) for name in FIELDS for path in FIELDS[name]]
)
def test_a_wrong_type_in_any_field_is_mended(name: str, path: tuple[Any, ...]) -> None:
    for value in ODD_VALUES:
        assert_storable(normal(with_value(events()[name], path, value)))


KNOWN_KEYS = [
    *("event_id", "timestamp", "level", "platform", "environment", "release", "dist"),
    *("logger", "transaction", "culprit", "server_name", "message", "logentry"),
    *("exception", "threads", "stacktrace", "tags", "user", "request", "contexts"),
    *("extra", "breadcrumbs", "fingerprint", "sdk", "modules", "debug_meta", "_rush"),
    *("sentry.interfaces.Message", "sentry.interfaces.Exception"),
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["values", "stacktrace", "frames", "type", "value", "mechanism"]
            )
            | st.text(max_size=5),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(st.sampled_from(KNOWN_KEYS) | st.text(max_size=8), JSON))
def test_any_object_is_an_event(payload: dict[str, Any]) -> None:
    assert_storable(normal(payload))


@given(JSON.filter(lambda value: not isinstance(value, dict)))
def test_any_other_value_is_no_event(payload: Any) -> None:
    with pytest.raises(NotAnEvent, match="JSON object"):
        normal(payload)


@given(st.binary())
def test_any_bytes_raise_nothing_but_not_an_event(payload: bytes) -> None:
    try:
        normal(payload)
    except NotAnEvent as error:
        assert str(error)


def captured() -> list[tuple[str, bytes]]:
    found = []
    for request in wire.load_all():
        if "/envelope/" in request.target or "/store/" in request.target:
            for line in request.plain.split(b"\n"):
                if (
                    line.startswith(b"{")
                    and b'"level"' in line
                    or b'"exception"' in line
                ):
                    found.append((request.name, line))
    return found


def test_every_recorded_event_is_storable() -> None:
    recorded = captured()
    assert len(recorded) > 100
    for _, payload in recorded:
        try:
            assert_storable(normal(payload))
        except NotAnEvent:
            # A line of an attachment that looked like an event.
            assert not payload.rstrip().endswith(b"}")


def test_a_real_python_event_keeps_what_it_tells() -> None:
    event = normal(events()["checkout"])
    assert (event.platform, event.level, event.handled) == ("python", "error", False)
    assert event.tenant == event.tags["tenant"]
    assert [e.type for e in event.exceptions] == ["KeyError", "PricingError"]
    assert event.exceptions[-1].frames[-1].function == "quote"
    assert event.sdk == "sentry.python.django 2.75.0"
    assert event.notes == []


def test_a_real_browser_event_keeps_what_it_tells() -> None:
    event = normal(events()["click"])
    assert event.user == "id:visitor-22"
    assert (event.browser, event.os) == ("Headless Chrome 156", "Linux")
    assert event.url == "http://track.bella-boutique.example/order/1001"
    assert len(event.body["breadcrumbs"]["values"]) == 2
    assert event.body["user"]["ip_address"] == "198.51.100.7"


@pytest.mark.parametrize(
    ("header", "payload", "expected"),
    [
        (ID, "f" * 32, ID),
        ("01234567-89AB-cdef-0123-456789abcdef", None, ID),
        ("", ID.upper(), ID),
        ("", None, "5" * 32),
        ("zz", "also no id", "5" * 32),
        ("0" * 32, 7, "5" * 32),
    ],
)
def test_the_header_names_the_event(header: str, payload: Any, expected: str) -> None:
    event = normal({"event_id": payload}, header_event_id=header)
    assert event.event_id == event.body["event_id"] == expected


def test_an_event_without_id_gets_the_same_one_at_each_try() -> None:
    tries = {normal(b'{"message":"x"}', spare_event_id="").event_id for _ in range(3)}
    others = {
        normal(b'{"message":"y"}', spare_event_id="").event_id,
        normal(
            b'{"message":"x"}',
            spare_event_id="",
            received=RECEIVED + timedelta(microseconds=1),
        ).event_id,
    }
    assert len(tries) == 1 and len(tries | others) == 3


def at(**delta: float) -> datetime:
    return RECEIVED + timedelta(**delta)


@pytest.mark.parametrize(
    ("sent", "sent_at", "expected"),
    [
        (None, None, at()),
        (at(minutes=-5).timestamp(), None, at(minutes=-5)),
        (at(minutes=-5).isoformat(), at(), at(minutes=-5)),
        # The sender's clock is three hours ahead.
        (at(hours=3, minutes=-1).isoformat(), at(hours=3), at(minutes=-1)),
        # Kept offline for two hours, then sent.
        (at(hours=-2).isoformat(), at(), at(hours=-2)),
        (0, None, at(hours=-24)),
        ("2999-01-01T00:00:00Z", None, at()),
        (at(minutes=-5).timestamp(), datetime(1, 1, 1, tzinfo=UTC), at()),
        ("soon", None, at()),
        ({"a": 1}, None, at()),
        (True, None, at()),
    ],
)
def test_the_time_is_corrected_and_kept_near_its_receipt(
    sent: Any, sent_at: datetime | None, expected: datetime
) -> None:
    event = normal({"timestamp": sent}, sent_at=sent_at)
    assert abs(event.occurred - expected) < timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (None, "error"),
        (40, "error"),
        (50, "fatal"),
        (30, "warning"),
        (20, "info"),
        (10, "debug"),
        ("40", "error"),
        ("warn", "warning"),
        ("critical", "fatal"),
        ("log", "info"),
        (" Fatal ", "fatal"),
        ("loud", "error"),
        ([], "error"),
    ],
)
def test_levels_have_many_names(sent: Any, expected: str) -> None:
    assert normal({"level": sent}).level == expected


@pytest.mark.parametrize(
    "sent",
    [
        {"shop": "a", "n": 5, "yes": True, "none": None},
        [["shop", "a"], ["n", 5], ["yes", True], ["none", None]],
        [
            {"key": "shop", "value": "a"},
            {"key": "n", "value": 5},
            {"key": "yes", "value": True},
            {"key": "none", "value": None},
        ],
    ],
)
def test_tags_come_as_object_or_pairs(sent: Any) -> None:
    event = normal({"tags": sent})
    assert event.tags == {"shop": "a", "n": "5", "yes": "true", "none": ""}
    assert event.tenant == "a"


def test_too_many_and_too_long_tags_are_cut_with_notes() -> None:
    event = normal({"tags": {f"key{i}": "v" * 500 for i in range(1000)}})
    assert len(event.tags) == 100
    assert set(map(len, event.tags.values())) == {200}
    assert event.notes[0] == "tags: the first 100 of 1000 kept"


@pytest.mark.parametrize(
    ("payload", "note"),
    [
        ({"tags": 5}, "tags: expected an object, got a number; dropped"),
        ({"tags": {"a": [1]}}, "tags.a: got a list; dropped"),
        ({"user": "me"}, "event.user: expected an object, got text; dropped"),
        ({"extra": [1]}, "extra: expected an object, got a list; wrapped"),
        ({"exception": "x"}, "exception: expected a list, got text; dropped"),
        ({"release": 7}, "event.release: expected text, got a number; kept as text"),
        ({"level": "loud"}, "level: not a level; error is assumed"),
        ({"timestamp": []}, "timestamp: not a time; the time of receipt is used"),
        ({"fingerprint": [{}]}, "fingerprint: parts that are no text dropped"),
        (
            {"exception": [{"stacktrace": {"frames": [{"lineno": "x"}]}}]},
            "exception[0].frame.lineno: expected a small number, got text; dropped",
        ),
    ],
)
def test_what_was_mended_is_noted(payload: Any, note: str) -> None:
    event = normal({"event_id": ID, **payload})
    assert event.notes == [note]
    assert event.body["_rush"] == {"notes": [note]}


def test_a_clean_event_has_no_notes_in_its_body() -> None:
    assert "_rush" not in normal({"event_id": ID, "_rush": {"notes": ["x"]}}).body


def test_notes_are_bounded() -> None:
    frames = [{"lineno": "x"}] * 200
    event = normal({"exception": [{"stacktrace": {"frames": frames}}]})
    assert len(event.notes) == MAX_NOTES
    assert event.notes[-1] == "and 162 more notes"


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"tags": {"tenant": "a", "shop": "b"}}, "a"),
        ({"tags": {"shop": "b"}}, "b"),
        ({"tags": {"tenant": " ", "shop": "b"}}, "b"),
        ({"tags": {"tenant": None}}, ""),
        ({"contexts": {"trace": {"data": {"shop": "c"}}}}, "c"),
        ({"contexts": {"trace": {"data": {"shop": {"value": "c"}}}}}, "c"),
        (
            {"tags": {"shop": "b"}, "contexts": {"trace": {"data": {"tenant": "c"}}}},
            "b",
        ),
        ({"contexts": {"trace": {"data": [1]}}}, ""),
        ({"extra": {"tenant": "d"}}, ""),
    ],
)
def test_tags_then_span_attributes_name_the_tenant(payload: Any, expected: str) -> None:
    assert normal(payload).tenant == expected


@pytest.mark.parametrize(
    ("user", "platform", "expected"),
    [
        ({"id": 7, "email": "a@b.c"}, "python", "id:7"),
        ({"email": "a@b.c", "username": "u"}, "python", "email:a@b.c"),
        ({"username": "u", "ip_address": "10.0.0.1"}, "python", "username:u"),
        ({"ip_address": "10.0.0.1"}, "python", "ip:10.0.0.1"),
        ({"ip_address": "{{auto}}"}, "python", "ip:198.51.100.7"),
        ({}, "python", ""),
        (None, "javascript", "ip:198.51.100.7"),
        ({"id": [1]}, "python", ""),
    ],
)
def test_the_user_is_told_by_the_best_mark(
    user: Any, platform: str, expected: str
) -> None:
    assert normal({"user": user, "platform": platform}).user == expected


def test_an_address_is_not_inferred_where_the_sdk_forbids_it() -> None:
    sdk = {"settings": {"infer_ip": "never"}}
    assert normal({"platform": "javascript", "sdk": sdk}).user == ""


@pytest.mark.parametrize(
    ("payload", "formatted", "template"),
    [
        ({"message": "plain"}, "plain", ""),
        ({"message": 5}, "5", ""),
        ({"logentry": "text"}, "text", ""),
        (
            {"logentry": {"message": "a %s b %d", "params": ["x", 2]}},
            "a x b 2",
            "a %s b %d",
        ),
        ({"logentry": {"message": "%(n)s!", "params": {"n": 3}}}, "3!", "%(n)s!"),
        ({"logentry": {"message": "{} {n}", "params": [1]}}, "1 {n}", "{} {n}"),
        ({"logentry": {"message": "50%", "params": []}}, "50%", "50%"),
        ({"logentry": {"message": "%s", "formatted": "f"}}, "f", "%s"),
        (
            {"logentry": {"message": "%99999999999d", "params": [1]}},
            "1",
            "%99999999999d",
        ),
        ({"message": {"message": "m %s", "params": ["p"]}}, "m p", "m %s"),
        ({}, "", ""),
    ],
)
def test_messages_are_formatted(payload: Any, formatted: str, template: str) -> None:
    event = normal(payload)
    assert (event.message, event.message_template) == (formatted, template)


def test_ravens_interfaces_are_understood() -> None:
    event = normal(
        {
            "level": 40,
            "platform": "python",
            "message": "sync failed for %s",
            "culprit": "orders.tasks in sync",
            "sentry.interfaces.Message": {
                "message": "sync failed for %s",
                "params": ["order-7"],
                "formatted": None,
            },
            "sentry.interfaces.User": {"id": 9},
            "sentry.interfaces.Http": {
                "url": "https://shop.example/",
                "headers": [["User-Agent", "curl/8"], ["Accept", "a"], ["Accept", "b"]],
                "query_string": [["q", "1"], ["r", "ü"]],
            },
            "stacktrace": {"frames": [{"function": "sync", "module": "orders.tasks"}]},
        }
    )
    assert (event.level, event.message) == ("error", "sync failed for order-7")
    assert (event.user, event.browser) == ("id:9", "curl")
    assert event.threads_frames[0].function == "sync"
    assert event.culprit == "orders.tasks in sync"
    assert event.body["request"]["headers"]["Accept"] == "a, b"
    assert event.body["request"]["query_string"] == "q=1&r=%C3%BC"


@pytest.mark.parametrize(
    "sent",
    [
        {"values": [{"type": "A", "value": "b"}]},
        [{"type": "A", "value": "b"}],
        {"type": "A", "value": "b"},
        {"values": [None, {"type": "A", "value": "b"}, 5]},
    ],
)
def test_exceptions_come_in_many_wrappings(sent: Any) -> None:
    event = normal({"exception": sent})
    assert [(e.type, e.value) for e in event.exceptions] == [("A", "b")]
    assert event.body["exception"]["values"] == [{"type": "A", "value": "b"}]


def test_one_unhandled_exception_makes_the_event_unhandled() -> None:
    chain = [{"mechanism": {"handled": False}}, {"mechanism": {"handled": True}}]
    assert not normal({"exception": chain}).handled
    assert normal({"exception": chain[1:]}).handled
    assert normal({"exception": [{"mechanism": {"handled": "no"}}]}).handled


@pytest.mark.parametrize("mark", ["crashed", "current"])
def test_the_marked_thread_tells_the_place(mark: str) -> None:
    stack = {"frames": [{"function": "run"}]}
    threads = [{"stacktrace": {"frames": [{}]}}, {mark: True, "stacktrace": stack}]
    assert normal({"threads": threads}).threads_frames[0].function == "run"


def test_names_are_one_line_of_printable_text() -> None:
    event = normal(
        {"release": " shop@1.0\n+b\t2 ", "environment": "pro\nd", "logger": "a\x1bb"}
    )
    assert (event.release, event.environment) == ("shop@1.0 +b 2", "pro d")
    assert event.logger == "a b"


def test_release_and_environment_fall_back_to_what_the_caller_knows() -> None:
    event = normal({"message": "x"}, release="shop@2", environment="staging")
    assert (event.release, event.environment) == ("shop@2", "staging")
    assert event.body["release"] == "shop@2"
    assert normal({"message": "x"}).environment == "production"


def test_unknown_keys_are_kept() -> None:
    assert normal({"future": {"a": [1]}}).body["future"] == {"a": [1]}


def test_a_recursion_of_999_frames_keeps_its_ends() -> None:
    frames = [{"function": f"f{i}"} for i in range(999)]
    event = normal(
        {"exception": [{"type": "RecursionError", "stacktrace": {"frames": frames}}]}
    )
    kept = event.exceptions[0].frames
    assert (len(kept), kept[0].function, kept[-1].function) == (250, "f0", "f998")
    assert (
        event.body["exception"]["values"][0]["stacktrace"]["frames"][-1] == frames[-1]
    )
    assert any("999 frames" in note for note in event.notes)


LARGE: dict[str, Any] = {
    "extra": {"extra": {f"blob{i}": "x" * 400_000 for i in range(9)}, "message": "m"},
    "variables": {
        "exception": [
            {
                "type": "A",
                "stacktrace": {
                    "frames": [
                        {"function": f"f{i}", "vars": {"v": "y" * 40_000}}
                        for i in range(90)
                    ]
                },
            }
        ]
    },
    "breadcrumbs": {
        "breadcrumbs": [
            {"message": "m", "data": {"d": "z" * 40_000}} for _ in range(90)
        ]
    },
    "request": {"request": {"url": "https://a.b/", "data": "d" * 3_000_000}},
    "message": {"message": "m" * 3_000_000},
    "value": {"exception": [{"type": "A", "value": "v" * 3_000_000}]},
    "unknown": {f"key{i}": "u" * 1000 for i in range(3000)},
    "exceptions": {
        "exception": [{"type": "t" * 10_000, "value": "v" * 60_000} for _ in range(49)]
    },
    "names": {"extra": {"n" * 1000 + str(i): i for i in range(3000)}},
    "lists": {"contexts": {"c": {"l": [[1.5] * 1000] * 600}}},
    "growing": {"extra": {"numbers": [1e15] * 700_000}},
    "fingerprint": {"fingerprint": ["f" * 100_000] * 30},
    "tags": {"tags": {f"{i}": "t" * 100_000 for i in range(30)}},
}


@pytest.mark.parametrize("kind", LARGE)
def test_large_events_are_trimmed_with_a_note(kind: str) -> None:
    event = normal({"event_id": ID, "level": "fatal", **LARGE[kind]})
    assert_storable(event)
    assert event.level == "fatal" and event.notes


def test_the_least_useful_goes_first() -> None:
    event = normal({**LARGE["variables"], **LARGE["extra"], "message": "stays"})
    assert event.body["logentry"]["formatted"] == "stays"
    assert not any(
        "vars" in frame
        for frame in event.body["exception"]["values"][0]["stacktrace"]["frames"]
    )
    assert 0 < len(event.body["extra"]) < 9
    assert "local variables of a frame (90)" in event.notes[-1]


def test_an_event_below_the_limit_is_left_whole() -> None:
    payload = {"event_id": ID, "extra": {"blob": "x" * 1_000_000}}
    event = normal(payload)
    assert event.body["extra"] == payload["extra"] and event.notes == []


REPORT = {
    "document-uri": "https://shop-1.example/order/1?x=1",
    "effective-directive": "img-src",
    "violated-directive": "img-src 'none'",
    "blocked-uri": "https://ads.example/pixel.gif?id=9",
    "disposition": "report",
    "line-number": 14,
}


def reported(report: Any, query: str = "") -> list[NormalEvent]:
    return event_from_security_report(
        orjson.dumps(report),
        query=query,
        received=RECEIVED,
        remote_addr="198.51.100.7",
        user_agent="Mozilla/5.0 (Windows NT 10.0) Chrome/156.0.0.0 Safari/537.36",
        tenant_tags=("tenant",),
    )


def test_a_csp_report_becomes_an_event() -> None:
    query = "sentry_key=k&sentry_release=web%401.2&sentry_environment=staging"
    [event] = reported({"csp-report": REPORT}, query)
    assert event.message == "Blocked 'img-src' from 'ads.example'"
    assert event.fingerprint == ["csp", "img-src", "ads.example"]
    assert (event.level, event.logger, event.culprit) == ("warning", "csp", "img-src")
    assert (event.release, event.environment) == ("web@1.2", "staging")
    assert event.tags["blocked-host"] == "ads.example"
    assert (event.browser, event.url) == ("Chrome 156", REPORT["document-uri"])
    assert event.notes == []


def test_the_reporting_apis_list_becomes_events() -> None:
    body = {
        "documentURL": "https://shop-1.example/",
        "effectiveDirective": "script-src-elem",
        "blockedURL": "inline",
        "disposition": "enforce",
    }
    report = {"type": "csp-violation", "body": body, "user_agent": "curl/8"}
    found = reported([report, {"type": "deprecation", "body": {}}, report, 5])
    assert [event.message for event in found] == [
        "Blocked 'script-src-elem' from 'inline'"
    ] * 2
    assert found[0].level == "error" and found[0].browser == "curl"
    assert found[0].event_id != found[1].event_id


@pytest.mark.parametrize(
    ("blocked", "expected"),
    [
        ("https://shop-1.example/hero.svg", "self"),
        ("data", "data"),
        ("blob:https://x/1", "blob"),
        ("eval", "eval"),
        ("", "inline"),
        ("https://[broken", "https"),
        ("wss://live.example/socket", "live.example"),
        (
            "chrome-extension://aapbdbdomjkkjkaonfh/x.js",
            "chrome-extension",
        ),
        (None, "inline"),
    ],
)
def test_what_differs_by_shop_is_not_in_the_blocked_host(
    blocked: Any, expected: str
) -> None:
    [event] = reported({"csp-report": {**REPORT, "blocked-uri": blocked}})
    assert event.fingerprint[-1] == expected


def test_a_report_names_its_tenant_in_the_address() -> None:
    [event] = reported({"csp-report": REPORT}, "sentry_key=k&tenant=shop-1.example")
    assert event.tenant == "shop-1.example"
    [event] = reported({"csp-report": REPORT}, "sentry_key=k&shop=shop-1.example")
    assert (event.tenant, event.tags.get("shop")) == ("", None)


@pytest.mark.parametrize(
    ("report", "title", "logger"),
    [
        (
            {"expect-ct-report": {"hostname": "a.example", "port": 443, "scts": []}},
            "Expect-CT failed for 'a.example'",
            "expect-ct",
        ),
        (
            {"expect-staple-report": {"hostname": "a.example"}},
            "Expect-Staple failed for 'a.example'",
            "expect-staple",
        ),
        (
            {
                "date-time": "2014-04-06T13:00:50Z",
                "hostname": "a.example",
                "port": 443,
                "noted-hostname": "example",
                "served-certificate-chain": ["-----BEGIN CERTIFICATE-----"],
                "known-pins": ['pin-sha256="d6qz"'],
            },
            "Public key pinning validation failed for 'a.example'",
            "hpkp",
        ),
    ],
)
def test_reports_of_certificates_become_events(
    report: dict[str, Any], title: str, logger: str
) -> None:
    [event] = reported(report)
    assert (event.message, event.culprit, event.logger) == (title, "a.example", logger)
    assert event.fingerprint == [logger, "a.example"]
    assert event.tags["hostname"] == "a.example"
    assert event.notes == []


@pytest.mark.parametrize("host", [None, 7, {"a": 1}, "x" * 5000])
def test_a_certificate_of_an_odd_host_is_an_event(host: Any) -> None:
    [event] = reported({"expect-ct-report": {"hostname": host, "port": [1]}})
    assert event.message.startswith("Expect-CT failed for '")
    assert len(event.message) < 300


@pytest.mark.parametrize("report", [{}, [], {"csp-report": 5}, [{"type": "nel"}]])
def test_a_report_without_violation_holds_no_event(report: Any) -> None:
    assert reported(report) == []


@pytest.mark.parametrize("report", ["x", 7, None])
def test_what_is_no_report_is_refused(report: Any) -> None:
    with pytest.raises(NotAnEvent, match="security report"):
        reported(report)


def test_depth_hidden_by_brackets_in_text_is_still_stored() -> None:
    hidden = b'["]",' * 400 + b"1" + b',"["]' * 400
    event = normal(b'{"event_id": "%b", "extra": {"deep": %b}}' % (ID.encode(), hidden))
    assert unpack(pack(event.body))["event_id"] == ID
