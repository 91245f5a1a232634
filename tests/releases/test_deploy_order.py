from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from releases.deploy_order import deployed, previous_releases
from releases.models import Deploy, Release
from tests.factories import (
    make_deploy,
    make_environment,
    make_minute,
    make_project,
    make_release,
    make_rollback,
)

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
START = timezone.now() - timedelta(days=3)


def shipped(*versions: str) -> list[Deploy]:
    """Releases of one project, deployed to production an hour after each other."""
    project = make_project()
    return [
        make_deploy(make_release(project, version), started_at=START + HOUR * i)
        for i, version in enumerate(versions)
    ]


def test_deploys_tell_the_first_and_the_last_of_a_release() -> None:
    first, other = shipped("1", "2")
    again = make_deploy(first.release)
    make_deploy(first.release, "staging")

    order = deployed([first.release_id], [first.environment_id])

    (found,) = order.values()
    assert (found.first, found.last) == (START, again.started_at)
    assert not found.rolled_back


def test_a_deploy_that_carries_out_a_rollback_is_no_new_one() -> None:
    old, bad = shipped("1", "2")
    make_deploy(old.release, rollback=make_rollback(bad, state="called"))

    order = deployed([old.release_id, bad.release_id], [old.environment_id])

    assert order[old.release_id, old.environment_id].last == START
    assert order[bad.release_id, old.environment_id].rolled_back


def test_a_release_that_was_gone_back_to_only_has_no_order() -> None:
    bad, old = shipped("2", "1")
    Deploy.objects.filter(pk=old.pk).update(rollback=make_rollback(bad))

    order = deployed([old.release_id], [old.environment_id])

    assert order[old.release_id, old.environment_id].last is None


def previous(deploy: Deploy) -> Release | None:
    environments = [deploy.environment_id]
    return previous_releases(deploy.release, environments).get(deploy.environment_id)


def test_the_previous_release_is_the_one_that_was_deployed_before() -> None:
    _, older, newer = shipped("3", "1", "2")
    make_deploy(make_release(older.project, "4"), "staging")
    make_deploy(make_release(older.project, "5"))

    assert previous(newer) == older.release


def test_a_release_that_was_rolled_back_is_passed_over() -> None:
    good, bad, newer = shipped("1", "2", "3")
    make_rollback(bad)

    assert previous(newer) == good.release


def test_without_deploys_the_previous_release_was_seen_before() -> None:
    project = make_project()
    production, staging = make_environment(project), make_environment(project, "stage")
    releases = [
        make_release(project, str(n), first_seen=START + HOUR * n) for n in range(4)
    ]
    make_minute(releases[0], production, START)
    make_minute(releases[1], production, START)
    make_minute(releases[2], staging, START)

    found = previous_releases(releases[3], [production.pk, staging.pk])

    assert found == {production.pk: releases[1], staging.pk: releases[2]}


def test_the_first_release_has_none_before_it() -> None:
    (only,) = shipped("1")

    assert previous(only) is None


def test_the_order_costs_one_query_and_the_previous_releases_two(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    first, second, third = shipped("1", "2", "3")
    places = [first.environment_id, make_environment(first.project, "staging").pk]

    with django_assert_num_queries(1):
        deployed([first.release_id, second.release_id], places)
    with django_assert_num_queries(2):
        previous_releases(third.release, places)
