"""Events that came before their source map get it, once, and nothing counts twice."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.core.files.storage import storages
from django.db import DatabaseError
from django.utils import timezone

from issues import merging, workflow
from issues.bodies import pack
from issues.digest import source_maps as source_maps_module
from issues.digest import symbolicate_again
from issues.digest.batch import Digest
from issues.digest.late_fingerprints import Standing, may_merge
from issues.digest.source_maps import SourceMaps
from issues.digest.symbolicate import NO_UPLOADS
from issues.digest.symbolicate_again import SETTLED, catch_up, stored_event
from issues.grouping import group
from issues.models import (
    Event,
    Fingerprint,
    Issue,
    IssueActivity,
    IssueHour,
    IssueMinute,
    IssueStats,
    WaitingEvent,
)
from issues.normal_event import NormalEvent
from releases.models import ArtifactBundle, ReleaseMinute, StoredFile
from tenants.models import ProjectKey
from tests import source_maps
from tests.envelopes import put_event
from tests.factories import ANNA, make_bundle, make_detail_rule, make_key
from tests.issues.grouping_cases import events
from tests.normal_events import RECEIVED, normal
from tests.source_maps import build_files, upload

pytestmark = pytest.mark.django_db(transaction=True)

Kind = IssueActivity.Kind
HASHES = [UUID(int=number) for number in range(4)]


@pytest.fixture
def key() -> ProjectKey:
    """Of a project that has an upload, which helps no event."""
    key = make_key()
    make_bundle(key.project)
    return key


@pytest.fixture
def maps() -> Iterator[SourceMaps]:
    maps = SourceMaps(64 << 20)
    yield maps
    maps.close()


def put_fault(
    key: ProjectKey, name: str = "timeline", build: int = 0, **fields: Any
) -> None:
    put_event(key, **{**source_maps.fault("vite", build, name), **fields})


def upload_build(key: ProjectKey, build: int = 0, **fields: Any) -> ArtifactBundle:
    return upload(
        key.project,
        build_files("vite", build),
        f"page@{build + 1}",
        **{"events_due": True, **fields},
    )


def again(maps: SourceMaps) -> int:
    return catch_up(maps, timezone.now(), 60)[0]


def crash_frame(event: Event) -> dict[str, Any]:
    frames = event.payload["exception"]["values"][-1]["stacktrace"]["frames"]
    found: dict[str, Any] = frames[-1]
    return found


def counters() -> list[Any]:
    return [
        sorted(model.objects.values_list("events", flat=True))
        for model in (IssueStats, IssueMinute, IssueHour, ReleaseMinute)
    ]


def test_an_event_gets_the_frames_of_its_late_map(
    key: ProjectKey, digest: Digest, maps: SourceMaps
) -> None:
    put_fault(key)
    digest.batch()
    assert crash_frame(Event.objects.get())["_rush"]["unmapped"]
    upload_build(key)
    assert again(maps) == 1
    frame = crash_frame(Event.objects.get())
    assert frame["filename"].endswith("src/timeline.js")
    assert frame["context_line"]
    assert not WaitingEvent.objects.exists()


def test_an_event_gets_it_by_debug_id(
    key: ProjectKey, digest: Digest, maps: SourceMaps
) -> None:
    [payload] = source_maps.captured("013-typeerror-click")
    put_event(key, **{**payload, "timestamp": timezone.now().isoformat()})
    digest.batch()
    upload(key.project, source_maps.page(), events_due=True)
    assert again(maps) == 1
    assert crash_frame(Event.objects.get())["filename"] == "../../src/timeline.js"


def test_an_event_gets_it_when_the_storage_is_back(
    key: ProjectKey,
    digest: Digest,
    maps: SourceMaps,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bundle = upload_build(key, events_due=False)
    with monkeypatch.context() as away:
        away.setattr(source_maps_module, "read_blob", fails)
        put_fault(key)
        digest.batch()
        told = crash_frame(Event.objects.get())["_rush"]["unmapped"]
        assert told == "The source map cannot be fetched now (ConnectionError)."
        assert catch_up(maps, timezone.now(), 60) == (0, True)
        assert WaitingEvent.objects.exists()
        bundle.refresh_from_db()
        assert bundle.events_due
    fresh = SourceMaps(64 << 20)
    assert catch_up(fresh, timezone.now() + SETTLED, 60) == (1, True)
    fresh.close()
    assert crash_frame(Event.objects.get())["context_line"]
    assert not WaitingEvent.objects.exists()
    bundle.refresh_from_db()
    assert not bundle.events_due


def test_a_bundle_that_the_storage_lost_does_not_hold_up_others(
    key: ProjectKey,
    digest: Digest,
    maps: SourceMaps,
) -> None:
    put_fault(key, build=0)
    put_fault(key, build=1)
    digest.batch()
    upload_build(key, 0)
    upload_build(key, 1)
    lost = StoredFile.objects.filter(artifacts__bundle__release__version="page@1")
    for name in lost.values_list("name", flat=True):
        storages["blobs"].delete(name)
    assert catch_up(maps, timezone.now(), 60) == (1, True)
    assert WaitingEvent.objects.exists()


def fails(name: str) -> bytes:
    raise ConnectionError(name)


def test_the_first_upload_of_a_project_helps_what_came_before(
    digest: Digest, maps: SourceMaps
) -> None:
    key = make_key()
    put_fault(key)
    digest.batch()
    event = Event.objects.get()
    assert event.payload["_rush"]["unmapped"] == NO_UPLOADS
    assert "_rush" not in crash_frame(event)
    upload_build(key)
    assert again(maps) == 1
    event.refresh_from_db()
    assert crash_frame(event)["context_line"]
    assert "unmapped" not in event.payload.get("_rush", {})
    assert not WaitingEvent.objects.exists()


def test_an_event_that_the_first_upload_does_not_help_goes_on_waiting(
    digest: Digest, maps: SourceMaps
) -> None:
    key = make_key()
    put_fault(key)
    digest.batch()
    upload_build(key, 1)
    assert again(maps) == 1
    [row] = WaitingEvent.objects.all()
    assert row.url == "~/assets/main-C-JD9cJb.js"
    assert (
        "was uploaded to release page@1"
        in crash_frame(Event.objects.get())["_rush"]["unmapped"]
    )


def test_what_a_detail_rule_left_out_does_not_come_back(
    key: ProjectKey, digest: Digest, maps: SourceMaps
) -> None:
    put_fault(key, level="info")
    digest.batch()
    event = Event.objects.get()
    note = {"rule": 1, "name": "Little of infos", "level": "minimal"}
    body = {**event.payload, "_rush": {"detail": note}}
    Event.objects.filter(pk=event.pk).update(body=pack(body))
    upload_build(key)
    again(maps)
    event.refresh_from_db()
    frame = crash_frame(event)
    assert frame["context_line"] and "pre_context" not in frame
    assert event.payload["_rush"]["detail"] == note


def test_no_counter_moves(key: ProjectKey, digest: Digest, maps: SourceMaps) -> None:
    for _ in range(3):
        put_fault(key)
    digest.batch()
    before = counters()
    upload_build(key)
    again(maps)
    assert counters() == before


def test_later_builds_of_the_fault_come_to_the_same_issue(
    key: ProjectKey, digest: Digest, maps: SourceMaps
) -> None:
    put_fault(key)
    digest.batch()
    upload_build(key)
    again(maps)
    upload_build(key, 1)
    put_fault(key, build=1)
    # A process that has not seen the release without uploads.
    fresh = Digest(500)
    fresh.batch()
    fresh.close()
    issue = Issue.objects.get()
    assert issue.stats.events == 2
    assert issue.fingerprints.count() == 2


def test_the_issue_tells_what_it_learned_and_is_named_by_the_source(
    key: ProjectKey, digest: Digest, maps: SourceMaps
) -> None:
    put_fault(key, transaction="")
    digest.batch()
    upload_build(key)
    again(maps)
    issue = Issue.objects.get()
    note = issue.activities.get(kind=Kind.LEARNED)
    learned = issue.fingerprints.get(hash=UUID(note.data["fingerprint"]))
    assert "The source map of event" in note.text
    assert learned.reason and learned.parts[0]["contributes"] is True
    assert issue.culprit.startswith("timeline.js in ")


def test_an_issue_is_merged_with_the_one_that_has_the_fingerprint(
    key: ProjectKey, digest: Digest, maps: SourceMaps
) -> None:
    upload_build(key)
    put_fault(key)
    digest.batch()
    known = Issue.objects.get()
    put_fault(key, build=1)
    digest.batch()
    minified = Issue.objects.exclude(pk=known.pk).get()
    upload_build(key, 1)
    again(maps)
    minified.refresh_from_db()
    assert minified.merged_into == known
    assert IssueStats.objects.get(issue=known).events == 2
    notes = [i.activities.filter(kind=Kind.MERGED).get() for i in (known, minified)]
    assert all("the source map of event" in note.text for note in notes)


def test_a_resolved_issue_comes_back_when_the_event_is_newer(
    key: ProjectKey, digest: Digest, maps: SourceMaps
) -> None:
    upload_build(key)
    put_fault(key)
    digest.batch()
    known = Issue.objects.get()
    workflow.resolve([known], ANNA)
    put_fault(key, build=1)
    digest.batch()
    upload_build(key, 1)
    again(maps)
    known.refresh_from_db()
    assert known.status == Issue.Status.OPEN


def test_a_resolved_issue_stays_so_when_the_event_is_older(
    key: ProjectKey, digest: Digest, maps: SourceMaps
) -> None:
    upload_build(key)
    put_fault(key)
    put_fault(key, build=1)
    digest.batch()
    known = Issue.objects.order_by("pk")[0]
    workflow.resolve(list(Issue.objects.all()), ANNA)
    upload_build(key, 1)
    again(maps)
    known.refresh_from_db()
    assert known.status == Issue.Status.RESOLVED


def test_what_a_person_took_apart_stays_apart(
    key: ProjectKey, digest: Digest, maps: SourceMaps
) -> None:
    upload_build(key)
    put_fault(key)
    put_fault(key, build=1)
    digest.batch()
    known, minified = Issue.objects.order_by("pk")
    merging.merge(known, [minified], ANNA)
    merging.unmerge(minified, ANNA)
    upload_build(key, 1)
    again(maps)
    minified.refresh_from_db()
    assert minified.merged_into is None
    newest = Event.objects.order_by("-pk")[0]
    assert crash_frame(newest)["filename"].endswith("src/timeline.js")


@pytest.mark.parametrize(
    ("own", "other", "merges"),
    [
        (Standing(1, [HASHES[0]], alone=True), 2, True),
        (Standing(1, [HASHES[0]], alone=True), 1, False),
        (Standing(1, [HASHES[0]], alone=False), 2, False),
        (Standing(1, HASHES[:2], alone=True), 2, False),
        (Standing(1, [HASHES[1]], alone=True), 2, False),
    ],
)
def test_when_issues_are_merged(own: Standing, other: int, merges: bool) -> None:
    assert may_merge(own, HASHES[0], other) is merges


def test_an_event_without_its_body_waits_no_longer(
    key: ProjectKey, digest: Digest, maps: SourceMaps
) -> None:
    put_fault(key)
    digest.batch()
    Event.objects.update(body=None)
    upload_build(key)
    again(maps)
    assert not WaitingEvent.objects.exists()
    assert not Fingerprint.objects.filter(version="v1")[1:]


def test_an_event_goes_on_waiting_for_the_map_that_is_still_missing(
    key: ProjectKey, digest: Digest, maps: SourceMaps
) -> None:
    put_fault(key, "eta")
    digest.batch()
    files = build_files("vite", 0)
    main = {path: data for path, data in files.items() if "main" in path}
    upload(key.project, main, "page@1", events_due=True)
    again(maps)
    [row] = WaitingEvent.objects.all()
    assert row.url == "~/assets/eta-D08yJxcg.js"
    upload_build(key)
    fresh = SourceMaps(64 << 20)
    again(fresh)
    fresh.close()
    assert not WaitingEvent.objects.exists()
    assert crash_frame(Event.objects.get())["filename"].endswith("src/eta.js")


def test_a_failure_of_the_database_leaves_the_event_waiting(
    key: ProjectKey,
    digest: Digest,
    maps: SourceMaps,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put_fault(key)
    digest.batch()
    upload_build(key)

    def fail(*args: Any) -> None:
        raise DatabaseError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(symbolicate_again, "adopt", fail)
        with pytest.raises(DatabaseError):
            again(maps)
    assert WaitingEvent.objects.exists()
    assert again(maps) == 1


def test_one_bad_event_does_not_hold_up_the_others(
    key: ProjectKey, digest: Digest, maps: SourceMaps
) -> None:
    put_fault(key)
    put_fault(key)
    digest.batch()
    first, second = Event.objects.order_by("pk")
    Event.objects.filter(pk=first.pk).update(body=b"not a body")
    upload_build(key)
    assert again(maps) == 2
    assert crash_frame(Event.objects.get(pk=second.pk))["context_line"]
    assert not WaitingEvent.objects.exists()


def test_it_stops_in_time_and_says_that_there_is_more(
    key: ProjectKey, digest: Digest, maps: SourceMaps
) -> None:
    put_fault(key)
    digest.batch()
    bundle = upload_build(key)
    assert catch_up(maps, timezone.now(), -1) == (0, False)
    bundle.refresh_from_db()
    assert bundle.events_due


@pytest.mark.parametrize(("age", "due"), [(59, True), (61, False)])
def test_a_bundle_stays_due_while_digest_may_not_know_of_it(
    key: ProjectKey, maps: SourceMaps, age: int, due: bool
) -> None:
    now = timezone.now()
    bundle = upload_build(key, state_since=now - timedelta(seconds=age))
    catch_up(maps, now, 60)
    bundle.refresh_from_db()
    assert bundle.events_due is due


def stored(event: NormalEvent) -> NormalEvent:
    """The event as it is read from what digest stored of it."""
    row = Event(event_id=UUID(event.event_id), received=RECEIVED, body=pack(event.body))
    return stored_event(row, ("tenant", "shop"))


@pytest.mark.parametrize("name", events())
def test_a_stored_event_groups_as_it_did(name: str) -> None:
    event = normal(events()[name])
    assert group(stored(event)).hash == group(event).hash


@pytest.mark.parametrize(("detail", "around"), [("minimal", False), ("standard", True)])
def test_the_late_map_brings_no_more_than_the_detail_rule_leaves(
    key: ProjectKey, digest: Digest, maps: SourceMaps, detail: str, around: bool
) -> None:
    make_detail_rule(detail=detail)
    put_fault(key)
    digest.batch()
    upload_build(key)
    assert again(maps) == 1
    event = Event.objects.get()
    assert crash_frame(event)["filename"].endswith("src/timeline.js")
    assert crash_frame(event)["context_line"]
    assert ("pre_context" in crash_frame(event)) is around
    assert event.payload["_rush"]["detail"]["level"] == detail
