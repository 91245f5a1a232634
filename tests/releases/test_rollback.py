import pytest
from django.db import transaction
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks

from releases.models import Deploy, Rollback, RollbackTarget, Watch
from releases.rollbacks import ordering
from releases.rollbacks.ordering import AlreadyOrdered, decide, order
from tenants import doorbell
from tenants.models import AuditEntry
from tests.factories import ANNA
from tests.releases.rolling import MINUTE, NOON, degraded, make_deploy, make_target

pytestmark = pytest.mark.django_db

State = Rollback.State


@pytest.fixture
def target() -> RollbackTarget:
    return make_target()


@pytest.fixture
def watch() -> Watch:
    return degraded()


def log(row: Rollback) -> list[str]:
    return [entry.what for entry in row.log.all()]


def test_a_degraded_verdict_orders_a_rollback(
    watch: Watch, target: RollbackTarget
) -> None:
    row = decide(watch, NOON)

    assert (row.state, row.target, row.to_release) == (
        State.PENDING,
        target,
        watch.baseline,
    )
    assert (row.next_try_at, row.created) == (NOON, NOON)
    assert "bring shop in production back to shop@1.0" in row.explanation
    assert log(row) == ["ordered"]


def test_the_task_is_woken_once_the_verdict_is_committed(
    watch: Watch,
    target: RollbackTarget,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    rung: list[tuple[str, str]] = []
    monkeypatch.setattr(doorbell, "ring", lambda *names: rung.append(names))

    with django_capture_on_commit_callbacks(execute=True), transaction.atomic():
        decide(watch, NOON)
        assert rung == []

    assert rung == [("releases.rollback", "notify")]


def test_a_refusal_is_recorded_with_its_reasons(watch: Watch) -> None:
    make_target(is_active=False)
    Deploy.objects.filter(pk=watch.pk).update(irreversible=True)

    row = decide(watch, NOON)

    assert (row.state, row.reason) == (State.REFUSED, "irreversible")
    assert row.explanation == (
        "The deploy is marked as irreversible. The rollback target cd is switched off."
    )
    assert row.finished_at == NOON
    assert log(row) == ["refused"]


def test_a_dry_run_writes_down_what_would_be_called(watch: Watch) -> None:
    make_target(dry_run=True)

    row = decide(watch, NOON)

    assert (row.state, row.next_try_at) == (State.DRY_RUN, None)
    assert row.explanation == (
        "Dry run. It would POST https://cd.example.com/hook with a signed order to "
        "bring shop in production back to shop@1.0."
    )


def test_deciding_again_keeps_the_order(watch: Watch, target: RollbackTarget) -> None:
    assert decide(watch, NOON) == decide(watch, NOON + MINUTE)
    assert Rollback.objects.count() == 1


def test_a_verdict_keeps_the_order_of_a_person(
    watch: Watch, target: RollbackTarget
) -> None:
    by_hand = order(watch.deploy, ANNA, NOON)

    assert decide(watch, NOON + MINUTE) == by_hand


def test_a_verdict_does_not_double_a_call_of_unknown_outcome(
    watch: Watch, target: RollbackTarget
) -> None:
    by_hand = order(watch.deploy, ANNA, NOON)
    Rollback.objects.update(state=State.UNKNOWN)

    assert decide(watch, NOON + MINUTE) == by_hand


def test_a_person_orders_a_rollback_by_hand(
    watch: Watch, target: RollbackTarget
) -> None:
    row = order(watch.deploy, ANNA, NOON)

    assert (row.state, row.requested_by) == (State.PENDING, "anna")
    assert row.log.get().detail.endswith("By anna.")
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action, entry.object_id) == (
        "anna",
        "ordered",
        str(row.pk),
    )


def test_a_second_order_is_refused(watch: Watch, target: RollbackTarget) -> None:
    order(watch.deploy, ANNA, NOON)

    with pytest.raises(AlreadyOrdered, match="ordered back already: Pending"):
        order(watch.deploy, ANNA, NOON)


def test_a_person_may_order_again_after_an_unknown_outcome(
    watch: Watch, target: RollbackTarget
) -> None:
    first = order(watch.deploy, ANNA, NOON)
    Rollback.objects.update(state=State.UNKNOWN)

    second = order(watch.deploy, ANNA, NOON + MINUTE, ["cool_down"])

    assert second.state == State.PENDING
    assert second.idempotency_key != first.idempotency_key


def test_interlocks_hold_a_person_back_too(
    watch: Watch, target: RollbackTarget
) -> None:
    make_deploy(watch.deploy.environment, "shop@1.2", NOON - MINUTE)

    row = order(watch.deploy, ANNA, NOON, ["superseded"])

    assert (row.state, row.reason) == (State.REFUSED, "superseded")
    assert AuditEntry.objects.get().changes["state"] == [None, "refused"]


def test_a_person_may_pass_over_the_cool_down(
    watch: Watch, target: RollbackTarget
) -> None:
    order(watch.deploy, ANNA, NOON)
    Rollback.objects.update(state=State.UNKNOWN)

    held = order(watch.deploy, ANNA, NOON + MINUTE)
    passed = order(watch.deploy, ANNA, NOON + MINUTE, ["cool_down"])

    assert (held.reason, passed.state) == ("cool_down", State.PENDING)


def test_a_deploy_without_a_watch_can_be_rolled_back(
    watch: Watch, target: RollbackTarget
) -> None:
    deploy, baseline = watch.deploy, watch.baseline
    watch.delete()

    assert order(deploy, ANNA, NOON).to_release == baseline


def test_deciding_takes_few_queries(
    watch: Watch,
    target: RollbackTarget,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    with django_assert_num_queries(15):
        decide(watch, NOON)


def test_the_preview_shows_no_secret(watch: Watch) -> None:
    target = make_target(
        kind="gitlab", secret="glptt-1 glpat-2", options={"project": "acme/shop"}
    )
    row = decide(watch, NOON)

    told = ordering.preview(row, target, NOON)

    assert "glp" not in told
    assert f"RUSH_ROLLBACK_ID={row.idempotency_key}" in told
