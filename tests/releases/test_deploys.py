from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from releases.deploys import DeployError, NewDeploy, finish_deploy, record_deploy
from releases.models import Deploy, Environment, Release, Rollback
from tenants.models import AuditEntry, Project
from tests.factories import ANNA, make_deploy, make_project, make_release

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
def shop() -> Project:
    return make_project(slug="shop")


def post(
    project: Project, version: str = "1", now: datetime = NOW, **told: Any
) -> tuple[Deploy, bool]:
    """A post at ``now``: the row is created then, as far as the step can see."""
    new = NewDeploy(**{"environment": "production", **told})
    deploy, is_new = record_deploy(project, version, new, ANNA, now)
    if is_new:
        Deploy.objects.filter(pk=deploy.pk).update(created=now)
    return deploy, is_new


def test_a_deploy_makes_release_and_environment(shop: Project) -> None:
    deploy, is_new = post(shop, "shop@2", name="blue", irreversible=True)

    assert is_new
    assert Release.objects.get().version == "shop@2"
    assert Environment.objects.get().name == "production"
    assert (deploy.name, deploy.irreversible, deploy.created_by) == (
        "blue",
        True,
        "anna",
    )


def test_a_deploy_starts_now_where_nothing_is_told(shop: Project) -> None:
    assert post(shop)[0].started_at == NOW


def test_a_deploy_that_only_tells_its_end_started_then(shop: Project) -> None:
    deploy, _ = post(shop, finished_at=NOW - MINUTE)

    assert deploy.started_at == deploy.finished_at == NOW - MINUTE


def test_a_clock_that_is_ahead_is_set_right(shop: Project) -> None:
    ahead = NOW + 3 * MINUTE
    deploy, _ = post(shop, started_at=ahead, finished_at=ahead)

    assert deploy.started_at == deploy.finished_at == NOW


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"started_at": NOW + 6 * MINUTE}, "future"),
        ({"finished_at": NOW + 6 * MINUTE}, "future"),
        ({"started_at": NOW, "finished_at": NOW - MINUTE}, "ends before it starts"),
    ],
)
def test_times_that_cannot_be_are_refused(
    shop: Project, told: dict[str, Any], message: str
) -> None:
    with pytest.raises(DeployError, match=message):
        post(shop, **told)
    assert not Release.objects.exists()


def test_who_posted_stands_in_the_audit(shop: Project) -> None:
    deploy, _ = post(shop, url="https://ci.example.com/7")

    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action, entry.object_id) == (
        "anna",
        "added",
        str(deploy.pk),
    )
    assert entry.changes["url"] == [None, "https://ci.example.com/7"]


def test_the_same_key_is_the_same_deploy(shop: Project) -> None:
    first, _ = post(shop, idempotency_key="run-7")
    post(shop, "2", now=NOW + HOUR)

    again, is_new = post(shop, now=NOW + 30 * HOUR, idempotency_key="run-7")

    assert (again.pk, is_new) == (first.pk, False)
    assert AuditEntry.objects.count() == 2


def test_a_key_belongs_to_one_project(shop: Project) -> None:
    post(shop, idempotency_key="run-7")

    assert post(make_project(), idempotency_key="run-7")[1]


@pytest.mark.parametrize("other", [{"version": "2"}, {"environment": "staging"}])
def test_a_key_of_another_deploy_is_refused(
    shop: Project, other: dict[str, Any]
) -> None:
    post(shop, idempotency_key="run-7")

    with pytest.raises(DeployError, match="belongs to another deploy: 1 to production"):
        post(shop, idempotency_key="run-7", **other)
    assert (Release.objects.count(), Environment.objects.count()) == (1, 1)


def test_without_a_key_the_same_post_is_the_same_deploy(shop: Project) -> None:
    first, _ = post(shop, name="blue")

    again, is_new = post(shop, now=NOW + 59 * MINUTE, name="blue")

    assert (again.pk, is_new) == (first.pk, False)


@pytest.mark.parametrize(
    "other",
    [
        {"now": NOW + HOUR},
        {"version": "2"},
        {"environment": "staging"},
        {"name": "green"},
        {"started_at": NOW - 6 * MINUTE},
        {"traffic_share": 0.1},
    ],
)
def test_without_a_key_another_post_is_another_deploy(
    shop: Project, other: dict[str, Any]
) -> None:
    post(shop)

    assert post(shop, **{"now": NOW + MINUTE, **other})[1]


def test_a_start_that_was_set_right_is_recognised(shop: Project) -> None:
    post(shop, started_at=NOW + 3 * MINUTE)

    assert not post(shop, now=NOW + MINUTE, started_at=NOW + 3 * MINUTE)[1]


@pytest.mark.parametrize("key", ["", "run-8"])
def test_a_release_that_comes_back_is_another_deploy(shop: Project, key: str) -> None:
    post(shop, "1")
    post(shop, "2", now=NOW + MINUTE, idempotency_key=key)

    assert post(shop, "1", now=NOW + 2 * MINUTE)[1]


def test_a_repeated_post_adds_what_it_tells_more(shop: Project) -> None:
    post(shop)
    end, url = NOW + MINUTE, "https://ci.example.com/7"

    deploy, _ = post(shop, now=end, irreversible=True, finished_at=end, url=url)

    deploy.refresh_from_db()
    assert (deploy.finished_at, deploy.irreversible) == (NOW + MINUTE, True)
    changed = AuditEntry.objects.get(action="changed").changes
    assert set(changed) == {"finished_at", "url", "irreversible"}


def test_a_repeated_post_takes_nothing_back(shop: Project) -> None:
    post(shop, irreversible=True, finished_at=NOW, url="https://ci.example.com/7")

    deploy, _ = post(shop, now=NOW + MINUTE, finished_at=NOW + MINUTE)

    deploy.refresh_from_db()
    assert (deploy.finished_at, deploy.irreversible) == (NOW, True)
    assert deploy.url == "https://ci.example.com/7"


def test_a_deploy_is_finished(shop: Project) -> None:
    deploy = make_deploy(started_at=NOW)

    finish_deploy(deploy, NOW + MINUTE, ANNA, NOW + MINUTE)

    deploy.refresh_from_db()
    assert deploy.finished_at == NOW + MINUTE
    assert list(AuditEntry.objects.get().changes) == ["finished_at"]


def test_the_end_of_a_clock_that_is_behind_is_the_start() -> None:
    deploy = make_deploy(started_at=NOW)

    assert finish_deploy(deploy, NOW - MINUTE, ANNA, NOW).finished_at == NOW


@pytest.mark.parametrize("offset", [-HOUR, HOUR])
def test_an_end_that_cannot_be_is_refused(offset: timedelta) -> None:
    deploy = make_deploy(started_at=NOW)

    with pytest.raises(DeployError):
        finish_deploy(deploy, NOW + offset, ANNA, NOW)


def make_rollback(bad: Deploy, to: Release, **fields: Any) -> Rollback:
    defaults = {"state": Rollback.State.CALLED, "created": NOW - 5 * MINUTE}
    return Rollback.objects.create(
        deploy=bad, to_release=to, idempotency_key=uuid4(), **{**defaults, **fields}
    )


def test_the_deploy_of_a_rollback_is_recognised_by_its_release(shop: Project) -> None:
    good = make_release(shop, "1")
    rollback = make_rollback(make_deploy(make_release(shop, "2")), good)

    assert post(shop, "1")[0].rollback == rollback


@pytest.mark.parametrize(
    ("post_of", "fields"),
    [
        ({"version": "0"}, {}),
        ({"environment": "staging"}, {}),
        ({}, {"state": Rollback.State.REFUSED}),
        ({}, {"state": Rollback.State.DRY_RUN}),
        ({}, {"created": NOW - 3 * HOUR}),
    ],
)
def test_another_deploy_carries_no_rollback_out(
    shop: Project, post_of: dict[str, Any], fields: dict[str, Any]
) -> None:
    good = make_release(shop, "1")
    make_rollback(make_deploy(make_release(shop, "2")), good, **fields)

    assert post(shop, **post_of)[0].rollback is None
