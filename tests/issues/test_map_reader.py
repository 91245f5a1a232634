"""The process that reads source maps: what it tells, and what may not end digest."""

import json
from collections.abc import Iterator

import pytest

from issues.digest import map_reader
from issues.digest.map_reader import MapError, MapReader, MapReaderDied
from tests import source_maps

SCRIPT = "assets/index-ok-s_Bct.js"
PLACE = ("page", 3, 2154)


@pytest.fixture
def reader() -> Iterator[MapReader]:
    reader = MapReader()
    yield reader
    reader.close()


def script() -> bytes:
    return source_maps.page()[SCRIPT]


def source_map() -> bytes:
    return source_maps.page()[f"{SCRIPT}.map"]


def changed(**fields: object) -> bytes:
    return json.dumps({**json.loads(source_map()), **fields}).encode()


def nested(depth: int) -> bytes:
    return b"(" * depth + b"1" + b")" * depth


def test_a_position_has_its_place_name_and_lines(reader: MapReader) -> None:
    reader.load("page", script(), source_map())
    [place] = reader.look([PLACE])
    assert place is not None
    assert (place.source, place.line, place.column) == ("../../src/timeline.js", 14, 32)
    assert place.function == "renderTimeline"
    assert place.context_line is not None
    assert place.context_line.startswith("  const rows = order.shipments.map(")
    assert place.pre_context[-1] == "export function renderTimeline(order, target) {"
    assert len(place.post_context) == 5


@pytest.mark.parametrize("place", [(1, 1), (0, 0), (3, 1), (400, 1), (2**31, 2**31)])
def test_a_position_outside_of_the_map_has_none(
    reader: MapReader, place: tuple[int, int]
) -> None:
    reader.load("page", script(), source_map())
    assert reader.look([("page", *place)]) == [None]


def test_without_its_script_a_map_tells_no_function(reader: MapReader) -> None:
    reader.load("page", b"", source_map())
    [place] = reader.look([PLACE])
    assert place and (place.line, place.function) == (14, "")


@pytest.mark.parametrize(
    "told",
    [
        changed(sourcesContent=None),
        changed(sourcesContent=[None, None, None, None]),
    ],
)
def test_a_map_without_sources_tells_place_and_function(
    reader: MapReader, told: bytes
) -> None:
    reader.load("page", script(), told)
    [place] = reader.look([PLACE])
    assert place and (place.line, place.context_line) == (14, None)
    assert place.function == "renderTimeline"


def test_a_map_of_sections_is_read(reader: MapReader) -> None:
    inner = json.loads(source_map())
    inner["mappings"] = inner["mappings"].lstrip(";")
    section = {"offset": {"line": 2, "column": 0}, "map": inner}
    told = json.dumps({"version": 3, "sections": [section]}).encode()
    reader.load("page", script(), told)
    [place] = reader.look([PLACE])
    assert place and (place.line, place.column) == (14, 32)


def test_a_source_root_stands_before_the_sources(reader: MapReader) -> None:
    reader.load("page", script(), changed(sourceRoot="webpack://shop/"))
    [place] = reader.look([PLACE])
    assert place and place.source.startswith("webpack://shop/")


def test_what_postgresql_cannot_hold_is_replaced(reader: MapReader) -> None:
    told = source_map().replace(b"const rows", b"\\u0000nst rows")
    reader.load("page", script(), told)
    [place] = reader.look([PLACE])
    assert place and place.context_line and "\ufffdnst rows" in place.context_line


@pytest.mark.parametrize(
    "told",
    [
        b"",
        b"nope",
        b"[]",
        b"\xef\xbb\xbf{}",
        changed(mappings="!!!!"),
        changed(mappings="AAzzzzzzzzA"),
        changed(mappings=7),
        changed(sources={}),
    ],
)
def test_a_broken_map_says_so_and_the_process_lives(
    reader: MapReader, told: bytes
) -> None:
    reader.load("page", script(), source_map())
    with pytest.raises(MapError):
        reader.load("broken", script(), told)
    assert reader.look([PLACE])[0]


def test_a_script_that_is_none_does_no_harm(reader: MapReader) -> None:
    reader.load("page", b"\xff<html>}}{{(", source_map())
    [place] = reader.look([PLACE])
    assert place and (place.line, place.function) == (14, "")


def test_deep_nesting_is_read(reader: MapReader) -> None:
    assert reader.load("deep", nested(5_000), source_map())


def test_a_script_that_overflows_the_stack_ends_the_process_only(
    reader: MapReader,
) -> None:
    with pytest.raises(MapReaderDied):
        reader.load("deep", nested(200_000), source_map())
    reader.load("page", script(), source_map())
    assert reader.look([PLACE])[0]


def test_a_script_that_takes_too_long_ends_the_process(
    reader: MapReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(map_reader, "SECONDS", 0.2)
    monkeypatch.setattr(map_reader, "SECONDS_PER_MIB", 0.0)
    with pytest.raises(MapReaderDied):
        reader.load("long", b"if(a)b;else " * 200_000 + b"c", source_map())


def test_a_dropped_map_is_forgotten(reader: MapReader) -> None:
    reader.load("page", script(), source_map())
    reader.drop(["page", "unknown"])
    with pytest.raises(MapReaderDied):
        reader.look([PLACE])


def test_the_size_grows_with_the_map(reader: MapReader) -> None:
    large = source_maps.page()["assets/sentry-C-jc_N-7.js.map"]
    assert reader.load("small", b"", source_map()) < reader.load("large", b"", large)


def test_the_process_ends_with_its_parent(reader: MapReader) -> None:
    reader.load("page", b"", source_map())
    process = reader._process
    assert process is not None and process.stdin is not None
    process.stdin.close()
    assert process.wait(timeout=10) == 0


def test_a_reader_that_was_closed_starts_again(reader: MapReader) -> None:
    reader.load("page", b"", source_map())
    reader.close()
    reader.load("page", b"", source_map())
    assert reader.look([PLACE])[0]
