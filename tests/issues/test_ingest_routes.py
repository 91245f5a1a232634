import pytest

from issues.ingest.routes import Route, Router

PLAIN = Router("", "/tunnel/")
PREFIXED = Router("/rush/", "t/x")


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/api/7/envelope/", Route("envelope", "7")),
        ("/api/7/envelope", Route("envelope", "7")),
        ("/api/7/store/", Route("store", "7")),
        ("/api/7/security", Route("security", "7")),
        ("//api/7//envelope/", Route("envelope", "7")),
        ("/api/shop/envelope/", Route("envelope", "shop")),
        ("/api/7/cron/nightly/abc/", Route("cron", "7", "nightly", "abc")),
        ("/api/7/cron/nightly/abc", Route("cron", "7", "nightly", "abc")),
        ("/api/7/cron/nightly/", None),
        ("/api/0/cron/nightly/abc/", None),
        ("/tunnel/", Route("tunnel", "")),
        ("/tunnel", Route("tunnel", "")),
        ("/", None),
        ("/tunnel/x", None),
        ("/api/7/", None),
        ("/api/7/envelope/x", None),
        ("/api/0/organizations/", None),
        ("/api/0/security/", None),
        ("/api/0/", None),
        ("/api/0/envelope/", None),
        ("/api/0/store", None),
        ("/api/0/organizations/rush/releases/store/", None),
        ("/api/v1/store/", None),
        ("/api//envelope/", None),
        ("/admin/api/7/envelope/", None),
    ],
)
def test_ingest_paths_are_found_with_and_without_slash(
    path: str, route: Route | None
) -> None:
    assert PLAIN.find(path) == route


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/rush/api/7/envelope/", Route("envelope", "7")),
        ("/api/7/envelope/", Route("envelope", "7")),
        ("/rush/t/x/", Route("tunnel", "")),
        ("/t/x", Route("tunnel", "")),
        ("/rushes/api/7/envelope/", None),
        ("/tunnel/", None),
    ],
)
def test_a_prefix_may_be_stripped_by_a_proxy_or_not(
    path: str, route: Route | None
) -> None:
    assert PREFIXED.find(path) == route


@pytest.mark.parametrize(
    ("path", "stripped"),
    [("/rush/admin/", "/admin/"), ("/rush", "/"), ("/rusher", "/rusher")],
)
def test_the_prefix_is_stripped_once(path: str, stripped: str) -> None:
    assert PREFIXED.strip(path) == stripped
