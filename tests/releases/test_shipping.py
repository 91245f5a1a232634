from datetime import UTC, datetime

import pytest

from releases.deploys import NewDeploy
from releases.models import Threshold, Watch
from releases.shipping import ship
from tests.factories import ANNA, make_project

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


def test_a_new_deploy_is_watched_at_once() -> None:
    Threshold.objects.create(ratio=3, action="rollback")

    deploy, _ = ship(make_project(), "1", NewDeploy("production"), ANNA, NOW)

    watch = Watch.objects.get()
    assert (watch.deploy, watch.verdict, watch.opened_at) == (deploy, "pending", NOW)
    assert (watch.settings["ratio"], watch.settings["action"]) == (3, "rollback")


def test_a_repeated_post_opens_no_second_watch() -> None:
    project = make_project()
    for _ in range(2):
        ship(project, "1", NewDeploy("production", idempotency_key="7"), ANNA, NOW)

    assert Watch.objects.count() == 1
