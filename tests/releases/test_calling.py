from collections.abc import Iterator
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from pytest_django import Settings

from releases.models import Deploy, Rollback, RollbackTarget
from releases.rollbacks import calling
from releases.rollbacks.calling import ATTEMPTS, BACK_OFF, call_due, step
from releases.rollbacks.ordering import decide, order
from releases.rollbacks.orders import access_of
from tenants.outbound import Answer, OutboundError, Request
from tenants.talks import Fate, Outcome, called
from tests.factories import ANNA
from tests.receiver import Received, Receiver, Reply, receiving
from tests.releases.rolling import (
    MINUTE,
    NOON,
    Clock,
    degraded,
    make_deploy,
    make_target,
)
from tests.running import free_port

pytestmark = pytest.mark.django_db

State = Rollback.State


@pytest.fixture
def receiver(settings: Settings) -> Iterator[Receiver]:
    settings.OUTBOUND_ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]
    with receiving() as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock()


def ordered(**fields: Any) -> Rollback:
    """An order of noon for a target of these fields."""
    make_target(**fields)
    return decide(degraded(), NOON)


def on_webhook(receiver: Receiver, **fields: Any) -> Rollback:
    return ordered(url=f"{receiver.url}/hook", **fields)


def on_github(receiver: Receiver) -> Rollback:
    options = {"repository": "acme/shop", "workflow": "rollback.yml"}
    return ordered(kind="github", url=receiver.url, options=options)


def fresh(row: Rollback) -> Rollback:
    return Rollback.objects.get(pk=row.pk)


def log(row: Rollback) -> list[str]:
    return [entry.what for entry in row.log.all()]


def unreachable(request: Request) -> Answer:
    raise OutboundError("The port is closed.", permanent=False, reached=False)


def silent(request: Request) -> Answer:
    raise OutboundError("No answer came.", permanent=False, reached=True)


def forbidden(request: Request) -> Answer:
    raise OutboundError("10.0.0.1 is private.", permanent=True, reached=False)


# Called


def test_a_due_order_is_called_once(receiver: Receiver, clock: Clock) -> None:
    row = on_webhook(receiver)

    assert call_due(clock) == 1
    assert call_due(clock) == 0

    (request,) = receiver.requests
    assert request.headers["idempotency-key"] == str(row.idempotency_key)
    row = fresh(row)
    assert (row.state, row.attempts, row.called_at) == (State.CALLED, 1, NOON)
    assert row.explanation.startswith("cd was called at 12:00:00 UTC. HTTP 200")
    assert log(row) == ["ordered", "sending", "called"]


def test_the_answer_is_kept(receiver: Receiver, clock: Clock) -> None:
    receiver.reply = Reply(202, b"taken\0 \xff")
    row = on_webhook(receiver)

    call_due(clock)

    row = fresh(row)
    assert (row.response_status, row.response) == (202, "taken\ufffd \ufffd")


def test_the_run_is_kept(receiver: Receiver, clock: Clock) -> None:
    receiver.reply = Reply(200, b'{"run_url": "https://cd.example.com/1"}')
    row = on_webhook(receiver)

    call_due(clock)

    assert fresh(row).run_url == "https://cd.example.com/1"


def test_the_row_is_sending_while_the_call_is_made(
    receiver: Receiver, clock: Clock
) -> None:
    row = on_webhook(receiver)
    states = []

    def look(request: Request) -> Answer:
        states.append(fresh(row).state)
        return Answer(200)

    call_due(clock, look)

    assert states == [State.SENDING]


def test_what_is_not_due_is_left(receiver: Receiver, clock: Clock) -> None:
    row = on_webhook(receiver)
    Rollback.objects.update(next_try_at=NOON + MINUTE)

    assert call_due(clock) == 0
    assert fresh(row).state == State.PENDING


def test_only_one_of_two_processes_calls(receiver: Receiver, clock: Clock) -> None:
    row = on_webhook(receiver)
    calls = []

    def send(request: Request) -> Answer:
        calls.append(request)
        # The other process comes while this one calls.
        assert call_due(clock, send) == 0
        return Answer(200)

    assert call_due(clock, send) == 1
    assert len(calls) == 1
    assert fresh(row).state == State.CALLED


def test_the_loser_of_a_race_for_a_row_does_nothing(
    receiver: Receiver, clock: Clock
) -> None:
    row = on_webhook(receiver)
    loser = fresh(row)
    assert calling._claim(fresh(row), NOON)

    assert not calling._claim(loser, NOON)
    assert fresh(row).attempts == 1


# Surely not called


def test_what_was_not_reached_is_tried_again_later(clock: Clock) -> None:
    row = ordered()

    call_due(clock, unreachable)

    row = fresh(row)
    assert (row.state, row.sending_since) == (State.PENDING, None)
    assert row.next_try_at == NOON + timedelta(seconds=BACK_OFF[0])
    assert row.explanation == "The port is closed. It is tried again in 5 s."


def test_a_closed_port_is_called_once_it_opens(
    receiver: Receiver, clock: Clock
) -> None:
    row = on_webhook(receiver)
    RollbackTarget.objects.update(url=f"http://127.0.0.1:{free_port()}/")
    call_due(clock)
    assert fresh(row).state == State.PENDING

    RollbackTarget.objects.update(url=receiver.url)
    clock.pass_(seconds=BACK_OFF[0])
    call_due(clock)

    assert fresh(row).state == State.CALLED
    assert len(receiver.requests) == 1


def test_after_the_last_attempt_it_has_failed(clock: Clock) -> None:
    row = ordered()

    for _ in range(ATTEMPTS + 2):
        call_due(clock, unreachable)
        clock.pass_(minutes=3)

    row = fresh(row)
    assert (row.state, row.attempts) == (State.FAILED, ATTEMPTS)
    assert row.explanation == "cd was not called: The port is closed."
    assert log(row)[-1] == "failed"


def test_a_target_that_is_busy_is_given_its_time(clock: Clock) -> None:
    row = ordered()

    call_due(clock, lambda request: Answer(429, {"retry-after": "90"}))

    assert fresh(row).next_try_at == NOON + timedelta(seconds=90)


@pytest.mark.parametrize("status", [307, 400, 401, 403, 404, 422])
def test_a_refusal_of_the_target_is_final(clock: Clock, status: int) -> None:
    row = ordered()

    call_due(clock, lambda request: Answer(status, body=b"no"))

    row = fresh(row)
    assert (row.state, row.response_status) == (State.FAILED, status)
    assert row.next_try_at is None


def test_an_address_that_must_not_be_called_is_final(clock: Clock) -> None:
    row = ordered()

    call_due(clock, forbidden)

    assert fresh(row).state == State.FAILED


def test_a_secret_that_cannot_be_read_is_final(clock: Clock) -> None:
    row = ordered()
    RollbackTarget.objects.update(secret="gAAAAABnonsense")

    call_due(clock)

    row = fresh(row)
    assert row.state == State.FAILED
    assert "SECRET_KEY" in row.explanation


# Overtaken before it was sent


def test_a_newer_deploy_calls_the_order_off(clock: Clock) -> None:
    row = ordered()
    make_deploy(row.deploy.environment, "shop@1.2", NOON)

    assert call_due(clock, silent) == 1

    row = fresh(row)
    assert (row.state, row.reason, row.attempts) == (State.REFUSED, "superseded", 0)
    assert row.explanation == "Release shop@1.2 was deployed meanwhile."


@pytest.mark.parametrize("change", [{"is_active": False}, {"dry_run": True}])
def test_a_target_that_was_switched_off_is_not_called(
    clock: Clock, change: dict[str, bool]
) -> None:
    row = ordered()
    RollbackTarget.objects.update(**change)

    call_due(clock, silent)

    assert (fresh(row).state, fresh(row).reason) == (State.REFUSED, "disabled")


def test_a_target_that_was_deleted_is_not_called(clock: Clock) -> None:
    row = ordered()
    RollbackTarget.objects.all().delete()

    call_due(clock, silent)

    assert (fresh(row).state, fresh(row).reason) == (State.REFUSED, "no_target")


def test_an_order_that_waited_too_long_needs_a_person(clock: Clock) -> None:
    row = ordered()
    clock.pass_(minutes=61)

    call_due(clock, silent)

    assert (fresh(row).state, fresh(row).reason) == (State.REFUSED, "too_late")


# In doubt: a target that can neither be asked nor called twice


def test_a_call_without_an_answer_is_unknown_and_never_made_twice(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    row = ordered()

    call_due(clock, silent)

    row = fresh(row)
    assert (row.state, row.next_try_at) == (State.UNKNOWN, None)
    assert "Whether cd rolls back is unknown" in row.explanation
    assert log(row) == ["ordered", "sending", "in doubt", "outcome unknown"]
    assert caplog.records[-1].levelname == "ERROR"
    clock.pass_(hours=1)
    assert call_due(clock, silent) == 0


@pytest.mark.parametrize("status", [303, 408, 409, 500, 502, 503, 504])
def test_an_answer_that_leaves_it_open_is_unknown(clock: Clock, status: int) -> None:
    row = ordered()

    call_due(clock, lambda request: Answer(status))

    assert (fresh(row).state, fresh(row).response_status) == (State.UNKNOWN, status)


def test_a_row_that_a_dead_process_left_is_unknown(clock: Clock) -> None:
    row = ordered()
    calling._claim(fresh(row), NOON)

    clock.pass_(seconds=59)
    assert call_due(clock, silent) == 0
    clock.pass_(seconds=1)
    assert call_due(clock, silent) == 1

    row = fresh(row)
    assert (row.state, row.attempts) == (State.UNKNOWN, 1)
    assert log(row) == ["ordered", "sending", "in doubt", "outcome unknown"]


def test_a_late_answer_settles_an_unknown_outcome(clock: Clock) -> None:
    row = ordered()
    late = fresh(row)
    calling._claim(late, NOON)
    clock.pass_(minutes=2)
    call_due(clock, silent)
    assert fresh(row).state == State.UNKNOWN

    outcome = Outcome(Fate.CALLED, "HTTP 200")
    assert calling._settle(late, outcome, clock())

    assert (fresh(row).state, fresh(row).finished_at) == (State.CALLED, None)


def test_a_late_answer_does_not_undo_the_order_of_a_person(clock: Clock) -> None:
    row = ordered()
    late = fresh(row)
    calling._claim(late, NOON)
    clock.pass_(minutes=2)
    call_due(clock, silent)
    again = order(Deploy.objects.get(pk=row.deploy_id), ANNA, clock(), ["cool_down"])

    outcome = Outcome(Fate.CALLED, "HTTP 200")
    assert not calling._settle(late, outcome, clock())

    assert (fresh(row).state, fresh(again).state) == (State.UNKNOWN, State.PENDING)
    assert log(row)[-1] == "answer"


def test_a_late_failure_does_not_undo_what_is_said(clock: Clock) -> None:
    row = ordered()
    late = fresh(row)
    calling._claim(late, NOON)
    clock.pass_(minutes=2)
    call_due(clock, silent)

    outcome = Outcome(Fate.REFUSED, "HTTP 404")
    assert not calling._settle(late, outcome, clock())

    assert fresh(row).state == State.UNKNOWN


def test_a_person_may_order_again_after_it(clock: Clock) -> None:
    row = ordered()
    call_due(clock, silent)

    again = order(row.deploy, ANNA, NOON, ["cool_down"])
    call_due(clock, lambda request: Answer(200))

    assert (fresh(row).state, fresh(again).state) == (State.UNKNOWN, State.CALLED)


# In doubt: a target that honours the key


def test_a_target_that_honours_the_key_is_called_again_with_it(
    receiver: Receiver, clock: Clock
) -> None:
    row = on_webhook(receiver, honours_idempotency_key=True)
    receiver.reply = Reply(hang_up=True)
    call_due(clock)
    assert fresh(row).state == State.SENDING

    receiver.reply = Reply()
    clock.pass_(seconds=BACK_OFF[0])
    call_due(clock)

    assert (fresh(row).state, fresh(row).attempts) == (State.CALLED, 2)
    keys = {request.headers["idempotency-key"] for request in receiver.requests}
    assert keys == {str(row.idempotency_key)}
    assert len(receiver.requests) == 2


def test_each_attempt_is_signed_anew(receiver: Receiver, clock: Clock) -> None:
    on_webhook(receiver, honours_idempotency_key=True)
    receiver.reply = Reply(500)
    call_due(clock)
    clock.pass_(seconds=BACK_OFF[0])
    call_due(clock)

    times = [request.headers["x-rush-timestamp"] for request in receiver.requests]
    assert int(times[1]) - int(times[0]) == BACK_OFF[0]


def test_a_row_that_a_dead_process_left_is_called_again(
    receiver: Receiver, clock: Clock
) -> None:
    row = on_webhook(receiver, honours_idempotency_key=True)
    calling._claim(fresh(row), NOON)
    clock.pass_(minutes=1)

    call_due(clock)

    assert (fresh(row).state, fresh(row).attempts) == (State.CALLED, 2)
    assert len(receiver.requests) == 1


def test_its_outcome_is_unknown_after_the_last_attempt(clock: Clock) -> None:
    row = ordered(honours_idempotency_key=True)

    for _ in range(ATTEMPTS + 3):
        call_due(clock, silent)
        clock.pass_(minutes=3)

    assert (fresh(row).state, fresh(row).attempts) == (State.UNKNOWN, ATTEMPTS)


@pytest.mark.parametrize("then", [unreachable, lambda request: Answer(404)])
def test_a_later_failure_does_not_tell_what_became_of_the_first_call(
    clock: Clock, then: Any
) -> None:
    row = ordered(honours_idempotency_key=True)
    call_due(clock, silent)

    for _ in range(ATTEMPTS + 1):
        clock.pass_(minutes=3)
        call_due(clock, then)

    assert fresh(row).state == State.UNKNOWN


def test_it_is_not_called_again_once_a_newer_deploy_is_there(clock: Clock) -> None:
    row = ordered(honours_idempotency_key=True)
    call_due(clock, silent)
    make_deploy(row.deploy.environment, "shop@1.2", NOON)
    clock.pass_(minutes=1)

    call_due(clock, lambda request: Answer(200))

    assert (fresh(row).state, fresh(row).attempts) == (State.UNKNOWN, 1)


def test_the_key_is_believed_of_webhooks_only(receiver: Receiver, clock: Clock) -> None:
    row = on_github(receiver)
    RollbackTarget.objects.update(honours_idempotency_key=True)
    receiver.answer = runs_without_it(Reply(hang_up=True))

    for _ in range(20):
        call_due(clock)
        clock.pass_(seconds=15)

    assert fresh(row).state == State.UNKNOWN
    assert len(receiver.calls("POST")) == 1


# In doubt: a target that can be asked


def runs_without_it(post: Reply) -> Any:
    def answer(received: Received) -> Reply:
        return (
            post if received.method == "POST" else Reply(body=b'{"workflow_runs":[]}')
        )

    return answer


def runs_with(row: Rollback, post: Reply) -> Any:
    name = f"Rollback {row.idempotency_key}"
    body = f'{{"workflow_runs":[{{"display_title":"{name}",'
    body += '"html_url":"https://github.com/7"}]}'

    def answer(received: Received) -> Reply:
        return post if received.method == "POST" else Reply(body=body.encode())

    return answer


def test_a_lost_answer_is_looked_up(receiver: Receiver, clock: Clock) -> None:
    row = on_github(receiver)
    receiver.answer = runs_with(row, Reply(hang_up=True))
    call_due(clock)
    assert fresh(row).state == State.SENDING

    clock.pass_(seconds=BACK_OFF[0])
    call_due(clock)

    row = fresh(row)
    assert (row.state, row.run_url) == (State.CALLED, "https://github.com/7")
    assert len(receiver.calls("POST")) == 1


def test_a_run_that_shows_late_is_found(receiver: Receiver, clock: Clock) -> None:
    row = on_github(receiver)
    receiver.answer = runs_without_it(Reply(502))
    for _ in range(6):
        call_due(clock)
        clock.pass_(seconds=15)
    assert fresh(row).state == State.SENDING

    receiver.answer = runs_with(row, Reply())
    call_due(clock)

    assert fresh(row).state == State.CALLED
    assert len(receiver.calls("POST")) == 1


def test_a_run_that_is_never_found_is_unknown(receiver: Receiver, clock: Clock) -> None:
    row = on_github(receiver)
    receiver.answer = runs_without_it(Reply(502))

    for _ in range(20):
        call_due(clock)
        clock.pass_(seconds=15)

    row = fresh(row)
    assert row.state == State.UNKNOWN
    assert "No run of the workflow" in row.explanation
    assert len(receiver.calls("POST")) == 1


def test_a_row_that_a_dead_process_left_is_looked_up(
    receiver: Receiver, clock: Clock
) -> None:
    row = on_github(receiver)
    calling._claim(fresh(row), NOON)
    receiver.answer = runs_with(row, Reply())
    clock.pass_(minutes=1)

    call_due(clock)

    assert fresh(row).state == State.CALLED
    assert receiver.calls("POST") == []


def test_a_target_deleted_in_doubt_leaves_it_unknown(clock: Clock) -> None:
    row = ordered()
    calling._claim(fresh(row), NOON)
    RollbackTarget.objects.all().delete()
    clock.pass_(minutes=1)

    call_due(clock)

    assert fresh(row).state == State.UNKNOWN


def test_reading_before_the_call_is_no_doubt(receiver: Receiver, clock: Clock) -> None:
    row = ordered(kind="argocd", url=receiver.url, options={"application": "shop"})
    receiver.reply = Reply(hang_up=True)

    call_due(clock)

    assert fresh(row).state == State.PENDING
    assert [request.method for request in receiver.requests] == ["GET"]


def test_a_row_that_another_process_calls_just_now_is_left(clock: Clock) -> None:
    row = ordered()
    calling._claim(fresh(row), NOON)

    # It was found due before the other one claimed it.
    assert not step(row.pk, clock, silent)

    assert fresh(row).state == State.SENDING
    assert log(row) == ["ordered", "sending"]


def test_a_row_that_is_to_be_tried_again_later_is_left(clock: Clock) -> None:
    row = ordered()
    call_due(clock, unreachable)

    assert not step(row.pk, clock, silent)
    assert fresh(row).attempts == 1


def test_a_release_deleted_in_doubt_leaves_it_unknown(
    receiver: Receiver, clock: Clock
) -> None:
    row = on_github(receiver)
    calling._claim(fresh(row), NOON)
    Rollback.objects.update(to_release=None)
    clock.pass_(minutes=1)

    call_due(clock)

    assert fresh(row).state == State.UNKNOWN
    assert receiver.requests == []


def test_a_row_that_somebody_settled_is_left(clock: Clock) -> None:
    row = ordered()
    Rollback.objects.update(state=State.CALLED)

    assert not step(row.pk, clock, silent)


def test_a_broken_row_does_not_keep_its_claim_for_ever(clock: Clock) -> None:
    row = ordered()

    def broken(request: Request) -> Answer:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        call_due(clock, broken)
    clock.pass_(minutes=1)
    call_due(clock, silent)

    assert fresh(row).state == State.UNKNOWN


def test_a_secret_is_read_for_the_call_only() -> None:
    target = make_target(secret="x" * 20)

    assert access_of(target).secret == "x" * 20
    assert "x" * 20 not in target.secret


def test_an_error_of_reading_says_that_nothing_was_done() -> None:
    def talk() -> Any:
        yield Request("GET", "https://cd.example.com/")

    assert called(talk(), silent).fate == Fate.LATER
