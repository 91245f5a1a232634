from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from issues.models import Outcome
from issues.trial_event import LOGGER
from tenants.models import ProjectKey
from tests.admin_pages import client_of, page, tags_in, told
from tests.factories import (
    make_event,
    make_issue,
    make_key,
    make_project,
    make_release,
    make_tenant,
    make_user,
)
from tests.receiver import Receiver, Reply, receiving

pytestmark = pytest.mark.django_db

SETUP = "tenants_project_setup"
ARRIVAL = "admin:tenants_project_arrival"
TEST_EVENT = "admin:tenants_project_test_event"


@pytest.fixture
def key() -> ProjectKey:
    return make_key(make_project(slug="shop", name="The shop"))


@pytest.fixture
def viewer() -> Client:
    return client_of("viewer")


@pytest.fixture
def maintainer() -> Client:
    return client_of("maintainer", "mia")


@pytest.fixture
def front(settings: LazySettings) -> Iterator[Receiver]:
    with receiving() as receiver:
        settings.BASE_URL = receiver.url
        yield receiver


def ask(client: Client, key: ProjectKey, **query: str) -> Any:
    response = client.get(reverse(ARRIVAL, args=[key.project_id]), query)
    assert response.status_code == 200
    assert "no-store" in response["Cache-Control"]
    return response.json()


def platforms(html: str) -> list[str]:
    """Those that the page offers, the shown one with a star."""
    return [
        str(attrs["href"]).partition("&")[0].partition("=")[2]
        + ("*" if "aria-current" in attrs else "")
        for tag, attrs in tags_in(html)
        if tag == "a" and str(attrs.get("href")).startswith("?platform=")
    ]


def test_the_page_offers_every_platform(viewer: Client, key: ProjectKey) -> None:
    html = page(viewer, SETUP, key.project_id, platform="node")

    assert platforms(html) == [
        *("django", "python", "node*", "browser", "php", "ruby", "curl")
    ]
    assert "npm install @sentry/node" in html
    assert "pip install" not in html


def test_an_unknown_platform_shows_the_first(viewer: Client, key: ProjectKey) -> None:
    assert "django*" in platforms(page(viewer, SETUP, key.project_id, platform="cobol"))


def test_the_snippets_hold_the_dsn_of_the_project(
    viewer: Client, key: ProjectKey, settings: LazySettings
) -> None:
    settings.BASE_URL = "https://rush.example"

    html = page(viewer, SETUP, key.project_id)

    dsn = f"https://{key.public_key}@rush.example/{key.project_id}"
    assert f'<pre id="dsn" tabindex="0">{dsn}</pre>' in html
    assert f"dsn=&quot;{dsn}&quot;" in html
    assert "export SENTRY_PROJECT=shop" in html


def test_every_code_can_be_copied(viewer: Client, key: ProjectKey) -> None:
    tags = tags_in(page(viewer, SETUP, key.project_id, platform="browser"))

    codes = [attrs["id"] for tag, attrs in tags if tag == "pre"]
    copied = [
        a["data-copies"] for tag, a in tags if tag == "button" if "data-copies" in a
    ]
    assert len(codes) == len(set(codes)) > 10
    assert sorted(map(str, codes)) == sorted(map(str, copied))


def test_one_of_several_keys_is_chosen(viewer: Client, key: ProjectKey) -> None:
    other = make_key(
        key.project, label="storefronts", allowed_origins=["*.shop.example"]
    )

    html = page(viewer, SETUP, key.project_id, key=other.pk)

    assert other.public_key in html
    assert key.public_key not in html
    assert "Only pages of *.shop.example may send with this key" in html


def test_the_key_of_another_project_is_not_shown(
    viewer: Client, key: ProjectKey
) -> None:
    stranger = make_key()

    html = page(viewer, SETUP, key.project_id, key=stranger.pk)

    assert stranger.public_key not in html


def test_without_an_active_key_the_page_says_what_to_do(viewer: Client) -> None:
    key = make_key(is_active=False)

    html = page(viewer, SETUP, key.project_id)

    assert "has no active key" in html
    assert "sentry_sdk.init" not in html
    url = reverse(ARRIVAL, args=[key.project_id])
    assert viewer.get(url).status_code == 404


def test_the_page_waits_and_asks_every_two_seconds(
    viewer: Client, key: ProjectKey
) -> None:
    html = page(viewer, SETUP, key.project_id)

    assert "Waiting for the first event" in html
    assert "reload this page" in html
    (waiting,) = [attrs for _, attrs in tags_in(html) if "data-awaits" in attrs]
    assert waiting["data-again"] == "2"
    response = viewer.get(str(waiting["data-awaits"]))
    assert response.json() == {"mark": "0.0.0.0.0", "arrived": False, "again": 2}
    assert 'data-mark="0.0.0.0.0"' in html


def test_the_first_event_is_named_with_what_it_lacks(
    viewer: Client, key: ProjectKey
) -> None:
    before = ask(viewer, key)
    issue = make_issue(key.project, title="KeyError: 'CHF'")
    make_event(issue, release=make_release(key.project, "shop@1.0.0"))

    answer = ask(viewer, key)

    address = reverse("admin:issues_issue_change", args=[issue.pk])
    assert answer["mark"] != before["mark"]
    assert (answer["arrived"], answer["again"]) == (True, 10)
    assert (answer["title"], answer["issue"]) == ("KeyError: 'CHF'", address)
    html = page(viewer, SETUP, key.project_id)
    assert "An event has arrived" in html
    assert f'href="{address}"' in html
    assert "release <b>shop@1.0.0</b>" in html
    assert "no tenant: set the tag <b>tenant</b>" in html
    assert answer["mark"] in html


def test_an_event_with_everything_lacks_nothing(
    viewer: Client, key: ProjectKey
) -> None:
    make_event(make_issue(key.project), tenant=make_tenant("acme.example"))

    html = page(viewer, SETUP, key.project_id)

    assert "tenant <b>acme.example</b>" in html
    assert "no tenant" not in html


def test_the_page_is_for_those_who_may_see_projects(key: ProjectKey) -> None:
    client = client_of("")

    for name in (f"admin:{SETUP}", ARRIVAL):
        assert client.get(reverse(name, args=[key.project_id])).status_code == 403


def test_titles_are_for_those_who_may_see_issues(key: ProjectKey) -> None:
    make_event(make_issue(key.project, title="CouponExpired"))
    someone = make_user()
    someone.user_permissions.add(Permission.objects.get(codename="view_project"))
    client = Client()
    client.force_login(someone)

    html = page(client, SETUP, key.project_id)

    assert "An event has arrived" in html
    assert "CouponExpired" not in html
    assert "title" not in ask(client, key)


def test_what_came_in_vain_is_told_while_the_page_waits(
    viewer: Client, key: ProjectKey
) -> None:
    Outcome.objects.create(
        project_id=key.project_id,
        key_id=key.pk,
        minute=timezone.now(),
        category="error",
        reason="invalid",
        quantity=3,
    )

    html = page(viewer, SETUP, key.project_id)

    assert (
        "3 × error within the hour came but was not stored: could not be read" in html
    )


def test_a_test_event_is_sent_and_waited_for(
    maintainer: Client, key: ProjectKey, front: Receiver
) -> None:
    url = reverse(TEST_EVENT, args=[key.project_id])

    response = maintainer.post(url, {"platform": "node", "key": str(key.pk)})

    assert len(front.calls()) == 1
    html = maintainer.get(response["Location"]).content.decode()
    assert "node*" in platforms(html)
    assert "The front door took the test event; digest is next." in html
    test = response["Location"].rpartition("=")[2]
    before = ask(maintainer, key, test=test)
    issue = make_issue(key.project, title="Test event", logger=LOGGER)
    make_event(issue, event_id=test)
    assert ask(maintainer, key, test=test)["mark"] != before["mark"]
    html = maintainer.get(response["Location"]).content.decode()
    assert "The test event has arrived" in html
    assert "Waiting for the first event" in html


def test_a_test_event_that_is_refused_says_why(
    maintainer: Client, key: ProjectKey, front: Receiver
) -> None:
    front.reply = Reply(403, b'{"detail": "This key is switched off."}')

    response = maintainer.post(reverse(TEST_EVENT, args=[key.project_id]))

    assert "answered 403: This key is switched off." in told(response)[0]
    assert "test=" not in response["Location"]


@pytest.mark.parametrize("role", ["viewer", "responder"])
def test_test_events_are_for_maintainers(
    role: str, key: ProjectKey, front: Receiver
) -> None:
    client = client_of(role)

    response = client.post(reverse(TEST_EVENT, args=[key.project_id]))

    assert response.status_code == 403
    assert front.calls() == []
    assert "Send a test event" not in page(client, SETUP, key.project_id)


def test_a_test_event_is_not_sent_by_a_link(
    maintainer: Client, key: ProjectKey, front: Receiver
) -> None:
    response = maintainer.get(reverse(TEST_EVENT, args=[key.project_id]))

    assert response.status_code == 405
    assert front.calls() == []


def test_a_project_that_is_not_there_is_not_found(viewer: Client) -> None:
    url = reverse(f"admin:{SETUP}", args=[10**9])

    assert viewer.get(url).status_code == 404


def test_asking_is_cheap(
    viewer: Client, key: ProjectKey, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    # Session, person, two of permissions; project, keys; what has arrived.
    with django_assert_num_queries(6 + 4):
        ask(viewer, key)
