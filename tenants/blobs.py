"""Where files are kept: source maps, attachments. ``storages["blobs"]`` gives it.

Names are content-addressed (``content_name``), so writing the same file again changes
nothing, and the three storages (database, file system, S3) behave alike. In the
database a file is written in the caller's transaction; the others keep what a
rolled-back transaction wrote until upkeep finds that no row names it.
"""

from hashlib import sha1
from io import BytesIO
from typing import IO, Any

import zstandard
from django.core.files.base import File
from django.core.files.storage import Storage, storages

from tenants.models import Blob

LEVEL = 6  # written once, read often


class DatabaseStorage(Storage):
    """Django's storage on the table of blobs; files are read into memory whole."""

    def _open(self, name: str, mode: str = "rb") -> "File[bytes]":
        blob = Blob.objects.filter(pk=name).first()
        if blob is None:
            raise FileNotFoundError(f"no blob is named {name}")
        data = zstandard.decompress(bytes(blob.data), max_output_size=blob.size)
        return File(BytesIO(data), name=name)

    def _save(self, name: str, content: IO[Any]) -> str:
        data = content.read()
        packed = zstandard.compress(data, LEVEL)
        blob = Blob(name=name, size=len(data), data=packed)
        Blob.objects.bulk_create([blob], ignore_conflicts=True)
        return name

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        """The name itself: the same name is the same file."""
        return name

    def delete(self, name: str) -> None:
        Blob.objects.filter(pk=name).delete()

    def exists(self, name: str) -> bool:
        return Blob.objects.filter(pk=name).exists()

    def size(self, name: str) -> int:
        return int(Blob.objects.values_list("size", flat=True).get(pk=name))


def content_name(folder: str, data: bytes) -> str:
    """``<folder>/ab/<sha1 of the data, 40 hex digits>``."""
    return name_of(folder, sha1(data, usedforsecurity=False).hexdigest())


def name_of(folder: str, digest: str) -> str:
    """The content name of a file whose SHA-1, 40 hex digits, is known."""
    return f"{folder}/{digest[:2]}/{digest}"


def write_blob(folder: str, data: bytes) -> str:
    """Keep ``data`` and return its name; nothing is written where it lies already."""
    name, storage = content_name(folder, data), storages["blobs"]
    if not storage.exists(name):
        storage.save(name, BytesIO(data))
    return name


def read_blob(name: str) -> bytes:
    """The file's bytes; raises FileNotFoundError."""
    with storages["blobs"].open(name) as file:
        return bytes(file.read())


def delete_blob(name: str) -> None:
    """Forget the file; nothing happens where there is none."""
    storages["blobs"].delete(name)
