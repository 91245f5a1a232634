"""Bundles go when nobody used them for long, and then their files."""

from datetime import timedelta
from uuid import UUID

import pytest
from django.conf import LazySettings
from django.utils import timezone

from releases import tasks
from releases.artifacts import expiry, find_by_debug_id, touch
from releases.artifacts.assembling import assemble_waiting
from releases.artifacts.expiry import expire
from releases.models import Artifact, ArtifactBundle, StoredFile
from tenants.models import Blob
from tests.factories import make_artifact, make_bundle
from tests.releases.uploads import DEBUG_ID, usual, waiting

pytestmark = pytest.mark.django_db

DAYS = timedelta(days=90)


def age_files() -> None:
    StoredFile.objects.update(touched=timezone.now() - timedelta(days=91))


def test_a_bundle_goes_90_days_after_its_last_use() -> None:
    now = timezone.now()
    make_bundle(last_used=now - DAYS - timedelta(seconds=1))
    used = make_bundle(last_used=now - DAYS)
    assert expire(now, days=90, seconds=10) == (1, 0)
    assert ArtifactBundle.objects.get() == used


def test_use_keeps_a_bundle() -> None:
    now = timezone.now()
    bundle = make_bundle(last_used=now - DAYS - timedelta(days=1))
    touch([bundle.pk], now)
    assert expire(now, days=90, seconds=10) == (0, 0)


def test_its_files_and_parts_go_with_it() -> None:
    bundle = waiting(usual())
    assemble_waiting(10)
    age_files()
    ArtifactBundle.objects.update(last_used=timezone.now() - DAYS * 2)
    assert expire(timezone.now(), days=90, seconds=10) == (1, 3)
    assert not Artifact.objects.exists() and not Blob.objects.exists()
    assert find_by_debug_id(bundle.project_id, UUID(DEBUG_ID)) is None


def test_a_file_that_another_bundle_names_stays() -> None:
    old = make_bundle(last_used=timezone.now() - DAYS * 2)
    make_artifact(old, "~/a.js", b"shared")
    make_artifact(old, "~/b.js", b"own")
    make_artifact(make_bundle(), "~/a.js", b"shared")
    age_files()
    assert expire(timezone.now(), days=90, seconds=10) == (1, 1)
    assert Blob.objects.get().size == len(b"shared")


def test_parts_go_a_day_after_their_upload() -> None:
    waiting(usual())
    assemble_waiting(10)
    age_files()
    assert expire(timezone.now(), days=90, seconds=10) == (0, 1)
    names = StoredFile.objects.values_list("name", flat=True)
    assert all(name.startswith("artifacts/") for name in names)


def test_more_than_a_piece_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expiry, "PIECE", 2)
    for _ in range(5):
        make_bundle(last_used=timezone.now() - DAYS * 2)
    assert expire(timezone.now(), days=90, seconds=10) == (5, 0)


def test_nothing_goes_when_the_time_is_over() -> None:
    make_bundle(last_used=timezone.now() - DAYS * 2)
    assert expire(timezone.now(), days=90, seconds=0) == (0, 0)


def test_the_task_keeps_to_the_setting(settings: LazySettings) -> None:
    settings.ARTIFACT_RETENTION_DAYS = 7
    make_bundle(last_used=timezone.now() - timedelta(days=8))
    kept = make_bundle(last_used=timezone.now() - timedelta(days=6))
    tasks.artifact_expiry()
    assert ArtifactBundle.objects.get() == kept
