from datetime import timedelta
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from releases import conclude, look
from releases.calibration import calibrate
from releases.models import Threshold, Watch
from releases.replays.preview import EnvironmentPreview, Preview, preview
from releases.watch import record
from tests.factories import make_environment, make_project, make_threshold
from tests.releases.scene import MINUTE, NOON, Scene

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
TONIGHT = NOON + 6 * HOUR


@pytest.fixture
def scene() -> Scene:
    return Scene()


def judge(watch: Watch, minutes: float) -> Watch:
    """One look of the real watch, so many minutes after noon."""
    now = NOON + MINUTE * minutes
    found = look.look(watch, now, now)
    record(watch, conclude.conclude(found, conclude.Told(), now), [], now)
    return watch


def previewed(scene: Scene, **limits: Any) -> EnvironmentPreview:
    threshold = Threshold(project=scene.project, environment="production", **limits)
    (found,) = preview(threshold, TONIGHT).environments
    return found


def test_a_quiet_day_sets_nothing_off(scene: Scene) -> None:
    scene.count(scene.old, NOON - 24 * HOUR, 30 * 60)

    found = previewed(scene)

    # All hours but the first, which has nothing to be compared with.
    assert (found.tries, found.alarms, found.source) == (29, [], "traffic")


def test_a_rise_without_a_deploy_is_a_false_alarm(scene: Scene) -> None:
    scene.count(scene.old, NOON - 12 * HOUR, 12 * 60)
    calibrate(scene.environment, NOON)
    scene.count(scene.old, NOON, 60, errors=40)
    scene.count(scene.old, NOON + HOUR, 300)

    (alarm,) = previewed(scene).alarms

    # The last window ends when the minutes of sessions are closed.
    assert alarm.at == NOON - 2 * MINUTE
    assert (alarm.firing.rule, alarm.firing.minute) == ("global", 3)


def test_a_higher_ratio_is_not_set_off(scene: Scene) -> None:
    scene.count(scene.old, NOON - 12 * HOUR, 12 * 60)
    calibrate(scene.environment, NOON)
    scene.count(scene.old, NOON, 60, errors=20)
    scene.count(scene.old, NOON + HOUR, 300)

    assert len(previewed(scene, ratio=2.0).alarms) == 1
    assert previewed(scene, ratio=5.0).alarms == []


def test_hours_with_a_deploy_are_no_false_alarm(scene: Scene) -> None:
    scene.history(12)
    judge(scene.deploy(), 1)
    scene.count(scene.new, NOON, 60, errors=40)
    scene.count(scene.old, NOON + HOUR, 300)

    found = previewed(scene)

    assert found.alarms == []
    assert found.tries == 15  # of 17 hours


def test_a_past_deploy_is_judged_again(scene: Scene) -> None:
    scene.history(12)
    watch = scene.deploy()
    scene.count(scene.new, NOON, 30, errors=12)
    judge(watch, 31.5)
    assert watch.verdict == Watch.Verdict.DEGRADED

    strict, lenient = previewed(scene), previewed(scene, ratio=3.0)

    (now,), (then,) = strict.deploys, lenient.deploys
    assert now.firing is not None
    assert (now.then, now.verdict) == ("degraded", "degraded")
    assert 3 <= now.firing.minute <= 30
    assert now.firing.ratio == pytest.approx(2.0, abs=0.2)
    assert (then.then, then.verdict, then.firing) == ("degraded", "healthy", None)


def test_a_deploy_ends_where_the_next_begins(scene: Scene) -> None:
    scene.history(12)
    watch = scene.deploy()
    scene.count(scene.new, NOON, 4, errors=6)
    scene.count(scene.new, NOON + 4 * MINUTE, 30, errors=90)
    judge(watch, 4.5)
    scene.deploy(at=NOON + 4 * MINUTE, release=scene.old)

    (again,) = previewed(scene).deploys

    assert (again.deploy, again.firing) == (watch.deploy, None)


@pytest.mark.parametrize(("on", "verdict"), [(True, "degraded"), (False, "healthy")])
def test_what_a_guard_caught_is_caught_again_while_it_is_on(
    scene: Scene, on: bool, verdict: str
) -> None:
    scene.history(12)
    watch = judge(scene.deploy(), 1)
    scene.count(scene.new, NOON, 60)
    judge(watch, 10)
    watch.verdict, watch.reason = Watch.Verdict.DEGRADED, "new_issue"
    watch.save()

    (again,) = previewed(scene, guard_new_issue=on).deploys

    assert again.verdict == verdict
    if on:
        assert again.firing is not None
        assert (again.firing.rule, again.firing.minute) == ("new_issue", 9)


def test_without_a_denominator_the_season_is_the_measure(scene: Scene) -> None:
    scene.count(scene.old, NOON - 24 * HOUR, 24 * 60, traffic=0)
    calibrated = calibrate(scene.environment, NOON)
    calibrated.profile = [{"2026-47": 6.0}] * 168
    calibrated.save()
    scene.count(scene.old, NOON, 60, errors=60, traffic=0)
    scene.count(scene.old, NOON + HOUR, 300, traffic=0)

    found = previewed(scene)

    assert found.source == "none"
    assert [alarm.at for alarm in found.alarms] == [NOON - 2 * MINUTE]


def test_it_holds_where_no_other_threshold_is_more_specific(scene: Scene) -> None:
    other = make_project(name="Another")
    make_environment(other)
    make_environment(other, "staging")
    make_threshold(project=other, environment="production")

    found = preview(Threshold(), TONIGHT)

    places = [(e.environment.project, e.environment.name) for e in found.environments]
    assert places == [(other, "staging"), (scene.project, "production")]


def test_a_threshold_does_not_stand_in_its_own_way(scene: Scene) -> None:
    threshold = scene.threshold()

    assert len(preview(threshold, TONIGHT).environments) == 1


def test_many_environments_are_not_all_tried() -> None:
    for n in range(10):
        make_environment(make_project(), f"e{n}")

    found = preview(Threshold(), TONIGHT)

    assert (len(found.environments), found.left_out) == (8, 2)


def told(scene: Scene) -> Preview:
    return preview(Threshold(project=scene.project), TONIGHT)


def test_one_sentence_says_both_halves(scene: Scene) -> None:
    scene.history(12)
    watch = scene.deploy()
    scene.count(scene.new, NOON, 10, errors=60)
    judge(watch, 11.5)

    assert told(scene).sentence == (
        "Without a deploy it would have fired 0 times in 14 days (11 windows tried). "
        "It would have fired at 1 of 1 past deploys: shop@1.1 at minute 3."
    )


def test_nothing_to_go_by_is_said(scene: Scene) -> None:
    assert told(scene).sentence.startswith("Nothing to go by")


def test_a_threshold_that_holds_nowhere_says_so(scene: Scene) -> None:
    scene.threshold()

    assert told(scene).sentence.startswith("No environment is known where it")


@pytest.mark.parametrize("hours", [6, 48])
def test_minutes_are_read_once_however_many_there_are(
    scene: Scene, django_assert_num_queries: DjangoAssertNumQueries, hours: int
) -> None:
    scene.history(hours)
    judge(scene.deploy(), 1)
    previewed(scene)

    # Environments, thresholds, deploys; releases, minutes and tenants' minutes;
    # calibration; active tenants.
    with django_assert_num_queries(8):
        previewed(scene)
