"""Check-ins in batches on the real database: runs, limits, issues, exactly once."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import OperationalError
from django.utils import timezone

from issues.digest.batch import Digest
from issues.models import (
    CheckIn,
    Event,
    InboxEnvelope,
    Issue,
    Monitor,
    MonitorEnvironment,
    Outcome,
)
from issues.monitors import record, report, told_runs
from issues.schedules import Schedule
from releases import health
from tenants.models import ProjectKey
from tests.envelopes import envelope, item, put

pytestmark = pytest.mark.django_db(transaction=True)

NOW = timezone.now().replace(microsecond=0)
ID = "76cb0d259eb74f008a18c950e15aee15"
HOURLY: dict[str, Any] = {"schedule": {"type": "interval", "value": 1, "unit": "hour"}}
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def check_in(
    key: ProjectKey, status: str, *, at: datetime = NOW, **fields: Any
) -> None:
    """Accept a check-in as ingest does."""
    told = {"monitor_slug": "nightly", "check_in_id": ID, "status": status, **fields}
    put(key, envelope(item("check_in", told)), received=at)


def drain(digest: Digest) -> None:
    while digest.batch().envelopes:
        pass


def runs() -> list[tuple[str, float | None]]:
    rows = CheckIn.objects.order_by("started", "pk")
    return list(rows.values_list("status", "duration"))


def counted() -> dict[str, int]:
    rows = Outcome.objects.filter(category="monitor")
    return dict(rows.values_list("reason", "quantity"))


def test_a_pair_of_check_ins_is_one_run(key: ProjectKey, digest: Digest) -> None:
    check_in(key, "in_progress", monitor_config=HOURLY, environment="staging")
    drain(digest)
    run = CheckIn.objects.get()
    assert (run.status, run.started, run.timeout_at) == (
        *("in_progress", NOW, NOW + 30 * MINUTE),
    )
    check_in(key, "ok", at=NOW + MINUTE, duration=59.5, environment="staging")
    drain(digest)
    run.refresh_from_db()
    assert (run.status, run.duration, run.finished, run.timeout_at) == (
        *("ok", 59.5, NOW + MINUTE, None),
    )
    place = MonitorEnvironment.objects.get()
    assert (place.environment.name, place.last_status, place.running_since) == (
        *("staging", "ok", None),
    )
    assert (place.expected_at, place.missed_at) == (NOW + HOUR, NOW + HOUR + MINUTE)
    assert place.monitor.schedule == Schedule(value=1, unit="hour")


def test_both_check_ins_may_come_in_one_batch(key: ProjectKey, digest: Digest) -> None:
    check_in(key, "in_progress", at=NOW)
    check_in(key, "error", at=NOW + MINUTE)
    drain(digest)
    assert runs() == [("error", 60.0)]


def test_an_end_without_a_duration_lasts_since_the_start(
    key: ProjectKey, digest: Digest
) -> None:
    check_in(key, "in_progress", at=NOW)
    drain(digest)
    check_in(key, "ok", at=NOW + 90 * MINUTE / 60)
    drain(digest)
    assert runs() == [("ok", 90.0)]


def test_a_heartbeat_is_a_run_of_its_own(key: ProjectKey, digest: Digest) -> None:
    for _ in range(3):
        check_in(key, "ok", check_in_id=uuid4().hex)
    drain(digest)
    assert runs() == [("ok", None)] * 3


def test_a_repeated_check_in_counts_once(key: ProjectKey, digest: Digest) -> None:
    for _ in range(2):
        check_in(key, "in_progress")
        check_in(key, "error", duration=1)
        drain(digest)
    check_in(key, "error", duration=1)
    drain(digest)
    assert runs() == [("error", 1.0)]
    assert MonitorEnvironment.objects.get().failures == 1
    assert counted() == {"duplicate": 3}
    assert Event.objects.count() == 1


def test_an_end_that_comes_before_its_start_keeps_the_start(
    key: ProjectKey, digest: Digest
) -> None:
    check_in(key, "ok", at=NOW + MINUTE)
    drain(digest)
    check_in(key, "in_progress", at=NOW)
    drain(digest)
    run = CheckIn.objects.get()
    assert (run.status, run.started) == ("ok", NOW)


def test_an_end_without_an_id_ends_the_newest_run(
    key: ProjectKey, digest: Digest
) -> None:
    for minutes in (0, 1):
        at = NOW + minutes * MINUTE
        check_in(key, "in_progress", at=at, check_in_id=None)
    drain(digest)
    check_in(key, "ok", at=NOW + 2 * MINUTE, check_in_id="0" * 32)
    drain(digest)
    assert runs() == [("in_progress", None), ("ok", 60.0)]


def test_an_end_without_an_id_and_without_a_run_is_a_heartbeat(
    key: ProjectKey, digest: Digest
) -> None:
    check_in(key, "ok", check_in_id=None)
    drain(digest)
    assert runs() == [("ok", None)]


def test_a_run_that_timed_out_stays_so_and_tells_when_it_ended(
    key: ProjectKey, digest: Digest
) -> None:
    check_in(key, "in_progress")
    drain(digest)
    CheckIn.objects.update(status="timeout", timeout_at=None)
    check_in(key, "ok", at=NOW + HOUR)
    drain(digest)
    assert runs() == [("timeout", 3600.0)]
    assert MonitorEnvironment.objects.get().last_status == ""


def test_environments_of_a_monitor_are_apart(key: ProjectKey, digest: Digest) -> None:
    check_in(key, "ok", environment="production")
    check_in(key, "error", environment="staging")
    drain(digest)
    places = MonitorEnvironment.objects.order_by("environment__name")
    assert [place.last_status for place in places] == ["ok", "error"]
    assert Monitor.objects.count() == 1


def test_the_newest_settings_of_sdks_hold(key: ProjectKey, digest: Digest) -> None:
    check_in(key, "in_progress", monitor_config=HOURLY)
    daily = {
        "schedule": {"type": "crontab", "value": "0 3 * * *"},
        "timezone": "Europe/Vienna",
        "checkin_margin": 5,
        "failure_issue_threshold": 2,
    }
    drain(digest)
    check_in(key, "ok", at=NOW + MINUTE, monitor_config=daily)
    drain(digest)
    monitor = Monitor.objects.get()
    assert str(monitor.schedule) == "0 3 * * * (Europe/Vienna)"
    assert (monitor.margin_minutes, monitor.failure_threshold) == (5, 2)
    place = monitor.environments.get()
    assert place.expected_at is not None and place.missed_at is not None
    assert place.expected_at > NOW
    assert place.expected_at.minute == place.expected_at.second == 0
    assert place.missed_at - place.expected_at == 5 * MINUTE


def test_settings_that_are_set_here_are_not_changed_by_sdks(
    key: ProjectKey, digest: Digest
) -> None:
    Monitor.objects.create(
        project=key.project, slug="nightly", crontab="0 0 * * *", takes_config=False
    )
    check_in(key, "ok", monitor_config=HOURLY)
    drain(digest)
    assert Monitor.objects.get().crontab == "0 0 * * *"


def test_settings_that_cannot_be_used_are_told_and_the_run_is_kept(
    key: ProjectKey, digest: Digest
) -> None:
    check_in(key, "ok", monitor_config={"schedule": {"type": "moon"}})
    drain(digest)
    assert "neither a crontab" in Monitor.objects.get().config_problem
    assert runs() == [("ok", None)]
    check_in(key, "ok", monitor_config=HOURLY, check_in_id=uuid4().hex)
    drain(digest)
    assert Monitor.objects.get().config_problem == ""


def test_a_run_between_two_due_ones_is_for_neither(
    key: ProjectKey, digest: Digest
) -> None:
    config = {"schedule": {"type": "crontab", "value": "0 3 1 1 *"}}
    check_in(key, "ok", monitor_config=config)
    drain(digest)
    before = MonitorEnvironment.objects.get().expected_at
    check_in(key, "ok", at=NOW + MINUTE, check_in_id=uuid4().hex)
    drain(digest)
    assert MonitorEnvironment.objects.get().expected_at == before
    assert set(CheckIn.objects.values_list("expected_at", flat=True)) == {None}


def test_a_disabled_monitor_takes_no_check_ins(key: ProjectKey, digest: Digest) -> None:
    Monitor.objects.create(project=key.project, slug="nightly", is_disabled=True)
    check_in(key, "error")
    drain(digest)
    assert (runs(), counted()) == ([], {"switched_off": 1})


def test_what_a_public_key_may_make_is_bounded(
    key: ProjectKey, digest: Digest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record, "MOST_MONITORS", 2)
    monkeypatch.setattr(record, "MOST_ENVIRONMENTS", 2)
    monkeypatch.setattr(told_runs, "MOST_RUNS_A_MINUTE", 3)
    for number in range(3):
        check_in(key, "ok", monitor_slug=f"forged-{number}")
        check_in(key, "ok", monitor_slug="forged-0", environment=f"forged-{number}")
    drain(digest)
    assert Monitor.objects.count() == 2
    assert MonitorEnvironment.objects.filter(monitor__slug="forged-0").count() == 2
    assert counted() == {"too_many": 3}
    for _ in range(4):
        check_in(key, "ok", monitor_slug="forged-1", check_in_id=uuid4().hex)
    drain(digest)
    assert counted() == {"too_many": 3, "rate_limit": 2}


def test_an_unreadable_check_in_is_counted(key: ProjectKey, digest: Digest) -> None:
    check_in(key, "fine")
    drain(digest)
    assert (Monitor.objects.count(), counted()) == (0, {"invalid": 1})


def test_a_batch_that_is_rolled_back_leaves_no_run(
    key: ProjectKey, digest: Digest, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_in(key, "error")

    def fails(*_: object) -> None:
        raise OperationalError("deadlock detected")

    with monkeypatch.context() as patch:
        patch.setattr(health, "add_release_minutes", fails)
        with pytest.raises(OperationalError):
            digest.batch()
    assert Monitor.objects.count() == CheckIn.objects.count() == 0
    assert InboxEnvelope.objects.count() == 1
    drain(digest)
    assert runs() == [("error", None)]
    assert Event.objects.count() == 1


# --- Issues


def fail(key: ProjectKey, digest: Digest, *statuses: str, **fields: Any) -> None:
    for number, status in enumerate(statuses):
        at = NOW + number * MINUTE
        check_in(key, status, at=at, check_in_id=uuid4().hex, **fields)
        drain(digest)


def test_a_failed_run_is_an_issue(key: ProjectKey, digest: Digest) -> None:
    fail(key, digest, "error", release="api@1", environment="staging")
    issue = Issue.objects.get()
    assert (issue.title, issue.culprit, issue.logger) == (
        *("Monitor nightly failed", "nightly", "monitors"),
    )
    event = Event.objects.get()
    assert {"monitor=nightly", "monitor.status=error"} <= set(event.tags)
    assert event.release is not None and event.release.version == "api@1"
    assert event.environment is not None and event.environment.name == "staging"
    assert event.payload["contexts"]["monitor"]["failures_in_a_row"] == 1
    place = MonitorEnvironment.objects.get()
    assert (place.issue, place.reported_event) == (issue, None)


def test_all_failures_of_a_monitor_are_one_issue(
    key: ProjectKey, digest: Digest
) -> None:
    fail(key, digest, "error", "error")
    fail(key, digest, "error", environment="staging")
    fail(key, digest, "error", monitor_slug="other")
    assert sorted(Issue.objects.values_list("stats__events", flat=True)) == [1, 1, 2]


def test_below_the_threshold_there_is_no_issue(key: ProjectKey, digest: Digest) -> None:
    config = {**HOURLY, "failure_issue_threshold": 3}
    fail(key, digest, "error", "error", "ok", "error", "error", monitor_config=config)
    assert not Issue.objects.exists()
    fail(key, digest, "error", monitor_config=config)
    assert Event.objects.count() == 1
    assert MonitorEnvironment.objects.get().failing_since is not None


def test_a_muted_monitor_fails_without_an_issue(
    key: ProjectKey, digest: Digest
) -> None:
    Monitor.objects.create(project=key.project, slug="nightly", is_muted=True)
    fail(key, digest, "error")
    assert MonitorEnvironment.objects.get().failing_since is not None
    assert not Issue.objects.exists()


def test_the_issue_of_a_monitor_that_recovered_is_resolved(
    key: ProjectKey, digest: Digest
) -> None:
    config = {**HOURLY, "recovery_threshold": 2}
    fail(key, digest, "error", "ok", monitor_config=config)
    assert report.resolve_recovered() == 0
    fail(key, digest, "ok", monitor_config=config)
    assert report.resolve_recovered() == 1
    issue = Issue.objects.get()
    assert issue.status == Issue.Status.RESOLVED
    activity = issue.activities.first()
    assert activity is not None
    assert "The monitor has recovered." in activity.text
    assert report.resolve_recovered() == 0


def test_a_monitor_that_fails_again_opens_its_issue_again(
    key: ProjectKey, digest: Digest
) -> None:
    fail(key, digest, "error", "ok", release="api@1")
    report.resolve_recovered()
    fail(key, digest, "error", release="api@1")
    issue = Issue.objects.get()
    assert (issue.status, issue.regressed_at is None) == (Issue.Status.OPEN, False)


def test_an_issue_waits_for_the_event_that_is_still_in_the_inbox(
    key: ProjectKey, digest: Digest
) -> None:
    check_in(key, "error", check_in_id=uuid4().hex)
    check_in(key, "ok", at=NOW + MINUTE, check_in_id=uuid4().hex)
    digest.batch()
    assert InboxEnvelope.objects.count() == 1
    assert report.resolve_recovered() == 0
    drain(digest)
    assert report.resolve_recovered() == 1
    assert Issue.objects.get().status == Issue.Status.RESOLVED


def test_an_issue_that_was_merged_is_left_to_people(
    key: ProjectKey, digest: Digest
) -> None:
    fail(key, digest, "error", "ok")
    root = Issue.objects.create(project=key.project, title="root")
    Issue.objects.exclude(pk=root.pk).update(merged_into=root)
    assert report.resolve_recovered() == 0
    assert not Issue.objects.filter(status=Issue.Status.RESOLVED).exists()
    assert not MonitorEnvironment.objects.filter(resolves=True).exists()


def test_nobody_can_send_an_event_for_a_monitor(
    key: ProjectKey, digest: Digest
) -> None:
    """Only the server's own events are linked, whatever others claim."""
    fail(key, digest, "error")
    place, event_id = MonitorEnvironment.objects.get(), uuid4()
    MonitorEnvironment.objects.update(reported_event=event_id)
    forged = {"event_id": event_id.hex, "message": "x"}
    put(key, envelope(item("event", forged)))
    drain(digest)
    place.refresh_from_db()
    assert place.reported_event == UUID(event_id.hex)
