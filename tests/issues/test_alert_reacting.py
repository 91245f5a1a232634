"""From what happened to alerts and messages, on the database."""

from datetime import datetime, time, timedelta
from typing import Any
from unittest import mock

import pytest
from django.db import DatabaseError, OperationalError, transaction

from issues.alerts import reacting, standing, telling
from issues.models import (
    Alert,
    AlertRule,
    InboxEnvelope,
    Incident,
    IssueActivity,
)
from releases.models import Environment, Release, ReleaseUser, Rollback, Watch
from tenants.models import Delivery
from tests.factories import (
    make_channel,
    make_check_in,
    make_deploy,
    make_environment,
    make_hit,
    make_issue,
    make_minute,
    make_place,
    make_plan,
    make_project,
    make_release,
    make_rollback,
    make_tenant,
    make_user,
    make_watch,
)
from tests.issues.alert_rules import NOW, hit, make_rule, note_activity, told

pytestmark = pytest.mark.django_db

State = Alert.State
DUE = NOW - timedelta(minutes=1)  # and a minute of margin


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def causes(**states: Any) -> list[str]:
    return list(
        Alert.objects.filter(**states).order_by("pk").values_list("cause", flat=True)
    )


def test_a_new_issue_is_told_with_its_page() -> None:
    make_rule()
    issue = make_issue(title="KeyError: 'price'")
    note_activity(issue)

    assert reacting.react_to_issues(NOW) == 1

    delivery = Delivery.objects.get()
    assert (
        delivery.message["title"] == f"New issue: KeyError: 'price' ({issue.short_id})"
    )
    assert delivery.message["url"].endswith(f"/admin/issues/issue/{issue.pk}/")
    alert = Alert.objects.get()
    assert (alert.state, alert.message) == (State.TOLD, delivery.subject)
    assert not IssueActivity.objects.filter(alerts_due=True).exists()


def test_what_was_looked_at_is_not_looked_at_again() -> None:
    make_rule()
    note_activity()
    reacting.react_to_issues(NOW)

    assert reacting.react_to_issues(later(5)) == 0
    assert len(told()) == 1


def test_a_row_that_is_committed_after_later_ones_is_looked_at() -> None:
    make_rule()
    first = note_activity()
    issue, pk = first.issue, first.pk
    first.delete()
    note_activity()
    reacting.react_to_issues(NOW)

    note_activity(issue, pk=pk)
    reacting.react_to_issues(later(3))

    assert len(told()) == 2


def test_a_storm_is_looked_at_in_pieces() -> None:
    make_rule(digest_minutes=1)
    project = make_project()
    for _ in range(7):
        note_activity(make_issue(project))
    pieces = mock.patch.multiple(reacting, PIECE=3, MOST=6)

    with pieces:
        assert reacting.react_to_issues(NOW) == 6
        assert reacting.react_to_issues(NOW) == 1


def test_a_rule_that_cannot_be_looked_at_does_not_stop_the_others() -> None:
    make_rule("ingest_lag", threshold=1)
    make_rule("verdict")
    make_watch(verdict=Watch.Verdict.DEGRADED, decided_at=NOW)
    broken = mock.Mock(side_effect=DatabaseError("no"))

    with mock.patch.dict(standing.STANDING, {"ingest_lag": broken}):
        reacting.tick(later(1))

    assert len(told()) == 1


def test_a_rule_that_cannot_be_read_does_not_silence_the_others() -> None:
    make_rule(name="a broken one", environment="*")
    make_rule()
    note_activity(make_issue(tags={"environment": "production"}))

    reacting.react_to_issues(NOW)

    assert len(told()) == 1


def test_what_cannot_be_told_now_is_told_by_the_tick() -> None:
    make_rule()
    note_activity()
    with mock.patch.object(reacting, "settle", side_effect=ValueError("no")):
        reacting.react_to_issues(NOW)
    assert causes(state=State.PENDING) != []
    assert not told()

    reacting.tick(later(40))

    assert len(told()) == 1


def test_a_rule_that_the_database_refuses_does_not_stop_the_tick() -> None:
    make_rule()
    make_rule("verdict")
    note_activity()
    make_watch(verdict=Watch.Verdict.DEGRADED, decided_at=NOW)
    refused = mock.patch.object(
        reacting, "of_activities", side_effect=OperationalError("statement timeout")
    )

    with refused:
        reacting.tick(later(1))

    assert len(told()) == 1
    assert IssueActivity.objects.get().alerts_due


def test_a_database_that_is_away_marks_nothing() -> None:
    make_rule()
    note_activity()
    broken = mock.patch.object(reacting, "note", side_effect=OperationalError("no"))

    with broken, pytest.raises(OperationalError), transaction.atomic():
        reacting.react_to_issues(NOW)

    assert IssueActivity.objects.get().alerts_due


def test_without_a_rule_that_asks_rows_are_marked_and_no_alert_is_written() -> None:
    make_rule(is_active=False)
    make_rule("regression", is_active=False)
    make_rule("impact", threshold=50)
    note_activity()

    assert reacting.react_to_issues(NOW) == 1
    assert not Alert.objects.exists()
    assert reacting.react_to_issues(NOW) == 0


def test_activities_of_other_kinds_never_wait() -> None:
    make_rule("regression")
    issue = make_issue()
    note_activity(issue)
    back = note_activity(issue, "regressed", text="It happened again.")

    reacting.react_to_issues(NOW)

    assert causes() == [f"regression:{back.pk}"]


def test_a_merged_issue_is_told_by_the_one_that_shows_it() -> None:
    make_rule()
    note_activity(make_issue(merged_into=make_issue()))

    reacting.react_to_issues(NOW)

    assert causes() == []


def test_the_same_is_not_told_again_within_its_interval() -> None:
    make_rule("regression", repeat_minutes=10)
    issue = make_issue()
    for seconds in (0, 300, 601):
        note_activity(issue, "regressed")
        reacting.react_to_issues(later(seconds))

    states = Alert.objects.order_by("pk").values_list("state", flat=True)
    assert list(states) == [State.TOLD, State.SUPPRESSED, State.TOLD]
    assert len(told()) == 2


@pytest.mark.parametrize(
    ("asked", "tells"),
    [
        ({"environment": "prod*"}, True),
        ({"environment": "staging"}, False),
        ({"tag_key": "carrier", "tag_value": "dhl"}, True),
        ({"tag_key": "carrier", "tag_value": "ups"}, False),
        ({"tenant": "big.*"}, True),
        ({"tenant": "small.*"}, False),
        ({"release": "2.*"}, True),
        ({"path": "*/checkout"}, True),
        ({"path": "*/cart"}, False),
        ({"min_level": 40}, True),
        ({"min_level": 50}, False),
    ],
)
def test_conditions_are_asked_of_what_the_issue_has(
    asked: dict[str, Any], tells: bool
) -> None:
    make_rule(**asked)
    tags = {"environment": "production", "carrier": "dhl", "release": "2.1"}
    issue = make_issue(
        tags={**tags, "url": "https://x.example/checkout"},
        tenants=[make_tenant("big.example.com")],
    )
    note_activity(issue)

    reacting.react_to_issues(NOW)

    assert bool(told()) is tells


def test_a_plan_is_asked_of_the_tenants_that_are_hit() -> None:
    big = make_plan("Enterprise")
    make_rule(plan=big)
    note_activity(make_issue(tenants=[make_tenant()]))
    note_activity(make_issue(tenants=[make_tenant(plan=big)]))

    reacting.react_to_issues(NOW)

    assert len(told()) == 1


def test_people_are_told_by_mail() -> None:
    make_rule(channels=[], people=[make_user("lea", email="lea@example.com")])
    note_activity()

    reacting.react_to_issues(NOW)

    assert Delivery.objects.get().channel.config == {"to": ["lea@example.com"]}


def test_who_has_left_is_not_told() -> None:
    gone = make_user("gone", email="gone@example.com", is_active=False)
    make_rule(channels=[], people=[gone])
    note_activity()

    reacting.react_to_issues(NOW)

    assert not Delivery.objects.exists()


def test_a_storm_is_five_messages_at_most_and_every_cause_is_in_one() -> None:
    rule = make_rule()
    project = make_project()
    for second in range(0, 60, 2):
        for _ in range(10):
            note_activity(make_issue(project))
        reacting.react_to_issues(later(second))
        if second % 10 == 0:
            reacting.settle_waiting(later(second))
    for second in range(60, 120, 10):
        reacting.settle_waiting(later(second))

    messages = Delivery.objects.values_list("subject", flat=True)
    assert len(messages) <= 5
    alerts = Alert.objects.filter(rule=rule)
    assert alerts.count() == 300
    assert set(alerts.values_list("message", flat=True)) == set(messages)
    delays = [a.told_at - a.at for a in alerts if a.told_at]
    assert len(delays) == 300
    assert max(delays) <= timedelta(seconds=40)


def test_a_folded_message_counts_names_the_worst_and_links_to_all() -> None:
    make_rule(digest_minutes=1)
    issues = [make_issue(stats={"exponent": i}, title=f"fault {i}") for i in range(7)]
    for issue in issues:
        note_activity(issue)
    reacting.react_to_issues(NOW)
    reacting.settle_waiting(later(60))

    delivery = Delivery.objects.get()
    message = delivery.message
    assert message["title"] == "7 alerts: new_issue"
    lines = message["sections"][0][1]
    assert "fault 6" in lines[0]
    assert lines[-1] == "and 2 more"
    assert message["url"].endswith(
        f"?message=alert%3A{delivery.subject[6:].replace(':', '%3A')}"
    )
    assert set(Alert.objects.values_list("state", flat=True)) == {State.FOLDED}


def test_the_worst_of_a_folded_message_may_be_without_a_number() -> None:
    make_rule("monitor", digest_minutes=1)
    place = make_place()
    for _ in range(2):
        run = make_check_in(place, status="error", started=NOW, finished=NOW)
    other = make_place(slug="other")
    make_check_in(other, status="missed", started=DUE, expected_at=DUE)
    reacting.tick(later(1))
    reacting.settle_waiting(later(61))

    assert told() == ["2 alerts: monitor"]
    assert causes(state=State.SUPPRESSED) == [f"monitor:{place.pk}:{run.pk}"]


def test_what_comes_in_quiet_hours_is_told_in_one_message_at_their_end() -> None:
    start = (NOW - timedelta(minutes=5)).time().replace(second=0)
    end = (NOW + timedelta(minutes=5)).time().replace(second=0)
    make_rule(quiet_from=start, quiet_until=end)
    for _ in range(3):
        note_activity()
    reacting.react_to_issues(NOW)
    reacting.settle_waiting(later(60))
    assert told() == []
    assert causes(state=State.HELD) == causes()

    reacting.settle_waiting(later(300))

    assert told() == ["3 alerts: new_issue"]


def test_a_critical_rule_may_tell_in_quiet_hours() -> None:
    make_rule(
        quiet_from=time(0),
        quiet_until=time(23, 59, 59),
        opens_incident=True,
        severity="critical",
        ignores_quiet_hours=True,
    )
    note_activity()
    reacting.react_to_issues(NOW)

    assert Incident.objects.get().source == Incident.Source.RULE


def test_what_waits_for_a_rule_that_is_switched_off_is_not_told() -> None:
    rule = make_rule(digest_minutes=10)
    note_activity()
    reacting.react_to_issues(NOW)
    AlertRule.objects.filter(pk=rule.pk).update(is_active=False)

    reacting.settle_waiting(later(600))

    assert (told(), Alert.objects.get().state) == ([], State.SUPPRESSED)


def test_a_storm_is_one_incident_that_its_issues_join() -> None:
    make_rule(opens_incident=True)
    issues = [make_issue() for _ in range(20)]
    for issue in issues:
        note_activity(issue)
    reacting.react_to_issues(NOW)
    reacting.settle_waiting(later(30))

    incident = Incident.objects.get()
    assert set(incident.issues.all()) == set(issues)
    assert set(Alert.objects.values_list("message", flat=True)) == {incident.subject}
    assert list(incident.entries.values_list("kind", flat=True)) == [
        *("detected", "joined", "joined")
    ]
    assert incident.channels.get().name == "team"
    # The head, and for each step that follows an edit of it and an update.
    assert Delivery.objects.filter(thread=True).count() == 2


def test_killed_before_the_commit_there_is_neither_alert_nor_mark() -> None:
    """After it there is a message on its way: nothing to do in between."""
    make_rule()
    note_activity()
    with (
        mock.patch.object(telling, "enqueue", side_effect=KeyboardInterrupt),
        pytest.raises(KeyboardInterrupt),
        transaction.atomic(),
    ):
        reacting.react_to_issues(NOW)
    assert not Alert.objects.exists()
    assert IssueActivity.objects.filter(alerts_due=True).exists()

    reacting.react_to_issues(later(1))

    assert len(told()) == 1


def test_high_impact_is_told_again_while_it_stands() -> None:
    make_rule("impact", threshold=60, repeat_minutes=5)
    make_issue(stats={"score": 59.0, "exponent": 0.89})
    make_issue(stats={"score": 70.0, "exponent": 1.2}, status="resolved")
    high = make_issue(stats={"score": 63.0, "exponent": 1.0}, title="wide")
    for seconds in (0, 10, 301):
        reacting.tick(later(seconds))

    assert told() == [f"High impact: wide ({high.short_id})"] * 2
    assert Alert.objects.first().text == "Its impact is 63, at least 60."  # type: ignore[union-attr]


def test_conditions_that_the_worst_issues_fail_do_not_hide_the_others() -> None:
    make_rule("impact", threshold=10, environment="staging")
    project = make_project()
    for _ in range(3):
        make_issue(project, stats={"score": 90.0, "exponent": 2.3})
    tags = {"environment": "staging"}
    make_issue(project, stats={"score": 20.0, "exponent": 0.2}, tags=tags)
    with mock.patch("issues.alerts.standing.PIECE", 2):
        reacting.tick(NOW)

    assert len(told()) == 1


def test_tenants_are_counted_within_the_minutes_over_merged_issues() -> None:
    make_rule("tenants", threshold=3, minutes=10)
    tenants = [make_tenant() for _ in range(4)]
    issue = make_issue(tenants=tenants, stats={"tenants": 4})
    merged = make_issue(issue.project, merged_into=issue)
    old = make_issue(tenants=tenants, stats={"tenants": 4})
    for i, tenant in enumerate(tenants[:3]):
        hit(merged.pk if i else issue.pk, tenant.pk, NOW)
        hit(old.pk, tenant.pk, NOW - timedelta(minutes=20))

    reacting.tick(NOW)

    assert Alert.objects.get().text == "It hit 3 tenants in 10 min, at least 3."


def test_rates_are_judged_for_each_environment() -> None:
    make_rule("events", threshold=100, minutes=5)
    project = make_project()
    release = make_release(project)
    production = make_environment(project)
    for i in range(3):
        make_minute(release, production, NOW - timedelta(minutes=i), events=40)
    make_minute(release, make_environment(project, "staging"), NOW, events=99)

    reacting.tick(NOW)

    alert = Alert.objects.get()
    assert alert.title == "production: many events"
    assert alert.text == "120 events in 5 min, at least 100."


def test_a_release_that_is_asked_for_counts_alone() -> None:
    make_rule("events", threshold=100, minutes=5, release="2.*")
    project = make_project()
    production = make_environment(project)
    make_minute(make_release(project, "1.0"), production, NOW, events=500)
    make_minute(make_release(project, "2.0"), production, NOW, events=99)

    reacting.tick(NOW)

    assert causes() == []


def test_the_usual_is_that_of_this_hour_of_earlier_weeks() -> None:
    make_rule("unusual", threshold=100, minutes=5)
    project = make_project()
    release, place = make_release(project), make_environment(project)
    make_minute(release, place, NOW, events=300)
    hour = NOW.replace(minute=0, second=0)
    for weeks, events in ((1, 1200), (2, 1200)):
        make_minute(release, place, hour - timedelta(weeks=weeks), events=events)

    reacting.tick(NOW)

    assert "100 are usual" in Alert.objects.get().text


def test_crash_free_sessions_are_judged() -> None:
    make_rule("crash_free", threshold=99, minutes=5)
    project = make_project()
    make_minute(
        make_release(project),
        make_environment(project),
        NOW,
        sessions=200,
        sessions_unhandled=2,
        sessions_crashed=1,
    )

    reacting.tick(NOW)

    assert Alert.objects.get().text.startswith("98.50 % of 200 sessions")


def had_sessions(
    version: str,
    environment: Environment,
    users: int,
    crashed: int = 0,
    day: datetime = NOW,
) -> None:
    """Users 0, 1, … of that day, of whom the first ones met a crash."""
    project = environment.project
    release, _ = Release.objects.get_or_create(project=project, version=version)
    ReleaseUser.objects.bulk_create(
        ReleaseUser(
            release_id=release.pk,
            environment_id=environment.pk,
            day=day.date(),
            user=number,
            crashed=number < crashed,
        )
        for number in range(users)
    )


def test_a_user_of_two_releases_counts_once_and_crashed_in_one_of_them() -> None:
    make_rule("crash_free_users", threshold=99)
    production = make_environment(make_project())
    had_sessions("1.0", production, users=40)
    had_sessions("2.0", production, users=20, crashed=2)
    had_sessions("1.0", production, users=90, day=NOW - timedelta(days=1))

    reacting.tick(NOW)
    reacting.tick(later(10))

    alert = Alert.objects.get()
    assert alert.title == "production: users meet crashes"
    assert alert.text.startswith("95.00 % of 40 users of the day")
    assert (alert.data["users"], alert.data["crashed"]) == (40, 2)


@pytest.mark.parametrize(
    ("asked", "tells"),
    [
        *(({}, True), ({"environment": "prod*"}, True), ({"release": "2.*"}, True)),
        *(({"environment": "staging"}, False), ({"release": "1.*"}, False)),
        ({"project": "other"}, False),
    ],
)
def test_users_are_asked_for_by_project_environment_and_release(
    asked: dict[str, Any], tells: bool
) -> None:
    if "project" in asked:
        asked = {"project": make_project(slug="other")}
    make_rule("crash_free_users", threshold=99, **asked)
    production = make_environment(make_project())
    had_sessions("1.0", production, users=30)
    had_sessions("2.0", production, users=30, crashed=1)

    reacting.tick(NOW)

    assert Alert.objects.exists() is tells


def test_yesterdays_users_say_nothing_of_today() -> None:
    make_rule("crash_free_users", threshold=99)
    yesterday = NOW - timedelta(days=1)
    had_sessions("1.0", make_environment(make_project()), 30, crashed=9, day=yesterday)

    reacting.tick(NOW)

    assert not Alert.objects.exists()


def test_verdicts_are_told_but_for_deploys_that_were_replaced() -> None:
    make_rule("verdict")
    kinds = Watch.Verdict
    for verdict, reason in (
        (kinds.DEGRADED, ""),
        (kinds.INCONCLUSIVE, "superseded"),
        (kinds.HEALTHY, ""),
    ):
        make_watch(verdict=verdict, reason=reason, decided_at=NOW)

    reacting.tick(NOW)
    reacting.tick(later(10))

    assert len(told()) == 1
    assert "is degraded" in told()[0]


def test_the_incident_of_a_deploy_is_the_one_that_its_watch_opens() -> None:
    make_rule("verdict", opens_incident=True)
    watch = make_watch(verdict=Watch.Verdict.DEGRADED, decided_at=NOW)

    reacting.tick(later(1))

    incident = Incident.objects.get()
    assert (incident.cause, incident.deploy) == (f"deploy:{watch.pk}", watch.deploy)


@pytest.mark.parametrize(
    ("state", "tells"),
    [
        *(("verified", True), ("failed", True), ("unknown", True), ("refused", True)),
        *(("called", False), ("sending", False)),
    ],
)
def test_a_rollback_is_told_when_it_has_ended(state: str, tells: bool) -> None:
    make_rule("rollback")
    make_rollback(make_deploy(), state=Rollback.State(state), finished_at=NOW)

    reacting.tick(later(1))

    assert bool(told()) is tells


def test_runs_that_fail_are_told_unless_the_monitor_is_muted() -> None:
    make_rule("monitor", environment="prod*")
    place = make_place()
    make_check_in(place, status="ok", started=NOW, finished=NOW)
    make_check_in(place, status="missed", started=DUE, expected_at=DUE)
    muted = make_place(slug="muted")
    muted.monitor.is_muted = True
    muted.monitor.save()
    make_check_in(muted, status="error", started=NOW, finished=NOW)
    staging = make_place("staging", slug="other")
    make_check_in(staging, status="error", started=NOW, finished=NOW)

    reacting.tick(later(1))

    assert told() == ["nightly in production was missed"]


def test_a_missed_run_is_told_however_late_it_is_known() -> None:
    make_rule("monitor")
    place = make_place()
    place.monitor.margin_minutes = 90
    place.monitor.save()
    due = NOW - timedelta(minutes=90)
    make_check_in(place, status="missed", started=due, expected_at=due)

    reacting.tick(later(1))

    assert told() == ["nightly in production was missed"]


def test_the_hit_list_tells_of_expiry_and_of_long_standing() -> None:
    make_rule("hit_list", threshold=24)
    gone = make_hit(make_issue(), removed_at=NOW, removed_reason="expired")
    make_hit(make_issue(), removed_at=NOW, removed_reason="resolved")
    make_hit(make_issue(), added_at=NOW - timedelta(hours=23))
    long = make_hit(make_issue(), added_at=NOW - timedelta(hours=24, minutes=1))

    reacting.tick(later(1))

    assert causes() == [f"hit:{gone.pk}:expired", f"hit:{long.pk}:overdue"]


def test_the_oldest_envelope_that_waits_is_told() -> None:
    make_rule("ingest_lag", threshold=60)
    waiting = {"project_id": 1, "key_id": 1, "kind": "store", "size": 1, "body": b""}
    InboxEnvelope.objects.create(received=NOW - timedelta(seconds=61), **waiting)

    reacting.tick(NOW)

    assert "61 s" in Alert.objects.get().text


def test_a_rule_does_not_tell_of_what_was_before_it() -> None:
    make_rule("verdict", created=NOW)
    before = NOW - timedelta(minutes=1)
    make_watch(verdict=Watch.Verdict.DEGRADED, decided_at=before)

    reacting.tick(later(1))

    assert told() == []


def test_two_rules_tell_of_the_same_cause_each() -> None:
    make_rule()
    make_rule(name="other", channels=[make_channel("other")])
    note_activity()

    reacting.react_to_issues(NOW)

    assert len(told()) == 2


def was_degraded(hours: float) -> None:
    decided = NOW - timedelta(hours=hours)
    make_watch(verdict=Watch.Verdict.DEGRADED, decided_at=decided)


def test_what_happened_while_the_system_was_off_is_told() -> None:
    rule = make_rule("verdict", created=NOW - timedelta(days=30))
    reacting.tick(NOW - timedelta(hours=5))
    for hours in (4, 3, 0.5):
        was_degraded(hours)

    reacting.tick(NOW)
    reacting.tick(later(10))

    assert Alert.objects.count() == 3
    rule.refresh_from_db()
    assert rule.looked_until == later(10)


def test_what_is_older_than_a_week_is_history() -> None:
    made = NOW - timedelta(days=30)
    make_rule("verdict", created=made, looked_until=NOW - timedelta(days=20))
    was_degraded(7 * 24 + 1)
    was_degraded(7 * 24 - 1)

    reacting.tick(NOW)

    assert Alert.objects.count() == 1


def test_a_row_that_becomes_visible_late_is_told() -> None:
    make_rule("verdict")
    reacting.tick(NOW)
    was_degraded(0.9)

    reacting.tick(later(10))

    assert Alert.objects.count() == 1


def test_a_look_that_fails_is_done_again_from_where_it_was() -> None:
    rule = make_rule("verdict", looked_until=NOW - timedelta(hours=5))
    was_degraded(4)
    with mock.patch.object(reacting, "note", side_effect=DatabaseError("no")):
        reacting.tick(NOW)
    rule.refresh_from_db()
    assert rule.looked_until == NOW - timedelta(hours=5)

    reacting.tick(later(10))

    assert Alert.objects.count() == 1


@pytest.mark.parametrize("looks", [True, False])
def test_a_rule_does_not_tell_of_the_time_when_it_was_off(looks: bool) -> None:
    rule = make_rule("verdict", looked_until=NOW - timedelta(hours=5))
    rule.is_active = False
    rule.save()
    was_degraded(0.5)
    if looks:
        reacting.tick(NOW - timedelta(minutes=20))
    rule.is_active = True
    with mock.patch("django.utils.timezone.now", return_value=NOW):
        rule.save()

    reacting.tick(later(10))
    assert not Alert.objects.exists()

    was_degraded(-0.001)
    reacting.tick(later(20))
    assert Alert.objects.count() == 1


def test_a_rule_that_asks_for_something_else_begins_anew() -> None:
    rule = make_rule("new_issue")
    was_degraded(4)
    rule.when = "verdict"
    rule.save()

    reacting.tick(later(10))

    assert not Alert.objects.exists()


def test_an_edit_of_an_active_rule_misses_nothing() -> None:
    rule = make_rule("verdict", looked_until=NOW - timedelta(hours=5))
    was_degraded(4)
    rule.name = "bad deploy"
    rule.save()

    reacting.tick(later(10))

    assert Alert.objects.count() == 1


def test_runs_are_looked_for_again_until_digest_has_read_them() -> None:
    make_rule("monitor", looked_until=NOW - timedelta(hours=5))
    waiting = {"project_id": 1, "key_id": 1, "kind": "store", "size": 1, "body": b""}
    sent = NOW - timedelta(hours=4)
    envelope = InboxEnvelope.objects.create(received=sent, **waiting)
    reacting.tick(NOW)
    envelope.delete()
    make_check_in(make_place(), status="error", started=sent, finished=sent)

    reacting.tick(later(10))

    assert told() == ["nightly in production failed"]


def test_a_busy_monitor_is_read_as_far_back_as_the_look_goes() -> None:
    make_rule("monitor", looked_until=NOW - timedelta(hours=30))
    place = make_place()
    bad = NOW - timedelta(hours=29)
    make_check_in(place, status="error", started=bad, finished=bad)
    for minute in range(29 * 60):
        start = bad + timedelta(minutes=minute)
        make_check_in(place, status="ok", started=start, finished=start)

    reacting.tick(NOW)

    assert told() == ["nightly in production failed"]
