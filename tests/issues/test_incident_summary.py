"""The summary of an incident: from the data, until a person writes another."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from issues.incidents import steps, summarising
from issues.incidents.steps import Fire, IncidentError, open_incident
from issues.models import Incident, Issue, IssueMinute, IssueTenant
from releases.models import Rollback
from tenants.audit import Actor
from tenants.models import AuditEntry, Channel, Delivery
from tests.admin_pages import client_of, page
from tests.factories import (
    ANNA,
    make_deploy,
    make_issue,
    make_plan,
    make_project,
    make_release,
    make_rollback,
    make_tenant,
    make_watch,
    token_client,
)

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
BERT = Actor("bert")


def later(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def burn(*issues: Issue, **fields: Any) -> Incident:
    fire = Fire(
        **{
            "title": "Checkout is broken",
            "cause": "rule:1",
            "source": Incident.Source.RULE,
            "began_at": later(-1.5),
            "text": "Error rate is 9 times its usual.",
            "issues": [issue.pk for issue in issues],
            **fields,
        }
    )
    return open_incident(fire, ANNA, NOON)[0]


def hit(issue: Issue, tenant_id: int, minutes: int, events: int) -> None:
    IssueMinute.objects.create(
        issue_id=issue.pk,
        minute=later(minutes),
        environment_id=0,
        release_id=0,
        tenant_id=tenant_id,
        events=events,
        unhandled=0,
        level=40,
        path_weight=1.0,
    )


def test_it_is_written_when_the_incident_is_resolved() -> None:
    project = make_project(name="Shop", slug="shop")
    issue = make_issue(project, title="KeyError: price")
    plan = make_plan("Pro", 3)
    big = make_tenant("big.example", plan=plan, monthly_revenue=1200)
    small = make_tenant("small.example", monthly_revenue=None)
    hit(issue, big.pk, 0, 30)
    hit(issue, small.pk, 2, 5)
    hit(issue, make_tenant().pk, -90, 9)  # long before
    hit(issue, 0, 1, 4)
    channel = Channel.objects.create(name="team", kind="email")
    incident = burn(issue, project=project, channels=[channel])
    Delivery.objects.update(state=Delivery.State.SENT, finished_at=later(0.05))
    steps.alerted(incident, later(0.05), later(1))
    steps.acknowledge(incident, ANNA, later(2))
    steps.mitigate(incident, ANNA, later(4), "Switched the carrier off.")
    steps.resolve(incident, BERT, later(30), "Fixed in 2.4.1.")

    lines = incident.summary.split("\n")
    assert lines == [
        f"#{incident.pk} Checkout is broken (high, Shop)",
        "",
        "What happened",
        "Error rate is 9 times its usual.",
        "How it ended: Fixed in 2.4.1.",
        "",
        "When (UTC)",
        "Began: 2026-11-25 11:58:30",
        "Detected: 12:00:00, 1:30 after it began, by alert rule",
        "Alerted: 12:00:03, 0:03 after detection",
        "Acknowledged: 12:02:00, 2:00 after detection",
        "Mitigated: 12:04:00, 4:00 after detection",
        "Resolved: 12:30:00, 30:00 after detection",
        "Harm was done for 4:00: the target of 10:00 was kept.",
        "",
        "Who was hit",
        "2 tenants: 1 on Pro, 1 on no plan.",
        "They pay 1,200.00 a month (known of 1).",
        "- big.example, 30 events",
        "- small.example, 5 events",
        "",
        "Issues",
        f"- {issue.short_id} KeyError: price: {issue.stats.tenants} tenants and "
        f"{issue.stats.events:,} event in all, open",
        "",
        "Who did what",
        "- 12:02:00 Acknowledged by anna",
        "- 12:04:00 Mitigated by anna: Switched the carrier off.",
        "- 12:30:00 Resolved by bert: Fixed in 2.4.1.",
        "",
        "What was sent",
        "- team: 6 pending, 1 sent",
    ]


def test_it_tells_of_the_deploy_and_its_rollbacks() -> None:
    deploy = make_deploy(make_release(make_project(), "2.4.0"), created_by="ci")
    make_watch(deploy, verdict="degraded", sentence="Errors are 9 times as many.")
    make_rollback(
        deploy,
        to_release=make_release(deploy.project, "2.3.9"),
        state=Rollback.State.VERIFIED,
        requested_by="anna",
        created=later(2),
    )
    incident = burn(deploy=deploy)
    steps.resolve(incident, ANNA, later(5))

    assert "2.4.0 to production, deployed" in incident.summary
    assert "Its verdict: degraded. Errors are 9 times as many." in incident.summary
    told = "Rollback to 2.3.9, ordered 12:02:00 by anna: Verified."
    assert told in incident.summary


def test_it_says_by_how_much_the_target_was_missed_and_what_is_not_known() -> None:
    incident = burn(text="")
    steps.resolve(incident, ANNA, later(12.5))

    assert "2:30 over the target of 10:00" in incident.summary
    assert "Acknowledged: –" in incident.summary
    assert "Opened by anna, alert rule; nothing was said." in incident.summary
    assert "Nothing: no channel was told." in incident.summary


def test_events_without_a_tenant_are_told() -> None:
    issue = make_issue()
    hit(issue, 0, 1, 4)
    incident = burn(issue)
    steps.resolve(incident, ANNA, later(5))

    assert "No tenant is named by its 4 events." in incident.summary


def test_of_a_long_incident_it_tells_who_was_hit_since() -> None:
    tenant = make_tenant("big.example")
    issue = make_issue(tenants=[tenant, make_tenant("old.example")])
    IssueTenant.objects.update(first_seen=later(-9), last_seen=later(-5))
    IssueTenant.objects.filter(tenant_id=tenant.pk).update(last_seen=later(60))
    incident = burn(issue)
    steps.resolve(incident, ANNA, later(60 * 24 * 9))

    assert "1 tenant: 1 on no plan." in incident.summary
    assert "- big.example, 1 event" in incident.summary
    assert "minutes are kept for 8 days" in incident.summary


def test_after_a_reopening_it_is_written_again() -> None:
    incident = burn()
    steps.resolve(incident, ANNA, later(3))
    steps.reopen(incident, ANNA, later(60), "Again.")
    steps.resolve(incident, ANNA, later(64))

    assert "Harm was done for 7:00" in incident.summary
    assert "It was reopened once" in incident.summary


def test_what_a_person_has_written_stays() -> None:
    incident = burn()
    steps.resolve(incident, ANNA, later(3))
    assert summarising.edit(incident, BERT, later(10), "A carrier was down.")
    assert not summarising.edit(incident, BERT, later(10), "A carrier was down.\r\n")

    with pytest.raises(IncidentError, match="bert has written this summary"):
        summarising.rewrite(incident, ANNA, later(11))
    steps.reopen(incident, ANNA, later(60))
    steps.resolve(incident, ANNA, later(64))

    incident.refresh_from_db()
    told = (incident.summary, incident.summary_by)
    assert told == ("A carrier was down.", "bert")
    assert AuditEntry.objects.filter(action="summary edited").count() == 1


def test_an_empty_one_is_written_from_the_data_again() -> None:
    incident = burn()
    summarising.edit(incident, BERT, later(1), "Mine.")

    assert summarising.edit(incident, BERT, later(2), " ")

    assert incident.summary.startswith(f"#{incident.pk} Checkout is broken")
    assert incident.summary_by == ""
    assert "The clock runs: 2:00 of 10:00." in incident.summary
    assert summarising.rewrite(incident, ANNA, later(3))


def test_too_long_a_text_is_refused() -> None:
    with pytest.raises(IncidentError, match="at most 20,000"):
        summarising.edit(burn(), BERT, NOON, "x" * 20_001)


def test_it_is_edited_and_rewritten_over_rest() -> None:
    client, incident = token_client("issue:write"), burn()
    url = f"/api/v1/incidents/{incident.pk}"

    edited = client.post(f"{url}/summary/", {"text": "Mine."}, format="json").json()
    assert (edited["summary"], edited["summary_by"]) == ("Mine.", "token ci")
    refused = client.post(f"{url}/rewrite-summary/")
    assert (refused.status_code, "written over" in str(refused.json())) == (400, True)
    emptied = client.post(f"{url}/summary/", {"text": ""}, format="json").json()
    assert "Checkout is broken" in emptied["summary"]
    assert client.post(f"{url}/rewrite-summary/").status_code == 200
    reader = token_client("issue:read")
    assert reader.post(f"{url}/summary/", {"text": "x"}).status_code == 403


def test_it_is_edited_and_rewritten_on_the_page() -> None:
    client, incident = client_of("responder", "rita"), burn()
    steps.resolve(incident, ANNA, later(3))
    act = f"/admin/issues/incident/{incident.pk}/act"
    assert 'value="rewrite-summary"' in page(
        client, "issues_incident_change", incident.pk
    )

    client.post(f"{act}/summary/", {"text": "A carrier <was> down."})

    html = page(client, "issues_incident_change", incident.pk)
    assert "A carrier &lt;was&gt; down." in html
    assert "as rita wrote it" in html
    assert 'value="rewrite-summary"' not in html
    client.post(f"{act}/summary/", {"text": ""})
    client.post(f"{act}/rewrite-summary/")
    incident.refresh_from_db()
    assert incident.summary_by == ""


def test_a_viewer_reads_it_only() -> None:
    client, incident = client_of("viewer"), burn()
    steps.resolve(incident, ANNA, later(3))

    html = page(client, "issues_incident_change", incident.pk)

    assert "Harm was done for 3:00" in html
    assert "rewrite-summary" not in html
    url = f"/admin/issues/incident/{incident.pk}/act/summary/"
    assert client.post(url, {"text": "x"}).status_code == 403


def test_an_incident_is_resolved_also_without_a_summary(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    incident = burn()

    def broken(*_: object) -> str:
        raise ValueError("no")

    monkeypatch.setattr("issues.incidents.summary.text_of", broken)

    assert steps.resolve(incident, ANNA, later(5))

    row = Incident.objects.get()
    assert (row.state, row.summary) == ("resolved", "")
    assert "could not be written" in caplog.text
