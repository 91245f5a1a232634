from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from releases.models import Environment, Release, TenantMinute
from tests.admin_pages import client_of, page
from tests.factories import (
    make_commit,
    make_deploy,
    make_environment,
    make_issue,
    make_minute,
    make_project,
    make_release,
    make_rollback,
    make_tenant,
    make_watch,
)

pytestmark = pytest.mark.django_db

PAGE = "releases_release_change"
NOW = timezone.now()


@pytest.fixture
def viewer() -> Client:
    return client_of("viewer")


@pytest.fixture
def production() -> Environment:
    return make_environment(make_project(name="The shop"))


def pair(environment: Environment, old: dict[str, Any], new: dict[str, Any]) -> Release:
    """The second of two releases with these counters."""
    first_seen = NOW - timedelta(hours=5)
    before = make_release(environment.project, "1.0.0", first_seen=first_seen)
    release = make_release(environment.project, "1.1.0")
    make_minute(before, environment, NOW, **old)
    make_minute(release, environment, NOW, **new)
    return release


def test_a_release_stands_beside_the_one_before(
    viewer: Client, production: Environment
) -> None:
    release = pair(
        production, {"errors": 10, "traffic": 1000.0}, {"errors": 30, "traffic": 1000.0}
    )

    html = page(viewer, PAGE, release.pk)

    assert "Against the release before" in html
    for text in ("1.0.0", "1.1.0", "3.00%", "1.00%", "× 3.00", "errors per request"):
        assert text in html


def test_the_page_tells_what_the_release_brought(
    viewer: Client, production: Environment
) -> None:
    release = make_release(production.project, "2.0.0", authors=["Ann"])
    deploy = make_deploy(release, production, irreversible=True)
    make_watch(deploy, verdict="degraded", sentence="Errors rose threefold.")
    make_rollback(deploy, state="refused", explanation="It cannot be taken back.")
    make_commit(release, message="Mend the price\n\nand more", files=["a/price.py"])
    make_issue(production.project, title="KeyError: 'CHF'", first_release=release)
    make_issue(production.project, title="An older one")

    html = page(viewer, PAGE, release.pk)

    for text in ("Mend the price", "Ann", "a/price.py", "1 file", "KeyError"):
        assert text in html
    for text in ("Errors rose threefold.", "irreversible", "It cannot be taken back."):
        assert text in html
    assert "and more" not in html
    assert "An older one" not in html


def test_a_release_that_nothing_is_known_of_says_so(viewer: Client) -> None:
    html = page(viewer, PAGE, make_release(make_project()).pk)

    assert "Nothing is known of how it does" in html
    assert "CI told no commits" in html


def test_an_unknown_release_is_not_found(viewer: Client) -> None:
    for number in ("7", "x", "9" * 30):
        url = reverse(f"admin:{PAGE}", args=[number])
        assert viewer.get(url).status_code == 404


def test_environment_and_period_are_chosen(
    viewer: Client, production: Environment
) -> None:
    release = make_release(production.project)
    staging = make_environment(production.project, "staging")
    make_minute(release, production, NOW, errors=777, traffic=10_000.0)
    make_minute(release, staging, NOW - timedelta(days=3), errors=333)

    busiest = page(viewer, PAGE, release.pk)
    other = page(viewer, PAGE, release.pk, environment="staging", period="14d")

    assert ">777<" in busiest
    assert ">333<" not in busiest
    assert ">333<" in other
    assert "no denominator" in other


@pytest.mark.parametrize(("days", "hours"), [(0, 24), (3, 14 * 24)])
def test_a_young_release_is_shown_by_its_last_day(
    viewer: Client, production: Environment, days: int, hours: int
) -> None:
    first_seen = NOW - timedelta(days=days)
    release = make_release(production.project, first_seen=first_seen)
    make_minute(release, production, NOW, errors=1)

    assert page(viewer, PAGE, release.pk).count("<g><title>") == hours


def test_tenants_stand_with_their_rates(
    viewer: Client, production: Environment
) -> None:
    release = make_release(production.project)
    make_minute(release, production, NOW, errors=4)
    TenantMinute.objects.create(
        project_id=release.project_id,
        release_id=release.pk,
        environment_id=production.pk,
        tenant_id=make_tenant(name="Acme").pk,
        minute=NOW,
        errors=4,
        traffic=32.0,
    )

    html = page(viewer, PAGE, release.pk, tenants="24h")

    assert "Acme" in html
    assert "12.5%" in html


def test_hostile_versions_are_shown_as_text(
    viewer: Client, production: Environment
) -> None:
    release = make_release(production.project, "<script>alert(1)</script>")
    make_deploy(release, production)
    make_minute(release, production, NOW, errors=1)

    for html in (
        page(viewer, PAGE, release.pk),
        page(viewer, "releases_release_changelist"),
    ):
        assert "<script>alert" not in html


@pytest.mark.parametrize("count", [1, 4])
def test_the_page_costs_a_fixed_number_of_queries(
    viewer: Client,
    production: Environment,
    count: int,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    release = pair(production, {"errors": 1}, {"errors": 1})
    for number in range(count):
        deploy = make_deploy(release, f"place{number}")
        make_watch(deploy)
        make_rollback(deploy)
        make_commit(release)
        make_issue(production.project, first_release=release)
    page(viewer, PAGE, release.pk)

    # Session, person, permissions (4), dead letters, release, health (6), deploys of
    # the chart, commits, tenants, deploys with rollbacks (2), issues (2), families,
    # trends, and three counts (of issues, of bundles).
    with django_assert_num_queries(24):
        page(viewer, PAGE, release.pk)
