import json

import pytest
from django.conf import LazySettings

from issues.letter_contents import Contents, contents_of, shape
from issues.models import DeadLetter
from issues.sealed_envelopes import Sender
from tests.envelopes import envelope, item, sealed
from tests.factories import make_dead_letter, make_project

pytestmark = pytest.mark.django_db

SECRET = "shpat_" + "0a" * 16


def contents(
    body: bytes, kind: str = "store", sender: Sender | None = None
) -> Contents:
    letter = make_dead_letter(make_project(), kind=kind, body=sealed(body, sender))
    return contents_of(DeadLetter.objects.get(pk=letter.pk))


def test_json_is_shown_without_its_secrets() -> None:
    [part] = contents(json.dumps({"password": "hunter2", "order": 7}).encode()).parts

    assert json.loads(part.text) == {"password": "[Filtered]", "order": 7}


def test_what_is_no_json_is_shown_as_its_shape() -> None:
    [part] = contents(b'{"key": "S3cret!", "n": 12').parts

    assert part.text == '{"xxx": "x0xxxx!", "x": 00'


def test_each_item_of_an_envelope_is_shown() -> None:
    body = envelope(
        item("event", {"token": SECRET}), item("event", b'{"to'), trace={"a": SECRET}
    )

    parts = contents(body, "envelope").parts

    assert [part.title.partition(",")[0] for part in parts] == [
        "header",
        "item 1: event",
        "item 2: event",
    ]
    assert SECRET not in str(parts)
    assert parts[2].text == '{"xx'


def test_bytes_that_are_no_envelope_are_shown_as_their_shape() -> None:
    [part] = contents(b"not json " + SECRET.encode(), "envelope").parts

    assert part.text == "xxx xxxx xxxxx_" + "0x" * 16


def test_the_sender_is_scrubbed_as_well() -> None:
    told = Sender("192.0.2.1", f"agent {SECRET}", "", "sentry_secret=abc&sentry_key=1")

    shown = contents(b"{}", sender=told).sender

    assert shown.remote_addr == "192.0.2.1"
    assert shown.user_agent == "agent [Filtered]"
    assert shown.query == "sentry_secret=[Filtered]&sentry_key=1"


def test_of_a_project_that_is_gone_no_address_is_shown() -> None:
    letter = make_dead_letter(make_project(), project_id=999_999)

    assert contents_of(letter).sender.remote_addr == "[Filtered]"


def test_a_bomb_is_not_unpacked() -> None:
    shown = contents(b"\0" * 50_000_000)

    assert shown.parts == []
    assert "over 1 MiB" in shown.problem


def test_a_letter_sealed_under_another_key_says_so(
    settings: LazySettings,
) -> None:
    letter = make_dead_letter(make_project())
    settings.SECRET_KEY = "another"

    assert "SECRET_KEY_FALLBACKS" in contents_of(letter).problem


def test_a_damaged_body_says_so() -> None:
    letter = make_dead_letter(make_project(), body=b"nonsense")

    assert "damaged" in contents_of(letter).problem


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"Ann, 42", "xxx, 00"),
        ("Zürich 8\n".encode(), "xxxxxx 0\n"),
        (b"\x1b[31m\xff", "·[00x·"),
    ],
)
def test_the_shape_tells_no_letter_and_no_digit(raw: bytes, shown: str) -> None:
    assert shape(raw) == shown
