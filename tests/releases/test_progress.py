from datetime import timedelta

import pytest
from pytest_django import DjangoAssertNumQueries

from releases.models import Watch
from releases.progress import Progress, progress_of
from tests.releases.scene import MINUTE, NOON, Scene

pytestmark = pytest.mark.django_db


@pytest.fixture
def scene() -> Scene:
    scene = Scene()
    scene.history(2)
    return scene


def watched(scene: Scene, source: str = "traffic") -> Watch:
    watch = scene.deploy()
    watch.serving_since, watch.source, watch.baseline = NOON, source, scene.old
    return watch


def progress(watch: Watch, minutes: float) -> Progress:
    return progress_of(watch.deploy, watch, NOON + MINUTE * minutes)


def test_both_releases_are_read_in_one_query(
    scene: Scene, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    watch = watched(scene)
    scene.count(scene.new, NOON, 10, errors=32)

    with django_assert_num_queries(1):
        found = progress(watch, 11.5)

    assert (found.start, found.end) == (NOON - 60 * MINUTE, NOON + 10 * MINUTE)
    assert {point.rate for point in found.release[-10:]} == {0.02}
    assert {point.rate for point in found.baseline[:60]} == {6 / 1600}


def test_where_a_release_serves_nothing_it_has_no_rate(scene: Scene) -> None:
    watch = watched(scene)
    scene.count(scene.new, NOON, 10)

    found = progress(watch, 11.5)

    assert {point.rate for point in found.release[:60]} == {None}
    assert {point.rate for point in found.baseline[60:]} == {None}


def test_it_ends_with_the_watch(scene: Scene) -> None:
    found = progress(watched(scene), 500)

    assert found.end == NOON + 60 * MINUTE


def test_a_verdict_at_the_very_end_is_seen(scene: Scene) -> None:
    watch = watched(scene)
    watch.decided_at = NOON + 61 * MINUTE + timedelta(seconds=20)

    assert progress(watch, 500).end == NOON + 64 * MINUTE


def test_few_errors_are_put_together(scene: Scene) -> None:
    watch = watched(scene)
    scene.count(scene.new, NOON, 20, errors=1, traffic=20)

    found = progress(watch, 21.5)

    assert found.step == 5
    assert [point.errors for point in found.release[-4:]] == [5, 5, 5, 5]
    assert found.release[12].start == NOON


def test_a_long_window_is_drawn_with_few_points(scene: Scene) -> None:
    watch = watched(scene)
    watch.settings["window"] = 720
    scene.count(scene.new, NOON, 30)

    found = progress(watch, 800)

    assert found.step == 5
    assert len(found.release) == 156


def test_without_a_denominator_rates_are_errors_a_minute(scene: Scene) -> None:
    watch = watched(scene, "none")
    scene.count(scene.new, NOON, 1, errors=9, traffic=0)
    scene.count(scene.new, NOON + 3 * MINUTE, 1, errors=9, traffic=0)

    found = progress(watch, 5.5)

    # The quiet minutes between them count as well.
    assert [point.rate for point in found.release[60:]] == [9, 0, 0, 9]


def test_a_baseline_that_names_no_release_is_drawn(scene: Scene) -> None:
    watch = watched(scene)
    scene.old.pk, watch.baseline = 0, None
    watch.baseline_numbers = {"release_id": 0}
    scene.count(scene.old, NOON - 30 * MINUTE, 30, errors=8)

    found = progress(watch, 5)

    assert {point.rate for point in found.baseline[30:60]} == {8 / 1600}


def test_a_deploy_without_a_watch_shows_its_release(scene: Scene) -> None:
    watch = scene.deploy()
    scene.count(scene.new, NOON, 10)

    found = progress_of(watch.deploy, None, NOON + timedelta(hours=3))

    assert found.baseline == []
    assert sum(point.errors for point in found.release) == 60
