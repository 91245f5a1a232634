"""Files are kept once, and deleted when nothing names them any more."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from django.core.files.storage import storages
from django.db import connection
from django.utils import timezone

from releases.artifacts import stored
from releases.artifacts.stored import (
    FILES,
    PARTS,
    UNTOUCHED,
    delete_unmarked,
    delete_unused,
    keep,
    missing_parts,
    part_name,
    unmark,
)
from releases.models import StoredFile
from tenants.blobs import content_name, delete_blob, read_blob
from tests.factories import make_artifact, make_bundle
from tests.releases.uploads import digest

pytestmark = pytest.mark.django_db

DATA = b"let a = 1;"
NAME = content_name(FILES, DATA)


def untouched(**fields: Any) -> StoredFile:
    """A file that nobody touched for longer than a day."""
    keep(FILES, [DATA])
    long_ago = timezone.now() - UNTOUCHED - timedelta(seconds=1)
    StoredFile.objects.filter(name=NAME).update(touched=long_ago, **fields)
    return StoredFile.objects.get(name=NAME)


def sweep() -> int:
    return delete_unused(timezone.now(), 10)


def test_files_are_kept_in_order_and_each_once() -> None:
    first, second, again = keep(FILES, [b"1", b"2", b"1"])
    assert first == again != second
    assert StoredFile.objects.count() == 2
    row = StoredFile.objects.get(pk=second)
    assert (row.size, row.written, read_blob(row.name)) == (1, True, b"2")


def test_nothing_is_kept_of_nothing() -> None:
    assert keep(FILES, []) == []


def test_a_file_that_is_there_is_touched_and_not_written_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    row = untouched()
    monkeypatch.setattr(storages["blobs"], "save", None)
    assert keep(FILES, [DATA]) == [row.pk]
    row.refresh_from_db()
    assert timezone.now() - row.touched < timedelta(minutes=1)


def test_a_file_left_half_written_is_written_again(
    settings: Any, tmp_path: Path
) -> None:
    backend = "django.core.files.storage.FileSystemStorage"
    options = {"location": tmp_path, "allow_overwrite": True}
    settings.STORAGES = {
        **settings.STORAGES,
        "blobs": {"BACKEND": backend, "OPTIONS": options},
    }
    untouched(written=False)
    (tmp_path / NAME).write_bytes(DATA[:3])
    keep(FILES, [DATA])
    assert read_blob(NAME) == DATA
    assert StoredFile.objects.get().written


def test_missing_parts_are_told_in_order() -> None:
    keep(PARTS, [b"1"])
    here, gone, none = digest(b"1"), digest(b"2"), digest(b"3")
    assert missing_parts([none, here, gone, none]) == [none, gone]


def test_a_part_that_is_not_written_is_missing() -> None:
    keep(PARTS, [b"1"])
    StoredFile.objects.update(written=False)
    assert missing_parts([digest(b"1")]) == [digest(b"1")]


def test_asking_for_a_part_keeps_it_for_a_day() -> None:
    keep(PARTS, [b"1"])
    StoredFile.objects.update(touched=timezone.now() - UNTOUCHED * 2)
    missing_parts([digest(b"1")])
    assert sweep() == 0
    assert read_blob(part_name(digest(b"1"))) == b"1"


def test_what_nothing_names_goes_after_a_day() -> None:
    untouched()
    keep(FILES, [b"fresh"])
    assert sweep() == 1
    assert list(StoredFile.objects.values_list("size", flat=True)) == [5]
    with pytest.raises(FileNotFoundError):
        read_blob(NAME)


def test_what_an_artifact_names_stays() -> None:
    artifact = make_artifact(make_bundle(), "~/a.js", DATA)
    untouched()
    assert sweep() == 0
    artifact.delete()
    assert sweep() == 1


def test_more_than_a_piece_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "PIECE", 2)
    keep(FILES, [bytes([n]) for n in range(5)])
    StoredFile.objects.update(touched=timezone.now() - UNTOUCHED * 2)
    assert sweep() == 5


def test_nothing_is_deleted_when_the_time_is_over() -> None:
    untouched()
    assert delete_unused(timezone.now(), 0) == 0


def test_a_file_that_is_used_again_is_not_deleted() -> None:
    untouched()
    before = timezone.now() - UNTOUCHED
    ids = unmark(before)
    (pk,) = keep(FILES, [DATA])
    assert delete_unmarked(ids, before) == 0
    assert StoredFile.objects.get(pk=pk).written
    assert read_blob(NAME) == DATA


def test_a_process_that_dies_between_leaves_what_a_writer_writes_again() -> None:
    untouched()
    unmark(timezone.now() - UNTOUCHED)
    delete_blob(NAME)
    keep(FILES, [DATA])
    assert read_blob(NAME) == DATA


def in_thread(work: Callable[[], object]) -> Thread:
    def run() -> None:
        work()
        connection.close()

    thread = Thread(target=run)
    thread.start()
    return thread


@pytest.mark.django_db(transaction=True)
def test_a_writer_that_meets_the_deletion_writes_the_file_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    untouched()
    writers = []

    def delete_while_one_writes(name: str) -> None:
        writers.append(in_thread(lambda: keep(FILES, [DATA])))
        delete_blob(name)

    monkeypatch.setattr(stored, "delete_blob", delete_while_one_writes)
    assert sweep() == 1
    writers[0].join()
    assert StoredFile.objects.get(name=NAME).written
    assert read_blob(NAME) == DATA
