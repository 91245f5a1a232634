"""What a rule would have told, replayed over what is stored."""

from datetime import datetime, timedelta

import pytest

from issues.alerts import reacting
from issues.alerts.preview import preview
from issues.models import Alert
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
    make_watch,
)
from tests.issues.alert_rules import NOW, make_rule, note_activity

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


def test_scores_of_the_past_are_not_kept() -> None:
    rule = make_rule("impact", threshold=60)
    make_issue(stats={"score": 63.0, "exponent": 1.0})

    found = preview(rule, NOW)

    assert (len(found.messages), found.messages[0].at) == (1, NOW)
    assert "Past scores are not kept" in found.not_kept


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
