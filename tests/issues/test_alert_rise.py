"""When what a rule tells of began."""

from datetime import timedelta

import pytest

from issues.alerts import reacting
from issues.alerts.rise import first_of_rise
from issues.incidents.steps import resolve
from issues.models import InboxEnvelope, Incident, IssueStats
from tests.envelopes import put
from tests.factories import (
    ANNA,
    make_environment,
    make_issue,
    make_key,
    make_minute,
    make_project,
    make_release,
    make_tenant,
)
from tests.issues.alert_rules import NOW, hit, make_rule

MINUTE = timedelta(minutes=1)
START = NOW.replace(second=0)


@pytest.mark.parametrize(
    ("counts", "first"),
    [
        ([], None),
        ([5, 5, 5, 5], 0),
        ([1, 1, 1, 50, 60], 3),
        ([0, 0, 1], 2),
    ],
)
def test_a_rise_begins_with_at_least_the_mean(
    counts: list[int], first: int | None
) -> None:
    by_minute = {START + n * MINUTE: count for n, count in enumerate(counts)}

    found = first_of_rise(by_minute, max(len(counts), 1))

    assert found == (None if first is None else START + first * MINUTE)


@pytest.mark.django_db
def test_an_issue_that_hits_many_began_with_its_rise() -> None:
    make_rule("tenants", threshold=3, minutes=10, opens_incident=True)
    tenants = [make_tenant() for _ in range(3)]
    seen = START - 2 * MINUTE + timedelta(seconds=20)
    issue = make_issue(first_seen=seen, tenants=tenants, stats={"tenants": 3})
    for n, tenant in enumerate(tenants):
        hit(issue.pk, tenant.pk, NOW - n * MINUTE)

    reacting.tick(NOW)

    assert Incident.objects.get().began_at == seen


@pytest.mark.django_db
def test_many_events_began_with_their_rise() -> None:
    make_rule("events", threshold=100, minutes=5, opens_incident=True)
    project = make_project()
    release, environment = make_release(project, "1.0"), make_environment(project)
    make_minute(release, environment, START - 4 * MINUTE, events=1)
    make_minute(release, environment, START - 2 * MINUTE, events=60)
    make_minute(release, environment, START - MINUTE, events=60)

    reacting.tick(NOW)

    assert Incident.objects.get().began_at == START - 2 * MINUTE


@pytest.mark.django_db
def test_open_issues_of_the_environment_join_its_incident() -> None:
    make_rule("events", threshold=10, minutes=5, opens_incident=True)
    project = make_project()
    release, environment = make_release(project, "1.0"), make_environment(project)
    make_minute(release, environment, START, events=20)
    issue, merged = make_issue(project), make_issue(project)
    merged.merged_into = issue
    merged.save()
    archived, elsewhere = make_issue(project, status="archived"), make_issue(project)
    for one in (merged, archived):
        hit(one.pk, 0, NOW, environment.pk)
    hit(elsewhere.pk, 0, NOW, environment.pk + 1)

    reacting.tick(NOW)

    assert list(Incident.objects.get().issues.all()) == [issue]


@pytest.mark.django_db
def test_a_new_fire_after_a_resolved_incident_opens_another() -> None:
    make_rule("events", threshold=50, minutes=5, opens_incident=True)
    project = make_project()
    release, environment = make_release(project, "1.0"), make_environment(project)
    make_minute(release, environment, START, events=60)
    reacting.tick(NOW)
    resolve(Incident.objects.get(), ANNA, NOW + MINUTE)

    reacting.tick(NOW + 2 * MINUTE)
    assert Incident.objects.count() == 1  # what stands on is no new fire

    reacting.tick(NOW + 5 * MINUTE)
    make_minute(release, environment, START + 6 * MINUTE, events=60)
    reacting.tick(NOW + 6 * MINUTE)
    second = Incident.objects.first()
    assert Incident.objects.count() == 2
    assert second is not None
    assert second.began_at == START + 6 * MINUTE

    reacting.tick(NOW + 7 * MINUTE)
    assert Incident.objects.count() == 2


@pytest.mark.django_db
def test_an_issue_that_hits_many_anew_opens_another_incident() -> None:
    make_rule("tenants", threshold=3, minutes=10, opens_incident=True)
    tenants = [make_tenant() for _ in range(3)]
    issue = make_issue(first_seen=START, tenants=tenants, stats={"tenants": 3})
    for tenant in tenants:
        hit(issue.pk, tenant.pk, NOW)
    reacting.tick(NOW)
    resolve(Incident.objects.get(), ANNA, NOW + MINUTE)
    reacting.tick(NOW + 2 * MINUTE)
    assert Incident.objects.count() == 1

    reacting.tick(NOW + 11 * MINUTE)
    for tenant in tenants:
        hit(issue.pk, tenant.pk, NOW + 12 * MINUTE)
    IssueStats.objects.update(last_seen=NOW + 12 * MINUTE)
    reacting.tick(NOW + 12 * MINUTE)

    assert Incident.objects.count() == 2


@pytest.mark.django_db
def test_a_fire_that_never_went_out_is_no_new_one() -> None:
    make_rule("events", threshold=50, minutes=5, opens_incident=True)
    project = make_project()
    release, environment = make_release(project, "1.0"), make_environment(project)
    for n in range(12):
        make_minute(release, environment, START + n * MINUTE, events=60)
    reacting.tick(NOW)
    resolve(Incident.objects.get(), ANNA, NOW + MINUTE)

    for n in range(2, 12):
        reacting.tick(NOW + n * MINUTE)

    assert Incident.objects.count() == 1


@pytest.mark.django_db
def test_a_lag_that_stands_on_after_its_incident_opens_no_other() -> None:
    make_rule("ingest_lag", threshold=60, opens_incident=True)
    put(make_key(), b"{}", received=NOW - 5 * MINUTE)
    reacting.tick(NOW)
    resolve(Incident.objects.get(), ANNA, NOW + MINUTE)
    reacting.tick(NOW + 2 * MINUTE)
    assert Incident.objects.count() == 1

    InboxEnvelope.objects.all().delete()
    reacting.tick(NOW + 3 * MINUTE)
    put(make_key(), b"{}", received=NOW + 3 * MINUTE)
    reacting.tick(NOW + 5 * MINUTE)

    assert Incident.objects.count() == 2
