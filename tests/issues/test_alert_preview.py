"""What a rule would have told, replayed over what is stored."""

from datetime import datetime, timedelta
from unittest import mock

import pytest

from issues.alerts import past_issues, reacting
from issues.alerts.preview import preview
from issues.models import Alert, AlertRule, IngestLagMinute, Issue, ScoreHour
from releases.models import ReleaseUser, Rollback, Watch
from tests.factories import (
    make_check_in,
    make_deploy,
    make_environment,
    make_hit,
    make_issue,
    make_minute,
    make_place,
    make_project,
    make_release,
    make_rollback,
    make_tenant,
    make_watch,
)
from tests.issues.alert_rules import NOW, hit, make_rule, note_activity

pytestmark = pytest.mark.django_db

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def test_it_equals_what_was_sent() -> None:
    rule = make_rule("regression", repeat_minutes=5)
    project = make_project()
    issues = [make_issue(project) for _ in range(30)]
    began = NOW - HOUR
    for i, issue in enumerate([*issues, *issues[:5]]):
        at = began + timedelta(seconds=4 * i)
        note_activity(issue, "regressed", at=at)
        _look(at)
    for seconds in range(140, 200):
        _look(began + timedelta(seconds=seconds))

    found = preview(rule, NOW)

    sent: dict[str, list[str]] = {}
    alerts = Alert.objects.exclude(state=Alert.State.SUPPRESSED).order_by("pk")
    for message, cause in alerts.values_list("message", "cause"):
        sent.setdefault(message, []).append(cause)
    assert [one.causes for one in reversed(found.messages)] == list(sent.values())
    assert (found.causes, found.again) == (30, 5)


def _look(at: datetime) -> None:
    reacting.react_to_issues(at)
    reacting.settle_waiting(at)


def test_it_looks_at_seven_days_and_writes_nothing() -> None:
    rule = make_rule(is_active=False)
    note_activity(at=NOW - 8 * DAY, alerts_due=False)
    note_activity(at=NOW - 6 * DAY, alerts_due=False)

    found = preview(rule, NOW)

    assert found.sentence.startswith("1 cause, 1 message. When an issue is new, tell")
    assert "have now" in found.not_kept
    assert not Alert.objects.exists()


def test_conditions_hold_for_the_past_too() -> None:
    rule = make_rule(environment="prod*")
    for environment in ("production", "staging"):
        issue = make_issue(tags={"environment": environment})
        note_activity(issue, at=NOW - DAY)

    assert preview(rule, NOW).causes == 1


def test_rates_of_the_past_are_replayed_by_minute() -> None:
    rule = make_rule("events", threshold=100, minutes=5, repeat_minutes=60)
    project = make_project()
    release, place = make_release(project), make_environment(project)
    burst = NOW - DAY
    for start in (burst, burst + timedelta(minutes=30), burst + 2 * HOUR):
        for i in range(4):
            make_minute(release, place, start + timedelta(minutes=i), events=40)

    found = preview(rule, NOW)

    assert [m.at for m in reversed(found.messages)] == [
        (start + timedelta(minutes=3)).replace(second=0)
        for start in (burst, burst + 2 * HOUR)
    ]
    assert "120 events" in found.messages[0].found[0].text


def test_users_of_the_past_are_judged_by_day() -> None:
    rule = make_rule("crash_free_users", threshold=99)
    production = make_environment(make_project())
    for days, crashed in ((0, 1), (1, 0), (3, 2), (9, 30)):
        ReleaseUser.objects.bulk_create(
            ReleaseUser(
                release_id=1,
                environment_id=production.pk,
                day=(NOW - days * DAY).date(),
                user=number,
                crashed=number < crashed,
            )
            for number in range(30)
        )

    found = preview(rule, NOW)

    end = (NOW - 2 * DAY).replace(hour=0, minute=0, second=0)
    assert [message.at for message in found.messages] == [NOW, end]
    assert "93.33 % of 30 users" in found.messages[1].found[0].text
    assert found.not_kept.startswith("By day")


def test_the_usual_of_the_past_is_that_of_the_weeks_before_it() -> None:
    rule = make_rule("unusual", threshold=100, minutes=5)
    project = make_project()
    release, place = make_release(project), make_environment(project)
    at = NOW - DAY
    hour = at.replace(minute=0, second=0)
    for weeks in (1, 2):
        make_minute(release, place, hour - timedelta(weeks=weeks), events=1200)
    make_minute(release, place, at, events=300)

    (message,) = preview(rule, NOW).messages

    assert "100 are usual" in message.found[0].text


def peak(issue: Issue, at: datetime, score: float) -> None:
    hour = at.replace(minute=0, second=0)
    ScoreHour.objects.create(issue_id=issue.pk, hour=hour, at=at, score=score)


def times(rule: AlertRule) -> list[datetime]:
    return [message.at for message in reversed(preview(rule, NOW).messages)]


def test_scores_are_replayed_by_the_peak_of_each_hour() -> None:
    rule = make_rule("impact", threshold=60, repeat_minutes=120)
    issue, low = make_issue(title="wide"), make_issue()
    burst = NOW - DAY
    for hours, score in ((0, 63.4), (1, 80.0), (2, 70.0), (3, 59.9)):
        peak(issue, burst + hours * HOUR, score)
    peak(issue, NOW - 8 * DAY, 90.0)
    peak(low, burst, 59.0)

    found = preview(rule, NOW)

    assert times(rule) == [burst, burst + 2 * HOUR]
    (first,) = found.messages[-1].found
    assert first.title == f"High impact: wide ({issue.short_id})"
    assert first.text == "Its impact is 63, at least 60."
    assert (found.causes, found.again) == (2, 0)
    assert "highest score of each hour" in found.not_kept


def test_conditions_are_asked_of_issues_with_past_scores() -> None:
    rule = make_rule("impact", threshold=60, tag_key="template", tag_value="dhl*")
    project = make_project()
    peak(make_issue(project, tags={"template": "dhl-de"}), NOW - DAY, 70.0)
    peak(make_issue(project, tags={"template": "ups"}), NOW - DAY, 70.0)
    only = make_rule("impact", name="other", threshold=60, project=make_project())

    assert (preview(rule, NOW).causes, preview(only, NOW).causes) == (1, 0)


def test_of_a_closed_issue_is_told_what_was_while_it_was_open() -> None:
    rule = make_rule("impact", threshold=60, repeat_minutes=1)
    issue = make_issue(status="resolved")
    began = NOW - DAY
    for hours, kind in ((1, "archived"), (3, "unarchived"), (5, "resolved")):
        note_activity(issue, kind, at=began + hours * HOUR, alerts_due=False)
    for hours in range(7):
        peak(issue, began + hours * HOUR + timedelta(minutes=1), 70.0)

    told = [(at - began) // HOUR for at in times(rule)]

    assert told == [0, 3, 4]


def test_past_scores_of_a_merged_issue_are_told_by_the_one_that_shows_it() -> None:
    rule = make_rule("impact", threshold=60)
    issue = make_issue()
    merged = make_issue(issue.project, merged_into=issue)
    peak(merged, NOW - DAY, 70.0)
    peak(issue, NOW - DAY + timedelta(minutes=20), 70.0)

    (message,) = preview(rule, NOW).messages

    assert (message.at, message.found[0].issue_id) == (NOW - DAY, issue.pk)


def test_tenants_are_replayed_within_the_minutes_over_merged_issues() -> None:
    rule = make_rule("tenants", threshold=3, minutes=10, repeat_minutes=60)
    tenants = [make_tenant() for _ in range(3)]
    issue, slow = [
        make_issue(tenants=tenants, stats={"tenants": 3}, title=title)
        for title in ("wide", "slow")
    ]
    merged = make_issue(issue.project, merged_into=issue)
    burst = NOW - 6 * DAY
    for i, tenant in enumerate(tenants):
        hit(merged.pk if i else issue.pk, tenant.pk, burst + timedelta(minutes=4 * i))
        hit(slow.pk, tenant.pk, burst + timedelta(minutes=5 * i))
    hit(issue.pk, 0, burst)

    (message,) = preview(rule, NOW).messages

    assert message.at == (burst + timedelta(minutes=9)).replace(second=0)
    assert message.title == f"Many tenants: wide ({issue.short_id})"
    assert message.found[0].text == "It hit 3 tenants in 10 min, at least 3."


def test_tenants_hit_while_the_issue_was_archived_are_not_told() -> None:
    rule = make_rule("tenants", threshold=1, minutes=10)
    tenant = make_tenant()
    issue = make_issue(tenants=[tenant])
    note_activity(issue, "archived", at=NOW - 2 * DAY, alerts_due=False)
    hit(issue.pk, tenant.pk, NOW - DAY)
    assert not preview(rule, NOW).messages

    note_activity(issue, "unarchived", at=NOW - DAY - HOUR, alerts_due=False)

    assert len(preview(rule, NOW).messages) == 1


def test_a_few_rows_at_a_time_replay_the_same() -> None:
    rule = make_rule("tenants", threshold=2, minutes=10, repeat_minutes=60)
    tenants = [make_tenant() for _ in range(2)]
    for _ in range(5):
        issue = make_issue(tenants=tenants)
        for minutes in range(5):
            for tenant in tenants:
                hit(issue.pk, tenant.pk, NOW - DAY + timedelta(minutes=minutes))

    with mock.patch.multiple(past_issues, PIECE=2, ROWS=3):
        assert preview(rule, NOW).causes == 5


def test_lags_are_replayed_by_the_minute() -> None:
    rule = make_rule("ingest_lag", threshold=60, repeat_minutes=30)
    burst = (NOW - DAY).replace(second=0)
    for minutes, seconds in ((0, 60.0), (1, 95.0), (30, 120.0), (31, 75.0), (40, 9.0)):
        minute = burst + timedelta(minutes=minutes)
        IngestLagMinute.objects.create(minute=minute, seconds=seconds)

    found = preview(rule, NOW)

    assert times(rule) == [burst + timedelta(minutes=n) for n in (1, 31)]
    assert "waited for 75 s" in found.messages[0].found[0].text
    assert "longest wait of each minute" in found.not_kept


def test_what_happened_once_is_replayed() -> None:
    then = NOW - 3 * DAY
    make_watch(verdict=Watch.Verdict.DEGRADED, decided_at=then)
    make_rollback(make_deploy(), state=Rollback.State.FAILED, finished_at=then)
    make_check_in(make_place(), status="missed", started=then, expected_at=then)
    make_hit(make_issue(), removed_at=then, removed_reason="expired")

    for when in ("verdict", "rollback", "monitor", "hit_list"):
        assert len(preview(make_rule(when), NOW).messages) == 1, when


def test_quiet_hours_and_digests_shape_the_past_too() -> None:
    day = (NOW - DAY).replace(hour=3, minute=0, second=0)
    rule = make_rule(
        quiet_from=day.time(), quiet_until=(day + HOUR).time(), quiet_timezone="UTC"
    )
    for minutes in (5, 15, 25):
        note_activity(at=day + timedelta(minutes=minutes))

    (message,) = preview(rule, NOW).messages

    assert (message.at, message.title) == (day + HOUR, "3 alerts")
