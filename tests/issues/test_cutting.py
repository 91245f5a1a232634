import copy
from typing import Any
from uuid import UUID

import pytest

from issues.bodies import pack
from issues.digest.cutting import LAST_CRUMBS, cut
from issues.digest.symbolicate_again import stored_event
from issues.grouping import group
from issues.models import Event
from tenants.detail import Detail
from tests.issues.grouping_cases import events
from tests.normal_events import RECEIVED, normal


def body(**fields: Any) -> dict[str, Any]:
    """A body as normalising leaves it, with something of each kind."""
    frame = {
        "function": "quote",
        "filename": "orders/pricing.py",
        "lineno": 12,
        "context_line": "return RATES[currency]",
        "pre_context": ["def quote():"],
        "post_context": [""],
        "vars": {"currency": "'CHF'"},
    }
    return {
        "event_id": "e" * 32,
        "level": "error",
        "release": "shop@1",
        "tags": {"shop": "acme.example"},
        "user": {"id": "7"},
        "request": {"url": "https://acme.example/?card=x", "data": {"card": "x"}},
        "breadcrumbs": {"values": [{"message": str(n)} for n in range(30)]},
        "contexts": {"trace": {"trace_id": "1"}},
        "extra": {"order": 1001},
        "logentry": {"formatted": "order 1001", "params": [1001]},
        "exception": {
            "values": [
                {
                    "type": "KeyError",
                    "value": "'CHF'",
                    "stacktrace": {"frames": [copy.deepcopy(frame), frame]},
                }
            ]
        },
        "debug_meta": {"images": [{"type": "sourcemap"}]},
        "_rush": {"notes": ["n"]},
        **fields,
    }


def frames(of: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = of["exception"]["values"][0]["stacktrace"]["frames"]
    return found


def test_full_detail_leaves_the_body_as_it_is() -> None:
    event = body()

    assert cut(event, Detail.FULL) == []
    assert event == body()


def test_standard_detail_leaves_out_locals_request_body_and_early_breadcrumbs() -> None:
    event = body()

    left_out = cut(event, Detail.STANDARD)

    assert left_out == [
        "request body",
        "10 of 30 breadcrumbs",
        "local variables of 2 frames",
    ]
    assert event["request"] == {"url": "https://acme.example/?card=x"}
    crumbs = event["breadcrumbs"]["values"]
    assert (len(crumbs), crumbs[-1]["message"]) == (LAST_CRUMBS, "29")
    assert "vars" not in frames(event)[0]
    assert frames(event)[0]["pre_context"] == ["def quote():"]
    assert event["extra"] == {"order": 1001}


def test_minimal_detail_leaves_title_and_frames() -> None:
    event = body()

    left_out = cut(event, Detail.MINIMAL)

    assert left_out == [
        "request body",
        "30 of 30 breadcrumbs",
        "message parameters",
        *("contexts", "extra", "user"),
        "local variables of 2 frames",
        "source lines around of 2 frames",
    ]
    assert frames(event)[0] == {
        "function": "quote",
        "filename": "orders/pricing.py",
        "lineno": 12,
        "context_line": "return RATES[currency]",
    }
    assert event["logentry"] == {"formatted": "order 1001"}
    kept = {"event_id", "level", "release", "tags", "logentry", "exception"}
    assert event.keys() == kept | {"debug_meta", "request", "_rush"}
    assert event["request"] == {"url": "https://acme.example/"}


def test_minimal_detail_leaves_out_the_rest_of_a_request() -> None:
    event = body(request={"url": "https://acme.example/", "headers": {"a": "b"}})
    without = body(request={"method": "GET"})

    assert "request but its address" in cut(event, Detail.MINIMAL)
    assert "request but its address" in cut(without, Detail.MINIMAL)
    assert event["request"] == {"url": "https://acme.example/"}
    assert "request" not in without


def test_minimal_detail_keeps_the_threads_where_they_hold_the_only_frames() -> None:
    thread = {"stacktrace": {"frames": [{"function": "run", "vars": {"a": "1"}}]}}
    event = body(exception={"values": []}, threads={"values": [thread]})
    raised = body(threads={"values": [copy.deepcopy(thread)]})

    cut(event, Detail.MINIMAL)
    cut(raised, Detail.MINIMAL)

    assert event["threads"]["values"] == [
        {"stacktrace": {"frames": [{"function": "run"}]}}
    ]
    assert "threads" not in raised


@pytest.mark.parametrize("detail", list(Detail))
def test_what_has_nothing_to_leave_out_tells_so(detail: Detail) -> None:
    event: dict[str, Any] = {
        "event_id": "e" * 32,
        "breadcrumbs": {"values": []},
        "request": {},
        "exception": {"values": [{"type": "KeyError"}]},
    }

    assert cut(event, detail) == []


@pytest.mark.parametrize("detail", list(Detail))
def test_parts_that_are_null_are_no_trouble(detail: Detail) -> None:
    parts = ("breadcrumbs", "request", "exception", "threads", "logentry")

    assert cut(dict.fromkeys(parts), detail) == []


@pytest.mark.parametrize("detail", [Detail.MINIMAL, Detail.STANDARD])
@pytest.mark.parametrize("name", events())
def test_what_stays_groups_as_the_whole_did(name: str, detail: Detail) -> None:
    whole = normal(events()[name])
    before = group(whole).hash
    cut(whole.body, detail)
    row = Event(event_id=UUID(whole.event_id), received=RECEIVED, body=pack(whole.body))

    assert group(stored_event(row, ("tenant", "shop"))).hash == before
