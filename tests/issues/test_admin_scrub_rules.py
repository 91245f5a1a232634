from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from tenants.models import AuditEntry, ScrubRule
from tests.admin_pages import client_of, page
from tests.factories import make_event, make_issue, make_project, make_user

pytestmark = pytest.mark.django_db

ADD = "admin:tenants_scrubrule_add"
TYPED = {"kind": "key", "value": "parcel*", "project": "", "is_active": "on"}


@pytest.fixture
def maintainer() -> Client:
    return client_of("maintainer", "mia")


def tried(client: Client, of: ScrubRule | None = None, **typed: str) -> Any:
    query = f"?of={of.pk}" if of else ""
    address = reverse("admin:tenants_scrubrule_preview") + query
    return client.post(address, {**TYPED, **typed})


def test_a_rule_is_saved_and_audited(maintainer: Client) -> None:
    maintainer.post(reverse(ADD), TYPED)

    assert ScrubRule.objects.get().value == "parcel*"
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action) == ("mia", "added")


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ({"kind": "pattern", "value": "(a"}, "RE2 cannot read this pattern"),
        ({"kind": "key", "value": "*"}, "fits nearly every name"),
        ({"kind": "keep", "value": "to*"}, "at least 3 letters"),
        ({"value": "parcel*", "note": "again"}, "There is such a rule already."),
    ],
)
def test_a_rule_that_would_not_work_is_refused(
    maintainer: Client, typed: dict[str, str], message: str
) -> None:
    ScrubRule.objects.create(kind="key", value="parcel*")

    response = maintainer.post(reverse(ADD), {**TYPED, **typed})

    assert message in response.content.decode()
    assert ScrubRule.objects.count() == 1


def test_what_is_typed_is_tried_and_not_saved(maintainer: Client) -> None:
    rule = ScrubRule.objects.create(kind="key", value="other")
    event = make_event(make_issue(), payload={"extra": {"parcel_no": "<b>7"}})

    html = tried(maintainer, rule, event=str(event.pk)).content.decode()

    assert "extra.parcel_no" in html
    assert "&lt;b&gt;7" in html
    assert "[Filtered]" in html
    rule.refresh_from_db()
    assert rule.value == "other"


def test_an_event_that_nothing_goes_from_says_so(maintainer: Client) -> None:
    event = make_event(make_issue(), payload={"extra": {"a": "b"}})

    html = tried(maintainer, event=str(event.pk)).content.decode()

    assert "Nothing in" in html


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ({"event": ""}, "Name a stored event by its id"),
        ({"event": "1", "value": "*"}, "fits nearly every name"),
    ],
)
def test_what_cannot_be_tried_is_told(
    maintainer: Client, typed: dict[str, str], message: str
) -> None:
    assert message in tried(maintainer, **typed).content.decode()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("role", "status"), [("viewer", 403), ("responder", 403), ("maintainer", 200)]
)
def test_rules_are_set_by_maintainers(role: str, status: int) -> None:
    client = client_of(role)

    assert client.get(reverse(ADD)).status_code == status
    assert tried(client).status_code == status
    assert client.get(reverse("admin:tenants_scrubrule_changelist")).status_code == 200


def test_who_may_not_see_events_tries_none() -> None:
    person = make_user(role="")
    allowed = Permission.objects.filter(codename__endswith="_scrubrule")
    person.user_permissions.set(allowed)
    client = Client()
    client.force_login(person)

    assert "Try it on an event" not in page(client, "tenants_scrubrule_add")
    assert tried(client, event="1").status_code == 403


def test_an_event_leads_to_a_rule_for_its_project(maintainer: Client) -> None:
    event = make_event(make_issue(), payload={"extra": {"a": "b"}})
    address = f"{reverse(ADD)}?project={event.project_id}&amp;event={event.pk}"

    assert address in page(maintainer, "issues_event_change", event.pk)
    assert address not in page(client_of("viewer"), "issues_event_change", event.pk)
    form = page(
        maintainer, "tenants_scrubrule_add", project=event.project_id, event=event.pk
    )
    assert f'name="event" value="{event.pk}"' in form


def test_an_event_shows_where_it_was_scrubbed(maintainer: Client) -> None:
    places = [{"path": "extra.password", "rule": "password", "count": 2}, "odd"]
    event = make_event(make_issue(), payload={"_rush": {"scrubbed": places}})

    html = page(maintainer, "issues_event_change", event.pk)

    assert "Scrubbed at 1 place" in html
    assert "extra.password" in html


@pytest.mark.parametrize("rows", [1, 9])
def test_the_list_takes_the_same_queries_however_long(
    maintainer: Client, django_assert_num_queries: DjangoAssertNumQueries, rows: int
) -> None:
    for n in range(rows):
        ScrubRule.objects.create(project=make_project(), kind="key", value=f"ab{n}")
    page(maintainer, "tenants_scrubrule_changelist")

    # Session, person, two of permissions, dead letters; projects of the filter, the
    # count, the rows.
    with django_assert_num_queries(8):
        page(maintainer, "tenants_scrubrule_changelist")
