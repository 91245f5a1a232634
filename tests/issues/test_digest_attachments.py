"""Attachments in batches: with their event or not at all, once, within the bounds."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.conf import LazySettings
from django.db import OperationalError
from django.utils import timezone

from issues import attachments
from issues.digest.batch import Digest
from issues.models import Attachment, Event, Outcome
from releases import health
from tenants.models import Blob, InboundFilters, ProjectKey
from tests.envelopes import envelope, event, item, put

pytestmark = pytest.mark.django_db(transaction=True)

EVENT_ID = "9ec79c33ec9942ab8353589fcb2e04dc"
DUMP = bytes(range(256)) * 8


def attachment(data: bytes = DUMP, name: str = "dump.bin", **header: Any) -> bytes:
    return item("attachment", data, filename=name, **header)


def with_event(*files: bytes, event_id: str = EVENT_ID) -> bytes:
    return envelope(*files, item("event", event(event_id=event_id)), event_id=event_id)


def kept() -> dict[str, bytes]:
    """The stored files by name."""
    return {row.name: attachments.read(row) for row in Attachment.objects.all()}


def dropped() -> dict[str, int]:
    rows = Outcome.objects.filter(category="attachment")
    return dict(rows.values_list("reason", "quantity"))


def test_files_are_kept_beside_their_event(key: ProjectKey, digest: Digest) -> None:
    log = attachment(b"line\n\n", "log.txt", content_type="text/plain")
    empty = attachment(b"", "empty.txt")
    put(key, with_event(attachment(), log, empty))
    digest.batch()
    assert kept() == {"dump.bin": DUMP, "log.txt": b"line\n\n", "empty.txt": b""}
    stored = Event.objects.get()
    rows = attachments.of_event(stored.project_id, stored.event_id)
    assert [(row.name, row.size) for row in rows] == [
        *[("dump.bin", 2048), ("empty.txt", 0), ("log.txt", 6)]
    ]
    assert {row.received for row in rows} == {stored.received}


def test_at_rest_a_file_cannot_be_read(key: ProjectKey, digest: Digest) -> None:
    put(key, with_event(attachment(b"password=hunter2", "hunter2.log")))
    digest.batch()
    assert b"hunter2" not in bytes(Blob.objects.get().data)


def test_files_of_an_event_with_less_than_full_detail_are_dropped(
    key: ProjectKey, digest: Digest
) -> None:
    payload = event(event_id=EVENT_ID, level="info")
    body = envelope(attachment(), item("event", payload), event_id=EVENT_ID)
    put(key, body)
    digest.batch()
    assert (kept(), dropped()) == ({}, {"detail_rule": 1})
    assert Event.objects.count() == 1


def test_files_of_a_filtered_event_are_counted_with_it(
    key: ProjectKey, digest: Digest
) -> None:
    InboundFilters.objects.update_or_create(
        project=key.project, defaults={"message_patterns": ["*boring*"]}
    )
    payload = event(event_id=EVENT_ID, message="boring", exception=None)
    body = envelope(attachment(), item("event", payload), event_id=EVENT_ID)
    put(key, body)
    digest.batch()
    assert (kept(), dropped()) == ({}, {"filtered:messages": 1})


def test_files_that_come_without_their_event_are_kept_under_its_id(
    key: ProjectKey, digest: Digest
) -> None:
    put(key, envelope(attachment(), event_id=EVENT_ID))
    digest.batch()
    assert Attachment.objects.get().event_id == UUID(EVENT_ID)


def test_a_repeated_envelope_keeps_its_files_once(
    key: ProjectKey, digest: Digest
) -> None:
    for _ in range(2):
        put(key, with_event(attachment()))
        put(key, envelope(attachment(name="late.bin"), event_id=EVENT_ID))
    digest.batch()
    put(key, with_event(attachment()))
    put(key, envelope(attachment(name="late.bin"), event_id=EVENT_ID))
    digest.batch()
    assert kept() == {"dump.bin": DUMP, "late.bin": DUMP}
    assert Blob.objects.count() == 2
    assert dropped() == {"duplicate": 4}


def test_the_same_file_of_two_events_is_kept_for_each(
    key: ProjectKey, digest: Digest
) -> None:
    for _ in range(2):
        put(key, with_event(attachment(), event_id=uuid4().hex))
    digest.batch()
    first, second = Attachment.objects.all()
    attachments.delete([first.pk])
    assert attachments.read(second) == DUMP


def test_a_batch_that_is_rolled_back_leaves_no_file(
    key: ProjectKey, digest: Digest, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(key, with_event(attachment()))

    def fails(*_: object) -> None:
        raise OperationalError("deadlock detected")

    with monkeypatch.context() as patch:
        patch.setattr(health, "add_release_minutes", fails)
        with pytest.raises(OperationalError):
            digest.batch()
    assert (Attachment.objects.count(), Blob.objects.count()) == (0, 0)
    digest.batch()
    assert kept() == {"dump.bin": DUMP}


def test_what_the_front_door_left_out_is_counted_with_its_reason(
    key: ProjectKey, digest: Digest
) -> None:
    gone = attachment(b"", discarded_bytes=99, discarded="too_large")
    put(key, with_event(gone, attachment()))
    digest.batch()
    assert (kept(), dropped()) == ({"dump.bin": DUMP}, {"too_large": 1})


def test_a_project_that_keeps_none_drops_what_a_tunnel_let_in(
    key: ProjectKey, digest: Digest
) -> None:
    key.project.keep_attachments = False
    key.project.save()
    put(key, with_event(attachment()))
    digest.batch()
    assert (kept(), dropped()) == ({}, {"switched_off": 1})
    assert Event.objects.count() == 1


def test_past_the_bytes_of_an_hour_files_are_dropped_and_smaller_ones_still_fit(
    key: ProjectKey, digest: Digest, settings: LazySettings
) -> None:
    settings.ATTACHMENTS_MAX_BYTES_PER_HOUR = 5000
    hour = timezone.now().replace(minute=30)
    for number, minutes in enumerate((0, 5, 10)):
        body = with_event(attachment(name=f"{number}.bin"), event_id=uuid4().hex)
        put(key, body, received=hour + timedelta(minutes=minutes))
        digest.batch()
    small = attachment(b"small", "small.txt")
    put(key, with_event(small, event_id=uuid4().hex), received=hour)
    digest.batch()
    assert set(kept()) == {"0.bin", "1.bin", "small.txt"}
    assert dropped() == {"hourly_limit": 1}
    assert Event.objects.count() == 4


def test_files_of_an_event_over_the_keys_limit_are_dropped_with_its_body(
    key: ProjectKey, digest: Digest
) -> None:
    key.rate_limit_count, key.rate_limit_seconds = 1, 60
    key.save()
    for _ in range(2):
        put(key, with_event(attachment(), event_id=uuid4().hex))
    digest.batch()
    assert (len(kept()), dropped()) == (1, {"rate_limit": 1})


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (envelope(attachment()), "invalid"),
        (
            envelope(
                item("transaction", {"type": "transaction"}),
                attachment(),
                event_id=EVENT_ID,
            ),
            "unsupported",
        ),
    ],
)
def test_files_of_nothing_that_is_kept_are_counted(
    key: ProjectKey, digest: Digest, body: bytes, reason: str
) -> None:
    put(key, body)
    digest.batch()
    assert (kept(), dropped()) == ({}, {reason: 1})
