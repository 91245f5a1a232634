from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from issues.models import Outcome
from tenants.models import AuditEntry, InboundFilters, Project
from tests.admin_pages import client_of, page, tags_in
from tests.factories import make_event, make_issue, make_project

pytestmark = pytest.mark.django_db

LIST = "tenants_inboundfilters_changelist"
PAGE = "tenants_inboundfilters_change"
PREVIEW = "tenants_inboundfilters_preview"


def count(
    project: Project, reason: str, quantity: int, category: str = "error"
) -> None:
    Outcome.objects.create(
        project_id=project.pk,
        key_id=1,
        minute=timezone.now().replace(second=0, microsecond=0),
        category=category,
        reason=reason,
        quantity=quantity,
    )


def typed(**fields: Any) -> dict[str, Any]:
    """The form as the page shows it to a new project, with some fields changed."""
    return {
        "browser_extensions": "on",
        "crawlers": "on",
        "legacy_browsers": "on",
        "legacy_versions": "Internet Explorer",
        "health_checks": "on",
        "messages": "on",
        "message_patterns": "",
        "releases": "on",
        "release_patterns": "",
        "addresses": "on",
        "address_patterns": "",
        **fields,
    }


def post(
    client: Client, project: Project, data: dict[str, Any], name: str = PAGE
) -> Any:
    return client.post(reverse(f"admin:{name}", args=[project.pk]), data)


def test_the_list_has_every_project_with_what_it_drops() -> None:
    count(make_project(name="Shop"), "filtered:crawlers", 1234)
    quiet = make_project(name="Quiet")
    InboundFilters.objects.create(project=quiet, crawlers=False)

    html = page(client_of("viewer"), LIST)

    assert html.index("Quiet") < html.index("Shop")
    assert "1.2k" in html
    assert html.count(">crawlers</span>") == 1
    assert html.count(">browser extensions</span>") == 2


def test_the_list_costs_the_same_for_many_projects(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    client = client_of("viewer")
    page(client, LIST)
    for _ in range(5):
        InboundFilters.objects.create(project=make_project())
    # Session, person, permissions (2), badge of the dead letters, counts, projects.
    with django_assert_max_num_queries(8):
        page(client, LIST)


def test_the_page_shows_each_filter_with_its_counts() -> None:
    project = make_project(name="Shop")
    count(project, "filtered:crawlers", 12)
    count(project, "filtered:health_checks", 3400, "transaction")

    html = page(client_of("viewer"), PAGE, project.pk)

    rows = html.split("<tbody>")[1].split("</tbody>")[0].split("<tr>")
    (crawlers,) = [row for row in rows if ">Crawlers<" in row]
    (health,) = [row for row in rows if ">Health checks<" in row]
    (messages,) = [row for row in rows if ">Messages<" in row]
    assert ">12</td>" in crawlers and ">on</span>" in crawlers
    assert "12 events in 14 days, 12 in the highest day" in crawlers
    assert ">3.4k</td>" in health
    # On, but without a pattern there is nothing to drop.
    assert ">no pattern</span>" in messages and ">nothing</span>" in messages


def test_a_viewer_reads_and_may_change_nothing() -> None:
    project = make_project()
    client = client_of("viewer")

    html = page(client, PAGE, project.pk)

    assert "Try them on stored events" not in html
    assert post(client, project, typed()).status_code == 403
    assert post(client, project, typed(), PREVIEW).status_code == 403
    assert not InboundFilters.objects.exists()


def test_staff_without_a_role_sees_nothing() -> None:
    client = client_of("")
    for name, args in ((LIST, []), (PAGE, [make_project().pk])):
        assert client.get(reverse(f"admin:{name}", args=args)).status_code == 403


def test_a_change_is_saved_and_audited() -> None:
    project = make_project()
    lines = "*ResizeObserver*\r\n\r\n  TypeError: *  \r\n"

    response = post(
        client_of("maintainer", "anna"),
        project,
        typed(crawlers="", message_patterns=lines),
    )

    assert response.status_code == 302
    row = InboundFilters.objects.get()
    assert (row.project, row.crawlers) == (project, False)
    assert row.message_patterns == ["*ResizeObserver*", "TypeError: *"]
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action) == ("anna", "changed")
    assert entry.object_type == "tenants.inboundfilters"
    assert entry.changes["crawlers"] == [True, False]
    assert entry.changes["message_patterns"] == [
        [],
        ["*ResizeObserver*", "TypeError: *"],
    ]


@pytest.mark.parametrize(
    ("field", "lines", "complaint"),
    [
        ("message_patterns", "*ok*\n**", "Line 2: This pattern matches every text"),
        ("release_patterns", "x" * 201, "Line 1: This pattern has 201 characters"),
        ("address_patterns", "10.0.0.0/8\noffice", "Line 2: office is neither"),
        ("legacy_versions", "Netscape", "Line 1: Netscape is not a browser"),
    ],
)
def test_a_wrong_line_is_named(field: str, lines: str, complaint: str) -> None:
    project = make_project()
    client = client_of("maintainer")

    html = post(client, project, typed(**{field: lines})).content.decode()
    tried = post(client, project, typed(**{field: lines}), PREVIEW).content.decode()

    assert complaint in html and complaint in tried
    assert not InboundFilters.objects.exists()


def test_too_many_patterns_are_refused() -> None:
    lines = "\n".join(f"*{n}*" for n in range(101))
    response = post(
        client_of("maintainer"), make_project(), typed(message_patterns=lines)
    )
    assert "100" in response.content.decode()
    assert not InboundFilters.objects.exists()


def test_a_preview_tells_what_each_pattern_would_have_dropped() -> None:
    project = make_project()
    payload = {"platform": "python", "logentry": {"formatted": "<b>lost</b> price"}}
    event = make_event(make_issue(project), payload=payload, title="<b>lost</b> price")

    response = post(
        client_of("maintainer"), project, typed(message_patterns="*price*"), PREVIEW
    )

    html = response.content.decode()
    assert "1 of the newest 1 stored event would have been dropped" in html
    assert "*price*" in html and "&lt;b&gt;lost" in html and "<b>lost" not in html
    assert reverse("admin:issues_event_change", args=[event.pk]) in html
    assert not InboundFilters.objects.exists()


def test_a_preview_of_nothing_says_so() -> None:
    html = post(client_of("maintainer"), make_project(), typed(), PREVIEW).content
    assert "no stored event to try them on" in html.decode()


def test_an_unknown_project_has_no_page() -> None:
    client = client_of("maintainer")
    url = reverse(f"admin:{PREVIEW}", args=[999999])
    assert client.post(url, typed()).status_code == 404
    response = client.get(reverse(f"admin:{PAGE}", args=[999999]))
    assert response.status_code == 302  # Django's own answer, with a message


def test_the_project_and_the_sidebar_lead_to_the_filters() -> None:
    project = make_project()
    html = page(client_of("viewer"), "tenants_project_change", project.pk)
    links = {attrs.get("href") for tag, attrs in tags_in(html) if tag == "a"}
    assert reverse(f"admin:{PAGE}", args=[project.pk]) in links
    assert reverse(f"admin:{LIST}") in links
