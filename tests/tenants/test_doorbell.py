import time
from collections.abc import Iterator

import pytest
from celery import current_app
from django.db import transaction
from pytest_django import DjangoCaptureOnCommitCallbacks

from tenants import doorbell
from tenants.doorbell import ring, ring_on_commit
from tests.running import free_port

TASK = "releases.rollback"


@pytest.fixture
def broker_away(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    url = f"redis://127.0.0.1:{free_port()}/0"
    monkeypatch.setattr(current_app.conf, "broker_url", url)
    monkeypatch.setattr(current_app.conf, "broker_write_url", url)
    yield


def test_a_ring_sends_the_task_to_its_queue(broker_url: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(current_app.conf, "broker_url", broker_url)
        patch.setattr(current_app.conf, "broker_write_url", broker_url)
        patch.setattr(current_app.conf, "broker_read_url", broker_url)
        ring(TASK, "ringing")
        with current_app.connection_for_read() as connection:
            queue = connection.SimpleQueue("ringing")
            message = queue.get(timeout=5)

    assert message.headers["task"] == TASK
    assert message.headers["expires"]
    message.ack()


def test_a_broker_that_is_away_is_logged_and_nothing_else(
    broker_away: None, caplog: pytest.LogCaptureFixture
) -> None:
    began = time.monotonic()

    ring(TASK, "notify")

    assert time.monotonic() - began < 5
    assert "releases.rollback not rung, beat will" in caplog.text


@pytest.mark.django_db
def test_it_rings_only_once_committed(
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    rung: list[str] = []
    monkeypatch.setattr(doorbell, "ring", lambda task, queue: rung.append(task))

    with django_capture_on_commit_callbacks(execute=True), transaction.atomic():
        ring_on_commit(TASK, "notify")
        assert rung == []

    assert rung == [TASK]
