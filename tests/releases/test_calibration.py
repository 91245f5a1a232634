"""How an environment's errors usually behave, measured."""

from datetime import timedelta

import pytest

from releases import calibration
from releases.calibration import blocks, calibrate, calibration_of, merged_profile
from releases.models import Calibration, Rollback, Watch
from tests.releases.scene import MINUTE, NOON, Scene

pytestmark = pytest.mark.django_db


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_the_cap_follows_the_errors_of_a_minute(scene: Scene) -> None:
    scene.history(hours=2, errors=30)
    found = calibrate(scene.environment, NOON)
    assert found.errors_per_minute == pytest.approx(30)
    assert found.cap == 6


def test_steady_errors_are_not_dispersed(scene: Scene) -> None:
    scene.history(hours=24)
    found = calibrate(scene.environment, NOON)
    assert found.dispersion == 1.0
    assert found.hours == pytest.approx(24)


def test_bursts_of_one_tenant_are_capped_before_they_disperse(scene: Scene) -> None:
    scene.history(hours=12)
    start = NOON - timedelta(hours=24)
    for hour in range(0, 12, 3):
        scene.count(scene.old, start + timedelta(hours=hour), 3, errors=90, shops=1)
        scene.count(scene.old, start + timedelta(hours=hour, minutes=3), 177)
    one = calibrate(scene.environment, NOON).dispersion
    assert one < 3


def test_bursts_of_everybody_disperse(scene: Scene) -> None:
    start = NOON - timedelta(hours=24)
    for hour in range(24):
        errors = 60 if hour % 4 == 0 else 6
        scene.count(scene.old, start + timedelta(hours=hour), 60, errors=errors)
    assert calibrate(scene.environment, NOON).dispersion > 10


def test_blocks_leave_out_the_times_of_bad_releases() -> None:
    counts = {NOON + MINUTE * m: (1.0, 10.0) for m in range(240)}
    bad = (NOON + MINUTE * 60, NOON + MINUTE * 120)
    assert len(blocks(counts, 1.0)) == 8
    assert len(blocks(counts, 1.0, [bad])) == 6


def test_without_exposure_time_is_the_exposure() -> None:
    counts = {NOON + MINUTE * m: (1.0, 0.0) for m in range(60)}
    assert blocks(counts, 1.0) == [(30.0, 30.0), (30.0, 30.0)]


def test_a_release_that_was_rolled_back_is_left_out(scene: Scene) -> None:
    scene.history(hours=24)
    watch = scene.deploy(NOON - timedelta(hours=5))
    scene.count(scene.new, NOON - timedelta(hours=5), 20, errors=200)
    before = calibrate(scene.environment, NOON).dispersion
    Watch.objects.update(verdict="degraded", decided_at=NOON - timedelta(hours=4.9))
    Rollback.objects.create(
        deploy=watch.deploy,
        state=Rollback.State.CALLED,
        called_at=NOON - timedelta(hours=4.9),
        idempotency_key="8a0a5a3e-0000-4000-8000-000000000001",
    )
    assert before > 10
    assert calibrate(scene.environment, NOON).dispersion < 2


def test_the_longest_episode_of_fourteen_days_is_kept(scene: Scene) -> None:
    scene.history(hours=2)
    calibrate(scene.environment, NOON - timedelta(days=10), episode=9)
    found = calibrate(scene.environment, NOON, episode=4)
    assert found.longest_episode == 9
    later = calibrate(scene.environment, NOON + timedelta(days=5), episode=4)
    assert later.longest_episode == 4


def test_the_profile_keeps_the_newest_six_weeks() -> None:
    profile: list[dict[str, float]] = []
    for week in range(8):
        start = NOON + timedelta(weeks=week)
        counts = {start + MINUTE * m: (float(week), 0.0) for m in range(60)}
        profile = merged_profile(profile, counts, start + timedelta(hours=1))
    hour = NOON.weekday() * 24 + NOON.hour
    assert list(profile[hour].values()) == [2.0, 3.0, 4.0, 5.0, 6.0, 7.0]


def test_a_part_of_an_hour_does_not_replace_what_was_known_of_it() -> None:
    whole = {NOON + MINUTE * m: (2.0, 0.0) for m in range(60)}
    known = merged_profile([], whole, NOON + timedelta(hours=1))
    part = {NOON + MINUTE * m: (2.0, 0.0) for m in range(55, 120)}
    hour = NOON.weekday() * 24 + NOON.hour
    found = merged_profile(known, part, NOON + timedelta(hours=2))
    assert list(found[hour].values()) == [2.0]


def test_an_hour_without_a_row_had_no_errors() -> None:
    counts = {NOON: (60.0, 0.0), NOON + timedelta(hours=2): (60.0, 0.0)}
    profile = merged_profile([], counts, NOON + timedelta(hours=3))
    hour = NOON.weekday() * 24 + NOON.hour
    found = [list(profile[hour + i].values()) for i in range(3)]
    assert found == [[1.0], [0.0], [1.0]]


def test_what_is_measured_on_demand_ends_before_the_deploy(scene: Scene) -> None:
    scene.history(hours=3)
    scene.count(scene.new, NOON, 10, errors=500)
    assert calibration_of(scene.environment, NOON).cap == 2


def test_a_young_calibration_is_measured_again_soon(scene: Scene) -> None:
    scene.history(hours=3)
    calibrate(scene.environment, NOON)
    assert calibration.due(NOON + timedelta(minutes=20)) == []
    assert calibration.due(NOON + timedelta(minutes=40)) == [scene.environment]
    Calibration.objects.update(hours=200)
    assert calibration.due(NOON + timedelta(hours=23)) == []
    assert calibration.due(NOON + timedelta(hours=25)) == [scene.environment]
