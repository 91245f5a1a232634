"""Which events wait for a source map, within bounds."""

from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from issues.digest import waiting
from issues.digest.batch import Digest
from issues.digest.symbolicate import Script
from issues.digest.waiting import Room, file_of
from issues.models import Event, WaitingEvent
from tenants.models import ProjectKey
from tests import source_maps
from tests.envelopes import put_event
from tests.factories import make_bundle, make_key

pytestmark = pytest.mark.django_db(transaction=True)

URL = "https://shop-1.example.com/assets/main-C-JD9cJb.js"


@pytest.fixture
def key() -> ProjectKey:
    """Of a project that has an upload."""
    key = make_key()
    make_bundle(key.project)
    return key


def put_fault(key: ProjectKey, name: str = "timeline", **fields: object) -> None:
    put_event(key, **{**source_maps.fault("vite", 0, name), **fields})


def waiting_row(project_id: int, file: UUID) -> WaitingEvent:
    return WaitingEvent(
        project_id=project_id, file=file, event_id=uuid4(), received=timezone.now()
    )


def test_an_event_waits_for_each_of_its_scripts(
    key: ProjectKey, digest: Digest
) -> None:
    put_fault(key, "eta")
    digest.batch()
    event = Event.objects.get()
    rows = WaitingEvent.objects.order_by("url")
    assert [row.url for row in rows] == [
        "~/assets/eta-D08yJxcg.js",
        "~/assets/main-C-JD9cJb.js",
    ]
    assert {(r.event_id, r.received, r.release, r.debug_id) for r in rows} == {
        (event.event_id, event.received, "page@1", None)
    }


def test_in_a_project_without_uploads_an_event_waits_as_a_whole(
    digest: Digest,
) -> None:
    put_fault(make_key(), "eta")
    digest.batch()
    [row] = WaitingEvent.objects.all()
    assert (row.url, row.release, row.debug_id) == ("", "page@1", None)


def test_an_event_waits_by_its_debug_ids(key: ProjectKey, digest: Digest) -> None:
    [payload] = source_maps.captured("013-typeerror-click")
    put_event(key, **payload)
    digest.batch()
    rows = WaitingEvent.objects.all()
    assert {str(row.file) for row in rows} == {
        "bd57471c-4b68-560f-9706-7aa3361a6f59",
        "76b63029-f682-5892-8dc9-3daa00836ed8",
    }
    assert all(row.file == row.debug_id for row in rows)


def test_an_event_that_no_upload_can_help_does_not_wait(
    key: ProjectKey, digest: Digest
) -> None:
    put_fault(key, release="")
    put_event(key)
    digest.batch()
    assert not WaitingEvent.objects.exists()


def test_an_event_whose_body_was_dropped_does_not_wait(digest: Digest) -> None:
    key = make_key(rate_limit_count=1, rate_limit_seconds=3600)
    make_bundle(key.project)
    for _ in range(3):
        put_fault(key)
    digest.batch()
    kept = Event.objects.get()
    assert {row.event_id for row in WaitingEvent.objects.all()} == {kept.event_id}


def test_shops_wait_for_one_file() -> None:
    other = URL.replace("shop-1", "shop-2")
    assert file_of(Script(URL), "1", "") == file_of(Script(other), "1", "")


@pytest.mark.parametrize(
    "other",
    [(Script(URL), "2", ""), (Script(URL), "1", "7"), (Script(f"{URL}x"), "1", "")],
)
def test_release_dist_and_path_tell_files_apart(other: tuple[Script, str, str]) -> None:
    assert file_of(Script(URL), "1", "") != file_of(*other)


def test_so_many_events_wait_for_a_file(
    key: ProjectKey, digest: Digest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "MOST_EVENTS", 3)
    for _ in range(5):
        put_fault(key)
    digest.batch()
    assert WaitingEvent.objects.count() == 3


def test_so_many_rows_wait_in_a_project(
    key: ProjectKey, digest: Digest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "MOST_ROWS", 3)
    for number in range(5):
        put_fault(key, release=f"page@{number}")
    digest.batch()
    assert WaitingEvent.objects.count() == 3


def test_rows_of_other_processes_count(
    key: ProjectKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "MOST_EVENTS", 3)
    file, project_id = uuid4(), key.project_id
    WaitingEvent.objects.bulk_create(waiting_row(project_id, file) for _ in range(2))
    room = Room()
    room.count({(project_id, file)})
    assert [room.take(project_id, file) for _ in range(3)] == [True, False, False]


def test_what_is_full_is_not_counted_again_within_a_minute(key: ProjectKey) -> None:
    seconds = [0.0]
    room = Room(lambda: seconds[0])
    file = (key.project_id, uuid4())
    counts = []
    for seconds[0] in (0.0, 59.0, 61.0):
        with CaptureQueriesContext(connection) as queries:
            room.count({file})
        counts.append(len(queries.captured_queries))
    assert counts == [2, 0, 2]
