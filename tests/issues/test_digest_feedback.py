"""Feedback in batches: kept once, linked to its event's issue, scrubbed, counted."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.conf import LazySettings
from django.db import DataError, OperationalError
from django.db.models import Sum
from django.utils import timezone

from issues import attachments, feedback, merging, tasks
from issues.digest import feedback_rows
from issues.digest.batch import Digest
from issues.models import Attachment, DeadLetter, Event, Feedback, Issue, Outcome
from releases import health
from tenants.models import InboundFilters, Project, ProjectKey, ScrubRule
from tests.envelopes import envelope, event, item, put
from tests.factories import ANNA, make_key

pytestmark = pytest.mark.django_db(transaction=True)

EVENT_ID = "9ec79c33ec9942ab8353589fcb2e04dc"
OTHER = "1ec79c33ec9942ab8353589fcb2e04dc"


def written(
    *others: bytes, own_id: str = "", top: dict[str, Any] | None = None, **told: Any
) -> bytes:
    """An envelope with a feedback about EVENT_ID; keywords replace what it tells."""
    own_id = own_id or uuid4().hex
    context = {
        "message": "Where is my parcel?",
        "name": "Mia",
        "contact_email": "mia@example.com",
        "associated_event_id": EVENT_ID,
        "url": "https://shop.example/order/1",
        **told,
    }
    payload = {
        "event_id": own_id,
        "platform": "javascript",
        "release": "web@1",
        "tags": {"tenant": "shop-1.example"},
        "contexts": {"feedback": context},
        **(top or {}),
    }
    return envelope(item("feedback", payload), *others, event_id=own_id)


def reported(**told: Any) -> bytes:
    payload = {
        "event_id": EVENT_ID,
        "name": "Mia",
        "email": "mia@example.com",
        "comments": "It is gone\nplease help",
        **told,
    }
    return envelope(item("user_report", payload), event_id=EVENT_ID)


def an_event(event_id: str = EVENT_ID, **fields: Any) -> bytes:
    return envelope(item("event", event(event_id=event_id, **fields)))


def digested(digest: Digest, key: ProjectKey, *bodies: bytes) -> None:
    for body in bodies:
        put(key, body)
    digest.batch()


def dropped() -> dict[str, int]:
    rows = Outcome.objects.filter(category="feedback").values_list("reason")
    return dict(rows.annotate(Sum("quantity")).order_by())


def test_feedback_is_stored_with_what_it_tells(key: ProjectKey, digest: Digest) -> None:
    replay = uuid4()
    digested(digest, key, an_event(), written(replay_id=str(replay), source="widget"))
    row = feedback.rows().get()
    assert (row.message, row.name, row.email) == (
        *("Where is my parcel?", "Mia", "mia@example.com"),
    )
    assert row.event_id == UUID(EVENT_ID)
    assert row.issue == Issue.objects.get()
    assert (row.url, row.source) == ("https://shop.example/order/1", "widget")
    assert row.replay_id == replay.hex
    assert row.release is not None and row.release.version == "web@1"
    assert row.environment is not None and row.environment.name == "production"
    assert row.tenant is not None and row.tenant.key == "shop-1.example"
    assert row.notes == []
    assert dropped() == {}
    assert Event.objects.count() == 1


def test_an_older_user_report_is_stored_alike(key: ProjectKey, digest: Digest) -> None:
    digested(digest, key, an_event(), reported())
    row = feedback.rows().get()
    assert (row.message, row.email, row.source) == (
        *("It is gone\nplease help", "mia@example.com", "user_report"),
    )
    assert (row.issue, row.environment) == (Issue.objects.get(), None)


def test_a_user_report_may_name_its_event_in_the_envelope_only(
    key: ProjectKey, digest: Digest
) -> None:
    digested(digest, key, reported(event_id=None))
    assert Feedback.objects.get().event_id == UUID(EVENT_ID)


def test_feedback_finds_an_event_of_an_earlier_batch(
    key: ProjectKey, digest: Digest
) -> None:
    digested(digest, key, an_event())
    digested(digest, key, written(), reported())
    issue = Issue.objects.get()
    assert list(Feedback.objects.values_list("issue", flat=True)) == [issue.pk] * 2


def test_feedback_that_comes_before_its_event_is_linked_when_it_is_there(
    key: ProjectKey, digest: Digest
) -> None:
    digested(digest, key, written(), written(associated_event_id=OTHER))
    assert feedback.link_waiting(timezone.now()) == 0
    digested(digest, key, an_event())
    tasks.feedback_tick()
    linked = Feedback.objects.get(issue__isnull=False)
    assert (linked.event_id, linked.issue) == (UUID(EVENT_ID), Issue.objects.get())
    assert Feedback.objects.get(issue=None).event_id == UUID(OTHER)


def test_an_event_of_another_project_is_not_the_one(
    key: ProjectKey, digest: Digest
) -> None:
    put(make_key(), an_event())
    digested(digest, key, written())
    assert Event.objects.count() == 1
    feedback.link_waiting(timezone.now())
    assert Feedback.objects.get().issue is None


def test_feedback_of_an_event_whose_body_was_dropped_is_linked_in_its_batch(
    key: ProjectKey, digest: Digest
) -> None:
    key.rate_limit_count, key.rate_limit_seconds = 1, 60
    key.save()
    digested(digest, key, an_event(OTHER), an_event(), written())
    assert Event.objects.count() == 1
    assert Feedback.objects.get().issue == Issue.objects.get()


def test_a_merged_issue_shows_the_feedback_of_its_family(
    key: ProjectKey, digest: Digest
) -> None:
    second = {"exception": {"values": [{"type": "OSError", "value": "no"}]}}
    digested(digest, key, an_event(), an_event(OTHER, **second), written())
    own = Feedback.objects.get().issue
    assert own is not None
    root = Issue.objects.exclude(pk=own.pk).get()
    merging.merge(root, [own], ANNA)
    assert len(feedback.of_family([root.pk, own.pk])) == 1


def test_what_is_sent_again_is_stored_once_and_counted(
    key: ProjectKey, digest: Digest
) -> None:
    bodies = [written(own_id=OTHER), written(own_id=OTHER), reported(), reported()]
    digested(digest, key, *bodies)
    digested(digest, key, *bodies[1:3])
    assert Feedback.objects.count() == 2
    assert dropped() == {"duplicate": 4}


def test_two_reports_of_one_event_are_two(key: ProjectKey, digest: Digest) -> None:
    digested(digest, key, reported(), reported(comments="Still gone"))
    assert Feedback.objects.count() == 2


def test_a_batch_that_is_rolled_back_leaves_none(
    key: ProjectKey, digest: Digest, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(key, written())

    def fails(*_: object) -> None:
        raise OperationalError("deadlock detected")

    with monkeypatch.context() as patch:
        patch.setattr(health, "add_release_minutes", fails)
        with pytest.raises(OperationalError):
            digest.batch()
    assert not Feedback.objects.exists()
    digest.batch()
    assert Feedback.objects.count() == 1


def test_a_halved_batch_stores_each_feedback_once(
    key: ProjectKey, digest: Digest, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert = feedback_rows._insert

    def picky(fitting: Any, *rest: Any) -> Any:
        if any(one.told.message == "poison" for one in fitting.values()):
            raise DataError("a value that no column takes")
        return insert(fitting, *rest)

    monkeypatch.setattr(feedback_rows, "_insert", picky)
    told = ["one", "two", "poison", "three", "four"]
    digested(digest, key, *(written(message=text) for text in told))
    stored = Feedback.objects.values_list("message", flat=True)
    assert sorted(stored) == ["four", "one", "three", "two"]
    assert DeadLetter.objects.count() == 1


HOSTILE: list[Any] = [
    "\x00<script>alert(1)</script>\x00",
    "\ud83d alone",
    12345678901234567890123,
    True,
    {"a": [1, {"b": None}]},
    ["x"] * 3,
    "\u202egnp.exe",
    "long " * 10_000,
    "'; DROP TABLE issues_feedback; --",
]


def test_hostile_values_are_cleaned_and_never_a_dead_letter(
    key: ProjectKey, digest: Digest
) -> None:
    names = ("message", "name", "contact_email", "url", "source", "replay_id")
    for value in HOSTILE:
        everywhere = dict.fromkeys((*names, "associated_event_id"), value)
        put(key, written(**everywhere))
        put(key, written(top={"environment": value, "release": value, "tags": value}))
        put(key, reported(comments=value, name=value, email=value, event_id=value))
    digest.batch()
    assert not DeadLetter.objects.exists()
    assert (Feedback.objects.count(), dropped()) == (3 * len(HOSTILE), {})
    assert Feedback.objects.filter(event_id=None).count() == 2 * len(HOSTILE)
    for row in Feedback.objects.filter(event_id=None):
        assert "associated_event_id: not 32 hex digits" in " ".join(row.notes)
        assert "\0" not in row.message
        assert len(row.message) <= 4096


def test_what_is_too_long_is_cut_with_a_note(key: ProjectKey, digest: Digest) -> None:
    digested(digest, key, written(message="x" * 5000, name="n" * 200))
    row = Feedback.objects.get()
    assert (len(row.message), len(row.name)) == (4096, 128)
    assert row.notes == [
        "name: cut from 200 to 128 characters",
        "message: cut from 5000 to 4096 characters",
    ]


def test_what_says_nothing_is_counted_as_invalid(
    key: ProjectKey, digest: Digest
) -> None:
    bodies = [
        written(message="  "),
        written(message=None),
        written(top={"contexts": {"feedback": "text"}}),
        written(top={"contexts": [1]}),
        written(top={"contexts": None}),
        reported(comments=""),
        envelope(item("feedback", b"no JSON")),
        envelope(item("user_report", b"[]")),
        envelope(item("user_report", b"")),
        envelope(item("user_report", b"\xff\xfe")),
    ]
    digested(digest, key, *bodies)
    assert not Feedback.objects.exists()
    assert not DeadLetter.objects.exists()
    assert dropped() == {"invalid": len(bodies)}


def test_secrets_in_the_message_are_scrubbed_and_the_sender_is_kept(
    key: ProjectKey, digest: Digest
) -> None:
    digested(
        digest,
        key,
        written(
            message="My card is 4111 1111 1111 1111, password=hunter2",
            url="https://shop.example/?token=hunter2",
        ),
        reported(comments="Bearer hunter2hunter2 for mia@example.com"),
    )
    row, report = Feedback.objects.order_by("source")
    assert row.message == "My card is [Filtered], password=[Filtered]"
    assert row.url == "https://shop.example/?token=[Filtered]"
    assert (row.name, row.email) == ("Mia", "mia@example.com")
    assert "privacy: 3 values replaced" in " ".join(row.notes)
    assert "hunter2" not in report.message
    assert report.email == "mia@example.com"


def test_rules_of_the_project_hold_for_the_message(
    key: ProjectKey, digest: Digest
) -> None:
    ScrubRule.objects.create(
        project=key.project, kind=ScrubRule.Kind.PATTERN, value=r"KD-\d+"
    )
    digested(digest, key, written(message="I am KD-4711"), reported(name="KD-4712"))
    row, report = Feedback.objects.order_by("source")
    assert (row.message, report.name) == ("I am [Filtered]", "[Filtered]")


def test_a_project_that_drops_personal_data_keeps_no_name_and_address(
    key: ProjectKey, digest: Digest
) -> None:
    Project.objects.update(scrub_personal_data=True)
    digested(digest, key, written(message="Write to mia@example.com"), reported())
    row, report = Feedback.objects.order_by("source")
    assert row.message == "Write to [Filtered]"
    for one in (row, report):
        assert (one.name, one.email) == ("[Filtered]", "[Filtered]")


def test_a_project_without_addresses_keeps_none_in_feedback(
    key: ProjectKey, digest: Digest
) -> None:
    Project.objects.update(ip_addresses=Project.Addresses.OFF)
    put(key, written(message="I sit at 203.0.113.9"), remote_addr="203.0.113.9")
    digest.batch()
    row = Feedback.objects.get()
    assert (row.message, "203.0.113" in row.user) == ("I sit at [Filtered]", False)


def test_filters_on_who_sends_hold_and_those_on_errors_do_not(
    key: ProjectKey, digest: Digest
) -> None:
    InboundFilters.objects.update_or_create(
        project=key.project,
        defaults={"address_patterns": ["192.0.2.1"], "message_patterns": ["*parcel*"]},
    )
    put(key, written(item("attachment", b"x", filename="a")), remote_addr="192.0.2.1")
    put(key, reported(), remote_addr="192.0.2.1")
    put(key, written())
    digest.batch()
    assert Feedback.objects.get().message == "Where is my parcel?"
    assert dropped() == {"filtered:addresses": 2}
    # Its files go with it.
    assert not Attachment.objects.exists()
    gone = Outcome.objects.get(category="attachment")
    assert (gone.reason, gone.quantity) == ("filtered:addresses", 1)


def test_a_screenshot_is_kept_under_the_id_of_its_feedback(
    key: ProjectKey, digest: Digest
) -> None:
    shot = item("attachment", b"\x89PNG", filename="screenshot.png")
    digested(digest, key, written(shot, own_id=OTHER))
    row = Feedback.objects.get()
    (file,) = attachments.of_event(row.project_id, row.feedback_id)
    assert attachments.read(file) == b"\x89PNG"
    feedback.delete([row.pk])
    assert not Attachment.objects.exists()


def test_past_the_number_of_an_hour_feedback_is_dropped_and_counted(
    key: ProjectKey, digest: Digest, settings: LazySettings
) -> None:
    settings.FEEDBACK_MAX_PER_HOUR = 2
    other = make_key()
    hour = timezone.now().replace(minute=30)
    for minutes in range(3):
        put(key, written(), received=hour + timedelta(minutes=minutes))
    digest.batch()
    put(key, written(), received=hour)
    put(key, written(), received=hour - timedelta(hours=1))
    put(other, written(), received=hour)
    digest.batch()
    assert Feedback.objects.count() == 4
    assert dropped() == {"hourly_limit": 2}


def test_of_one_envelope_a_hundred_reports_are_taken(
    key: ProjectKey, digest: Digest
) -> None:
    told = [{"event_id": EVENT_ID, "comments": str(n)} for n in range(103)]
    digested(digest, key, envelope(*(item("user_report", one) for one in told)))
    assert Feedback.objects.count() == 100
    assert dropped() == {"too_many": 3}
