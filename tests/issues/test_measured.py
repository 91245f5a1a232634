"""Figures from rows: a few weeks of incidents and deploys, counted by hand."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pytest_django import DjangoAssertNumQueries

from issues.incidents import steps
from issues.incidents.figures import Figures, Share
from issues.incidents.measured import figures_until
from issues.incidents.steps import Fire, open_incident
from issues.models import Incident
from releases.models import Deploy, Rollback
from tests.factories import (
    ANNA,
    make_deploy,
    make_project,
    make_release,
    make_rollback,
    make_watch,
)

pytestmark = pytest.mark.django_db

# A Wednesday of week 47; the week before is 46.
WEDNESDAY = datetime(2026, 11, 18, 12, 0, tzinfo=UTC)
NOW = datetime(2026, 11, 20, 0, 0, tzinfo=UTC)
LAST = date(2026, 11, 20)


def burn(at: datetime = WEDNESDAY, began: float = 1.5, **fields: Any) -> Incident:
    fire = Fire(
        **{
            "title": "Checkout is broken",
            "cause": f"rule:{Incident.objects.count()}",
            "source": Incident.Source.RULE,
            "began_at": at - timedelta(minutes=began),
            **fields,
        }
    )
    return open_incident(fire, ANNA, at)[0]


def after(incident: Incident, minutes: float) -> datetime:
    return incident.detected_at + timedelta(minutes=minutes)


def figures(weeks: int = 2, **given: Any) -> Figures:
    return figures_until(LAST, weeks, NOW, **given)


def test_an_incident_is_measured_from_its_rows() -> None:
    incident = burn()
    steps.acknowledge(incident, ANNA, after(incident, 2))
    steps.mitigate(incident, ANNA, after(incident, 4))
    steps.resolve(incident, ANNA, after(incident, 30))

    found = figures().all

    assert list(found.detect.values) == [90]
    assert list(found.acknowledge.values) == [120]
    assert list(found.mitigate.values) == [240]
    assert list(found.resolve.values) == [1800]
    assert list(found.restore.values) == []
    assert [found.in_target, found.in_ten_minutes] == [Share(1, 1)] * 2


def test_the_calm_before_a_reopening_does_not_count() -> None:
    incident = burn()
    steps.mitigate(incident, ANNA, after(incident, 4))
    steps.reopen(incident, ANNA, after(incident, 60))
    steps.mitigate(incident, ANNA, after(incident, 67))

    found = figures().all

    assert list(found.mitigate.values) == [660]
    assert found.in_ten_minutes == Share(0, 1)


def test_a_clock_that_runs_on_counts_once_it_is_over() -> None:
    burn(NOW - timedelta(minutes=11))
    burn(NOW - timedelta(minutes=3))  # may be kept yet
    again = burn(NOW - timedelta(minutes=30))
    steps.mitigate(again, ANNA, after(again, 8))
    steps.reopen(again, ANNA, after(again, 20))  # 8 + 10 minutes by now

    found = figures().all

    assert (found.mitigate.count, found.in_target) == (0, Share(0, 2))


@pytest.mark.parametrize(("began", "count"), [(0, 0), (5, 1)])
def test_by_hand_only_a_told_beginning_counts(began: float, count: int) -> None:
    burn(began=began, source=Incident.Source.HAND)

    assert figures().all.detect.count == count


def test_weeks_begin_on_monday_in_their_zone() -> None:
    burn(datetime(2026, 11, 15, 23, 30, tzinfo=UTC))  # Monday 00:30 in Berlin
    burn(datetime(2026, 11, 8, 23, 59, tzinfo=UTC))  # week 46 in Berlin only
    burn(datetime(2026, 11, 23, 0, 0, tzinfo=UTC))  # week 48

    by_week = [(g.name, g.incidents) for g in figures().by_week]
    berlin = figures(zone=ZoneInfo("Europe/Berlin"))

    assert by_week == [("2026-W46", 1), ("2026-W47", 0)]
    assert [group.incidents for group in berlin.by_week] == [1, 1]


def shipped(day: int, verdict: str = "", **fields: Any) -> Deploy:
    project = fields.pop("project", None) or make_project()
    release = make_release(project, f"{day}.{Deploy.objects.count()}")
    at = datetime(2026, 11, day, 9, tzinfo=UTC)
    deploy = make_deploy(release, started_at=at, **fields)
    if verdict:
        make_watch(deploy, verdict=verdict)
    return deploy


def test_deploys_are_judged_failed_and_frequent() -> None:
    shop = make_project(slug="shop")
    shipped(10, "healthy", project=shop)
    failed = shipped(16, "degraded", project=shop)
    back = make_rollback(failed, state=Rollback.State.VERIFIED)
    shipped(16, "healthy", project=shop, rollback=back)  # carries it out
    shipped(17, "inconclusive", project=shop)
    unsure = shipped(17, "inconclusive")
    make_rollback(unsure, state=Rollback.State.CALLED)
    make_rollback(shipped(18, "healthy"), state=Rollback.State.REFUSED)
    shipped(18, "pending")
    shipped(1, "degraded")  # before

    found = figures()

    # Judged: healthy twice, degraded, and the one rolled back by hand.
    assert found.all.failures == Share(2, 4)
    assert found.all.deploys == 6
    # From Monday of week 46 to Friday 00:00: 11 of 7 days.
    assert found.deploys_a_week == pytest.approx(6 * 7 / 11)
    assert figures(project=shop).all.failures == Share(1, 2)


def test_time_to_restore_is_from_the_beginning_of_the_harm() -> None:
    incident = burn(began=3, deploy=shipped(18, "degraded"))
    steps.mitigate(incident, ANNA, after(incident, 5))
    steps.resolve(incident, ANNA, after(incident, 50))

    assert list(figures().all.restore.values) == [480]


def test_a_project_has_its_own_figures() -> None:
    shop = make_project(slug="shop")
    burn(project=shop)
    burn()

    assert [(g.name, g.incidents) for g in figures().by_project] == [
        ("(none)", 1),
        ("shop", 1),
    ]
    assert figures(project=shop).all.incidents == 1


@pytest.mark.parametrize("number", [1, 5])
def test_the_figures_take_a_fixed_number_of_queries(
    django_assert_num_queries: DjangoAssertNumQueries, number: int
) -> None:
    for _ in range(number):
        burn()
        steps.mitigate(burn(), ANNA, NOW)
        shipped(18, "healthy")

    # Incidents, the entries of running clocks, deploys.
    with django_assert_num_queries(3):
        figures()
