from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from issues.models import InboxEnvelope
from releases.models import ReleaseMinute
from tenants.delivery import switch_off, switched_by_hand
from tenants.models import Delivery
from tests.admin_pages import client_of, page, tags_in
from tests.factories import (
    make_dead_letter,
    make_deploy,
    make_hit,
    make_issue,
    make_key,
    make_project,
    make_release,
    make_tenant,
    make_user,
    make_watch,
)
from tests.tenants.sending import make_channel, put

pytestmark = pytest.mark.django_db

NOW = timezone.now()
# Every list that the sidebar links to.
LISTS = [
    "issues_incident",
    "issues_issue",
    "issues_hitlistentry",
    "issues_event",
    "tenants_tenant",
    "tenants_plan",
    "tenants_project",
    "tenants_apitoken",
    "releases_deploy",
    "releases_release",
    "releases_environment",
    "releases_threshold",
    "releases_rollback",
    "releases_rollbacktarget",
    "issues_alertrule",
    "issues_alert",
    "issues_hitrule",
    "issues_incidentpolicy",
    "issues_pathrule",
    "issues_fingerprintrule",
    "issues_deadletter",
    "issues_outcome",
    "tenants_slackaccount",
    "issues_weeklyreport",
    "issues_figures",
    "tenants_auditentry",
    "auth_user",
    "auth_group",
]
# Not for viewers.
SECRET = {"tenants_apitoken", "auth_user", "auth_group"}


@pytest.mark.parametrize(
    ("used", "told"),
    [
        (0.84, None),
        (0.86, "86 % full: the oldest days of events are deleted"),
        (0.96, "96 % full: ingest refuses envelopes"),
    ],
)
def test_a_full_disk_is_told_with_what_follows(
    viewer: Client, monkeypatch: pytest.MonkeyPatch, used: float, told: str | None
) -> None:
    monkeypatch.setattr("rush_monitor.admin.disk", lambda: used)
    html = page(viewer, "index")
    assert ("% full" in html) == (told is not None)
    assert told is None or told in html


@pytest.fixture
def viewer() -> Client:
    return client_of("viewer")


def waiting(age: timedelta) -> None:
    InboxEnvelope.objects.create(
        project_id=1,
        key_id=1,
        kind="envelope",
        received=timezone.now() - age,
        size=1,
        body=b"x",
    )


def links(html: str) -> set[str]:
    return {str(attrs.get("href")) for tag, attrs in tags_in(html) if tag == "a"}


def test_the_head_of_the_hit_list_is_next_to_fix(viewer: Client) -> None:
    make_hit(make_issue(title="mild", stats={"exponent": 0.1}))
    worst = make_issue(title="severe", stats={"exponent": 0.9})
    make_hit(worst, reason="shops leave")

    response = viewer.get(reverse("admin:index"))

    assert response.context["next_entry"].issue == worst
    assert "shops leave" in response.content.decode()


def test_what_burns_now_is_listed_worst_first(viewer: Client) -> None:
    make_issue(title="mild", stats={"exponent": 0.1})
    make_issue(title="severe", stats={"exponent": 0.9})
    make_issue(title="quiet", stats={"exponent": 0.0})
    make_issue(title="done", status="resolved", stats={"exponent": 0.9})

    response = viewer.get(reverse("admin:index"))

    rows = response.context["burning"]
    assert [row.issue.title for row in rows] == ["severe", "mild"]


def test_the_chart_counts_the_last_hour_of_all_projects(viewer: Client) -> None:
    make_issue()
    minute = timezone.now().replace(second=0, microsecond=0)
    for project, age, events, errors in ((1, 1, 5, 3), (2, 1, 4, 4), (1, 90, 99, 99)):
        ReleaseMinute.objects.create(
            project_id=project,
            release_id=project,
            environment_id=1,
            minute=minute - timedelta(minutes=age),
            events=events,
            errors=errors,
        )

    chart = viewer.get(reverse("admin:index")).context["chart"]

    assert (chart.total, chart.part_total, chart.peak) == (9, 7, 9)


def test_deploys_are_marked_in_the_chart(viewer: Client) -> None:
    make_issue()
    release = make_release(make_project(name="The shop"), "shop@1.1")
    minute = timezone.now().replace(second=0, microsecond=0)
    deploy = make_deploy(release, started_at=minute - timedelta(minutes=29))
    make_deploy(release, started_at=minute - timedelta(minutes=61))

    response = viewer.get(reverse("admin:index"))

    (mark,) = response.context["chart"].marks
    assert mark.x == 50.0
    assert mark.label.endswith("UTC: shop@1.1 to production (The shop)")
    address = reverse("admin:releases_deploy_change", args=[deploy.pk])
    assert address in links(response.content.decode())


def test_open_watches_and_the_last_bad_deploys_are_listed(viewer: Client) -> None:
    now, project = timezone.now(), make_project()

    def watch(version: str, hours: int, **fields: Any) -> None:
        release = make_release(project, version)
        deploy = make_deploy(release, started_at=now - timedelta(hours=hours))
        make_watch(deploy, **fields)

    make_issue()
    watch("open", 0)
    watch("bad", 1, verdict="degraded", decided_at=now - timedelta(hours=1))
    watch("bad long ago", 30, verdict="degraded", decided_at=now - timedelta(hours=29))
    watch("good", 2, verdict="healthy", decided_at=now)

    response = viewer.get(reverse("admin:index"))

    rows = response.context["watched"]
    assert [row.deploy.release.version for row in rows] == ["open", "bad"]
    assert "data-refreshes" in response.content.decode()


def test_an_inbox_that_is_behind_is_an_alarm(viewer: Client) -> None:
    make_issue()
    waiting(timedelta(minutes=12))

    assert "Digest is 12 min behind" in page(viewer, "index")


def test_an_inbox_that_is_in_time_is_none(viewer: Client) -> None:
    make_issue()
    waiting(timedelta(seconds=1))

    assert "behind" not in page(viewer, "index")


def test_dead_letters_are_announced_on_every_page(viewer: Client) -> None:
    make_dead_letter(make_project())

    home = page(viewer, "index")
    elsewhere = page(viewer, "issues_issue_changelist")

    assert "1 dead letter" in home
    badge = "text-[11px] whitespace-nowrap uppercase"
    assert badge in home
    assert badge in elsewhere


def test_a_fresh_system_leads_to_the_set_up(viewer: Client) -> None:
    key = make_key()

    html = page(viewer, "index")

    assert "No event has arrived yet" in html
    assert reverse("admin:tenants_project_setup", args=[key.project_id]) in links(html)


def test_a_system_without_a_key_leads_to_the_projects(viewer: Client) -> None:
    html = page(viewer, "index")

    assert "No event has arrived yet" in html
    assert reverse("admin:tenants_project_changelist") in links(html)


def test_a_project_that_nobody_reports_to_is_told_beside_what_burns(
    viewer: Client,
) -> None:
    make_issue()
    keys = [make_key() for _ in range(4)]
    pages = [
        reverse("admin:tenants_project_setup", args=[key.project_id]) for key in keys
    ]

    html = page(viewer, "index")

    assert "and others have reported nothing yet" in html
    assert set(pages) & links(html) == set(pages[1:])


def test_projects_that_report_are_not_told(viewer: Client) -> None:
    make_key(make_issue().project)

    assert "reported nothing yet" not in page(viewer, "index")


def test_people_without_a_role_are_told_so() -> None:
    make_issue(title="secret")

    html = page(client_of(""), "index")

    assert "Ask an owner for the role viewer" in html
    assert "secret" not in html


def test_the_sidebar_leads_to_every_list_that_the_person_may_see() -> None:
    owner, viewer = (
        page(client_of("owner"), "index"),
        page(client_of("viewer"), "index"),
    )
    addresses = {name: reverse(f"admin:{name}_changelist") for name in LISTS}

    assert set(addresses.values()) <= links(owner)
    seen = {name for name in LISTS if addresses[name] in links(viewer)}
    assert seen == set(LISTS) - SECRET


@pytest.mark.parametrize("name", LISTS)
def test_every_list_opens(name: str) -> None:
    page(client_of("owner"), f"{name}_changelist")


@pytest.mark.parametrize("name", LISTS)
def test_no_page_asks_another_host_for_anything(name: str) -> None:
    html = page(client_of("owner"), f"{name}_changelist")

    for tag, attributes in tags_in(html):
        address = str(attributes.get("src") or "")
        if tag == "link":
            address = str(attributes.get("href"))
        assert address.startswith("/") or not address, (tag, attributes)


@pytest.mark.parametrize(
    ("base_url", "debug", "badge"),
    [
        ("http://127.0.0.1:8000", False, "Local"),
        ("https://rush.example", False, "rush.example"),
        ("https://rush.example", True, "Debug"),
    ],
)
def test_the_badge_tells_the_installation(
    viewer: Client, settings: LazySettings, base_url: str, debug: bool, badge: str
) -> None:
    settings.BASE_URL, settings.DEBUG = base_url, debug

    response = viewer.get(reverse("admin:index"))

    assert response.context["environment"][0] == badge


def test_logging_in_leads_to_the_overview(client: Client) -> None:
    make_user("anna", password="correct horse battery")

    response = client.post(
        reverse("admin:login"),
        {"username": "anna", "password": "correct horse battery"},
    )

    assert response["Location"] == reverse("admin:index")


@pytest.mark.parametrize("issues", [1, 8])
def test_the_home_page_takes_the_same_queries_however_much_burns(
    viewer: Client, django_assert_num_queries: DjangoAssertNumQueries, issues: int
) -> None:
    for _ in range(issues):
        make_issue(stats={"exponent": 0.5})
        make_hit(make_issue(stats={"exponent": 0.4}))
        make_watch()

    # Session, person, two of permissions, dead letters twice; hit list; ids, issues
    # and count of what burns, its families and trends; the same two of the next to fix;
    # hit list count; minutes, deploys of the hour; deploys that are watched, their
    # rollbacks; open clocks; channels off, failed and waiting messages; oldest and
    # number of the inbox; silent projects; whether any issue.
    with django_assert_num_queries(27):
        page(viewer, "index")


def test_times_in_lists_are_sortable(viewer: Client) -> None:
    make_tenant(last_seen=NOW)

    assert f"{NOW:%Y-%m-%d %H:%M}" in page(viewer, "tenants_tenant_changelist")


def test_the_home_page_tells_of_a_channel_that_is_off(viewer: Client) -> None:
    channel = make_channel(name="on call")
    switch_off(channel, "Slack says token_revoked.", timezone.now())

    home = page(viewer, "index")

    assert "is switched off, so nobody is told there" in home
    assert "Slack says token_revoked." in home


def test_a_channel_that_somebody_switched_off_is_no_trouble(viewer: Client) -> None:
    channel = make_channel(is_active=False)
    switched_by_hand(channel, "mia", timezone.now())

    assert "nobody is told there" not in page(viewer, "index")


@pytest.mark.parametrize(
    ("hours", "subject", "told"),
    [(1, "incident:1", True), (25, "incident:1", False), (1, "test:x", False)],
)
def test_the_home_page_tells_of_messages_that_did_not_arrive(
    viewer: Client, hours: int, subject: str, told: bool
) -> None:
    row = put(make_channel(), subject=subject)
    ended = timezone.now() - timedelta(hours=hours)
    Delivery.objects.filter(pk=row.pk).update(state="failed", finished_at=ended)

    assert ("1 message did not arrive" in page(viewer, "index")) == told


def test_the_home_page_tells_how_long_messages_wait(viewer: Client) -> None:
    put(make_channel(), now=timezone.now() - timedelta(minutes=9))

    assert "Messages wait for 9 min" in page(viewer, "index")
