"""Where files are kept: source maps, attachments. ``storages["blobs"]`` gives it.

Names are content-addressed (``content_name``), so writing the same file again changes
nothing, and the three storages (database, file system, S3) behave alike. In the
database a file is written in the caller's transaction; the others keep what a
rolled-back transaction wrote until upkeep finds that no row names it.
"""

from collections.abc import Collection, Mapping
from hashlib import sha1
from io import BytesIO
from typing import IO, Any

import psycopg
import zstandard
from django.core.files.base import File
from django.core.files.storage import Storage, storages
from django.db import connection

from tenants.models import Blob

LEVEL = 6  # written once, read often
STAGED_LEVEL = 3  # written in a hurry
STAGE = b"""
INSERT INTO tenants_blob (name, size, data) VALUES (%s, %s, %b)
ON CONFLICT (name) DO NOTHING
"""


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


def read_blob(name: str) -> bytes:
    """The file's bytes; raises FileNotFoundError."""
    with storages["blobs"].open(name) as file:
        return bytes(file.read())


def delete_blob(name: str) -> None:
    """Forget the file; nothing happens where there is none."""
    storages["blobs"].delete(name)


def stage_blobs(files: Mapping[str, bytes]) -> None:
    """Keep files by their names in the database, whatever the storage is.

    They come and go with the caller's transaction, which then waits for nothing
    outside; ``unstage_blob`` moves one on.
    """
    rows = [
        (name, len(data), zstandard.compress(data, STAGED_LEVEL))
        for name, data in files.items()
    ]
    # Not Django's cursor, which writes values into the statement, bytes as digits.
    with psycopg.Cursor(connection.connection) as cursor:
        cursor.executemany(STAGE, rows)


def is_staged_for_good() -> bool:
    """Whether the database is the storage: nothing is moved on."""
    return isinstance(storages["blobs"], DatabaseStorage)


def read_staged(name: str) -> bytes:
    """The bytes of a file in the database; raises FileNotFoundError."""
    with DatabaseStorage().open(name) as file:
        return bytes(file.read())


def delete_staged(names: Collection[str]) -> None:
    """Forget files in the database."""
    Blob.objects.filter(pk__in=names).delete()


def unstage_blob(name: str) -> None:
    """Write a file of the database into the storage, then forget it there.

    Repeated calls do no harm. Raises what the storage raises.
    """
    # Over what a process may have left that was killed half-way.
    storages["blobs"].save(name, BytesIO(read_staged(name)))
    delete_staged([name])
