"""The stack trace page shows what source maps and repositories tell."""

from typing import Any

import pytest
from django.test import Client

from issues.admin.stacktrace import exceptions
from issues.models import Event
from issues.source_links import Repository, SourceLinks
from releases.models import Release
from tenants.models import SourceRepository
from tests.admin_pages import client_of, page, tags_in
from tests.factories import make_commit, make_event, make_issue, make_release

GITHUB = "https://github.com/acme/shop"
REASON = "No source map for ~/assets/x.js was uploaded to release 1.0."
MAPPED = {
    "function": "renderTimeline",
    "filename": "../../src/timeline.js",
    "lineno": 14,
    "colno": 3,
    "in_app": True,
    "context_line": "  const rows = order.shipments;",
    "_rush": {
        "minified": {
            "function": "E",
            "filename": "https://a.example/assets/x.js",
            "lineno": 3,
            "colno": 2154,
        }
    },
}
MINIFIED = {
    "function": "E",
    "filename": "https://a.example/assets/x.js",
    "lineno": 3,
    "colno": 9,
    "in_app": True,
    "_rush": {"unmapped": REASON},
}


def body(*frames: dict[str, Any]) -> dict[str, Any]:
    value = {"type": "TypeError", "value": "x", "stacktrace": {"frames": list(frames)}}
    return {"exception": {"values": [value]}}


@pytest.fixture
def viewer(db: None) -> Client:
    return client_of("viewer")


def stored(*frames: dict[str, Any]) -> tuple[Event, Release]:
    issue = make_issue()
    release = make_release(issue.project, "1.0", commit="abc123")
    return make_event(issue, release=release, payload=body(*frames)), release


def links_in(html: str) -> list[str]:
    return [str(a.get("href")) for tag, a in tags_in(html) if tag == "a"]


def test_a_frame_tells_where_it_stands_in_the_script() -> None:
    (trace,) = exceptions(body(MAPPED))
    frame = trace.runs[0].frames[0]
    assert frame.minified == "E in https://a.example/assets/x.js:3:2154"
    assert (frame.unmapped, frame.link) == ("", "")


def test_a_frame_links_to_its_line() -> None:
    links = SourceLinks((Repository(GITHUB, "github"),), commit="abc123")
    (trace,) = exceptions(body(MAPPED), links)
    assert trace.runs[0].frames[0].link == f"{GITHUB}/blob/abc123/src/timeline.js#L14"


def test_a_trace_sums_up_why_frames_are_minified() -> None:
    other = {**MINIFIED, "_rush": {"unmapped": "It is broken."}}
    (trace,) = exceptions(body(MINIFIED, other, MAPPED, MINIFIED))
    assert trace.unmapped == [(REASON, 2), ("It is broken.", 1)]


def test_marks_of_any_shape_are_shown_or_ignored() -> None:
    marks: list[Any] = [7, [], {"minified": 7}, None]
    frames = [{**MAPPED, "_rush": mark} for mark in marks]
    (trace,) = exceptions(body(*frames))
    assert [frame.minified for frame in trace.runs[0].frames] == [""] * 4


@pytest.mark.parametrize("name", ["issues_event_change", "issues_issue_change"])
def test_a_page_shows_reasons_minified_places_links_and_suspects(
    viewer: Client, name: str
) -> None:
    event, release = stored(MINIFIED, MAPPED)
    SourceRepository.objects.create(project=event.project, url=GITHUB)
    make_commit(release, sha="f" * 40, files=["web/src/timeline.js"], message="Rows")
    html = page(viewer, name, event.pk if "event" in name else event.issue_id)
    assert f"1 frame minified: {REASON}" in html
    assert "E in https://a.example/assets/x.js:3:2154" in html
    assert "Suspect commits" in html and "web/src/timeline.js" in html
    links = links_in(html)
    assert f"{GITHUB}/blob/abc123/src/timeline.js#L14" in links
    assert f"{GITHUB}/commit/{'f' * 40}" in links


def test_a_page_without_suspects_shows_no_box_for_them(viewer: Client) -> None:
    event, release = stored(MAPPED)
    make_commit(release, files=["README.md"])
    assert "Suspect commits" not in page(viewer, "issues_event_change", event.pk)
