"""kill -9 of a worker at every point between the verdict and the end of the call.

The receiver counts: one call, or an outcome that is said to be unknown; never two calls
to a target that does not act once per key, and never silently none.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from ipaddress import ip_network
from urllib.parse import quote

import orjson
import pytest
from celery import current_app
from django.db import connection, transaction
from django.utils import timezone
from pytest_django import Settings

from releases.models import Rollback, Watch
from releases.rollbacks.calling import call_due
from releases.rollbacks.ordering import decide
from rush_monitor.spawn import wait_until
from tests.dying import PATIENCE, POINTS
from tests.receiver import Received, Receiver, Reply, receiving
from tests.releases.rolling import MINUTE, Clock, degraded, make_deploy, make_target
from tests.running import ROOT, free_port

pytestmark = pytest.mark.django_db(transaction=True)

State = Rollback.State
LOCAL = "127.0.0.0/8"


@pytest.fixture
def receiver(settings: Settings) -> Iterator[Receiver]:
    settings.OUTBOUND_ALLOWED_NETWORKS = [ip_network(LOCAL)]
    with receiving() as running:
        yield running


def order(**target: object) -> Rollback:
    """A rollback that a verdict of now has ordered, committed with it."""
    now = timezone.now()
    watch = degraded(now)
    make_target(**target)
    with transaction.atomic():
        Watch.objects.filter(pk=watch.pk).update(decided_at=now)
        return decide(watch, now)


def database_url() -> str:
    told = connection.settings_dict
    place = quote(told["HOST"], safe="")
    port = f":{told['PORT']}" if told["PORT"] else ""
    secret = f":{quote(told['PASSWORD'])}" if told["PASSWORD"] else ""
    return f"postgresql://{told['USER']}{secret}@{place}{port}/{told['NAME']}"


def worker(point: str) -> subprocess.Popen[bytes]:
    """A process that sends what is due, and dies at ``point``."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.dying", point, "calls"],
        cwd=ROOT,
        env={
            **os.environ,
            "DATABASE_URL": database_url(),
            "OUTBOUND_ALLOWED_NETWORKS": LOCAL,
        },
    )


def die_at(point: str, receiver: Receiver) -> None:
    """Run a worker to its death at ``point``; during the call we kill it ourselves."""
    process = worker(point)
    if point == "before_answer":
        assert wait_until(lambda: bool(receiver.calls()), PATIENCE)
        process.kill()
    status = process.wait(PATIENCE)
    assert status == (0 if point == "never" else -signal.SIGKILL)


def recover(row: Rollback, minutes: int = 6) -> Rollback:
    """What other workers make of the row in the minutes that follow."""
    clock = Clock(timezone.now())
    for _ in range(minutes * 6):
        call_due(clock)
        clock.pass_(seconds=10)
    return Rollback.objects.get(pk=row.pk)


EXPECTED = {
    # point: (calls, state) for a webhook that acts on each call
    "before_claim": (1, State.CALLED),
    "after_claim": (0, State.UNKNOWN),
    "before_answer": (1, State.UNKNOWN),
    "after_answer": (1, State.UNKNOWN),
    "never": (1, State.CALLED),
}


def test_every_point_is_expected_to_end_somehow() -> None:
    assert set(EXPECTED) == set(POINTS)


@pytest.mark.parametrize("point", POINTS)
def test_a_plain_webhook_is_called_once_or_its_outcome_is_unknown(
    receiver: Receiver, point: str
) -> None:
    row = order(url=receiver.url)
    receiver.reply = Reply(delay=3 if point == "before_answer" else 0)
    die_at(point, receiver)
    receiver.reply = Reply()

    row = recover(row)

    assert (len(receiver.calls()), row.state) == EXPECTED[point]
    assert row.explanation


@pytest.mark.parametrize("point", POINTS)
def test_a_webhook_that_honours_the_key_acts_once_whatever_dies(
    receiver: Receiver, point: str
) -> None:
    row = order(url=receiver.url, honours_idempotency_key=True)
    receiver.reply = Reply(delay=3 if point == "before_answer" else 0)
    die_at(point, receiver)
    receiver.reply = Reply()

    row = recover(row)

    assert row.state == State.CALLED
    keys = {request.headers["idempotency-key"] for request in receiver.calls()}
    assert keys == {str(row.idempotency_key)}


@pytest.mark.parametrize("point", POINTS)
def test_a_workflow_is_started_once_and_found_again(
    receiver: Receiver, point: str
) -> None:
    options = {"repository": "acme/shop", "workflow": "rollback.yml"}
    row = order(kind="github", url=receiver.url, options=options)
    started: list[str] = []

    def github(received: Received) -> Reply:
        if received.method == "GET":
            runs = [{"display_title": f"Rollback {key}"} for key in started]
            return Reply(body=orjson.dumps({"workflow_runs": runs}))
        started.append(received.json["inputs"]["rush_rollback_id"])
        return Reply(204, delay=3 if point == "before_answer" else 0)

    receiver.answer = github
    die_at(point, receiver)

    row = recover(row)

    nothing_left = point == "after_claim"
    assert row.state == (State.UNKNOWN if nothing_left else State.CALLED)
    assert len(started) == (0 if nothing_left else 1)


def test_two_workers_at_once_make_one_call(receiver: Receiver) -> None:
    order(url=receiver.url)
    receiver.reply = Reply(delay=0.3)

    workers = [worker("never") for _ in range(3)]

    assert [process.wait(PATIENCE) for process in workers] == [0, 0, 0]
    assert len(receiver.calls()) == 1


def test_a_verdict_that_is_rolled_back_orders_nothing(receiver: Receiver) -> None:
    watch = degraded(timezone.now())
    make_target(url=receiver.url)

    with pytest.raises(ZeroDivisionError), transaction.atomic():
        decide(watch, timezone.now())
        raise ZeroDivisionError

    assert not Rollback.objects.exists()
    call_due()
    assert receiver.requests == []


def test_a_verdict_stands_while_the_broker_is_away(
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    url = f"redis://127.0.0.1:{free_port()}/0"
    monkeypatch.setattr(current_app.conf, "broker_url", url)
    monkeypatch.setattr(current_app.conf, "broker_write_url", url)

    row = order(url=receiver.url)

    assert "not rung, beat will" in caplog.text
    assert row.state == State.PENDING
    # What beat does once the broker is back.
    call_due()
    assert Rollback.objects.get().state == State.CALLED
    assert len(receiver.calls()) == 1


def test_a_worker_that_sleeps_through_its_own_funeral_calls_at_most_once(
    receiver: Receiver,
) -> None:
    """It is stopped between claim and call, given up, and then goes on."""
    row = order(url=receiver.url)
    receiver.reply = Reply(delay=1)
    process = worker("never")
    assert wait_until(lambda: bool(receiver.calls()), PATIENCE)
    os.kill(process.pid, signal.SIGSTOP)
    try:
        call_due(Clock(timezone.now() + 2 * MINUTE))
        assert Rollback.objects.get().state == State.UNKNOWN
    finally:
        os.kill(process.pid, signal.SIGCONT)

    process.wait(PATIENCE)

    assert len(receiver.calls()) == 1
    assert Rollback.objects.get(pk=row.pk).state == State.CALLED


def test_a_fix_that_ships_while_the_system_is_down_is_left_alone(
    receiver: Receiver,
) -> None:
    row = order(url=receiver.url)
    make_deploy(row.deploy.environment, "shop@1.2", timezone.now())

    call_due(Clock(timezone.now() + timedelta(minutes=10)))

    assert Rollback.objects.get().state == State.REFUSED
    assert receiver.requests == []


def test_the_call_is_made_while_others_read_the_row(receiver: Receiver) -> None:
    """Nothing holds a lock while a stranger thinks."""
    row = order(url=receiver.url)
    receiver.reply = Reply(delay=1)
    thread = threading.Thread(target=worker("never").wait, args=(20,))
    thread.start()
    assert wait_until(lambda: bool(receiver.calls()), PATIENCE)

    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '200ms'")
        with transaction.atomic():
            locked = Rollback.objects.select_for_update().get(pk=row.pk)
        cursor.execute("RESET lock_timeout")

    assert locked.state == State.SENDING
    thread.join()
