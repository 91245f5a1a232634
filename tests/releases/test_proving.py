from datetime import timedelta
from typing import Any

import pytest

from releases.models import Calibration, Deploy, Rollback, Watch
from releases.rollbacks.proving import prove_due
from tests.factories import make_environment
from tests.releases.rolling import (
    MINUTE,
    NOON,
    Clock,
    make_deploy,
    make_target,
    make_watch,
)
from tests.releases.scene import Scene

pytestmark = pytest.mark.django_db

State = Rollback.State
# The call was made at noon; the release had served for half an hour.
BAD_SINCE = NOON - 30 * MINUTE


@pytest.fixture
def scene() -> Scene:
    return Scene()


def rolled_back(scene: Scene, **watch: Any) -> Rollback:
    """shop@1.1 was rolled back at noon, after a verdict on posted traffic."""
    make_deploy(scene.environment, "shop@1.0", NOON - timedelta(hours=20))
    bad = make_deploy(scene.environment, "shop@1.1", BAD_SINCE)
    defaults = {
        "reason": "global",
        "source": "traffic",
        "baseline": scene.old,
        "baseline_numbers": {
            "errors": 360.0,
            "exposure": 96_000.0,
            "dispersion": 1.0,
            "cap": 5,
        },
        "numbers": {"errors_capped": 144.0, "exposure": 4800.0},
    }
    make_watch(bad, Watch.Verdict.DEGRADED, **{**defaults, **watch})
    return Rollback.objects.create(
        deploy=bad,
        target=make_target(),
        to_release=scene.old,
        state=State.CALLED,
        idempotency_key="00000000-0000-4000-8000-000000000001",
        created=NOON,
        called_at=NOON,
        next_try_at=NOON + MINUTE,
    )


def looked_at(row: Rollback, minutes: float) -> Rollback:
    """The row after the look of so many minutes after the call."""
    prove_due(Clock(NOON + timedelta(minutes=minutes)))
    return Rollback.objects.get(pk=row.pk)


def test_a_rollback_is_verified_once_three_closed_minutes_are_usual(
    scene: Scene,
) -> None:
    row = rolled_back(scene)
    scene.count(scene.old, NOON + 2 * MINUTE, 10)

    assert looked_at(row, 5.2).state == State.CALLED
    row = looked_at(row, 5.5)

    assert row.state == State.VERIFIED
    assert row.explanation == (
        "The error rate is usual again: 0.38 % of 4,800 requests in the last 3 "
        "minutes, up to 0.56 % is usual."
    )
    assert row.log.get().what == "verified"
    assert row.next_try_at is None


def test_until_then_it_is_looked_at_again(scene: Scene) -> None:
    row = looked_at(rolled_back(scene), 2)

    assert row.state == State.CALLED
    assert row.next_try_at == NOON + timedelta(minutes=2, seconds=15)


def test_the_minutes_of_the_call_do_not_count(scene: Scene) -> None:
    row = rolled_back(scene)
    scene.count(scene.old, NOON - MINUTE, 3)
    scene.count(scene.old, NOON + 2 * MINUTE, 2)

    assert looked_at(row, 5.5).state == State.CALLED


def test_all_releases_count_together(scene: Scene) -> None:
    row = rolled_back(scene)
    scene.count(scene.old, NOON + 2 * MINUTE, 10, errors=2, traffic=100)
    scene.count(scene.new, NOON + 2 * MINUTE, 10, errors=45, traffic=1500)

    assert looked_at(row, 12.5).state == State.CALLED


def test_a_rate_that_stays_is_told_loudly_after_a_quarter_of_an_hour(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    row = rolled_back(scene)
    scene.count(scene.new, NOON, 20, errors=48)
    assert looked_at(row, 15.9).state == State.CALLED

    row = looked_at(row, 16.2)

    assert row.state == State.NOT_VERIFIED
    assert row.explanation.startswith("The error rate is not usual again: 3.0 % of")
    assert row.log.get().what == "not verified"
    assert caplog.records[-1].levelname == "ERROR"


def test_silence_proves_nothing(scene: Scene) -> None:
    row = looked_at(rolled_back(scene), 16.2)

    assert row.state == State.NOT_VERIFIED
    assert row.explanation.startswith("Only 0 closed minutes with traffic are known")


def test_a_little_traffic_proves_nothing(scene: Scene) -> None:
    row = rolled_back(scene)
    scene.count(scene.old, NOON, 20, errors=0, traffic=5)

    row = looked_at(row, 16.2)

    assert row.state == State.NOT_VERIFIED
    assert "too little to tell the usual error rate from that of" in row.explanation


def test_one_tenant_does_not_decide(scene: Scene) -> None:
    row = rolled_back(scene)
    scene.count(scene.old, NOON + 2 * MINUTE, 10, errors=100, shops=1)

    assert looked_at(row, 5.5).state == State.VERIFIED


def test_by_sessions_a_minute_closes_later(scene: Scene) -> None:
    numbers = {"errors": 360.0, "exposure": 96_000.0, "dispersion": 1.0, "cap": 5}
    row = rolled_back(scene, source="sessions", baseline_numbers=numbers)
    scene.count(scene.new, BAD_SINCE, 30, errors=48, sessions=1600)
    scene.count(scene.old, NOON + 2 * MINUTE, 10, sessions=1600)

    assert looked_at(row, 6.2).state == State.CALLED
    row = looked_at(row, 6.5)

    assert row.state == State.VERIFIED
    assert "Release shop@1.1 has 0 % of the traffic" in row.explanation


def test_a_release_that_still_serves_is_not_rolled_back(scene: Scene) -> None:
    row = rolled_back(scene, source="sessions", reason="new_issue")
    scene.count(scene.new, BAD_SINCE, 50, sessions=1600)

    row = looked_at(row, 16.3)

    assert row.state == State.NOT_VERIFIED
    assert "shop@1.1 still has 100 % of the traffic" in row.explanation


def test_posted_traffic_alone_does_not_tell_releases_apart(scene: Scene) -> None:
    row = rolled_back(scene)
    # Posted without a release, it is put to the newest deploy, whatever runs.
    scene.count(scene.new, BAD_SINCE, 30, errors=48)
    scene.count(scene.new, NOON + 2 * MINUTE, 10)

    assert looked_at(row, 5.5).state == State.VERIFIED


def test_sessions_tell_releases_apart_beside_posted_traffic(scene: Scene) -> None:
    row = rolled_back(scene)
    scene.count(scene.new, BAD_SINCE, 50, traffic=1600, sessions=300)

    row = looked_at(row, 16.3)

    assert row.state == State.NOT_VERIFIED
    assert "still has 100 %" in row.explanation


def test_without_a_denominator_the_profile_is_compared_with(scene: Scene) -> None:
    Calibration.objects.create(
        environment=scene.environment,
        at=NOON,
        hours=336,
        errors_per_minute=6,
        cap=5,
        dispersion=1.5,
        profile=[{"2026-W40": 6.0}] * 168,
    )
    numbers = {"errors": 720.0, "exposure": 720.0, "dispersion": 1.5, "cap": 5}
    row = rolled_back(
        scene,
        source="none",
        baseline_numbers=numbers,
        numbers={"errors_capped": 144.0, "exposure": 18.0},
    )
    scene.count(scene.old, NOON + 2 * MINUTE, 10, traffic=0)

    row = looked_at(row, 5.5)

    assert row.state == State.VERIFIED
    assert "18 errors in the last 3 minutes, up to" in row.explanation


def test_without_a_baseline_it_says_so(scene: Scene) -> None:
    row = looked_at(rolled_back(scene, baseline_numbers={}), 2)

    assert row.state == State.NOT_VERIFIED
    assert row.explanation == "There is no baseline to compare the error rate with."


def test_a_deploy_of_the_cd_shows_that_an_unknown_call_arrived(scene: Scene) -> None:
    row = rolled_back(scene)
    Rollback.objects.update(state=State.UNKNOWN, called_at=None, next_try_at=None)
    make_deploy(scene.environment, "shop@1.0", NOON + MINUTE, rollback=row)

    row = looked_at(row, 2)

    assert (row.state, row.called_at) == (State.CALLED, NOON + MINUTE)
    assert row.explanation == (
        "The call arrived: release shop@1.0 was deployed at 12:01 UTC."
    )
    assert row.log.get().what == "carried out"


def test_an_unknown_call_that_was_ordered_again_stays_unknown(scene: Scene) -> None:
    row = rolled_back(scene)
    Rollback.objects.update(state=State.UNKNOWN, called_at=None, next_try_at=None)
    make_deploy(scene.environment, "shop@1.0", NOON + MINUTE, rollback=row)
    Rollback.objects.create(
        deploy=row.deploy,
        state=State.PENDING,
        idempotency_key="00000000-0000-4000-8000-000000000002",
    )

    assert looked_at(row, 2).state == State.UNKNOWN


def test_a_row_that_changed_meanwhile_is_left(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = rolled_back(scene)
    staging = make_environment(scene.project, "staging")
    Deploy.objects.filter(pk=row.deploy_id).update(environment=staging)
    Rollback.objects.update(state=State.VERIFIED)

    assert prove_due(Clock(NOON + 20 * MINUTE)) == 0
