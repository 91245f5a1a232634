"""From uploaded parts to files that the look-up finds."""

from typing import Any
from uuid import UUID

import pytest
from django.conf import LazySettings
from django.db import OperationalError

from releases import tasks
from releases.artifacts import assembling, find_by_debug_id
from releases.artifacts.assembling import MOST_ATTEMPTS, assemble_waiting
from releases.artifacts.stored import PARTS, keep
from releases.models import Artifact, ArtifactBundle, StoredFile
from tenants.blobs import delete_blob, read_blob
from tests.factories import make_project
from tests.releases.uploads import (
    DEBUG_ID,
    MAP,
    SCRIPT,
    digest,
    usual,
    waiting,
    zipped,
)

pytestmark = pytest.mark.django_db

State = ArtifactBundle.State


def assembled(bundle: ArtifactBundle) -> ArtifactBundle:
    assemble_waiting(10)
    bundle.refresh_from_db()
    return bundle


def test_a_bundle_becomes_files_that_are_found() -> None:
    bundle = assembled(waiting(usual(), version="shop@1"))
    assert (bundle.state, bundle.detail) == (State.OK, "")
    assert (bundle.file_count, bundle.size) == (2, len(SCRIPT) + len(MAP))
    found = find_by_debug_id(bundle.project_id, UUID(DEBUG_ID))
    assert found and found.minified and found.source_map
    assert (read_blob(found.minified), read_blob(found.source_map)) == (SCRIPT, MAP)
    script = Artifact.objects.get(kind="minified_source")
    assert (script.url, script.source_map_url) == ("~/a.js", "~/a.js.map")


def test_parts_are_joined_in_order() -> None:
    data = usual(script=SCRIPT * 50)
    bundle = waiting(data)
    halves = data[:200], data[200:]
    keep(PARTS, halves)
    chunks = [digest(half) for half in halves]
    ArtifactBundle.objects.update(chunks=chunks)
    assert assembled(bundle).state == State.OK


def test_a_bundle_that_is_ready_wakes_who_waits_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rung: list[tuple[str, str]] = []
    monkeypatch.setattr(
        assembling, "ring_on_commit", lambda task, queue: rung.append((task, queue))
    )
    assert assembled(waiting(usual())).events_due
    assert rung == [("issues.symbolicate_again", "upkeep")]


def test_the_same_file_of_two_bundles_is_stored_once() -> None:
    first = assembled(waiting(usual(), version="shop@1"))
    other = assembled(waiting(usual(script=b"let b;"), version="shop@2"))
    assert Artifact.objects.filter(bundle__in=[first, other]).count() == 4
    files = StoredFile.objects.filter(name__startswith="artifacts/")
    assert files.count() == 3


def test_the_same_bundle_of_another_project_needs_no_parts() -> None:
    assembled(waiting(usual()))
    for row in StoredFile.objects.filter(name__startswith="chunks/"):
        delete_blob(row.name)
        row.delete()
    bundle = waiting(b"", make_project(), checksum=digest(usual()), chunks=["0" * 40])
    assert assembled(bundle).state == State.OK
    assert (bundle.file_count, bundle.size) == (2, len(SCRIPT) + len(MAP))
    assert find_by_debug_id(bundle.project_id, UUID(DEBUG_ID)) is not None


def test_kinds_that_are_not_known_are_kept_as_other() -> None:
    told = {"type": "indexed_ram_bundle", "url": "~/a.bundle"}
    assembled(waiting(zipped({"a.bundle": b"x"}, {"files": {"a.bundle": told}})))
    assert Artifact.objects.get().kind == Artifact.Kind.OTHER


@pytest.mark.parametrize(
    ("data", "fields", "told"),
    [
        (b"nonsense", {}, "This is no ZIP"),
        (usual(), {"checksum": "0" * 40}, f"SHA-1 {digest(usual())}, not {'0' * 40}"),
        (usual(), {"chunks": ["0" * 40]}, "1 of its parts are no longer here"),
        (zipped({}, b"{}"), {}, 'manifest.json has no "files"'),
    ],
    ids=["no zip", "checksum", "parts", "manifest"],
)
def test_a_bundle_that_cannot_be_used_says_why(
    data: bytes, fields: dict[str, Any], told: str
) -> None:
    bundle = assembled(waiting(data, **fields))
    assert bundle.state == State.ERROR
    assert told in bundle.detail
    assert not Artifact.objects.exists()


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("ARTIFACT_MAX_BUNDLE_BYTES", len(usual()) - 1),
        ("ARTIFACT_MAX_FILES", 1),
        ("ARTIFACT_MAX_FILE_BYTES", len(SCRIPT)),
        ("ARTIFACT_MAX_UNPACKED_BYTES", len(SCRIPT) + len(MAP) - 1),
    ],
)
def test_each_bound_is_a_setting_that_the_error_names(
    settings: LazySettings, setting: str, value: int
) -> None:
    setattr(settings, setting, value)
    bundle = assembled(waiting(usual()))
    assert bundle.state == State.ERROR
    assert setting in bundle.detail


def test_more_files_than_allowed_are_not_even_listed(settings: LazySettings) -> None:
    settings.ARTIFACT_MAX_FILES = 3
    files = {f"{number}.js": b"" for number in range(9)}
    bundle = assembled(waiting(zipped(files, {"files": {}})))
    assert "more files than ARTIFACT_MAX_FILES (3)" in bundle.detail


def test_an_error_does_not_hold_the_others() -> None:
    bad, good = waiting(b"nonsense"), waiting(usual())
    assert assemble_waiting(10) == 2
    bad.refresh_from_db()
    good.refresh_from_db()
    assert (bad.state, good.state) == (State.ERROR, State.OK)


def test_a_process_that_died_leaves_a_bundle_that_the_next_one_takes() -> None:
    bundle = waiting(usual(), state=State.ASSEMBLING, attempts=1)
    assert assembled(bundle).state == State.OK


def test_a_bundle_that_kills_each_process_is_given_up() -> None:
    bundle = waiting(usual(), state=State.ASSEMBLING, attempts=MOST_ATTEMPTS)
    assert assembled(bundle).state == State.ERROR
    assert "ended 5 times. Upload it again" in bundle.detail


def test_a_storage_that_is_away_is_tried_again_behind_the_others(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    first = waiting(usual())

    def away(*_: object) -> None:
        raise OperationalError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(assembling, "keep", away)
        assert assemble_waiting(10) == 0
    first.refresh_from_db()
    assert (first.state, first.attempts) == (State.CREATED, 1)
    assert "could not keep it (OperationalError)" in first.detail
    assert "the disk is full" in caplog.text
    second = waiting(usual(script=b"let b;"))
    assert assembling._next() == second
    assert assembled(first).state == State.OK


def test_a_storage_that_stays_away_is_an_error_in_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bundle = waiting(usual())
    monkeypatch.setattr(assembling, "keep", None)
    for _ in range(MOST_ATTEMPTS):
        assemble_waiting(10)
    bundle.refresh_from_db()
    assert (bundle.state, bundle.attempts) == (State.ERROR, MOST_ATTEMPTS)


def test_a_bundle_that_is_deleted_meanwhile_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waiting(usual())

    def keep_and_delete(*arguments: Any) -> Any:
        ArtifactBundle.objects.all().delete()
        return keep(*arguments)

    monkeypatch.setattr(assembling, "keep", keep_and_delete)
    assemble_waiting(10)
    assert not Artifact.objects.exists()


def test_the_task_assembles_what_waits() -> None:
    bundle = waiting(usual())
    tasks.assemble()
    bundle.refresh_from_db()
    assert bundle.state == State.OK
