"""Frames of minified scripts become places in the source, or say why not."""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import Any
from uuid import UUID

import pytest

from issues.digest.symbolicate import (
    ANY_SCRIPT,
    MAX_POSITIONS,
    MAX_SCRIPTS,
    NO_COLUMN,
    NO_TEXT,
    NO_UPLOADS,
    TOO_MUCH,
    Origin,
    Place,
    Script,
    Spot,
    Unmapped,
    is_library,
    symbolicate,
    why_unmapped,
)
from issues.grouping import group
from issues.normal_event import NormalEvent
from tests import source_maps
from tests.normal_events import normal
from tests.source_maps import FileMaps

URL = "https://shop-1.example.com/assets/app-3f2a.js"
DEBUG_ID = UUID("bd57471c-4b68-560f-9706-7aa3361a6f59")
PLACE = Place("src/cart.ts", 14, 3, "total", "  return sum;", ("a", "b"), ("c",))


class FakeMaps:
    """Answers every spot alike, and remembers what was asked."""

    def __init__(
        self, answer: Place | Unmapped = PLACE, *, uploads: bool = True
    ) -> None:
        self.answer = answer
        self.uploads = uploads
        self.origins: list[Origin] = []
        self.asked: list[tuple[Script, Spot]] = []

    def has_uploads(self, project_id: int) -> bool:
        return self.uploads

    def look(
        self, origin: Origin, script: Script, spots: Sequence[Spot]
    ) -> list[Place | Unmapped]:
        self.origins.append(origin)
        self.asked += [(script, spot) for spot in spots]
        return [self.answer for _ in spots]


def frame(**fields: Any) -> dict[str, Any]:
    return {
        "filename": URL,
        "function": "e",
        "lineno": 3,
        "colno": 2154,
        "in_app": True,
        **fields,
    }


def page_event(*frames: dict[str, Any], **fields: Any) -> NormalEvent:
    stack = {"frames": list(frames or [frame()])}
    return normal(
        {
            "platform": "javascript",
            "event_id": "e" * 32,
            "release": "page@1",
            "exception": {"values": [{"type": "TypeError", "stacktrace": stack}]},
            **fields,
        }
    )


def stored(event: NormalEvent) -> dict[str, Any]:
    """The outermost frame of the body."""
    found: dict[str, Any] = event.body["exception"]["values"][0]["stacktrace"][
        "frames"
    ][0]
    return found


@pytest.fixture(scope="module")
def page_maps() -> Iterator[FileMaps]:
    maps = FileMaps(source_maps.page())
    yield maps
    maps.reader.close()


CAPTURES = sorted({e["capture"].removesuffix(".json") for e in source_maps.expected()})


@pytest.mark.parametrize("capture", CAPTURES)
def test_every_frame_of_the_sample_page_is_resolved(
    capture: str, page_maps: FileMaps
) -> None:
    wanted = [e for e in source_maps.expected() if e["capture"] == f"{capture}.json"]
    found = []
    for payload in source_maps.captured(capture):
        event = normal(payload)
        symbolicate(event, 1, page_maps)
        found += [
            (value, exception)
            for value, exception in zip(
                event.body["exception"]["values"], event.exceptions, strict=True
            )
            if exception.frames
        ]
    assert len(found) == len(wanted)
    for (value, exception), told in zip(found, wanted, strict=True):
        frames = value["stacktrace"]["frames"]
        for raw, frame, want in zip(
            frames, exception.frames, told["frames"], strict=True
        ):
            original, minified = want["original"], want["minified"]
            if original is None:
                assert raw["filename"] == minified["filename"]
                continue
            assert raw["_rush"]["minified"] == minified
            place = (raw["filename"], raw["lineno"], raw["colno"], raw["context_line"])
            assert place == (
                original["source"],
                original["lineno"],
                original["colno"],
                original["context_line"],
            )
            assert raw["in_app"] is ("node_modules" not in original["source"])
            assert (frame.filename, frame.lineno, frame.mapped) == (*place[:2], True)


def test_functions_have_the_names_of_the_source(page_maps: FileMaps) -> None:
    [payload] = source_maps.captured("013-typeerror-click")
    event = normal(payload)
    symbolicate(event, 1, page_maps)
    names = [frame.function for frame in event.exceptions[0].frames]
    assert names == [
        "sentryWrapped",
        "HTMLButtonElement.<anonymous>",
        "renderTimeline",
        "Array.map",
        "rows",
        "describeShipment",
        "latestEvent",
    ]


@pytest.mark.parametrize("bundler", source_maps.builds())
def test_the_same_page_built_twice_gives_the_same_issues(bundler: str) -> None:
    all_maps = [FileMaps(source_maps.build_files(bundler, n)) for n in (0, 1)]
    for name in source_maps.builds()[bundler][0]["faults"]:
        hashes = set()
        for build, maps in enumerate(all_maps):
            event = normal(source_maps.fault(bundler, build, name))
            symbolicate(event, 1, maps)
            assert all(
                frame.mapped
                for exception in event.exceptions
                for frame in exception.frames
                if frame.lineno
            )
            hashes.add(group(event).hash)
        assert len(hashes) == 1, name
    for maps in all_maps:
        maps.reader.close()


def test_a_frame_keeps_what_the_client_sent() -> None:
    event = page_event(frame(module="app", abs_path=URL, vars={"n": "1"}))
    symbolicate(event, 1, FakeMaps())
    assert stored(event) == {
        "filename": "src/cart.ts",
        "function": "total",
        "lineno": 14,
        "colno": 3,
        "in_app": True,
        "vars": {"n": "1"},
        "pre_context": ["a", "b"],
        "context_line": "  return sum;",
        "post_context": ["c"],
        "_rush": {
            "minified": {
                "filename": URL,
                "abs_path": URL,
                "module": "app",
                "function": "e",
                "lineno": 3,
                "colno": 2154,
            }
        },
    }


def test_a_map_without_text_takes_the_minified_lines_away_and_says_so() -> None:
    event = page_event(frame(context_line="var a=1", pre_context=["x"]))
    symbolicate(event, 1, FakeMaps(Place("src/cart.ts", 14, 3, "total", None)))
    raw = stored(event)
    assert raw["_rush"]["note"] == NO_TEXT
    assert not {"context_line", "pre_context", "post_context"} & raw.keys()
    assert event.exceptions[0].frames[0].context_line == ""


@pytest.mark.parametrize(
    ("told", "sent", "shown"),
    [
        ("total", "e", "total"),
        ("", "e", "e"),
        ("<anonymous>", "e", "<anonymous>"),
        (
            "<anonymous>",
            "HTMLButtonElement.<anonymous>",
            "HTMLButtonElement.<anonymous>",
        ),
    ],
)
def test_the_name_of_a_function(told: str, sent: str, shown: str) -> None:
    event = page_event(frame(function=sent))
    symbolicate(event, 1, FakeMaps(Place("src/cart.ts", 14, 3, told, "x")))
    assert stored(event)["function"] == shown


def test_a_frame_without_a_map_stays_and_says_why() -> None:
    event = page_event()
    before = deepcopy(stored(event))
    awaited = symbolicate(event, 1, FakeMaps(Unmapped("No map.", awaited=True)))
    assert stored(event) == {**before, "_rush": {"unmapped": "No map."}}
    assert awaited == [Script(URL)]
    assert not event.exceptions[0].frames[0].mapped


def test_without_any_upload_the_event_says_why_and_waits_as_a_whole() -> None:
    event = page_event(frame(), frame(filename=f"{URL}x.js"))
    maps = FakeMaps(uploads=False)
    assert symbolicate(event, 1, maps) == [ANY_SCRIPT]
    assert (maps.asked, event.body["_rush"]) == ([], {"unmapped": NO_UPLOADS})
    assert why_unmapped(stored(event), event.body) == NO_UPLOADS


@pytest.mark.parametrize(
    "raw",
    [
        {"filename": URL},
        {"filename": "/app/server.js", "lineno": 3},
        {"filename": URL, "lineno": 3, "context_line": "throw e"},
        {"filename": 7, "lineno": 3},
        {"filename": URL, "lineno": 3, "_rush": {"minified": {"lineno": 1}}},
    ],
)
def test_what_an_event_says_of_its_scripts_is_not_for_other_frames(
    raw: dict[str, Any],
) -> None:
    assert why_unmapped(raw, {"_rush": {"unmapped": NO_UPLOADS}}) == ""


def test_marks_of_any_shape_tell_no_reason() -> None:
    marks: list[Any] = [7, [], None, {"unmapped": None}]
    for mark in marks:
        assert why_unmapped(frame(), {"_rush": mark}) == ""


def test_what_was_said_of_all_scripts_goes_when_uploads_come() -> None:
    event = page_event(event_id="none")
    symbolicate(event, 1, FakeMaps(uploads=False))
    symbolicate(event, 1, FakeMaps())
    assert event.body["_rush"].keys() == {"notes"}
    assert event.exceptions[0].frames[0].mapped


def test_without_release_and_debug_id_no_upload_could_help() -> None:
    event = page_event(release="")
    assert symbolicate(event, 1, FakeMaps(uploads=False)) == []
    assert event.body["_rush"] == {"unmapped": NO_UPLOADS}


def test_a_script_whose_map_is_broken_is_not_awaited() -> None:
    assert symbolicate(page_event(), 1, FakeMaps(Unmapped("It is broken."))) == []


def test_a_script_has_the_debug_id_that_the_event_names_for_it() -> None:
    images = [
        {"type": "sourcemap", "code_file": URL, "debug_id": str(DEBUG_ID)},
        {"type": "sourcemap", "code_file": "other.js", "debug_id": "not an id"},
        {"type": "wasm", "code_file": 7},
        "nothing",
    ]
    maps = FakeMaps()
    symbolicate(page_event(dist="7", debug_meta={"images": images}), 42, maps)
    assert maps.asked == [(Script(URL, DEBUG_ID), (3, 2154))]
    assert maps.origins == [Origin(42, "page@1", "7")]


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        (URL, True),
        (f"{URL}?v=3", True),
        ("app:///dist/server.mjs", True),
        ("capacitor://localhost/main.jsbundle", True),
        ("https://shop-1.example.com/order/1001", False),
        ("https://shop-1.example.com/index.html", False),
        ("/app/dist/server.js", False),
        ("node:internal/process/task_queues", False),
        ("webpack-internal:///./src/a.js", False),
        ("chrome-extension://abc/content.js", False),
        ("blob:https://shop-1.example.com/7d.js", False),
        ("<anonymous>", False),
        ("", False),
    ],
)
def test_only_scripts_with_an_address_are_looked_up(name: str, asked: bool) -> None:
    maps = FakeMaps()
    symbolicate(page_event(frame(filename=name)), 1, maps)
    assert bool(maps.asked) is asked


def test_a_servers_file_is_looked_up_by_its_debug_id() -> None:
    image = {"type": "sourcemap", "code_file": "/app/s.js", "debug_id": str(DEBUG_ID)}
    event = page_event(
        frame(filename="/app/s.js"), platform="node", debug_meta={"images": [image]}
    )
    maps = FakeMaps()
    symbolicate(event, 1, maps)
    assert maps.asked[0][0] == Script("/app/s.js", DEBUG_ID)


def test_a_frame_that_has_its_source_line_needs_no_reason() -> None:
    event = page_event(frame(filename="app:///server.js", context_line="throw e"))
    symbolicate(event, 1, FakeMaps(Unmapped("No map.", awaited=True)))
    assert "_rush" not in stored(event)


def test_a_frame_without_a_column_says_so() -> None:
    event = page_event(frame(colno=0))
    maps = FakeMaps()
    symbolicate(event, 1, maps)
    assert (maps.asked, stored(event)["_rush"]) == ([], {"unmapped": NO_COLUMN})


def test_events_of_other_languages_are_left_alone() -> None:
    maps = FakeMaps()
    symbolicate(page_event(platform="python"), 1, maps)
    assert not maps.origins


def test_the_calls_of_a_recursion_are_looked_up_once() -> None:
    event = page_event(*[frame() for _ in range(200)])
    maps = FakeMaps()
    symbolicate(event, 1, maps)
    assert len(maps.asked) == 1
    assert all(f.mapped for f in event.exceptions[0].frames)


def test_a_stranger_cannot_have_any_number_of_places_looked_up() -> None:
    stacks = [
        {"frames": [frame(lineno=n + 1, colno=250 * k + 1) for n in range(250)]}
        for k in range(4)
    ]
    values = [{"type": "E", "stacktrace": stack} for stack in stacks]
    event = page_event(exception={"values": values})
    maps = FakeMaps()
    symbolicate(event, 1, maps)
    assert len(maps.asked) == MAX_POSITIONS
    assert stored(event)["_rush"] == {"unmapped": TOO_MUCH}
    assert event.exceptions[-1].frames[0].mapped


def test_a_stranger_cannot_name_any_number_of_scripts() -> None:
    frames = [frame(filename=f"https://a.example/{n}.js") for n in range(200)]
    maps = FakeMaps()
    symbolicate(page_event(*frames), 1, maps)
    assert len({script for script, _ in maps.asked}) == MAX_SCRIPTS


def test_frames_of_a_thread_are_replaced() -> None:
    event = normal(
        {
            "platform": "javascript",
            "message": "slow",
            "threads": {
                "values": [
                    {"id": 1, "stacktrace": {"frames": [frame(filename="x")]}},
                    {"id": 2, "current": True, "stacktrace": {"frames": [frame()]}},
                ]
            },
        }
    )
    symbolicate(event, 1, FakeMaps())
    raw = event.body["threads"]["values"][1]["stacktrace"]["frames"][0]
    assert (raw["filename"], event.threads_frames[0].filename) == ("src/cart.ts",) * 2


def test_frames_that_a_large_body_lost_still_group_the_event() -> None:
    event = page_event()
    del event.body["exception"]["values"][0]["stacktrace"]
    symbolicate(event, 1, FakeMaps())
    assert event.exceptions[0].frames[0].mapped


def test_frames_are_replaced_once() -> None:
    event = page_event()
    symbolicate(event, 1, FakeMaps())
    maps = FakeMaps()
    symbolicate(event, 1, maps)
    assert not maps.asked


def test_a_client_cannot_say_that_a_frame_is_mapped() -> None:
    event = page_event(frame(_rush={"minified": {"filename": "x"}}))
    maps = FakeMaps()
    symbolicate(event, 1, maps)
    assert maps.asked
    assert stored(event)["_rush"]["minified"]["filename"] == URL


@pytest.mark.parametrize(
    ("source", "library"),
    [
        ("../../src/main.js", False),
        ("webpack://shop/./src/cart.ts", False),
        ("webpack:///src/webpack/tabs.js", False),
        ("app/sentry/settings.ts", False),
        ("../../node_modules/@sentry/browser/build/npm/esm/helpers.js", True),
        ("webpack:///./node_modules/react-dom/index.js", True),
        ("webpack:///~/react/lib/React.js", True),
        ("webpack:///webpack/bootstrap 5f5d0a", True),
        ("webpack://shop/webpack/runtime/jsonp chunk loading", True),
        ("webpack:///(webpack)/buildin/global.js", True),
        ("../vite/modulepreload-polyfill.js", True),
        ("\ufffdcommonjsHelpers.js", True),
    ],
)
def test_what_is_a_library_by_its_path(source: str, library: bool) -> None:
    assert is_library(source) is library


def test_a_library_by_the_clients_word_stays_one() -> None:
    event = page_event(frame(in_app=False))
    symbolicate(event, 1, FakeMaps())
    assert stored(event)["in_app"] is False


@pytest.mark.parametrize(
    ("name", "in_app"),
    [
        ("https://a.example/assets/sentry-C-jc_N-7.js", False),
        ("https://a.example/assets/sentryless.js", True),
    ],
)
@pytest.mark.parametrize("uploads", [True, False])
def test_the_sdks_own_chunk_is_not_in_app_without_a_map(
    name: str, in_app: bool, uploads: bool
) -> None:
    event = page_event(frame(filename=name))
    symbolicate(event, 1, FakeMaps(Unmapped("No map."), uploads=uploads))
    assert stored(event)["in_app"] is in_app
