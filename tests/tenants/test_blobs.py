from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import storages

from rush_monitor.settings import blob_storage
from tenants.blobs import content_name, delete_blob, read_blob
from tenants.models import Blob
from tests.factories import write_blob

pytestmark = pytest.mark.django_db

DATA = b"source map " * 1000


@pytest.fixture(params=["database", "file"])
def _storage(request: Any, settings: Any, tmp_path: Path, monkeypatch: Any) -> None:
    value = "database" if request.param == "database" else f"file://{tmp_path}"
    monkeypatch.setenv("BLOB_STORAGE", value)
    settings.STORAGES = {**settings.STORAGES, "blobs": blob_storage("BLOB_STORAGE")}


@pytest.mark.usefixtures("_storage")
def test_a_blob_is_read_back() -> None:
    assert read_blob(write_blob("maps", DATA)) == DATA


@pytest.mark.usefixtures("_storage")
def test_an_empty_blob_is_read_back() -> None:
    assert read_blob(write_blob("maps", b"")) == b""


@pytest.mark.usefixtures("_storage")
def test_the_same_data_has_the_same_name() -> None:
    assert write_blob("maps", DATA) == write_blob("maps", DATA)
    assert storages["blobs"].size(content_name("maps", DATA)) == len(DATA)


@pytest.mark.usefixtures("_storage")
def test_a_deleted_blob_is_gone_and_may_be_deleted_again() -> None:
    name = write_blob("maps", DATA)
    delete_blob(name)
    delete_blob(name)
    with pytest.raises(FileNotFoundError):
        read_blob(name)


def test_the_database_keeps_one_row_packed() -> None:
    write_blob("maps", DATA)
    write_blob("maps", DATA)
    blob = Blob.objects.get()
    assert len(blob.data) < blob.size == len(DATA)


@pytest.mark.parametrize("value", ["", "files", "file://relative", "s3://", "ftp://x"])
def test_a_storage_that_cannot_be_used_is_named(value: str, monkeypatch: Any) -> None:
    monkeypatch.setenv("BLOB_STORAGE", value)
    with pytest.raises(ImproperlyConfigured, match="BLOB_STORAGE="):
        blob_storage("BLOB_STORAGE")
