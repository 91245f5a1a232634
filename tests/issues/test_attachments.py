from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic

import pytest
from django.conf import LazySettings
from django.core.files.storage import storages
from django.utils import timezone

from issues import attachments, partitions, tasks
from issues.models import Attachment
from tenants.models import Blob
from tests.factories import make_attachment, make_event, make_issue

pytestmark = pytest.mark.django_db

NOW = timezone.now()


@pytest.fixture
def folder(settings: LazySettings, tmp_path: Path) -> Iterator[Path]:
    """Files are configured to lie in this folder."""
    backend = "django.core.files.storage.FileSystemStorage"
    options = {"location": str(tmp_path), "allow_overwrite": True}
    blobs = {"BACKEND": backend, "OPTIONS": options}
    settings.STORAGES = {**settings.STORAGES, "blobs": blobs}
    yield tmp_path


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def soon() -> float:
    return monotonic() + 10


def test_a_download_is_bytes_that_no_browser_shows() -> None:
    answer = attachments.download(make_attachment(b"<script>", name="a/b\\x.html"))
    assert answer.getvalue() == b"<script>"
    assert dict(answer.items()) == {
        "Content-Type": "application/octet-stream",
        "Content-Length": "8",
        "Content-Disposition": 'attachment; filename="x.html"',
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "private, no-store",
    }


def test_a_name_cannot_add_a_header() -> None:
    answer = attachments.download(make_attachment(name='ü";\r\nX-Evil: 1'))
    assert "X-Evil" not in answer
    assert "\n" not in answer["Content-Disposition"]


def test_a_deleted_attachment_is_gone_with_its_file() -> None:
    gone, other = make_attachment(b"1"), make_attachment(b"2")
    assert attachments.delete([gone.pk]) == 1
    assert Attachment.objects.get() == other
    assert Blob.objects.get().name == other.blob


def test_in_the_database_nothing_is_moved() -> None:
    make_attachment()
    assert attachments.move_staged(soon()) == 0
    assert Attachment.objects.get().staged is True


def test_files_are_moved_into_the_configured_storage(folder: Path) -> None:
    row = make_attachment(b"dump")
    assert attachments.read(row) == b"dump"
    assert attachments.move_staged(soon()) == 1
    assert len(files(folder)) == 1
    assert not Blob.objects.exists()
    assert attachments.read(row) == b"dump"  # as a page knew it before
    assert attachments.read(Attachment.objects.get()) == b"dump"


def test_a_move_that_was_interrupted_is_finished(folder: Path) -> None:
    row = make_attachment(b"dump")
    storages["blobs"].save(row.blob, storages["default"].open(row.blob))
    assert attachments.move_staged(soon()) == 1
    assert len(files(folder)) == 1
    assert attachments.read(Attachment.objects.get()) == b"dump"


def test_a_file_sealed_under_another_key_says_so(settings: LazySettings) -> None:
    row = make_attachment(b"dump")
    settings.SECRET_KEY = "another"
    with pytest.raises(attachments.FileMissing, match="SECRET_KEY_FALLBACKS"):
        attachments.read(row)


def test_a_moved_file_is_deleted_where_it_lies(folder: Path) -> None:
    row = make_attachment()
    attachments.move_staged(soon())
    attachments.delete([row.pk])
    assert files(folder) == []


def test_attachments_expire_by_their_time_of_receipt() -> None:
    make_attachment(name="old", received=NOW - timedelta(days=3))
    make_attachment(name="new", received=NOW)
    assert attachments.expire(NOW - timedelta(days=2), soon()) == 1
    assert Attachment.objects.get().name == "new"
    assert Blob.objects.count() == 1


def test_more_than_a_piece_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attachments, "PIECE", 2)
    for _ in range(5):
        make_attachment(received=NOW - timedelta(days=3))
    assert attachments.expire(NOW, soon()) == 5


def test_the_tick_deletes_those_of_days_whose_events_went() -> None:
    def of(received: datetime) -> Attachment:
        event = make_event(make_issue(), received=received, payload={})
        return make_attachment(event=event, received=received)

    of(NOW - timedelta(days=40))
    stays = of(NOW)
    partitions.retire_before(NOW.date() - timedelta(days=30))
    tasks.attachments_tick()
    assert list(Attachment.objects.all()) == [stays]
