"""Source maps in S3: uploaded, read, and deleted with their bundle."""

from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import pytest
from django.conf import LazySettings
from django.utils import timezone

from releases.artifacts import find_by_debug_id
from releases.artifacts.assembling import assemble_waiting
from releases.artifacts.expiry import expire
from releases.models import StoredFile
from rush_monitor.settings import blob_storage
from tenants.blobs import delete_blob, read_blob
from tenants.models import Blob
from tests.factories import write_blob
from tests.fake_s3 import FakeS3, serving_s3
from tests.releases.uploads import DEBUG_ID, MAP, SCRIPT, usual, waiting

pytest.importorskip("storages", reason="needs the extra s3")
pytestmark = pytest.mark.django_db

FOLDER = "/maps/rush/artifacts/"


@pytest.fixture
def s3(settings: LazySettings, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeS3]:
    with serving_s3() as running:
        monkeypatch.setenv("BLOB_STORAGE", "s3://maps/rush")
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", running.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        settings.STORAGES = {**settings.STORAGES, "blobs": blob_storage("BLOB_STORAGE")}
        yield running


def test_a_blob_is_written_once_and_read_back(s3: FakeS3) -> None:
    name = write_blob("artifacts", SCRIPT)
    assert write_blob("artifacts", SCRIPT) == name
    assert read_blob(name) == SCRIPT
    assert [method for method, _ in s3.asked].count("PUT") == 1
    assert s3.objects == {f"/maps/rush/{name}": SCRIPT}
    assert not Blob.objects.exists()


def test_a_blob_is_deleted_and_may_be_deleted_again(s3: FakeS3) -> None:
    name = write_blob("artifacts", SCRIPT)
    delete_blob(name)
    delete_blob(name)
    with pytest.raises(FileNotFoundError):
        read_blob(name)


def test_a_bundle_is_assembled_and_found(s3: FakeS3) -> None:
    bundle = waiting(usual(), version="shop@1")
    assemble_waiting(10)
    found = find_by_debug_id(bundle.project_id, UUID(DEBUG_ID))
    assert found and found.minified and found.source_map
    assert (read_blob(found.minified), read_blob(found.source_map)) == (SCRIPT, MAP)
    assert not Blob.objects.exists()


def test_the_same_files_of_another_bundle_are_not_sent_again(s3: FakeS3) -> None:
    waiting(usual(), version="shop@1")
    assemble_waiting(10)
    s3.asked.clear()
    waiting(usual(script=b"let b;"), version="shop@2")
    assemble_waiting(10)
    sent = [name for method, name in s3.asked if method == "PUT" and FOLDER in name]
    assert len(sent) == 1


def test_what_nothing_names_is_deleted(s3: FakeS3) -> None:
    waiting(usual())
    assemble_waiting(10)
    now = timezone.now()
    StoredFile.objects.update(touched=now - timedelta(days=2))
    expire(now + timedelta(days=91), days=90, seconds=10)
    assert s3.objects == {}
