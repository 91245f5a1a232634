from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from releases import figures
from releases.figures import health_of, last_day, tenant_rates
from releases.models import (
    Environment,
    Release,
    ReleaseUser,
    TenantMinute,
)
from tests.factories import (
    make_deploy,
    make_environment,
    make_minute,
    make_project,
    make_release,
    make_tenant,
)

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 25, 12, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def production() -> Environment:
    return make_environment(make_project())


def release_in(environment: Environment, version: str, **fields: Any) -> Release:
    return make_release(environment.project, version, **fields)


def user(
    release: Release, environment: Environment, number: int, ago: int, crashed: bool
) -> None:
    ReleaseUser.objects.create(
        release_id=release.pk,
        environment_id=environment.pk,
        day=(NOW - timedelta(days=ago)).date(),
        user=number,
        crashed=crashed,
    )


def tenant_minute(
    release: Release, environment: Environment, tenant_id: int, **counts: Any
) -> None:
    TenantMinute.objects.create(
        project_id=environment.project_id,
        release_id=release.pk,
        environment_id=environment.pk,
        tenant_id=tenant_id,
        **{"minute": NOW, **counts},
    )


# --- The last day, for lists


def test_adoption_is_the_share_of_the_environments_exposure(
    production: Environment,
) -> None:
    old, new = release_in(production, "1"), release_in(production, "2")
    staging = make_environment(production.project, "staging")
    make_minute(old, production, NOW, sessions=30, errors=3)
    make_minute(new, production, NOW, sessions=60)
    make_minute(None, production, NOW, sessions=10)
    make_minute(new, staging, NOW, sessions=5)

    days = last_day([production.project_id], NOW)

    assert days[old.pk, production.pk].adoption == pytest.approx(0.3)
    assert days[new.pk, production.pk].adoption == pytest.approx(0.6)
    assert days[new.pk, staging.pk].adoption == 1.0
    assert days[old.pk, production.pk].error_rate == pytest.approx(0.1)


def test_adoption_is_unknown_without_a_denominator(production: Environment) -> None:
    release = release_in(production, "1")
    make_minute(release, production, NOW, errors=3, transactions=9)

    day = last_day([production.project_id], NOW)[release.pk, production.pk]

    assert (day.source, day.adoption, day.error_rate) == ("none", None, None)
    assert day.counts.errors == 3


def test_the_last_day_ends_after_24_hours(production: Environment) -> None:
    release = release_in(production, "1")
    make_minute(release, production, NOW - 25 * HOUR, errors=3)

    assert last_day([production.project_id], NOW) == {}


def test_the_last_day_of_all_projects_is_one_query(
    production: Environment, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(3):
        make_minute(release_in(production, str(number)), production, NOW, events=1)

    with django_assert_num_queries(1):
        assert len(last_day([production.project_id, 0], NOW)) == 3


# --- Health


def only(release: Release, hours: int = 24, environment: str = "") -> figures.Health:
    (health,) = health_of(release, hours, NOW, environment)
    return health


def test_a_release_that_nothing_is_known_of_has_no_health(
    production: Environment,
) -> None:
    assert health_of(release_in(production, "1"), 24, NOW) == []


def test_a_release_that_was_only_deployed_has_no_figures(
    production: Environment,
) -> None:
    release = release_in(production, "1")
    make_deploy(release, production)

    health = only(release)

    assert (health.source, health.adoption, health.previous) == ("none", None, None)
    assert (health.own.error_rate, health.own.counts.crash_free) == (None, None)
    assert health.own.users.crash_free is None


def test_unhandled_sessions_are_crashes_and_errored_ones_are_not(
    production: Environment,
) -> None:
    release = release_in(production, "1")
    counts = {"sessions_crashed": 1, "sessions_unhandled": 2}
    counts |= {"sessions_errored": 3, "sessions_abnormal": 4}
    make_minute(release, production, NOW, sessions=30, **counts)

    assert only(release).own.counts.crash_free == pytest.approx(0.9)


def test_users_count_once_and_crash_for_good(production: Environment) -> None:
    release = release_in(production, "1")
    make_deploy(release, production)
    for number, ago, crashed in ((1, 0, True), (1, 1, False), (2, 1, False)):
        user(release, production, number, ago, crashed)
    user(release, production, 3, 5, True)

    assert only(release).own.users.crash_free == 0.5
    assert only(release, 14 * 24).own.users.users == 3


def test_hours_are_whole_and_without_gaps(production: Environment) -> None:
    release = release_in(production, "1")
    make_minute(release, production, NOW, errors=1, traffic=10.0)
    make_minute(release, production, NOW - timedelta(minutes=20), errors=1)
    make_minute(release, production, NOW - 2 * HOUR, errors=4, traffic=8.0)
    make_minute(release, production, NOW - 24 * HOUR, errors=99)

    own = only(release).own

    assert [time for time, _ in own.hours] == [
        NOW.replace(minute=0) - HOUR * ago for ago in range(23, -1, -1)
    ]
    assert own.rates[-3:] == [0.5, None, 0.2]
    assert own.counts.errors == 6


def test_a_release_stands_beside_the_one_before_it(production: Environment) -> None:
    old, new = release_in(production, "1"), release_in(production, "2")
    make_deploy(old, production, started_at=NOW - 5 * HOUR)
    make_deploy(new, production, started_at=NOW - HOUR)
    make_minute(old, production, NOW - 2 * HOUR, errors=2, sessions=100)
    make_minute(new, production, NOW, errors=1, sessions=10, traffic=1000.0)

    health = only(new)

    assert health.previous is not None
    assert health.previous.release == old
    # The old one had no traffic, so sessions serve for both.
    assert health.source == "sessions"
    assert health.own.error_rate == pytest.approx(0.1)
    assert health.previous.error_rate == pytest.approx(0.02)


def test_environments_come_busiest_first(production: Environment) -> None:
    release = release_in(production, "1")
    staging = make_environment(production.project, "staging")
    make_minute(release, production, NOW, sessions=9)
    make_minute(release, staging, NOW, sessions=10)

    names = [health.environment.name for health in health_of(release, 24, NOW)]

    assert names == ["staging", "production"]
    assert only(release, 24, "production").environment == production


@pytest.mark.parametrize("environments", [1, 3])
def test_health_costs_a_fixed_number_of_queries(
    environments: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    project = make_project()
    old, new = make_release(project, "1"), make_release(project, "2")
    for number in range(environments):
        place = make_environment(project, str(number))
        make_minute(old, place, NOW, sessions=1)
        make_minute(new, place, NOW, sessions=1)

    with django_assert_num_queries(6):
        assert len(health_of(new, 14 * 24, NOW)) == environments


# --- Tenants


def test_tenants_have_rates_where_their_requests_are_counted(
    production: Environment,
) -> None:
    release, acme, beta = release_in(production, "1"), make_tenant(), make_tenant()
    tenant_minute(release, production, acme.pk, errors=2, traffic=8.0)
    tenant_minute(
        release, production, acme.pk, errors=0, traffic=32.0, minute=NOW - HOUR
    )
    tenant_minute(release, production, beta.pk, errors=3)
    tenant_minute(release, production, make_tenant().pk, traffic=7.0)

    rates = tenant_rates(release.pk, production.pk, 24, NOW)

    assert (rates.source, rates.hit) == ("traffic", 2)
    assert [(r.tenant, r.errors, r.error_rate) for r in rates.rows] == [
        (beta, 3, None),
        (acme, 2, 0.05),
    ]


def test_transactions_serve_where_no_traffic_is_posted(production: Environment) -> None:
    release, acme = release_in(production, "1"), make_tenant()
    tenant_minute(release, production, acme.pk, errors=2, requests=4.0)

    rates = tenant_rates(release.pk, production.pk, 24, NOW)

    assert (rates.source, rates.rows[0].error_rate) == ("requests", 0.5)


def test_without_counts_of_tenants_there_is_no_denominator(
    production: Environment,
) -> None:
    release, acme = release_in(production, "1"), make_tenant()
    tenant_minute(release, production, acme.pk, errors=2)

    rates = tenant_rates(release.pk, production.pk, 24, NOW)

    assert (rates.source, rates.rows[0].error_rate) == ("none", None)


def test_the_tenants_with_most_errors_are_told(
    production: Environment,
    monkeypatch: pytest.MonkeyPatch,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    monkeypatch.setattr(figures, "TENANTS_SHOWN", 2)
    release = release_in(production, "1")
    for errors in (1, 3, 2):
        tenant_minute(release, production, make_tenant().pk, errors=errors)

    with django_assert_num_queries(2):
        rates = tenant_rates(release.pk, production.pk, 24, NOW)

    assert rates.hit == 3
    assert [row.errors for row in rates.rows] == [3, 2]


def test_a_period_begins_with_a_whole_hour() -> None:
    now = NOW + timedelta(minutes=10)

    assert figures.start_of(24, now).hour == 13
