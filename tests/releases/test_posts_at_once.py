from datetime import UTC, datetime

import pytest
from django.db import transaction
from django.utils import timezone

from releases.commits import NewCommit, set_commits
from releases.deploys import NewDeploy
from releases.models import Commit, Deploy, ReleaseMinute, Watch
from releases.shipping import ship
from releases.traffic import Told, take_traffic
from tests.background import in_background
from tests.factories import ANNA, make_issue, make_project, make_release

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest.mark.parametrize("key", ["", "run-7"])
def test_two_posts_of_a_deploy_at_once_make_one(key: str) -> None:
    project = make_project()
    told, now = NewDeploy("production", idempotency_key=key), timezone.now()
    answers = []

    def post() -> None:
        answers.append(ship(project, "1", told, ANNA, now))

    with transaction.atomic():
        post()
        thread = in_background(post)
        thread.join(0.3)
        assert thread.is_alive()
    thread.join(10)

    assert [is_new for _, is_new in answers] == [True, False]
    assert Deploy.objects.count() == Watch.objects.count() == 1


def test_two_posts_of_traffic_at_once_are_both_counted() -> None:
    project = make_project()

    def post(source: str, requests: float) -> None:
        take_traffic(project, source, [Told(NOW, "production", "1", requests)], NOW)

    with transaction.atomic():
        post("proxy-1", 10)
        thread = in_background(lambda: post("proxy-1", 30))
        other = in_background(lambda: post("proxy-2", 5))
    thread.join(10)
    other.join(10)

    assert ReleaseMinute.objects.get().traffic == 35


def test_a_post_of_traffic_keeps_no_digest_waiting() -> None:
    project = make_project()

    with transaction.atomic():
        take_traffic(project, "proxy-1", [Told(NOW, "production", "1", 10)], NOW)
        thread = in_background(lambda: make_issue(project))
        thread.join(10)
        assert not thread.is_alive()


def test_two_lists_of_commits_at_once_are_not_mixed() -> None:
    release = make_release(make_project())

    with transaction.atomic():
        set_commits(release, [NewCommit("a2"), NewCommit("a1")], ANNA)
        thread = in_background(lambda: set_commits(release, [NewCommit("a1")], ANNA))
    thread.join(10)

    assert Commit.objects.get().sha == "a1"
