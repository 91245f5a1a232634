from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from releases.models import Deploy, Rollback, Watch
from tests.admin_pages import client_of, page, told
from tests.factories import (
    make_deploy,
    make_environment,
    make_project,
    make_release,
    make_rollback,
    make_watch,
)

pytestmark = pytest.mark.django_db

LIST = "releases_deploy_changelist"


@pytest.fixture
def viewer() -> Client:
    return client_of("viewer")


def shown(client: Client, **query: Any) -> list[str]:
    response = client.get(reverse(f"admin:{LIST}"), query)
    return [row.deploy.release.version for row in response.context["rows"]]


def deploy(version: str, **fields: Any) -> Deploy:
    project = fields.pop("project", None) or make_project()
    return make_deploy(make_release(project, version), **fields)


def test_the_newest_deploy_comes_first(viewer: Client) -> None:
    now = timezone.now()
    deploy("old", started_at=now - timedelta(days=2))
    deploy("new", started_at=now - timedelta(hours=1))
    deploy("newest", started_at=now)

    assert shown(viewer) == ["newest", "new", "old"]


def test_deploys_are_found_by_version(viewer: Client) -> None:
    deploy("shop@1.2.3")
    deploy("api@7")

    assert shown(viewer, q="SHOP@1.2") == ["shop@1.2.3"]


def test_deploys_are_filtered(viewer: Client) -> None:
    shop = make_project(slug="shop")
    staging = make_environment(shop, "staging")
    wanted = deploy("wanted", project=shop, environment=staging)
    make_watch(wanted, verdict="degraded")
    make_watch(deploy("other", project=shop), verdict="healthy")
    deploy("not watched")
    old = timezone.now() - timedelta(days=3)
    make_watch(deploy("old", started_at=old), verdict="degraded")

    assert shown(viewer, project="shop", environment="staging") == ["wanted"]
    assert shown(viewer, verdict="degraded") == ["wanted", "old"]
    assert shown(viewer, verdict="degraded", period="24h") == ["wanted"]
    assert shown(viewer, verdict="none") == ["not watched"]


def test_a_filter_that_is_wrong_is_told_and_left_out(viewer: Client) -> None:
    deploy("1")

    response = viewer.get(reverse(f"admin:{LIST}"), {"verdict": "splendid"})

    assert [row.deploy.release.version for row in response.context["rows"]] == ["1"]
    assert "verdict: Select a valid choice" in told(response)[0]


def test_an_open_watch_says_how_long_it_lasts(viewer: Client) -> None:
    now = timezone.now()
    made = deploy("1", started_at=now - timedelta(minutes=10))
    make_watch(made, serving_since=now - timedelta(minutes=10, seconds=1))

    (row,) = viewer.get(reverse(f"admin:{LIST}")).context["rows"]

    assert row.state.badge.label == "watching"
    assert row.state.left.startswith("49:5")


def test_a_release_that_was_not_heard_of_is_waited_for(viewer: Client) -> None:
    make_watch(deploy("1"), serving_since=None, source="")

    (row,) = viewer.get(reverse(f"admin:{LIST}")).context["rows"]

    assert row.state.badge.label == "waiting"


def test_a_ratio_over_its_threshold_stands_out(viewer: Client) -> None:
    make_watch(deploy("1"), verdict="degraded", numbers={"ratio": 4.63})

    (row,) = viewer.get(reverse(f"admin:{LIST}")).context["rows"]

    assert (row.ratio, row.limit, row.is_over) == ("4.6x", "1.5x", True)


def test_without_a_denominator_the_threshold_is_three(viewer: Client) -> None:
    make_watch(deploy("1"), source=Watch.Source.NONE, numbers={"ratio": 2.0})

    (row,) = viewer.get(reverse(f"admin:{LIST}")).context["rows"]

    assert (row.limit, row.is_over) == ("3.0x", False)


@pytest.mark.parametrize(
    ("state", "label"),
    [
        (Rollback.State.REFUSED, "rollback refused"),
        (Rollback.State.UNKNOWN, "rollback: outcome unknown"),
        (Rollback.State.VERIFIED, "rolled back"),
    ],
)
def test_the_newest_rollback_is_told(viewer: Client, state: str, label: str) -> None:
    made = deploy("1")
    make_rollback(made, state=Rollback.State.FAILED)
    make_rollback(made, state=state)

    assert label in page(viewer, LIST)


@pytest.mark.parametrize(
    ("action", "label"), [("alert", "alerted"), ("observe", "observed only")]
)
def test_a_verdict_without_a_rollback_tells_what_it_did(
    viewer: Client, action: str, label: str
) -> None:
    make_watch(deploy("1"), verdict="degraded", reason="global", action=action)

    html = page(viewer, LIST)

    assert label in html
    assert "the whole release is worse" in html


def test_a_deploy_that_carries_out_a_rollback_says_so(viewer: Client) -> None:
    rollback = make_rollback(deploy("bad"))
    deploy("good", rollback=rollback)

    assert "is a rollback" in page(viewer, LIST)


def test_the_list_refreshes_itself_while_something_is_watched(viewer: Client) -> None:
    watch = make_watch()
    assert "data-refreshes" in page(viewer, LIST)

    watch.verdict = Watch.Verdict.HEALTHY
    watch.save()
    assert "data-refreshes" not in page(viewer, LIST)


def test_an_empty_list_says_how_deploys_come(viewer: Client) -> None:
    assert "Nothing was deployed yet" in page(viewer, LIST)


def test_people_without_a_role_see_no_deploy(client: Client) -> None:
    response = client_of("").get(reverse(f"admin:{LIST}"))

    assert response.status_code == 403


@pytest.mark.parametrize("deploys", [1, 12])
def test_the_list_takes_the_same_queries_however_long(
    viewer: Client, django_assert_num_queries: DjangoAssertNumQueries, deploys: int
) -> None:
    for n in range(deploys):
        made = deploy(f"{n}")
        make_watch(made)
        make_rollback(made)

    # Session, person, two of permissions, dead letters; projects, environments; ids,
    # deploys, their rollbacks, the count.
    with django_assert_num_queries(11):
        page(viewer, LIST)
