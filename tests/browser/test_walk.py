"""One walk through the admin in a real browser, as a responder takes it."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from issues.models import HitListEntry, Issue
from releases.models import ReleaseMinute, Watch
from tests.envelopes import event as payload_of
from tests.factories import (
    make_artifact,
    make_bundle,
    make_deploy,
    make_evaluation,
    make_event,
    make_hit,
    make_issue,
    make_minute,
    make_project,
    make_release,
    make_tenant,
    make_threshold,
    make_user,
    make_watch,
)

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "correct horse battery"


@pytest.fixture
def severe() -> Issue:
    make_user("anna", role="responder", password=PASSWORD)
    shop = make_project(slug="shop", name="The shop")
    severe = make_issue(
        shop,
        title="KeyError: 'CHF'",
        type="KeyError",
        value="'CHF'",
        level=50,
        tenants=[make_tenant("acme.example", name="Acme")],
        stats={"score": 66.0, "exponent": 1.1},
    )
    make_event(severe, payload=payload_of(), tags=["browser=Safari 19"])
    mild = make_issue(shop, title="TimeoutError: slow", level=30)
    make_event(mild, payload=payload_of())
    make_hit(mild, reason="Promised to Acme")
    return severe


def log_in(page: Page, username: str = "anna") -> None:
    page.goto("/admin/")
    page.get_by_label("Username").fill(username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Next to fix")).to_be_visible()


def test_from_log_in_to_the_hit_list(
    opened: Page, severe: Issue, troubles: list[str]
) -> None:
    log_in(opened)

    opened.get_by_role("link", name="Issues", exact=True).click()
    expect(opened.get_by_role("link", name="TimeoutError: slow")).to_be_visible()

    # A filter sends itself as soon as it is chosen.
    opened.get_by_label("Level").select_option("fatal")
    expect(opened.get_by_role("link", name="TimeoutError: slow")).to_have_count(0)
    opened.get_by_role("link", name="KeyError: 'CHF'").click()

    expect(opened.get_by_text("RATES[currency]")).to_be_visible()
    expect(opened.get_by_role("link", name="Acme")).to_be_visible()

    opened.get_by_role("button", name="Put on hit list…").click()
    hit_dialog = opened.get_by_role("dialog")
    hit_dialog.get_by_label("Why now").fill("Swiss shops lose orders")
    hit_dialog.get_by_role("button", name="Put on the list").click()
    expect(opened.get_by_text("Swiss shops lose orders").first).to_be_visible()

    opened.get_by_role("link", name="Hit list", exact=True).click()
    head = opened.locator(".rm-next")
    expect(head.get_by_role("link", name="KeyError: 'CHF'")).to_be_visible()

    head.get_by_role("link", name="Open the issue").click()
    opened.get_by_role("button", name="Resolve…").click()
    dialog = opened.get_by_role("dialog")
    dialog.get_by_label("Comment").fill("The price table has CHF now")
    dialog.get_by_role("button", name="Resolve").click()
    expect(opened.get_by_text("The price table has CHF now")).to_be_visible()
    expect(opened.get_by_role("button", name="Reopen")).to_be_visible()

    # Resolving took it off the list, so that the other one is next.
    opened.get_by_role("link", name="Hit list", exact=True).click()
    expect(head.get_by_text("Promised to Acme")).to_be_visible()

    severe.refresh_from_db()
    assert severe.status == Issue.Status.RESOLVED
    assert HitListEntry.objects.filter(removed_at=None).count() == 1
    assert troubles == []


def test_ticking_issues_shows_the_bulk_bar(
    opened: Page, severe: Issue, troubles: list[str]
) -> None:
    log_in(opened)
    opened.goto("/admin/issues/issue/")
    bar = opened.get_by_role("group", name="Actions on the selected issues")
    expect(bar).to_be_hidden()

    opened.get_by_label(f"Select {severe.short_id}").check()
    expect(bar.get_by_text("1 selected")).to_be_visible()
    expect(bar.get_by_role("button", name="Merge")).to_be_hidden()
    opened.get_by_label("Select all on this page").check()
    expect(bar.get_by_role("button", name="Merge")).to_be_visible()

    bar.get_by_role("button", name="Assign to me").click()
    expect(opened.get_by_text("Assigned 2 issues to you.")).to_be_visible()

    assert Issue.objects.filter(assignee__username="anna").count() == 2
    assert troubles == []


def test_the_pages_fit_a_phone(
    opened: Page, severe: Issue, troubles: list[str]
) -> None:
    release = make_release(severe.project, "shop@1.0.0+build.20261125.7f3a9c1d2e4b")
    place = make_deploy(release).environment
    make_minute(release, place, timezone.now(), errors=3, sessions=400)
    deploy = make_watch(make_deploy(release)).deploy
    bundle = make_bundle(severe.project, release.version)
    make_artifact(bundle, f"~/assets/{'x' * 90}.js", debug_id=uuid4())
    log_in(opened)
    opened.set_viewport_size({"width": 390, "height": 844})

    for address in (
        "/admin/",
        "/admin/issues/issue/",
        f"/admin/issues/issue/{severe.pk}/change/",
        "/admin/issues/hitlistentry/",
        "/admin/releases/release/",
        f"/admin/releases/release/{release.pk}/change/",
        "/admin/releases/deploy/",
        f"/admin/releases/deploy/{deploy.pk}/change/",
        f"/admin/releases/artifactbundle/{bundle.pk}/change/",
    ):
        opened.goto(address)
        overflow = opened.evaluate(
            "document.documentElement.scrollWidth - window.innerWidth"
        )
        assert overflow <= 0, address
    assert troubles == []


def test_a_bad_deploy_is_followed_as_it_is_judged(
    opened: Page, severe: Issue, troubles: list[str]
) -> None:
    release = make_release(severe.project, "shop@1.1")
    started_at = timezone.now() - timedelta(minutes=7)
    watch = make_watch(make_deploy(release, started_at=started_at))
    first = started_at.replace(second=0, microsecond=0)
    ReleaseMinute.objects.bulk_create(
        ReleaseMinute(
            project_id=severe.project_id,
            release_id=release.pk,
            environment_id=watch.deploy.environment_id,
            minute=first + timedelta(minutes=i),
            errors=30,
            traffic=1500,
        )
        for i in range(6)
    )
    log_in(opened)
    opened.clock.install()

    opened.get_by_role("link", name="Deploys", exact=True).click()
    opened.get_by_label("Verdict").select_option("pending")
    opened.get_by_role("link", name="shop@1.1").click()
    expect(opened.get_by_text("watching")).to_be_visible()
    expect(opened.get_by_role("img", name="Error rate of shop@1.1")).to_be_visible()
    left = opened.locator("[data-counts-down]")
    before = left.text_content()
    opened.clock.run_for(2000)
    expect(left).not_to_have_text(before or "")

    # The verdict comes by itself, and what was opened stays open.
    make_evaluation(watch)
    opened.clock.run_for(10_000)
    opened.get_by_text("1 look, newest first").click()
    watch.verdict, watch.reason = Watch.Verdict.DEGRADED, "global"
    watch.sentence = "shop@1.1 in production is degraded at minute 4."
    watch.decided_at = timezone.now()
    watch.save()
    make_evaluation(watch)
    opened.clock.run_for(10_000)
    expect(opened.get_by_text("is degraded at minute 4")).to_be_visible()
    expect(opened.get_by_text("2 looks, newest first")).to_be_visible()
    expect(opened.get_by_role("columnheader", name="Evidence")).to_be_visible()
    assert opened.locator("[data-refreshes]").count() == 0

    # The question comes to the page, and its answer is written down.
    opened.get_by_role("link", name="Roll back now…").click()
    question = opened.get_by_role("dialog")
    expect(question.get_by_text("is degraded at minute 4")).to_be_visible()
    expect(question.get_by_text("held back")).to_be_visible()
    question.get_by_role("link", name="Cancel").click()
    expect(question).to_have_count(0)
    assert troubles == []


def test_a_threshold_is_tried_before_it_is_saved(
    opened: Page, severe: Issue, troubles: list[str]
) -> None:
    make_user("maria", role="maintainer", password=PASSWORD)
    threshold = make_threshold()
    log_in(opened, "maria")
    opened.goto(f"/admin/releases/threshold/{threshold.pk}/change/")

    opened.get_by_label("Ratio").fill("1")
    opened.get_by_role("button", name="Preview").click()
    expect(opened.get_by_text("greater than or equal to 1.05")).to_be_visible()

    opened.get_by_label("Ratio").fill("2")
    opened.get_by_role("button", name="Preview").click()
    expect(opened.get_by_text("No environment is known")).to_be_visible()
    threshold.refresh_from_db()
    assert threshold.ratio == 1.5
    assert troubles == []
