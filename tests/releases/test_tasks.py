from ipaddress import ip_network

import pytest
from django.utils import timezone
from pytest_django import Settings

from releases import tasks
from releases.models import Rollback
from releases.rollbacks.ordering import QUEUE, TASK, decide
from rush_monitor.celery import app
from tests.receiver import receiving
from tests.releases.rolling import degraded, make_target

pytestmark = pytest.mark.django_db


def test_the_task_sends_what_is_due(settings: Settings) -> None:
    settings.OUTBOUND_ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]
    now = timezone.now()
    with receiving() as receiver:
        make_target(url=receiver.url)
        decide(degraded(now), now)

        tasks.rollback()

        assert len(receiver.requests) == 1
    assert Rollback.objects.get().state == Rollback.State.CALLED


def test_the_doorbell_rings_the_task_where_it_is_done() -> None:
    assert tasks.rollback.name == TASK
    assert app.conf.task_routes[TASK] == {"queue": QUEUE}
    assert app.conf.beat_schedule["rollback"]["task"] == TASK
