"""Places of spots by what CI uploaded, with bounds and reasons."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.files.storage import storages
from django.db import connection
from django.test.utils import CaptureQueriesContext

from issues.digest import map_reader, source_maps
from issues.digest.source_maps import SourceMaps
from issues.digest.symbolicate import Origin, Place, Script, Spot, Unmapped
from releases.models import StoredFile
from tenants.models import Project
from tests.factories import make_artifact, make_bundle, make_project
from tests.source_maps import page, upload

pytestmark = pytest.mark.django_db

PATH = "assets/index-ok-s_Bct.js"
URL = f"https://track.nordic-gear.example/{PATH}"
DEBUG_ID = UUID("bd57471c-4b68-560f-9706-7aa3361a6f59")
SMALL = {name: data for name, data in page().items() if PATH in name}


class Clock:
    seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def maps(clock: Clock) -> Iterator[SourceMaps]:
    maps = SourceMaps(32 << 20, clock)
    yield maps
    maps.close()


@pytest.fixture
def project() -> Project:
    return make_project()


At = tuple[Script, Spot]


def at(line: int = 3, column: int = 2154, **script: Any) -> At:
    return Script(**{"url": URL, "debug_id": DEBUG_ID, **script}), (line, column)


def look(
    maps: SourceMaps,
    project: Project,
    asked: At | None = None,
    *,
    release: str = "",
    dist: str = "",
) -> Place | Unmapped:
    script, spot = asked or at()
    answers = maps.look(Origin(project.pk, release, dist), script, [spot])
    return answers if isinstance(answers, Unmapped) else answers[0]


def reason(answer: Place | Unmapped) -> str:
    assert isinstance(answer, Unmapped)
    return answer.reason


def line(answer: Place | Unmapped) -> int:
    assert isinstance(answer, Place)
    return answer.line


def test_by_debug_id_whatever_the_release(maps: SourceMaps, project: Project) -> None:
    upload(project, SMALL, "page@1")
    assert line(look(maps, project, release="page@2")) == 14


def test_by_release_and_url_without_a_debug_id(
    maps: SourceMaps, project: Project
) -> None:
    upload(project, SMALL, "page@1")
    assert line(look(maps, project, at(debug_id=None), release="page@1")) == 14


def test_by_release_and_url_where_the_debug_id_is_unknown(
    maps: SourceMaps, project: Project
) -> None:
    upload(project, SMALL, "page@1")
    unknown = at(debug_id=uuid4())
    assert line(look(maps, project, unknown, release="page@1")) == 14


def test_by_dist(maps: SourceMaps, project: Project) -> None:
    upload(project, SMALL, "page@1", dist="7")
    asked = at(debug_id=None)
    assert line(look(maps, project, asked, release="page@1", dist="7")) == 14
    assert reason(look(maps, project, asked, release="page@1", dist="8")) == (
        f"No source map for ~/{PATH} was uploaded to release page@1, dist 8."
    )


def test_by_the_whole_address_where_uploads_name_one(
    maps: SourceMaps, project: Project
) -> None:
    bundle = make_bundle(project, "page@1")
    make_artifact(bundle, URL, SMALL[PATH], source_map_url=f"{URL}.map")
    make_artifact(bundle, f"{URL}.map", SMALL[f"{PATH}.map"])
    ours, other = at(debug_id=None), at(url=f"https://b.example/{PATH}", debug_id=None)
    assert line(look(maps, project, ours, release="page@1")) == 14
    assert reason(look(maps, project, other, release="page@1"))


def test_a_project_does_not_see_the_maps_of_another(
    maps: SourceMaps, project: Project
) -> None:
    upload(make_project(), SMALL, "page@1")
    assert reason(look(maps, project)) == (
        f"No source map with the debug id {DEBUG_ID} was uploaded."
    )


@pytest.mark.parametrize(
    ("debug_id", "release", "told", "awaited"),
    [
        (
            DEBUG_ID,
            "page@1",
            f"No source map with the debug id {DEBUG_ID} was uploaded, and none for "
            f"~/{PATH} to release page@1.",
            True,
        ),
        (
            None,
            "page@1",
            f"No source map for ~/{PATH} was uploaded to release page@1.",
            True,
        ),
        (
            None,
            "",
            "The event names no debug id for this script, and no release.",
            False,
        ),
    ],
)
def test_the_reason_names_what_is_missing(
    maps: SourceMaps,
    project: Project,
    debug_id: UUID | None,
    release: str,
    told: str,
    awaited: bool,
) -> None:
    answer = look(maps, project, at(debug_id=debug_id), release=release)
    assert answer == Unmapped(told, awaited)


def test_a_script_without_its_map_is_awaited(
    maps: SourceMaps, project: Project
) -> None:
    upload(project, {PATH: SMALL[PATH]})
    answer = look(maps, project)
    assert answer == Unmapped("The script was uploaded without its source map.", True)


def test_a_map_without_its_script_tells_places(
    maps: SourceMaps, project: Project
) -> None:
    upload(project, {f"{PATH}.map": SMALL[f"{PATH}.map"]})
    assert line(look(maps, project)) == 14


def test_a_position_that_the_map_does_not_know(
    maps: SourceMaps, project: Project
) -> None:
    upload(project, SMALL)
    assert reason(look(maps, project, at(1, 1))) == (
        "The source map tells nothing of line 1, column 1."
    )


def test_a_broken_map_says_so_and_is_read_once(
    maps: SourceMaps, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(
        project, {**SMALL, f"{PATH}.map": b'{"debugId":"%s"' % str(DEBUG_ID).encode()}
    )
    assert reason(look(maps, project)).startswith("The source map cannot be read: bad")
    monkeypatch.setattr(source_maps, "read_blob", None)
    assert reason(look(maps, project)).startswith("The source map cannot be read: bad")


def test_a_map_that_is_too_large_is_not_read(
    maps: SourceMaps, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_maps, "MOST_BYTES", 1 << 10)
    upload(project, SMALL)
    assert "those of more than" in reason(look(maps, project))


def test_a_script_that_ends_the_reader_is_left_out(
    maps: SourceMaps, project: Project
) -> None:
    upload(
        project,
        {**SMALL, PATH: b"(" * 200_000 + b"\n//# debugId=" + str(DEBUG_ID).encode()},
    )
    answer = look(maps, project)
    assert isinstance(answer, Place)
    assert (answer.line, answer.function) == (14, "")


def test_many_such_scripts_do_not_hold_up_digest(
    maps: SourceMaps, project: Project, clock: Clock
) -> None:
    ids = [uuid4() for _ in range(5)]
    for debug_id in ids:
        mark = b"\n//# debugId=" + str(debug_id).encode()
        source_map = SMALL[f"{PATH}.map"].replace(
            str(DEBUG_ID).encode(), str(debug_id).encode()
        )
        script = b"(" * 200_000 + mark
        upload(project, {PATH: script, f"{PATH}.map": source_map})
    for debug_id in ids[:4]:
        assert line(look(maps, project, at(debug_id=debug_id))) == 14
    assert len(maps._deaths) == 3
    first = maps._deaths[0]
    clock.seconds += 61
    assert line(look(maps, project, at(debug_id=ids[4]))) == 14
    assert maps._deaths[-1] > first


def test_a_map_that_takes_too_long_says_so(
    maps: SourceMaps, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(map_reader, "SECONDS", 0.001)
    monkeypatch.setattr(map_reader, "SECONDS_PER_MIB", 0.0)
    files = {name: data for name, data in page().items() if "sentry-" in name}
    upload(project, files)
    asked = at(debug_id=UUID("76b63029-f682-5892-8dc9-3daa00836ed8"))
    assert "took too long" in reason(look(maps, project, asked))


def test_a_file_that_the_storage_lost_is_tried_again(
    maps: SourceMaps, project: Project, clock: Clock
) -> None:
    upload(project, SMALL)
    name = StoredFile.objects.get(artifacts__url=f"~/{PATH}.map").name
    storages["blobs"].delete(name)
    told = "The source map cannot be fetched now (FileNotFoundError)."
    assert reason(look(maps, project)) == told
    upload(project, SMALL)
    assert reason(look(maps, project)) == told
    clock.seconds += 61
    assert line(look(maps, project)) == 14


def test_an_upload_is_seen_after_ten_seconds(
    maps: SourceMaps, project: Project, clock: Clock
) -> None:
    assert reason(look(maps, project))
    upload(project, SMALL)
    assert reason(look(maps, project))
    clock.seconds += 10.1
    assert line(look(maps, project)) == 14


def test_a_known_place_asks_nobody(
    maps: SourceMaps, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(project, SMALL)
    look(maps, project)
    monkeypatch.setattr(maps._reader, "look", None)
    with CaptureQueriesContext(connection) as queries:
        assert line(look(maps, project)) == 14
    assert not queries.captured_queries


def test_a_project_without_uploads_is_asked_for_once(
    maps: SourceMaps, project: Project
) -> None:
    with CaptureQueriesContext(connection) as queries:
        for number in range(50):
            asked = at(url=f"https://shop-{number}.example/{PATH}", debug_id=uuid4())
            look(maps, project, asked, release="page@1")
    assert len(queries.captured_queries) == 2


def test_hosts_share_one_answer(maps: SourceMaps, project: Project) -> None:
    upload(project, SMALL, "page@1")
    with CaptureQueriesContext(connection) as queries:
        for number in range(50):
            asked = at(url=f"https://shop-{number}.example/{PATH}", debug_id=None)
            assert line(look(maps, project, asked, release="page@1")) == 14
    # Uploads of the release, hosts in them, script, its map, and the two files.
    assert len(queries.captured_queries) == 6


def test_maps_beyond_the_bound_are_dropped_and_read_again(
    project: Project, clock: Clock
) -> None:
    upload(project, page())
    large = at(497, 1041, debug_id=UUID("76b63029-f682-5892-8dc9-3daa00836ed8"))
    maps = SourceMaps(1 << 20, clock)
    for column in (1041, 1042):
        answer = look(maps, project, (large[0], (497, column)))
        assert isinstance(answer, Place)
        assert line(look(maps, project, at(3, 2150 + column - 1037))) == 14
        assert maps._loaded.size < 1 << 20
    maps.close()


def test_used_bundles_are_told_once_in_six_hours(
    maps: SourceMaps, project: Project, clock: Clock
) -> None:
    bundle = upload(project, SMALL)
    look(maps, project)
    assert maps.to_touch() == [bundle.pk]
    look(maps, project)
    assert maps.to_touch() == []
    clock.seconds += 6 * 3600
    look(maps, project)
    assert maps.to_touch() == [bundle.pk]
