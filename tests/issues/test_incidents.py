"""Incidents from detection to resolution, by people, rollbacks, rates and time."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError
from django.utils import timezone

from issues.incidents import reacting, steps
from issues.incidents.steps import Fire, IncidentError, open_incident
from issues.incidents.timeline import reading
from issues.models import (
    EscalationStep,
    Incident,
    IncidentEntry,
    IncidentPolicy,
    Issue,
    IssueMinute,
)
from releases.models import Action, Rollback, Watch
from tenants.audit import SYSTEM
from tenants.models import AuditEntry, Channel, Delivery
from tests.factories import (
    ANNA,
    make_channel,
    make_deploy,
    make_issue,
    make_project,
    make_rollback,
    make_user,
)

pytestmark = pytest.mark.django_db

Kind = IncidentEntry.Kind
State = Incident.State
NOW = (timezone.now() - timedelta(minutes=1)).replace(second=30, microsecond=0)


def later(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


def burn(*issues: Issue, cause: str = "hand:1", **fields: Any) -> Incident:
    fire = Fire(
        title="Checkout is broken",
        cause=cause,
        source=Incident.Source.HAND,
        began_at=fields.pop("began_at", NOW),
        issues=[issue.pk for issue in issues],
        **fields,
    )
    incident, _ = open_incident(fire, ANNA, NOW)
    return incident


def kinds(incident: Incident) -> list[str]:
    return list(incident.entries.values_list("kind", flat=True))


def hit(issue: Issue, at: datetime, events: int) -> None:
    IssueMinute.objects.create(
        issue_id=issue.pk,
        minute=at.replace(second=0, microsecond=0),
        environment_id=0,
        release_id=0,
        tenant_id=0,
        events=events,
        unhandled=0,
        level=40,
        path_weight=1.0,
    )


def test_it_goes_from_detected_to_resolved() -> None:
    incident = burn()
    assert steps.acknowledge(incident, ANNA, later(1))
    assert steps.mitigate(incident, ANNA, later(4), "Switched the carrier off.")
    assert steps.resolve(incident, ANNA, later(30))
    assert kinds(incident) == ["detected", "acknowledged", "mitigated", "resolved"]
    assert (incident.state, incident.spent_seconds) == (State.RESOLVED, 240)


def test_a_step_that_changes_nothing_writes_nothing() -> None:
    incident = burn()
    steps.acknowledge(incident, ANNA, later(1))
    assert not steps.acknowledge(incident, ANNA, later(2))
    assert kinds(incident) == ["detected", "acknowledged"]


def test_who_acknowledges_first_owns_it() -> None:
    user = make_user("ben")
    incident = burn()
    steps.acknowledge(incident, type(ANNA)("ben", user), later(1))
    assert incident.owner == user


def test_the_same_cause_joins_the_incident_that_stands() -> None:
    first, second = make_issue(), make_issue()
    incident = burn(first, cause="rule:1")
    again = burn(second, cause="rule:1", began_at=later(-3))
    assert again == incident
    assert set(again.issues.all()) == {first, second}
    assert again.began_at == later(-3)


def test_after_it_is_resolved_the_same_cause_is_a_new_incident() -> None:
    incident = burn(cause="rule:1")
    steps.resolve(incident, ANNA, later(1))
    assert burn(cause="rule:1") != incident


def test_reopened_the_clock_runs_on() -> None:
    incident = burn()
    steps.resolve(incident, ANNA, later(3))
    steps.reopen(incident, ANNA, later(60), "Again.")
    read = reading(incident, later(64))
    assert (read.spent, read.running) == (timedelta(minutes=7), True)
    assert incident.state == State.OPEN


def test_it_is_not_reopened_beside_a_newer_one_of_its_cause() -> None:
    incident = burn(cause="rule:1")
    steps.resolve(incident, ANNA, later(1))
    burn(cause="rule:1")
    with pytest.raises(IncidentError, match="go on there"):
        steps.reopen(incident, ANNA, later(2))


def test_what_is_resolved_while_another_joins_is_opened_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opens, tries = steps._open, []

    def stood_a_moment_ago(*arguments: Any) -> Incident:
        tries.append(arguments)
        if len(tries) == 1:
            raise IntegrityError("incident_cause_once")
        return opens(*arguments)

    monkeypatch.setattr(steps, "_open", stood_a_moment_ago)

    assert burn().state == "open"
    assert len(tries) == 2


def test_a_merged_issue_joins_as_the_one_that_shows_it() -> None:
    root = make_issue()
    merged = make_issue(project=root.project, merged_into=root)
    assert list(burn(merged).issues.all()) == [root]


def test_another_severity_brings_its_target() -> None:
    IncidentPolicy.objects.create(severity="critical", target_seconds=300)
    incident = burn()
    steps.change(incident, ANNA, later(1), severity="critical")
    assert incident.target_seconds == 300


def test_the_policy_of_the_project_goes_before_that_of_all() -> None:
    project = make_project()
    IncidentPolicy.objects.create(severity="high", target_seconds=900)
    IncidentPolicy.objects.create(severity="high", target_seconds=60, project=project)
    assert burn(project=project).target_seconds == 60
    assert burn(cause="other").target_seconds == 900


def test_each_step_by_a_person_is_audited() -> None:
    incident = burn()
    steps.add_note(incident, ANNA, later(1), "Looks like the carrier.")
    actions = AuditEntry.objects.filter(object_id=str(incident.pk), actor="anna")
    assert set(actions.values_list("action", flat=True)) == {"opened", "note"}


def test_an_empty_note_is_refused() -> None:
    with pytest.raises(IncidentError, match="empty"):
        steps.add_note(burn(), ANNA, NOW, "  ")


def test_channels_get_the_head_and_each_step() -> None:
    incident = burn(channels=[make_channel()])
    steps.acknowledge(incident, ANNA, later(1))
    told = Delivery.objects.order_by("pk").values_list("thread", "message__status")
    assert list(told) == [
        (False, "open"),
        (False, "acknowledged"),
        (True, "acknowledged"),
    ]


def test_the_head_says_the_clock_and_what_burns() -> None:
    issue = make_issue(title="TypeError: x is undefined")
    incident = burn(issue, channels=[make_channel()])
    message = Delivery.objects.get(subject=incident.subject).message
    assert ["Clock", "0:00 of 10:00, running"] in message["facts"]
    assert "TypeError: x is undefined" in message["sections"][0][1][0]
    assert [action["name"] for action in message["actions"]] == [
        "acknowledge",
        "resolve",
        "archive",
        "assign",
    ]


def test_the_first_message_that_arrived_is_when_it_was_alerted() -> None:
    incident = burn(channels=[make_channel()])
    Delivery.objects.update(state=Delivery.State.SENT, finished_at=later(0.05))
    assert reacting.note_alerted(later(1)) == 1
    incident.refresh_from_db()
    assert incident.alerted_at == later(0.05)
    assert reacting.note_alerted(later(1)) == 0


def degraded(**fields: Any) -> Watch:
    deploy = make_deploy(started_at=later(-5))
    watch, _ = Watch.objects.update_or_create(
        deploy=deploy,
        defaults={
            "verdict": Watch.Verdict.DEGRADED,
            "reason": "global",
            "action": Action.ALERT,
            "sentence": "It is degraded.",
            "opened_at": later(-5),
            "serving_since": later(-4),
            "due_at": NOW,
            "decided_at": NOW,
            "numbers": {"since": 2},
            **fields,
        },
    )
    return watch


def test_a_degraded_deploy_opens_one_incident() -> None:
    watch = degraded()
    assert (reacting.react_to_watches(NOW), reacting.react_to_watches(NOW)) == (1, 0)
    incident = Incident.objects.get()
    assert (incident.deploy, incident.severity) == (watch.deploy, "critical")
    assert incident.began_at == later(-2)
    assert incident.entries.get().text == "It is degraded."


@pytest.mark.parametrize(
    "fields",
    [
        {"verdict": Watch.Verdict.HEALTHY},
        {"action": Action.OBSERVE},
        {"decided_at": NOW - timedelta(hours=2)},
    ],
)
def test_other_verdicts_open_none(fields: dict[str, Any]) -> None:
    degraded(**fields)
    reacting.react_to_watches(NOW)
    assert not Incident.objects.exists()


def test_a_verified_rollback_mitigates_the_incident_of_its_deploy() -> None:
    watch = degraded()
    reacting.react_to_watches(NOW)
    rollback = make_rollback(watch.deploy, state=Rollback.State.CALLED)
    reacting.react_to_rollbacks(later(1))
    incident = Incident.objects.get()
    assert incident.state == State.OPEN
    Rollback.objects.filter(pk=rollback.pk).update(state=Rollback.State.VERIFIED)
    reacting.react_to_rollbacks(later(5))
    incident.refresh_from_db()
    assert (incident.state, incident.spent_seconds) == (State.MITIGATED, 300)
    assert kinds(incident) == ["detected", "rollback", "rollback", "mitigated"]
    assert reacting.react_to_rollbacks(later(6)) == 0


def test_a_rate_that_is_back_mitigates() -> None:
    issue = make_issue()
    incident = burn(issue)
    hit(issue, later(-1), 100)
    reacting.follow_rates(NOW)
    hit(issue, later(8), 9)
    reacting.follow_rates(later(9))
    incident.refresh_from_db()
    assert incident.state == State.MITIGATED
    assert "The rate is back: 9 events" in incident.entries.last().text  # type: ignore[union-attr]


def test_a_rate_that_stays_does_not() -> None:
    issue = make_issue()
    incident = burn(issue)
    hit(issue, later(-1), 100)
    reacting.follow_rates(NOW)
    hit(issue, later(8), 11)
    reacting.follow_rates(later(9))
    incident.refresh_from_db()
    assert incident.state == State.OPEN


def test_what_burns_again_is_reopened() -> None:
    issue = make_issue()
    incident = burn(issue)
    hit(issue, later(-1), 100)
    reacting.follow_rates(NOW)
    steps.mitigate(incident, ANNA, later(2))
    hit(issue, later(8), 60)
    reacting.follow_rates(later(9))
    incident.refresh_from_db()
    assert (incident.state, incident.reopened) == (State.OPEN, 1)


def test_what_stays_calm_is_resolved() -> None:
    incident = burn()
    Incident.objects.update(resolve_after_minutes=30)
    steps.mitigate(incident, SYSTEM, later(2))
    reacting.follow_rates(later(31))
    incident.refresh_from_db()
    assert incident.state == State.MITIGATED
    reacting.follow_rates(later(33))
    incident.refresh_from_db()
    assert (incident.state, incident.spent_seconds) == (State.RESOLVED, 120)


def escalation(**fields: Any) -> EscalationStep:
    policy = IncidentPolicy.objects.create(severity="high")
    return EscalationStep.objects.create(policy=policy, after_seconds=240, **fields)


def test_nobody_has_acknowledged_so_the_next_are_told_once() -> None:
    escalation().channels.add(make_channel("managers"))
    incident = burn()
    assert [reacting.escalate(later(m)) for m in (3.9, 4.1, 5)] == [0, 1, 0]
    assert "managers told" in incident.entries.last().text  # type: ignore[union-attr]
    head = Delivery.objects.get(
        channel__name="managers", state_key__startswith="escalated"
    )
    assert head.message["title"] == "HIGH: Checkout is broken"


def test_people_are_told_by_mail() -> None:
    escalation().people.add(make_user("ben", email="ben@example.com"))
    burn()
    reacting.escalate(later(5))
    channel = Channel.objects.get()
    assert (channel.kind, channel.config) == ("email", {"to": ["ben@example.com"]})


def test_acknowledged_is_not_escalated() -> None:
    escalation().channels.add(make_channel())
    steps.acknowledge(burn(), ANNA, later(1))
    assert reacting.escalate(later(5)) == 0
