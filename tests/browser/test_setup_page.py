"""The set-up page of a project in a real browser."""

import pytest
from django.conf import settings
from django.urls import reverse
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from tenants.models import ProjectKey
from tests.admin_pages import client_of
from tests.factories import make_event, make_issue, make_key, make_project, make_tenant

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def key(opened: Page, live_server: LiveServer) -> ProjectKey:
    """The key of a fresh project; a viewer is logged in."""
    session = client_of("viewer").cookies[settings.SESSION_COOKIE_NAME]
    opened.context.add_cookies(
        [{"name": session.key, "value": session.value, "url": live_server.url}]
    )
    return make_key(make_project(slug="shop", name="The shop"))


def address(key: ProjectKey, platform: str) -> str:
    page = reverse("admin:tenants_project_setup", args=[key.project_id])
    return f"{page}?platform={platform}"


def test_it_turns_green_by_itself(
    opened: Page, key: ProjectKey, troubles: list[str]
) -> None:
    opened.clock.install()
    opened.goto(address(key, "node"))
    expect(opened.get_by_role("heading", name="Waiting for the first")).to_be_visible()
    expect(opened.get_by_text("reload this page")).to_be_hidden()

    issue = make_issue(key.project, title="KeyError: 'CHF'")
    make_event(issue, tenant=make_tenant("acme.example"))
    opened.clock.run_for(2000)

    expect(opened.get_by_role("heading", name="An event has arrived")).to_be_visible()
    expect(opened.get_by_text("tenant acme.example")).to_be_visible()
    link = opened.get_by_role("link", name="KeyError: 'CHF'")
    change = reverse("admin:issues_issue_change", args=[issue.pk])
    expect(link).to_have_attribute("href", change)
    assert troubles == []


def test_a_snippet_is_copied_as_it_stands(
    opened: Page, key: ProjectKey, troubles: list[str]
) -> None:
    opened.context.grant_permissions(["clipboard-read", "clipboard-write"])
    opened.goto(address(key, "node"))

    opened.get_by_role("button", name="Copy: Set it up in a file of its own").click()

    expect(opened.get_by_text("Copied")).to_be_visible()
    copied = opened.evaluate("navigator.clipboard.readText()")
    assert copied == opened.locator("#step-2").text_content()
    assert copied.startswith("import * as Sentry")
    assert troubles == []


@pytest.mark.parametrize("platform", ["django", "browser", "php"])
def test_it_fits_a_phone(
    opened: Page, key: ProjectKey, troubles: list[str], platform: str
) -> None:
    opened.set_viewport_size({"width": 390, "height": 844})
    opened.goto(address(key, platform))

    overflow = opened.evaluate(
        "document.documentElement.scrollWidth - window.innerWidth"
    )
    assert overflow <= 0
    assert troubles == []


def test_without_javascript_it_says_to_reload(
    browser: Browser, live_server: LiveServer, opened: Page, key: ProjectKey
) -> None:
    context = browser.new_context(
        base_url=live_server.url,
        java_script_enabled=False,
        storage_state=opened.context.storage_state(),
    )
    page = context.new_page()
    page.goto(address(key, "curl"))

    expect(page.get_by_text("reload this page to see")).to_be_visible()
    expect(page.get_by_text("turns green by itself")).to_be_hidden()
    make_event(make_issue(key.project))
    page.reload()
    expect(page.get_by_role("heading", name="An event has arrived")).to_be_visible()
    context.close()
