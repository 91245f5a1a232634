"""What a bundle may hold, and what is told of one that cannot be used."""

from io import BytesIO
from typing import Any
from uuid import UUID
from zipfile import ZIP_BZIP2, ZIP_STORED

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from releases.artifacts.bundle import (
    Bounds,
    Bundle,
    BundleError,
    directory_entries,
    pieces,
    source_map_url,
)
from tests.releases.uploads import DEBUG_ID, MAP, SCRIPT, manifest_of, usual, zipped

BOUNDS = Bounds(files=10, file_bytes=1000, total_bytes=2000)
FILES = {"files/_/_/a.js": SCRIPT, "files/_/_/a.js.map": MAP}


def opened(data: bytes, bounds: Bounds = BOUNDS) -> Bundle:
    return Bundle(BytesIO(data), bounds)


@pytest.mark.parametrize("data", [usual(), usual()[8:]])
def test_a_bundle_is_read_with_and_without_its_header(data: bytes) -> None:
    bundle = opened(data)
    script, source_map = bundle.entries
    assert (script.url, script.kind) == ("~/a.js", "minified_source")
    assert (source_map.url, source_map.kind) == ("~/a.js.map", "source_map")
    assert script.debug_id == source_map.debug_id == UUID(DEBUG_ID)
    assert (bundle.read(script), bundle.read(source_map)) == (SCRIPT, MAP)


def test_what_the_manifest_does_not_name_is_not_read() -> None:
    manifest = {"files": manifest_of({"files/_/_/a.js": SCRIPT})}
    assert [entry.url for entry in opened(zipped(FILES, manifest)).entries] == [
        "~/a.js"
    ]


def test_an_empty_manifest_names_nothing() -> None:
    assert opened(zipped({}, {"files": {}})).entries == []


def test_a_file_without_a_url_has_the_usual_one() -> None:
    manifest = {"files": {"files/_/_/a.js": {"type": "source"}}}
    (entry,) = opened(zipped(FILES, manifest)).entries
    assert (entry.url, entry.debug_id, entry.reference) == ("~/a.js", None, "")


def test_header_names_may_be_in_any_case() -> None:
    headers = {"Debug-Id": DEBUG_ID, "X-SourceMap": "b.map", "odd": 1}
    told = {"type": "minified_source", "url": "~/a.js", "headers": headers}
    (entry,) = opened(zipped(FILES, {"files": {"files/_/_/a.js": told}})).entries
    assert (entry.debug_id, entry.reference) == (UUID(DEBUG_ID), "b.map")


def entry_with(**told: Any) -> bytes:
    usual = {"type": "minified_source", "url": "~/a.js"}
    return zipped(FILES, {"files": {"files/_/_/a.js": {**usual, **told}}})


def naming(path: str) -> bytes:
    return zipped(FILES, {"files": {path: {"type": "source", "url": "~/a.js"}}})


def encrypted() -> bytes:
    """A bundle whose first file says that it is encrypted."""
    data = bytearray(zipped(FILES, compression=ZIP_STORED))
    directory = data.index(b"PK\x01\x02")
    data[6] |= 1
    data[directory + 8] |= 1
    return bytes(data)


def with_wrong_contents() -> bytes:
    data = zipped(FILES, compression=ZIP_STORED)
    return data.replace(b"let a=1", b"let a=2")


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "This is no ZIP"),
        (b"SYSB\2\0\0\0", "This is no ZIP"),
        (usual()[:-30], "This is no ZIP"),
        (zipped({}, b"{"), "manifest.json is no JSON"),
        (zipped({}, b"[]"), 'manifest.json has no "files"'),
        (zipped({}, {"files": ["a.js"]}), 'manifest.json has no "files"'),
        (zipped({}, {"files": {"a.js": None}}), "tells nothing of a.js"),
        (naming("files/_/_/b.js"), "The bundle has no files/_/_/b.js."),
        (naming("files/../../etc/passwd"), "leads out of the bundle"),
        (naming("/etc/passwd"), "leads out of the bundle"),
        (naming("..\\..\\a.js"), "leads out of the bundle"),
        (naming(""), "leads out of the bundle"),
        (naming("a\0b"), "The bundle has no a b."),
        (entry_with(headers={"debug-id": "nonsense"}), "'nonsense' of files/_/_/a.js"),
        (entry_with(url="~/" + "a" * 500), "more than 500 characters"),
        (entry_with(url="~/a\0.js"), "cannot be printed"),
        (zipped(FILES, compression=ZIP_BZIP2), "other than deflate"),
    ],
)
def test_a_bundle_that_cannot_be_used_says_why(data: bytes, told: str) -> None:
    with pytest.raises(BundleError) as raised:
        opened(data)
    assert told in str(raised.value)
    assert "\0" not in str(raised.value)


@pytest.mark.parametrize(
    ("data", "told"),
    [(encrypted(), "is encrypted"), (with_wrong_contents(), "cannot be unpacked")],
)
def test_a_file_that_cannot_be_read_says_why(data: bytes, told: str) -> None:
    bundle = opened(data)
    with pytest.raises(BundleError, match=told):
        bundle.read(bundle.entries[0])


@pytest.mark.parametrize(
    ("bounds", "told"),
    [
        (Bounds(1, 1000, 2000), "2 files, at most 1 are taken (ARTIFACT_MAX_FILES)"),
        (Bounds(2, len(SCRIPT), 2000), "ARTIFACT_MAX_FILE_BYTES"),
        (
            Bounds(2, 1000, len(SCRIPT) + len(MAP) - 1),
            "ARTIFACT_MAX_UNPACKED_BYTES",
        ),
    ],
)
def test_each_bound_is_told_by_its_setting(bounds: Bounds, told: str) -> None:
    with pytest.raises(BundleError) as raised:
        opened(usual(), bounds)
    assert told in str(raised.value)


def test_a_bundle_at_its_bounds_is_taken() -> None:
    bounds = Bounds(2, max(len(SCRIPT), len(MAP)), len(SCRIPT) + len(MAP))
    assert len(opened(usual(), bounds).entries) == 2


def test_a_bomb_is_told_before_it_is_unpacked() -> None:
    data = zipped({"files/_/_/a.js": b"0" * (50 << 20)})
    assert len(data) < 100_000
    with pytest.raises(BundleError, match="has 50.0 MiB"):
        opened(data)


def test_a_file_never_unpacks_to_more_than_it_says() -> None:
    data = zipped({"files/_/_/a.js": b"0" * 5000, "files/_/_/b.js": b"1"})
    sizes = (5000).to_bytes(4, "little"), (10).to_bytes(4, "little")
    bundle = opened(data.replace(*sizes))
    with pytest.raises(BundleError, match="cannot be unpacked"):
        bundle.read(bundle.entries[0])


def test_files_come_in_pieces() -> None:
    files = {f"files/_/_/{n}.js": bytes(300) for n in range(5)}
    sizes = [len(piece) for piece in pieces(opened(zipped(files)), 600)]
    assert sizes == [2, 2, 1]


def test_files_are_counted_before_the_bundle_is_opened() -> None:
    assert directory_entries(usual()) == 3


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_damaged_bundle_raises_nothing_else(data: st.DataObject) -> None:
    raw = bytearray(usual())
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(raw) - 1))
        raw[position] = data.draw(st.integers(0, 255))
    try:
        bundle = opened(bytes(raw))
        for entry in bundle.entries:
            bundle.read(entry)
    except BundleError:
        pass


@pytest.mark.parametrize(
    ("url", "reference", "script", "found"),
    [
        ("~/assets/a.js", "a.js.map", b"", "~/assets/a.js.map"),
        ("~/a.js", "a.js.map", b"", "~/a.js.map"),
        ("~/assets/a.js", "../maps/a.map", b"", "~/maps/a.map"),
        ("~/assets/a.js", "./a.map", b"", "~/assets/a.map"),
        ("~/assets/a.js", "/maps/a.map", b"", "~/maps/a.map"),
        ("~/assets/a.js", "~/maps/a.map", b"", "~/maps/a.map"),
        ("~/a.js?v=/1", "a.map?v=1", b"", "~/a.map?v=1"),
        ("~/a.js", "https://c.example/a.map", b"", "https://c.example/a.map"),
        ("https://c.example/x/a.js", "a.map", b"", "https://c.example/x/a.map"),
        ("https://c.example/x/a.js", "/a.map", b"", "https://c.example/a.map"),
        ("app:///main.js", "main.map", b"", "app:///main.map"),
        ("~/x/a.js", "", SCRIPT, "~/x/a.js.map"),
        ("~/a.js", "", b"//@ sourceMappingURL=b.map", "~/b.map"),
        ("~/a.js", "", SCRIPT + b"//# debugId=1\n", "~/a.js.map"),
        ("~/a.js", "", SCRIPT + SCRIPT.replace(b"a.js", b"b.js"), "~/b.js.map"),
        ("~/a.js", "c.map", SCRIPT, "~/c.map"),
        ("~/a.js", "", b"let a=1;", ""),
        ("~/a.js", "", b"//# sourceMappingURL=data:application/json,{}", ""),
        ("~/a.js", "data:application/json,{}", b"", ""),
        ("~/a.js", "x" * 600, b"", ""),
        ("~/a.js", "", b"//# sourceMappingURL=\xff\x00.map", ""),
    ],
)
def test_a_script_names_its_map(
    url: str, reference: str, script: bytes, found: str
) -> None:
    assert source_map_url(url, reference, script) == found
