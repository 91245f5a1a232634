from datetime import timedelta
from uuid import UUID

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from releases.artifacts import find_by_debug_id, find_by_url, read_blob, touch
from releases.artifacts.lookup import NAMES_NO_MAP, NO_MAP, NO_SCRIPT, url_names
from tenants.models import Project
from tests.factories import make_artifact, make_bundle, make_project

pytestmark = pytest.mark.django_db

ID = UUID("bd57471c-4b68-560f-9706-7aa3361a6f59")
URL = "https://shop.example/assets/a.js"


@pytest.fixture
def project() -> Project:
    return make_project()


def add_pair(
    project: Project, text: str = "1", version: str = "shop@1", dist: str = ""
) -> int:
    """A bundle with a script and its map; its id."""
    bundle = make_bundle(project, version, dist=dist)
    make_artifact(
        bundle,
        "~/assets/a.js",
        f"script {text}".encode(),
        debug_id=ID,
        source_map_url="~/assets/a.js.map",
    )
    make_artifact(bundle, "~/assets/a.js.map", f"map {text}".encode(), debug_id=ID)
    return bundle.pk


def read(name: str | None) -> str:
    assert name is not None
    return read_blob(name).decode()


def test_both_files_are_found_by_debug_id(
    project: Project, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    bundle_id = add_pair(project)
    with django_assert_num_queries(1):
        found = find_by_debug_id(project.pk, ID)
    assert found is not None
    assert (read(found.minified), read(found.source_map)) == ("script 1", "map 1")
    assert (found.bundle_id, found.missing) == (bundle_id, "")


def test_the_newest_upload_of_a_debug_id_wins(project: Project) -> None:
    add_pair(project, "1", "shop@1")
    newest = add_pair(project, "2", "shop@2")
    found = find_by_debug_id(project.pk, ID)
    assert found is not None
    assert (read(found.source_map), found.bundle_ids) == ("map 2", (newest,))


def test_another_project_finds_nothing(project: Project) -> None:
    add_pair(project)
    other = make_project()
    assert find_by_debug_id(other.pk, ID) is None
    assert find_by_url(other.pk, "shop@1", "", URL) is None


def test_the_key_is_the_same_for_the_same_files(project: Project) -> None:
    add_pair(project, "1", "shop@1")
    first = find_by_debug_id(project.pk, ID)
    add_pair(project, "1", "shop@2")
    again = find_by_debug_id(project.pk, ID)
    add_pair(project, "2", "shop@3")
    changed = find_by_debug_id(project.pk, ID)
    assert first and again and changed
    assert first.key == again.key != changed.key


def test_a_map_without_its_script_says_so(project: Project) -> None:
    make_artifact(make_bundle(project), "~/a.js.map", debug_id=ID)
    found = find_by_debug_id(project.pk, ID)
    assert found is not None
    assert (found.minified, found.missing) == (None, NO_SCRIPT)
    assert read(found.source_map) == "~/a.js.map"


@pytest.mark.parametrize(
    ("names", "missing"), [("~/a.js.map", NO_MAP), ("", NAMES_NO_MAP)]
)
def test_a_script_without_its_map_says_so(
    project: Project, names: str, missing: str
) -> None:
    bundle = make_bundle(project, "shop@1")
    make_artifact(bundle, "~/a.js", debug_id=ID, source_map_url=names)
    by_id = find_by_debug_id(project.pk, ID)
    by_url = find_by_url(project.pk, "shop@1", "", "https://shop.example/a.js")
    assert by_id is not None and by_id == by_url
    assert (by_id.source_map, by_id.missing) == (None, missing)


def test_a_map_without_debug_id_is_found_through_its_script(project: Project) -> None:
    bundle = make_bundle(project)
    make_artifact(bundle, "~/a.js", debug_id=ID, source_map_url="~/a.js.map")
    make_artifact(bundle, "~/a.js.map")
    found = find_by_debug_id(project.pk, ID)
    assert found is not None
    assert read(found.source_map) == "~/a.js.map"


def test_both_files_are_found_by_url(
    project: Project, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    bundle_id = add_pair(project)
    with django_assert_num_queries(2):
        found = find_by_url(project.pk, "shop@1", "", URL)
    assert found is not None
    assert (read(found.minified), read(found.source_map)) == ("script 1", "map 1")
    assert found.bundle_ids == (bundle_id,)


@pytest.mark.parametrize(
    ("release", "dist", "told"),
    [
        ("shop@1", "web", "web"),
        ("shop@1", "", "none"),
        ("shop@1", "app", "none"),
        ("shop@2", "web", "two"),
        ("shop@3", "web", None),
        ("", "", None),
    ],
)
def test_release_and_dist_say_which_file(
    project: Project, release: str, dist: str, told: str | None
) -> None:
    add_pair(project, "web", "shop@1", "web")
    add_pair(project, "none", "shop@1")
    add_pair(project, "two", "shop@2")
    found = find_by_url(project.pk, release, dist, URL)
    assert (found and read(found.source_map)) == (told and f"map {told}")


def test_a_dist_alone_is_not_found_without_it(project: Project) -> None:
    add_pair(project, "web", "shop@1", "web")
    assert find_by_url(project.pk, "shop@1", "", URL) is None


def test_the_newest_upload_of_a_url_wins(project: Project) -> None:
    add_pair(project, "1")
    add_pair(project, "2")
    found = find_by_url(project.pk, "shop@1", "", URL)
    assert found is not None
    assert (read(found.minified), read(found.source_map)) == ("script 2", "map 2")


def test_the_map_may_lie_in_another_bundle_of_the_release(project: Project) -> None:
    script, source_map = make_bundle(project, "shop@1"), make_bundle(project, "shop@1")
    make_artifact(script, "~/assets/a.js", source_map_url="~/assets/a.js.map")
    make_artifact(source_map, "~/assets/a.js.map")
    found = find_by_url(project.pk, "shop@1", "", URL)
    assert found is not None
    assert read(found.source_map) == "~/assets/a.js.map"
    assert found.bundle_ids == (source_map.pk, script.pk)


def test_a_url_with_its_host_is_closer_than_one_of_any_host(project: Project) -> None:
    bundle = make_bundle(project, "shop@1")
    make_artifact(bundle, "~/assets/a.js")
    make_artifact(bundle, URL)
    found = find_by_url(project.pk, "shop@1", "", URL)
    assert found is not None
    assert read(found.minified) == URL


@pytest.mark.parametrize(
    ("url", "names"),
    [
        ("https://a.example/x/y.js", ["https://a.example/x/y.js", "~/x/y.js"]),
        (
            "https://a.example/y.js?v=1#top",
            [
                "https://a.example/y.js?v=1",
                "~/y.js?v=1",
                "https://a.example/y.js",
                "~/y.js",
            ],
        ),
        ("~/x/y.js", ["~/x/y.js"]),
        ("app:///main.js", ["app:///main.js", "~/main.js"]),
        ("/x/y.js", ["/x/y.js", "~/x/y.js"]),
        ("x/y.js", ["x/y.js", "~/x/y.js"]),
        ("/%5Bid%5D.js", ["/%5Bid%5D.js", "~/%5Bid%5D.js", "~/[id].js"]),
        ("https://a.example/", []),
        ("", []),
        ("http://[broken/x.js", []),
        ("/a\0.js", []),
    ],
)
def test_a_url_has_the_names_that_ci_may_give(url: str, names: list[str]) -> None:
    assert url_names(url) == names


def test_use_is_noted_once_a_day(project: Project) -> None:
    now = timezone.now()
    fresh = make_bundle(project, last_used=now - timedelta(hours=23))
    stale = make_bundle(project, last_used=now - timedelta(hours=25))
    unused = make_bundle(project, last_used=now - timedelta(hours=25))
    touch([fresh.pk, stale.pk], now)
    for bundle in (fresh, stale, unused):
        bundle.refresh_from_db()
    assert fresh.last_used == now - timedelta(hours=23)
    assert stale.last_used == now
    assert unused.last_used == now - timedelta(hours=25)
