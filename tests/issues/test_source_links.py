"""A frame's line and a commit have an address where the repository is shown."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from issues.source_links import Repository, SourceLinks, links_of
from tenants.models import SourceRepository
from tests.factories import make_commit, make_project, make_release

GITHUB = "https://github.com/acme/shop"


def of(filename: str, links: SourceLinks | None = None, **fields: Any) -> str:
    known = links or SourceLinks((Repository(GITHUB, "github"),), commit="abc123")
    return known.of_frame(
        {"filename": filename, "lineno": 14, "in_app": True, **fields}
    )


@pytest.mark.parametrize(
    ("kind", "template", "address"),
    [
        ("github", "", "https://git.example/shop/blob/abc123/src/cart.ts#L14"),
        ("gitlab", "", "https://git.example/shop/-/blob/abc123/src/cart.ts#L14"),
        ("bitbucket", "", "https://git.example/shop/src/abc123/src/cart.ts#lines-14"),
        (
            "own",
            "{url}/browse/{path}?at={commit}#{line}",
            "https://git.example/shop/browse/src/cart.ts?at=abc123#14",
        ),
    ],
)
def test_the_address_of_a_line(kind: str, template: str, address: str) -> None:
    repository = Repository("https://git.example/shop", kind, template)
    assert of("src/cart.ts", SourceLinks((repository,), commit="abc123")) == address


@pytest.mark.parametrize(
    ("prefix", "folder", "name", "path"),
    [
        ("", "", "../../src/main.js", "src/main.js"),
        ("", "web/", "./src/main.js", "web/src/main.js"),
        ("app:///", "", "app:///dist/server.js", "dist/server.js"),
        ("webpack://shop/./", "pages/", "webpack://shop/./src/a.ts", "pages/src/a.ts"),
        (
            "/srv/app/",
            "services/",
            "/srv/app/orders/views.py",
            "services/orders/views.py",
        ),
        ("C:\\app\\", "", "C:\\app\\src\\x.py", "src/x.py"),
        ("webpack://x/", "", "webpack://x/../../../etc/passwd", "etc/passwd"),
    ],
)
def test_a_prefix_is_replaced_by_the_folder(
    prefix: str, folder: str, name: str, path: str
) -> None:
    repository = Repository(GITHUB, "github", "", prefix, folder)
    found = of(name, SourceLinks((repository,), commit="abc123"))
    assert found == f"{GITHUB}/blob/abc123/{path}#L14"


@pytest.mark.parametrize(
    "name", ["/srv/app/views.py", "C:\\app\\x.py", "https://a.example/assets/x.js", ""]
)
def test_without_a_prefix_only_relative_paths_are_in_the_repository(name: str) -> None:
    assert of(name) == ""


def test_the_first_repository_that_matches_counts() -> None:
    links = SourceLinks(
        (
            Repository("https://github.com/acme/web", "github", "", "web/"),
            Repository(GITHUB, "github"),
        ),
        commit="abc",
    )
    assert of("web/a.ts", links).startswith("https://github.com/acme/web/blob/abc/a.ts")
    assert of("api/a.py", links).startswith(f"{GITHUB}/blob/abc/api/a.py")


def test_the_absolute_path_serves_where_the_file_name_does_not() -> None:
    links = SourceLinks((Repository(GITHUB, "github", "", "/srv/app/"),), commit="a")
    found = of("orders/views.py", links, abs_path="/srv/app/shop/orders/views.py")
    assert found == f"{GITHUB}/blob/a/shop/orders/views.py#L14"


@pytest.mark.parametrize(
    "fields", [{"in_app": False}, {"lineno": 0}, {"lineno": "7"}, {"lineno": None}]
)
def test_libraries_and_frames_without_a_line_have_no_link(
    fields: dict[str, Any],
) -> None:
    assert of("src/a.ts", **fields) == ""


def test_an_address_holds_no_markup_and_no_second_query() -> None:
    assert of('src/"><b>?x=1#y.ts') == f"{GITHUB}/blob/abc123/src/%22%3E%3Cb%3E#L14"


def test_each_repository_has_its_own_commit() -> None:
    repositories = (
        Repository("https://github.com/acme/web.git", "github", "", "web/"),
        Repository(GITHUB, "github"),
    )
    links = SourceLinks(repositories, {"acme/web": "w1", "Acme/Shop": "s1"}, "other")
    assert "/blob/w1/" in of("web/a.ts", links)
    assert "/blob/s1/" in of("api/a.py", links)


def test_without_a_commit_the_newest_is_shown() -> None:
    assert "/blob/HEAD/" in of("a.ts", SourceLinks((Repository(GITHUB, "github"),)))


@pytest.mark.parametrize(
    ("kind", "address"),
    [
        ("github", f"{GITHUB}/commit/abc"),
        ("gitlab", f"{GITHUB}/-/commit/abc"),
        ("bitbucket", f"{GITHUB}/commits/abc"),
        ("own", ""),
    ],
)
@pytest.mark.parametrize("repository", ["acme/shop", ""])
def test_the_address_of_a_commit(kind: str, address: str, repository: str) -> None:
    links = SourceLinks((Repository(GITHUB, kind, "{url}/{path}"),))
    assert links.of_commit("abc", repository) == address


def test_a_commit_of_another_repository_has_none() -> None:
    links = SourceLinks((Repository(GITHUB, "github"),))
    assert links.of_commit("abc", "acme/other") == ""


@pytest.mark.django_db
def test_links_of_a_project_at_a_release() -> None:
    project = make_project()
    SourceRepository.objects.create(project=project, url=f"{GITHUB}/")
    SourceRepository.objects.create(project=make_project(), url="https://b.example")
    release = make_release(project, commit="r1")
    make_commit(release, 0, sha="n1", repository="acme/shop")
    make_commit(release, 1, sha="o1", repository="acme/shop")
    with CaptureQueriesContext(connection) as queries:
        links = links_of(project.pk, release)
    assert len(queries.captured_queries) == 2
    assert links == SourceLinks(
        (Repository(GITHUB, "github"),), {"acme/shop": "n1"}, "r1"
    )


@pytest.mark.django_db
def test_a_project_without_repositories_costs_one_query() -> None:
    release = make_release(make_project())
    with CaptureQueriesContext(connection) as queries:
        links = links_of(release.project_id, release)
    assert (len(queries.captured_queries), links) == (1, SourceLinks())
