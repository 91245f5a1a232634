from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from issues.incidents.by_hand import open_by_hand
from issues.models import EscalationStep, Incident, IncidentPolicy
from issues.queries import tenants_of_incidents
from tenants.models import AuditEntry
from tests.admin_pages import buttons, client_of, page, tags_in, told
from tests.factories import (
    ANNA,
    make_channel,
    make_issue,
    make_project,
    make_tenant,
    make_user,
)

pytestmark = pytest.mark.django_db

LIST = "issues_incident_changelist"
PAGE = "issues_incident_change"


@pytest.fixture
def responder() -> Client:
    return client_of("responder", "rita")


def burn(minutes_ago: float = 4, **fields: Any) -> Incident:
    fields.setdefault("title", "Checkout fails")
    at = timezone.now() - timedelta(minutes=minutes_ago)
    return open_by_hand(ANNA, at, **fields)[0]


def act(client: Client, incident: Incident, name: str, **fields: Any) -> list[str]:
    url = reverse("admin:issues_incident_act", args=[incident.pk, name])
    response = client.post(url, fields)
    assert response.status_code == 302
    incident.refresh_from_db()
    # Those of earlier steps wait for a page too.
    return told(response)[-1:]


def ticking(html: str) -> int:
    return sum("data-counts-up" in attrs for _, attrs in tags_in(html))


def test_the_list_shows_clocks_that_run_and_that_stand(responder: Client) -> None:
    burn(title="Carrier down")
    act(responder, burn(title="Mail stuck"), "resolve")

    html = page(responder, LIST)

    assert "Carrier down" in html
    assert "Mail stuck" in html
    assert "of 10:00" in html
    assert ticking(html) == 1


def test_the_list_is_filtered(responder: Client) -> None:
    burn(title="Carrier down", severity="critical")
    burn(title="Mail stuck")

    html = page(responder, LIST, severity="critical")

    assert "Carrier down" in html
    assert "Mail stuck" not in html


def test_the_page_tells_what_burns_who_is_hit_and_what_was_sent(
    responder: Client,
) -> None:
    issue = make_issue(title="KeyError: price", tenants=[make_tenant("big.example")])
    incident = burn(minutes_ago=12, issues=[issue.pk], channels=[make_channel()])

    html = page(responder, PAGE, incident.pk)

    assert "KeyError: price" in html
    assert "big.example" in html
    assert "HIGH: Checkout fails" in html
    assert "over" in html
    assert ticking(html) == 1


def test_a_responder_works_an_incident(responder: Client) -> None:
    incident = burn()

    assert act(responder, incident, "acknowledge") == ["Acknowledged."]
    assert incident.owner is not None
    assert incident.owner.get_username() == "rita"
    assert act(responder, incident, "mitigate", text="Off.") == ["The clock stands."]
    assert act(responder, incident, "resolve") == ["Resolved."]
    assert act(responder, incident, "reopen") == ["The clock runs on."]
    assert incident.state == Incident.State.ACKNOWLEDGED


def test_a_step_without_effect_says_so(responder: Client) -> None:
    incident = burn()
    act(responder, incident, "resolve")

    (message,) = act(responder, incident, "resolve")

    assert message == "Nothing to do: it is resolved already."


def test_it_is_assigned_noted_and_changed(responder: Client) -> None:
    incident, bert = burn(), make_user("bert")

    act(responder, incident, "assign", user=bert.pk)
    act(responder, incident, "note", text="Odd.")
    act(responder, incident, "change", title="Carrier", severity="low")

    assert (incident.owner, incident.title, incident.severity) == (
        bert,
        "Carrier",
        "low",
    )
    assert incident.entries.filter(kind="note", text="Odd.").exists()


def test_another_severity_brings_its_target(responder: Client) -> None:
    IncidentPolicy.objects.create(severity="low", target_seconds=3600)
    incident = burn()
    fields = {"title": incident.title, "severity": "low", "target_seconds": 600}

    act(responder, incident, "change", **fields)

    assert incident.target_seconds == 3600


def test_issues_join_and_leave(responder: Client) -> None:
    incident, issue = burn(), make_issue()

    act(responder, incident, "join", issue=issue.short_id)
    assert incident.issues.get() == issue
    act(responder, incident, "remove-issue", issue=issue.pk)
    assert not incident.issues.exists()
    (message,) = act(responder, incident, "join", issue="SHOP-99999")
    assert message == "No issue is called SHOP-99999."


def test_an_incident_is_opened_by_hand(responder: Client) -> None:
    url = reverse("admin:issues_incident_add")

    responder.post(url, {"title": "Checkout fails", "severity": "critical"})

    incident = Incident.objects.get()
    assert (incident.severity, incident.opened_by) == ("critical", "rita")


def test_a_viewer_sees_without_buttons_and_changes_nothing() -> None:
    viewer, incident = client_of("viewer"), burn(issues=[make_issue().pk])

    assert buttons(page(viewer, PAGE, incident.pk)) == set()
    assert buttons(page(viewer, LIST)) == set()
    url = reverse("admin:issues_incident_act", args=[incident.pk, "resolve"])
    assert viewer.post(url).status_code == 403
    assert viewer.post(reverse("admin:issues_incident_add")).status_code == 403


@pytest.mark.parametrize("number", [1, 8])
def test_the_list_takes_the_same_queries_however_long_it_is(
    responder: Client, django_assert_num_queries: DjangoAssertNumQueries, number: int
) -> None:
    for _ in range(number):
        burn(project=make_project(), issues=[make_issue().pk])

    # Session, person, two of permissions, dead letters; ids, rows, entries, tenants,
    # projects for the dialog.
    with django_assert_num_queries(10):
        page(responder, LIST)


@pytest.mark.parametrize("number", [1, 8])
def test_the_page_takes_the_same_queries_however_much_burns(
    responder: Client, django_assert_num_queries: DjangoAssertNumQueries, number: int
) -> None:
    channels = [make_channel(f"team {i}") for i in range(number)]
    incident = burn(issues=[make_issue().pk for _ in range(number)], channels=channels)

    # Session, person, two of permissions, dead letters; incident, family, clock,
    # issues, tenants, timeline, messages, people.
    with django_assert_num_queries(13):
        page(responder, PAGE, incident.pk)


def test_a_tenant_of_several_issues_counts_once() -> None:
    tenant = make_tenant("big.example")
    issues = [make_issue(tenants=[tenant]) for _ in range(3)]
    make_issue(merged_into=issues[0], tenants=[tenant, make_tenant("small.example")])
    incident = burn(issues=[issue.pk for issue in issues])

    assert tenants_of_incidents([incident.pk]) == {incident.pk: 2}


def test_the_overview_shows_open_clocks(responder: Client) -> None:
    burn(title="Carrier down")
    act(responder, burn(title="Mail stuck"), "mitigate")

    html = page(responder, "index")

    assert "Carrier down" in html
    assert "Mail stuck" not in html
    assert ticking(html) == 1


def test_the_clock_with_the_least_time_left_comes_first(responder: Client) -> None:
    IncidentPolicy.objects.create(severity="critical", target_seconds=60)
    burn(title="Mail stuck")
    burn(title="Carrier down", severity="critical")

    html = page(responder, "index")

    assert html.index("Carrier down") < html.index("Mail stuck")


def policy_form(**fields: Any) -> dict[str, Any]:
    return {
        "severity": "critical",
        "target_seconds": "600",
        "steps-TOTAL_FORMS": "1",
        "steps-INITIAL_FORMS": "0",
        "steps-0-after_seconds": "300",
        **fields,
    }


def test_a_maintainer_writes_a_policy_with_steps() -> None:
    lea = make_user("lea", email="lea@example.com")
    url = reverse("admin:issues_incidentpolicy_add")

    client_of("maintainer").post(url, policy_form(**{"steps-0-people": lea.pk}))

    assert EscalationStep.objects.get().people.get() == lea
    entry = AuditEntry.objects.get(object_type="issues.incidentpolicy")
    assert entry.action == "added"


def test_a_step_that_would_tell_nobody_is_not_saved() -> None:
    url = reverse("admin:issues_incidentpolicy_add")

    html = client_of("maintainer").post(url, policy_form()).content.decode()

    assert "Name channels or people to tell." in html
    assert not EscalationStep.objects.exists()


def test_a_responder_writes_no_policy(responder: Client) -> None:
    url = reverse("admin:issues_incidentpolicy_add")

    assert responder.post(url, policy_form()).status_code == 403
