from typing import Any

import pytest

from issues.admin import payload
from issues.admin.payload import Row


def test_long_texts_are_cut_and_say_so() -> None:
    text = payload.as_text("x" * 10_000, limit=100)

    assert text == "x" * 100 + "… (9,900 more characters)"


def test_short_json_stays_on_one_line_and_long_json_gets_lines() -> None:
    assert payload.as_text({"a": 1}) == '{"a":1}'
    assert "\n" in payload.as_text({"key": list(range(100))})


@pytest.mark.parametrize(
    ("address", "link"),
    [
        ("https://shop.example/order", "https://shop.example/order"),
        ("http://shop.example", "http://shop.example"),
        ("javascript:alert(1)", ""),
        ("JaVaScRiPt:alert(1)", ""),
        ("data:text/html,<script>", ""),
        ("//shop.example", ""),
        ("https:shop", ""),
        ("http://[broken", ""),
        (None, ""),
        (["http://shop.example"], ""),
    ],
)
def test_only_web_addresses_become_links(address: Any, link: str) -> None:
    assert payload.web_address(address) == link


def test_breadcrumbs_tell_their_distance_to_the_event() -> None:
    body = {
        "timestamp": "2026-11-23T09:20:52.5Z",
        "breadcrumbs": {
            "values": [
                {
                    "timestamp": "2026-11-23T09:20:50Z",
                    "category": "http",
                    "data": {"url": "/api", "__span": "81"},
                },
                {"timestamp": 1795425652.5, "message": "clicked", "level": "warning"},
            ]
        },
    }

    first, second = payload.breadcrumbs(body)

    assert (first.time, first.offset, first.data) == (
        "09:20:50",
        "−2.5 s",
        [Row("url", "/api")],
    )
    assert (second.offset, second.message, second.level) == (
        "+0.0 s",
        "clicked",
        "warning",
    )


def test_breadcrumbs_may_be_a_bare_list() -> None:
    (crumb,) = payload.breadcrumbs({"breadcrumbs": [{"message": "hi"}]})

    assert (crumb.message, crumb.offset) == ("hi", "")


def test_a_request_has_its_parts_in_sections() -> None:
    request = payload.request_of(
        {
            "request": {
                "method": "POST",
                "url": "https://shop.example/cart",
                "query_string": [["step", "2"]],
                "data": {"lines": 3},
                "headers": [["Accept", "text/html"]],
                "cookies": "session=1",
                "env": {},
            }
        }
    )

    assert request is not None
    assert (request.method, request.link) == ("POST", "https://shop.example/cart")
    sections = {section.title: section.rows for section in request.sections}
    assert sections == {
        "Query": [Row("step", "2")],
        "Body": [Row("lines", "3")],
        "Headers": [Row("Accept", "text/html")],
        "Cookies": [Row("", "session=1")],
    }


def test_an_event_without_request_has_no_request() -> None:
    assert payload.request_of({}) is None


def test_what_identifies_a_user_comes_first() -> None:
    rows = payload.user_rows({"user": {"geo": "CH", "email": "a@b.example", "id": 7}})

    assert [row.name for row in rows] == ["id", "email", "geo"]


def test_the_trace_context_comes_last() -> None:
    body = {"contexts": {"trace": {"span_id": "1"}, "browser": {"name": "Safari"}}}

    assert [section.title for section in payload.contexts(body)] == ["browser", "trace"]


def test_contexts_without_contents_are_left_out() -> None:
    assert payload.contexts({"contexts": {"os": {"type": "os"}, "x": None}}) == []


def test_notes_tell_what_was_cleaned() -> None:
    assert payload.notes({"_rush": {"notes": ["tags.x: NUL removed"]}}) == [
        "tags.x: NUL removed"
    ]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"message": "plain"}, "plain"),
        ({"logentry": {"message": "failed %s", "formatted": "failed 7"}}, "failed 7"),
        ({"logentry": {"message": "failed %s"}}, "failed %s"),
        ({"message": {"formatted": "old form"}}, "old form"),
        ({"message": 3}, ""),
    ],
)
def test_a_message_is_found_in_every_form(body: dict[str, Any], message: str) -> None:
    assert payload.message_of(body) == message


@pytest.mark.parametrize("odd", [None, 3, "x", [], {}, [[1]], {"values": 1}, [None]])
def test_any_shape_is_read(odd: Any) -> None:
    keys = ("breadcrumbs", "request", "user", "contexts", "extra", "sdk", "_rush")
    body = {**dict.fromkeys(keys, odd), "timestamp": odd}

    payload.breadcrumbs(body)
    payload.request_of(body)
    payload.user_rows(body)
    payload.contexts(body)
    payload.further_sections(body)
    assert isinstance(payload.notes(body), list)
