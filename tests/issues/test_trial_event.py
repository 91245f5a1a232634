from collections.abc import Iterator

import orjson
import pytest
from django.conf import LazySettings

from issues.trial_event import send_test_event
from tenants.models import AuditEntry
from tenants.refusals import Refusal
from tests.factories import ANNA, make_key, make_project
from tests.receiver import Receiver, Reply, receiving
from tests.running import free_port

pytestmark = pytest.mark.django_db


@pytest.fixture
def front(settings: LazySettings) -> Iterator[Receiver]:
    """Stands where BASE_URL leads."""
    with receiving() as receiver:
        settings.BASE_URL = f"{receiver.url}/errors"
        yield receiver


def test_it_goes_to_the_address_of_the_dsn_with_its_key(front: Receiver) -> None:
    key = make_key()

    event_id = send_test_event(key, ANNA)

    (call,) = front.calls()
    assert call.path == f"/errors/api/{key.project_id}/envelope/"
    assert f"sentry_key={key.public_key}" in call.headers["x-sentry-auth"]
    header, item, payload = map(orjson.loads, call.body.splitlines())
    assert header["dsn"].endswith(f"/errors/{key.project_id}")
    assert header["event_id"] == payload["event_id"] == event_id
    assert item["length"] == len(call.body.splitlines()[2])


def test_it_says_what_it_is(front: Receiver) -> None:
    send_test_event(make_key(), ANNA)

    payload = orjson.loads(front.calls()[0].body.splitlines()[2])
    assert payload["message"] == "Test event from the set-up page"
    assert (payload["level"], payload["environment"]) == ("info", "test")
    assert payload["tags"] == {"test": "yes", "sent_by": "anna"}


def test_it_is_audited(front: Receiver) -> None:
    key = make_key(make_project(name="Shop"))

    event_id = send_test_event(key, ANNA)

    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action) == ("anna", "sent a test event")
    assert (entry.object_label, entry.changes["event_id"]) == ("Shop", [None, event_id])


@pytest.mark.parametrize(
    ("allowed", "origin"),
    [
        ([], None),
        (["*"], None),
        (["shop.example"], "https://shop.example"),
        (["http://shop.example:8080"], "http://shop.example:8080"),
        (["*.shop.example", "*"], None),
        (["*.shop.example"], "https://test.shop.example"),
        (["https://*.shop.example"], "https://test.shop.example"),
    ],
)
def test_a_key_of_pages_sends_as_a_page_does(
    front: Receiver, allowed: list[str], origin: str | None
) -> None:
    send_test_event(make_key(allowed_origins=allowed), ANNA)

    assert front.calls()[0].headers.get("origin") == origin


def test_a_refusal_is_told_in_the_words_of_the_front_door(front: Receiver) -> None:
    front.reply = Reply(429, b'{"detail": "The inbox is full."}')

    with pytest.raises(Refusal, match=r"answered 429: The inbox is full\."):
        send_test_event(make_key(), ANNA)

    assert not AuditEntry.objects.exists()


def test_another_server_at_the_address_is_told(front: Receiver) -> None:
    front.reply = Reply(404, b"<h1>nginx</h1>")

    with pytest.raises(Refusal, match="answered 404: <h1>nginx</h1>"):
        send_test_event(make_key(), ANNA)


def test_a_front_door_that_is_not_there_names_the_setting(
    settings: LazySettings,
) -> None:
    settings.BASE_URL = f"http://127.0.0.1:{free_port()}"

    with pytest.raises(Refusal, match="BASE_URL must be the address"):
        send_test_event(make_key(), ANNA)
