from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from releases.models import Release, ReleaseMinute, TenantMinute, TrafficMinute
from releases.traffic import Taken, Told, TrafficError, take_traffic
from tenants.models import Project, Tenant
from tests.factories import make_deploy, make_project, make_release, make_tenant

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 25, 12, 0, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
NOON = NOW.replace(second=0)


@pytest.fixture
def shop() -> Project:
    return make_project(slug="shop")


def told(requests: float, **fields: Any) -> Told:
    defaults = {"minute": NOON, "environment": "production", "release": "1"}
    return Told(requests=requests, **{**defaults, **fields})


def post(project: Project, *rows: Told, source: str = "proxy-1") -> Taken:
    return take_traffic(project, source, rows, NOW)


def traffic(version: str = "1", minute: datetime = NOON) -> float:
    """What stands in the counter of the release."""
    release = Release.objects.get(version=version)
    found = ReleaseMinute.objects.filter(release_id=release.pk, minute=minute)
    return sum(row.traffic for row in found)


def of_tenants() -> dict[str, float]:
    keys = dict(Tenant.objects.values_list("pk", "key"))
    return {keys[row.tenant_id]: row.traffic for row in TenantMinute.objects.all()}


def test_requests_are_counted_by_release_and_minute(shop: Project) -> None:
    post(shop, told(100), told(80, minute=NOON - MINUTE), told(7, release="2"))

    assert (traffic(), traffic(minute=NOON - MINUTE), traffic("2")) == (100, 80, 7)


def test_a_source_may_say_again_what_it_counted_so_far(shop: Project) -> None:
    for so_far in (40, 100, 100):
        post(shop, told(so_far))

    assert traffic() == 100


def test_a_lower_count_replaces_a_higher_one(shop: Project) -> None:
    post(shop, told(100))
    post(shop, told(60))

    assert traffic() == 60


def test_sources_add_up(shop: Project) -> None:
    post(shop, told(100), source="proxy-1")
    post(shop, told(50), source="proxy-2")
    post(shop, told(110), source="proxy-1")

    assert traffic() == 160


def test_traffic_leaves_what_digest_counts(shop: Project) -> None:
    post(shop, told(100))
    ReleaseMinute.objects.update(errors=3, requests=9.5)

    post(shop, told(120))

    row = ReleaseMinute.objects.get()
    assert (row.errors, row.requests, row.traffic) == (3, 9.5, 120)


def test_seconds_of_a_minute_are_cut(shop: Project) -> None:
    post(shop, told(10, minute=NOON + timedelta(seconds=20)))

    assert traffic() == 10


def test_known_tenants_are_counted_each(shop: Project) -> None:
    make_tenant("acme.example")
    make_tenant("beta.example")

    taken = post(
        shop, told(100, tenants={"acme.example": 30, "beta.example": 4, "who": 1})
    )

    assert of_tenants() == {"acme.example": 30, "beta.example": 4}
    assert taken == Taken(minutes=1, unknown_tenants=1)
    assert Tenant.objects.count() == 2


def test_tenant_keys_are_read_as_events_tell_them(shop: Project) -> None:
    make_tenant("acme.example")

    post(shop, told(9, tenants={"ACME.example": 3, " acme.example ": 2}))

    assert of_tenants() == {"acme.example": 5}


def test_a_tenant_that_is_no_longer_named_has_had_none(shop: Project) -> None:
    make_tenant("acme.example")
    make_tenant("beta.example")
    post(shop, told(10, tenants={"acme.example": 4, "beta.example": 4}))

    post(shop, told(12, tenants={"beta.example": 5}))

    assert of_tenants() == {"acme.example": 0, "beta.example": 5}


def test_a_post_without_tenants_leaves_their_counts(shop: Project) -> None:
    make_tenant("acme.example")
    post(shop, told(10, tenants={"acme.example": 4}))

    post(shop, told(12))

    assert (of_tenants(), traffic()) == ({"acme.example": 4}, 12)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (told(1, minute=NOON - timedelta(hours=25)), "24 hours"),
        (told(1, minute=NOON + 3 * MINUTE), "24 hours"),
        (told(-1), "0 to 1000000000 a minute"),
        (told(float("nan")), "0 to 1000000000 a minute"),
        (told(float("inf")), "0 to 1000000000 a minute"),
        (told(10, tenants={"a": -1, "b": 2}), "0 to 1000000000 a minute"),
        (told(10, tenants={"a": float("nan")}), "0 to 1000000000 a minute"),
        (told(10, tenants={"a": 6, "b": 5}), "part of it"),
        (told(9, tenants=dict.fromkeys(map(str, range(50_001)), 0)), "fewer minutes"),
        (told(1, release=""), "Nothing was deployed to production"),
    ],
)
def test_what_cannot_be_is_refused(shop: Project, row: Told, message: str) -> None:
    with pytest.raises(TrafficError, match=message):
        post(shop, told(5, minute=NOON - MINUTE), row)
    assert not ReleaseMinute.objects.exists()
    assert not TrafficMinute.objects.exists()


def test_a_minute_stands_once_in_a_post(shop: Project) -> None:
    with pytest.raises(TrafficError, match="stands twice"):
        post(shop, told(1), told(2, minute=NOON + timedelta(seconds=10)))


def test_traffic_without_a_release_is_that_of_the_newest_deploy(shop: Project) -> None:
    make_deploy(make_release(shop, "1"), started_at=NOON - 10 * MINUTE)
    make_deploy(make_release(shop, "2"), started_at=NOON - 5 * MINUTE)

    post(shop, told(9, release=""), told(8, release="", minute=NOON - 6 * MINUTE))

    assert (traffic("2"), traffic("1", NOON - 6 * MINUTE)) == (9, 8)


def test_the_first_deploy_has_the_traffic_before_it_too(shop: Project) -> None:
    make_deploy(make_release(shop, "1"), started_at=NOON + timedelta(seconds=20))

    post(shop, told(9, release=""))

    assert traffic() == 9


def test_a_canary_does_not_get_all_traffic(shop: Project) -> None:
    make_deploy(make_release(shop, "1"), started_at=NOON - 10 * MINUTE)
    make_deploy(
        make_release(shop, "2"), started_at=NOON - 5 * MINUTE, traffic_share=0.1
    )

    post(shop, told(9, release=""))

    assert (traffic("1"), traffic("2")) == (9, 0)


def test_a_minute_stays_with_the_release_it_was_counted_for(shop: Project) -> None:
    make_deploy(make_release(shop, "1"), started_at=NOON - 10 * MINUTE)
    post(shop, told(40, release=""))
    make_deploy(make_release(shop, "2"), started_at=NOON - 5 * MINUTE)

    post(shop, told(100, release=""))

    assert (traffic("1"), traffic("2")) == (100, 0)


def test_a_thousand_minutes_cost_as_many_queries_as_one(
    shop: Project, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    make_tenant("acme.example")
    post(shop, told(1, tenants={"acme.example": 1}))
    rows = [
        told(9, minute=NOON - n * MINUTE, tenants={"acme.example": 2})
        for n in range(1000)
    ]

    # Savepoint, tenants, lock, releases, environments, before, three writes, release.
    with django_assert_num_queries(10):
        assert post(shop, *rows).minutes == 1000
