"""What a release is compared with."""

from datetime import timedelta

import pytest

from releases.baseline import (
    profile_at,
    read_baseline,
    read_minutes,
    tenant_history,
)
from releases.calibration import calibrate
from releases.choosing import choose_baseline
from releases.models import Calibration, Deploy, ReleaseMinute, TenantMinute, Watch
from tests.factories import make_release, make_rollback
from tests.releases.scene import MINUTE, NOON, Scene

pytestmark = pytest.mark.django_db


@pytest.fixture
def scene() -> Scene:
    return Scene()


def deploy_of(scene: Scene) -> Deploy:
    return scene.deploy().deploy


def test_what_served_most_is_the_baseline(scene: Scene) -> None:
    scene.history(hours=2)
    small = make_release(scene.project, "shop@0.9")
    scene.count(small, NOON - 60 * MINUTE, 60, traffic=10)
    chosen = choose_baseline(deploy_of(scene), NOON)
    assert chosen is not None and chosen[0] == scene.old.pk


def test_events_that_name_no_release_are_a_baseline_too(scene: Scene) -> None:
    scene.history(hours=2)
    ReleaseMinute.objects.update(release_id=0)
    chosen = choose_baseline(deploy_of(scene), NOON)
    assert chosen is not None and chosen[0] == 0


def test_the_newest_healthy_release_wins_over_what_served_most(scene: Scene) -> None:
    scene.history(hours=2)
    good = make_release(scene.project, "shop@0.9")
    judged = scene.deploy(NOON - 120 * MINUTE, release=good)
    Watch.objects.filter(pk=judged.pk).update(verdict="healthy")
    scene.count(good, NOON - 120 * MINUTE, 60, traffic=100)
    chosen = choose_baseline(deploy_of(scene), NOON)
    assert chosen is not None and chosen[0] == good.pk


def test_one_old_page_left_open_is_no_baseline(scene: Scene) -> None:
    scene.history(hours=2)
    good = make_release(scene.project, "shop@0.9")
    judged = scene.deploy(NOON - 120 * MINUTE, release=good)
    Watch.objects.filter(pk=judged.pk).update(verdict="healthy")
    scene.count(good, NOON - 60 * MINUTE, 1, errors=1, traffic=3)
    chosen = choose_baseline(deploy_of(scene), NOON)
    assert chosen is not None and chosen[0] == scene.old.pk


def test_a_redeploy_is_its_own_baseline_beside_a_stray_event(scene: Scene) -> None:
    scene.history(hours=2)
    scene.count(scene.new, NOON - 60 * MINUTE, 1, errors=1, traffic=0)
    again = scene.deploy(release=scene.old).deploy
    chosen = choose_baseline(again, NOON)
    assert chosen is not None and chosen[0] == scene.old.pk


def test_a_release_that_was_rolled_back_is_no_baseline(scene: Scene) -> None:
    scene.history(hours=2)
    bad = make_release(scene.project, "shop@1.0.1")
    watch = scene.deploy(NOON - 120 * MINUTE, release=bad)
    scene.count(bad, NOON - 120 * MINUTE, 120, errors=60, traffic=16_000)
    make_rollback(watch.deploy)
    chosen = choose_baseline(deploy_of(scene), NOON)
    assert chosen is not None and chosen[0] == scene.old.pk


def test_the_same_release_again_is_its_own_baseline(scene: Scene) -> None:
    scene.history(hours=2)
    again = scene.deploy(release=scene.old).deploy
    chosen = choose_baseline(again, NOON)
    assert chosen is not None and chosen[0] == scene.old.pk


def test_without_any_counts_there_is_no_baseline(scene: Scene) -> None:
    assert choose_baseline(deploy_of(scene), NOON) is None


def test_the_window_is_as_short_as_two_hundred_errors_allow(scene: Scene) -> None:
    scene.history(hours=6)
    found = read_baseline([scene.old.pk], scene.environment.pk, NOON, "traffic", None)
    assert (found.errors, found.exposure) == (360, 96_000)
    assert found.history_exposure == 6 * 96_000


def test_rare_errors_need_a_longer_window(scene: Scene) -> None:
    scene.history(hours=6, errors=1)
    found = read_baseline([scene.old.pk], scene.environment.pk, NOON, "traffic", None)
    assert (found.errors, found.exposure) == (240, 4 * 96_000)


def test_errors_from_before_the_exposure_was_measured_do_not_count(
    scene: Scene,
) -> None:
    scene.count(scene.old, NOON - 300 * MINUTE, 240, errors=50, sessions=0)
    scene.count(scene.old, NOON - 60 * MINUTE, 60, errors=1)
    found = read_baseline([scene.old.pk], scene.environment.pk, NOON, "traffic", None)
    assert (found.errors, found.exposure) == (60, 96_000)


def test_one_tenant_counts_up_to_the_cap(scene: Scene) -> None:
    scene.count(scene.old, NOON - 60 * MINUTE, 60, errors=40, shops=1)
    calibration = Calibration(
        environment=scene.environment,
        at=NOON,
        hours=24,
        errors_per_minute=10,
        cap=2,
        dispersion=1.0,
    )
    found = read_baseline(
        [scene.old.pk], scene.environment.pk, NOON, "traffic", calibration
    )
    assert found.errors == 120
    assert found.tenant_errors_capped == {scene.tenants[0]: 120}


def test_errors_of_nobody_count_whole(scene: Scene) -> None:
    scene.history(hours=1)
    TenantMinute.objects.all().delete()
    found = read_baseline([scene.old.pk], scene.environment.pk, NOON, "traffic", None)
    assert found.errors == 360


def test_tenants_shares_come_from_their_own_traffic(scene: Scene) -> None:
    scene.history(hours=1)
    TenantMinute.objects.filter(tenant_id=scene.tenants[0]).update(traffic=30)
    TenantMinute.objects.filter(tenant_id=scene.tenants[1]).update(traffic=10)
    found = read_baseline([scene.old.pk], scene.environment.pk, NOON, "traffic", None)
    assert sum(found.tenant_share.values()) == pytest.approx(1)
    assert found.tenant_share[scene.tenants[0]] > found.tenant_share[scene.tenants[1]]


def test_minutes_hold_errors_by_tenant_and_of_nobody(scene: Scene) -> None:
    scene.count(scene.new, NOON, 2, errors=3)
    TenantMinute.objects.filter(minute=NOON, tenant_id=scene.tenants[0]).delete()
    found = read_minutes(
        [scene.new.pk], scene.environment.pk, NOON, NOON + 3 * MINUTE, "traffic"
    )
    assert [minute.exposure for minute in found] == [1600, 1600, 0]
    assert found[0].errors == {scene.tenants[1]: 1, scene.tenants[2]: 1, 0: 1}
    assert found[2].errors == {}


def test_the_history_of_a_tenant_is_a_day(scene: Scene) -> None:
    scene.count(scene.old, NOON - timedelta(hours=30), 60, errors=1, shops=1)
    scene.count(scene.old, NOON - timedelta(hours=3), 60, errors=1, shops=1)
    found = tenant_history(
        [scene.old.pk], scene.environment.pk, NOON, [scene.tenants[0]]
    )
    assert found == {scene.tenants[0]: 60.0}


def test_the_profile_is_interpolated_between_the_hours(scene: Scene) -> None:
    scene.count(scene.old, NOON - timedelta(hours=3), 60, errors=2, sessions=0)
    scene.count(scene.old, NOON - timedelta(hours=2), 60, errors=6, sessions=0)
    found = calibrate(scene.environment, NOON)
    at = NOON - timedelta(hours=2)
    assert profile_at(found, at - 30 * MINUTE) == pytest.approx(2)
    assert profile_at(found, at) == pytest.approx(4)
    assert profile_at(found, at + 30 * MINUTE) == pytest.approx(6)


def test_reading_a_baseline_asks_a_fixed_number_of_times(
    scene: Scene, django_assert_max_num_queries: pytest.FixtureRequest
) -> None:
    scene.history(hours=2)
    with django_assert_max_num_queries(7):  # type: ignore[operator]
        read_baseline([scene.old.pk], scene.environment.pk, NOON, "traffic", None)
