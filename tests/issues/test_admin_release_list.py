from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from issues.admin.release_list import rows_of
from tests.admin_pages import client_of, page
from tests.factories import (
    make_commit,
    make_deploy,
    make_environment,
    make_issue,
    make_minute,
    make_project,
    make_release,
    make_watch,
)

pytestmark = pytest.mark.django_db

LIST = "releases_release_changelist"
NOW = timezone.now()


@pytest.fixture
def viewer() -> Client:
    return client_of("viewer")


def test_a_row_tells_how_a_release_did_within_a_day(viewer: Client) -> None:
    project = make_project(name="The shop")
    release = make_release(project, "shop@2.4.0")
    deploy = make_deploy(release)
    make_watch(deploy, verdict="degraded")
    make_commit(release)
    make_issue(project, first_release=release)
    make_minute(
        release, deploy.environment, NOW, errors=5, sessions=200, sessions_crashed=2
    )

    html = page(viewer, LIST)

    for text in ("shop@2.4.0", "The shop", "100.0%", "99.0%", "2.5%", "200 sessions"):
        assert text in html
    assert "is-degraded" in html


def test_a_quiet_release_has_dashes_and_no_zeros() -> None:
    release = make_release(make_project())

    (row,) = rows_of([release])

    assert (row.day, row.environment, row.deploy) == (None, None, None)


def test_the_figures_are_those_of_the_busiest_environment() -> None:
    release = make_release(make_project())
    production = make_environment(release.project)
    staging = make_environment(release.project, "staging")
    make_minute(release, production, NOW, errors=1, traffic=100.0)
    make_minute(release, staging, NOW, errors=9, traffic=10.0)

    (row,) = rows_of([release])
    (there,) = rows_of([release], "staging")

    assert row.day and there.day
    assert (row.environment, row.day.counts.errors) == (production, 1)
    assert (there.environment, there.day.counts.errors) == (staging, 9)


def test_without_figures_the_environment_is_that_of_the_last_deploy() -> None:
    release = make_release(make_project())
    make_deploy(release, "staging", started_at=NOW - timedelta(days=1))
    last = make_deploy(release)

    (row,) = rows_of([release])

    assert (row.environment, row.deploy) == (last.environment, last)


def test_releases_are_filtered(viewer: Client) -> None:
    shop, other = make_project(slug="shop"), make_project()
    make_release(other, "9.0.0")
    make_deploy(make_release(shop, "1.0.0"), "staging")
    make_release(shop, "1.1.0", archived_at=NOW)
    make_deploy(make_release(shop, "2.0.0"))

    def shown(**query: str) -> set[str]:
        html = page(viewer, LIST, **query)
        versions = ("1.0.0", "1.1.0", "2.0.0", "9.0.0")
        return {version for version in versions if f">{version}<" in html}

    assert shown() == {"1.0.0", "2.0.0", "9.0.0"}
    assert shown(project="shop") == {"1.0.0", "2.0.0"}
    assert shown(environment="staging") == {"1.0.0"}
    assert shown(status="archived") == {"1.1.0"}
    assert shown(status="all", q="1.") == {"1.0.0", "1.1.0"}


@pytest.mark.parametrize("query", [{"project": "x"}, {"page": "0"}, {"status": "y"}])
def test_a_wrong_filter_is_told_and_left_out(
    viewer: Client, query: dict[str, str]
) -> None:
    make_release(make_project(), "1.0.0")

    html = page(viewer, LIST, **query)

    assert "1.0.0" in html
    assert next(iter(query)).title() in html


def test_an_empty_list_says_how_releases_come(viewer: Client) -> None:
    assert "the first event that names it" in page(viewer, LIST)


def test_pages_follow_each_other(viewer: Client) -> None:
    project = make_project()
    for number in range(27):
        make_release(project, f"v{number}", first_seen=NOW + timedelta(hours=number))

    first, second = page(viewer, LIST), page(viewer, LIST, page="2")

    assert "v26" in first
    assert ">v1<" not in first
    assert ">v1<" in second
    assert "26–27" in second


@pytest.mark.parametrize("count", [2, 5])
def test_the_list_costs_a_fixed_number_of_queries(
    viewer: Client, count: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(count):
        release = make_release(make_project())
        deploy = make_deploy(release)
        make_watch(deploy)
        make_commit(release)
        make_minute(release, deploy.environment, NOW, errors=1)
    page(viewer, LIST)

    # Session, person and permissions (4), dead letters, two filters, releases, and
    # five of the rows.
    with django_assert_num_queries(13):
        page(viewer, LIST)


def test_nobody_changes_releases_here(viewer: Client) -> None:
    assert client_of("owner").get("/admin/releases/release/add/").status_code == 403
