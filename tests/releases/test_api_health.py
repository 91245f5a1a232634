from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from releases.models import Environment, Release, TenantMinute
from tests.factories import (
    make_environment,
    make_minute,
    make_project,
    make_release,
    make_tenant,
    role_client,
    token_client,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> APIClient:
    return token_client("release:read")


@pytest.fixture
def production() -> Environment:
    return make_environment(make_project())


@pytest.fixture
def release(production: Environment) -> Release:
    """The second release of a project, in production."""
    first_seen = timezone.now() - timedelta(days=3)
    old = make_release(production.project, "1.0.0", first_seen=first_seen)
    new = make_release(production.project, "1.1.0")
    make_minute(old, production, timezone.now(), errors=1, sessions=100)
    make_minute(
        new, production, timezone.now(), errors=6, sessions=300, sessions_crashed=3
    )
    return new


def url(release: Release, more: str = "") -> str:
    return f"/api/v1/releases/{release.pk}/health/{more}"


def test_the_health_of_a_release_stands_beside_that_of_the_one_before(
    client: APIClient, release: Release
) -> None:
    answer = client.get(url(release)).json()

    (found,) = answer["environments"]
    assert (answer["period"], found["environment"]) == ("24h", "production")
    assert (found["source"], found["adoption"]) == ("sessions", 0.75)
    own, previous = found["release"], found["previous"]
    assert (own["version"], own["error_rate"]) == ("1.1.0", 0.02)
    assert (own["crash_free_sessions"], own["crash_free_users"]) == (0.99, None)
    assert (previous["version"], previous["error_rate"]) == ("1.0.0", 0.01)
    assert len(own["hours"]) == 24
    assert own["hours"][-1]["errors"] == 6
    assert own["hours"][0]["error_rate"] is None


def test_two_weeks_have_an_entry_for_each_hour(
    client: APIClient, release: Release
) -> None:
    answer = client.get(url(release), {"period": "14d"}).json()

    assert len(answer["environments"][0]["release"]["hours"]) == 14 * 24


def test_a_release_without_figures_has_no_environment(client: APIClient) -> None:
    release = make_release(make_project())

    assert client.get(url(release)).json()["environments"] == []


def test_one_environment_is_asked_for_by_name(
    client: APIClient, release: Release
) -> None:
    make_minute(
        release, make_environment(release.project, "staging"), timezone.now(), events=1
    )

    answer = client.get(url(release), {"environment": "staging"}).json()

    assert [row["environment"] for row in answer["environments"]] == ["staging"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"period": "1y"}, "period"),
        ({"enviroment": "x"}, "enviroment"),
        ({"environment": "a\0b"}, "environment"),
    ],
)
@pytest.mark.parametrize("more", ["", "tenants/"])
def test_a_wrong_parameter_is_told(
    client: APIClient, release: Release, query: dict[str, str], field: str, more: str
) -> None:
    response = client.get(url(release, more), query)

    assert response.status_code == 400
    assert list(response.json()["errors"]) == [field]


@pytest.mark.parametrize("more", ["", "tenants/"])
def test_an_unknown_release_is_not_found(client: APIClient, more: str) -> None:
    release = Release(pk=10**17)

    assert client.get(url(release, more)).status_code == 404


def test_health_costs_a_fixed_number_of_queries(
    client: APIClient,
    release: Release,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    client.get(url(release))

    # Token, release, environments, two for the previous one, hours, users, last day.
    with django_assert_num_queries(8):
        client.get(url(release))


def hit(release: Release, environment: Environment, **counts: Any) -> None:
    TenantMinute.objects.create(
        project_id=release.project_id,
        release_id=release.pk,
        environment_id=environment.pk,
        tenant_id=make_tenant("acme.example").pk,
        minute=timezone.now(),
        **counts,
    )


def test_the_errors_of_tenants_come_with_their_rates(
    client: APIClient, release: Release, production: Environment
) -> None:
    hit(release, production, errors=2, traffic=40.0)

    answer = client.get(url(release, "tenants/")).json()

    (row,) = answer.pop("tenants")
    assert answer == {
        "period": "24h",
        "environment": "production",
        "source": "traffic",
        "tenants_hit": 1,
    }
    assert (row["key"], row["errors"], row["error_rate"]) == ("acme.example", 2, 0.05)


def test_tenants_have_no_rate_without_a_denominator(
    client: APIClient, release: Release, production: Environment
) -> None:
    hit(release, production, errors=2)

    answer = client.get(url(release, "tenants/"), {"period": "1h"}).json()

    assert (answer["source"], answer["tenants"][0]["error_rate"]) == ("none", None)


def test_of_several_environments_one_must_be_named(
    client: APIClient, release: Release
) -> None:
    make_minute(
        release, make_environment(release.project, "staging"), timezone.now(), events=1
    )

    response = client.get(url(release, "tenants/"))

    assert response.status_code == 400
    assert "production, staging" in response.json()["errors"]["environment"]


def test_an_environment_where_the_release_never_ran_is_told(
    client: APIClient, release: Release
) -> None:
    response = client.get(url(release, "tenants/"), {"environment": "moon"})

    assert response.status_code == 400


def test_a_token_needs_the_scope_of_releases(release: Release) -> None:
    assert token_client("issue:read").get(url(release)).status_code == 403


def test_viewers_may_look(release: Release) -> None:
    assert role_client("viewer").get(url(release)).status_code == 200
