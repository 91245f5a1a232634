"""Reads an artifact bundle: what its manifest names, and each file; pure.

A bundle is a ZIP, behind eight bytes (``SYSB`` and a version) when sentry-cli made it.
Its ``manifest.json`` holds ``files: {path in the ZIP: {type, url, headers}}``; what the
manifest does not name is not read. No path ever becomes one of a file system.
"""

import posixpath
import re
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any
from uuid import UUID
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

import orjson

from tenants.names import one_line

MANIFEST = "manifest.json"
MOST_MANIFEST_BYTES = 32 << 20
URL_CHARACTERS = 500
# What every entry of a ZIP's directory begins with.
DIRECTORY_ENTRY = b"PK\x01\x02"
# What Python's zipfile raises for a ZIP that is broken or too new.
DAMAGED = (
    BadZipFile,
    EOFError,
    NotImplementedError,
    OSError,
    OverflowError,
    ValueError,
    struct.error,
    zlib.error,
)
MIB = 1 << 20

# The reference stands in one of the last lines, behind it at most a debug id.
REFERENCE_BYTES = 4096
REFERENCE = re.compile(rb"^//[#@]\s*sourceMappingURL=(\S+)\s*$", re.MULTILINE)
ROOT = re.compile(r"(~(?=/)|[a-zA-Z][a-zA-Z0-9+.-]*://[^/]*|//[^/]+)?(.*)", re.DOTALL)


class BundleError(ValueError):
    """The bundle cannot be used; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a bundle may hold; sizes in bytes, unpacked."""

    files: int
    file_bytes: int
    total_bytes: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A file as the manifest names it; ``reference`` is its map's, "" if none."""

    path: str
    kind: str
    url: str
    debug_id: UUID | None
    reference: str


class Bundle:
    """An open bundle; raises BundleError when it is none or breaks a bound."""

    def __init__(self, file: IO[bytes], bounds: Bounds) -> None:
        try:
            self._archive = ZipFile(file)
        except DAMAGED as error:
            raise BundleError(
                f"This is no ZIP ({error}). Upload the bundle again."
            ) from error
        self._entries = {info.filename: info for info in self._archive.infolist()}
        self.entries = [
            _entry(path, told) for path, told in self._manifest_files().items()
        ]
        self._check(bounds)

    def read(self, entry: Entry) -> bytes:
        """The contents of a file."""
        return self._read(entry.path)

    def _check(self, bounds: Bounds) -> None:
        if len(self.entries) > bounds.files:
            raise BundleError(
                f"The bundle has {len(self.entries)} files, at most {bounds.files} are "
                "taken (ARTIFACT_MAX_FILES). Upload it in parts."
            )
        # An entry never unpacks to more than the directory says.
        total = 0
        for entry in self.entries:
            size = self._info(entry.path).file_size
            total += size
            if size > bounds.file_bytes:
                raise BundleError(
                    f"{entry.url} has {_mib(size)}, at most {_mib(bounds.file_bytes)} "
                    "are taken (ARTIFACT_MAX_FILE_BYTES). Leave it out."
                )
        if total > bounds.total_bytes:
            raise BundleError(
                f"The bundle unpacks to {_mib(total)}, at most "
                f"{_mib(bounds.total_bytes)} are taken (ARTIFACT_MAX_UNPACKED_BYTES). "
                "Upload it in parts."
            )

    def _manifest_files(self) -> Mapping[str, Any]:
        if self._info(MANIFEST).file_size > MOST_MANIFEST_BYTES:
            raise BundleError(f"{MANIFEST} has more than {_mib(MOST_MANIFEST_BYTES)}.")
        try:
            manifest = orjson.loads(self._read(MANIFEST))
        except orjson.JSONDecodeError as error:
            raise BundleError(f"{MANIFEST} is no JSON: {error}.") from error
        files = manifest.get("files") if isinstance(manifest, dict) else None
        if not isinstance(files, dict):
            raise BundleError(f'{MANIFEST} has no "files" by path.')
        return files

    def _info(self, path: str) -> ZipInfo:
        info = self._entries.get(path)
        if info is None:
            raise BundleError(f"The bundle has no {_shown(path)}.")
        return info

    def _read(self, path: str) -> bytes:
        info = self._info(path)
        if info.flag_bits & 1 or info.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
            raise BundleError(
                f"{_shown(path)} is encrypted or packed in a way other than deflate."
            )
        try:
            return self._archive.read(info)
        except DAMAGED as error:
            raise BundleError(
                f"{_shown(path)} cannot be unpacked ({error}). Upload the bundle again."
            ) from error


def _entry(path: str, told: Any) -> Entry:
    if not path or path[0] == "/" or "\\" in path or ".." in path.split("/"):
        raise BundleError(
            f"{_shown(path)!r} leads out of the bundle: give paths inside it."
        )
    if not isinstance(told, dict):
        raise BundleError(f"{MANIFEST} tells nothing of {_shown(path)}.")
    headers = told.get("headers")
    named = {
        name.lower(): text
        for name, text in (headers.items() if isinstance(headers, dict) else ())
        if isinstance(text, str)
    }
    return Entry(
        path=path,
        kind=str(told.get("type") or ""),
        url=_url(path, told.get("url")),
        debug_id=_debug_id(path, named.get("debug-id", "")),
        reference=named.get("sourcemap") or named.get("x-sourcemap") or "",
    )


def _url(path: str, told: Any) -> str:
    url = told if isinstance(told, str) and told else _usual_url(path)
    if len(url) > URL_CHARACTERS or not url.isprintable():
        raise BundleError(
            f"The URL of {_shown(path)} has more than {URL_CHARACTERS} "
            "characters, or some that cannot be printed."
        )
    return url


def _usual_url(path: str) -> str:
    """sentry-cli writes ``~/x.js`` as ``files/_/_/x.js``."""
    return "~/" + path.removeprefix("files/").removeprefix("_/_/")


def _debug_id(path: str, told: str) -> UUID | None:
    try:
        return UUID(told) if told else None
    except ValueError as error:
        raise BundleError(
            f"The debug id {told[:80]!r} of {_shown(path)} is no UUID."
        ) from error


def source_map_url(url: str, reference: str, script: bytes) -> str:
    """The URL of a script's map, "" where it names none that is a file of its own.

    ``reference`` is what the manifest says; else the script's last lines are asked.
    """
    if not reference:
        found = REFERENCE.findall(script[-REFERENCE_BYTES:])
        reference = found[-1].decode("utf-8", "replace") if found else ""
    if not reference or reference.startswith("data:"):
        return ""
    joined = _joined(url, reference)
    return joined if len(joined) <= URL_CHARACTERS and joined.isprintable() else ""


def _joined(url: str, reference: str) -> str:
    """``reference`` as seen from ``url``, whose root may be ``~``."""
    root, path = _parts(reference)
    if root:
        return reference
    root, folder = _parts(url)
    folder = posixpath.dirname(re.split(r"[?#]", folder, maxsplit=1)[0])
    return root + posixpath.normpath(posixpath.join(folder or "/", path))


def _parts(url: str) -> tuple[str, str]:
    match = ROOT.fullmatch(url)
    return (match[1] or "", match[2]) if match else ("", url)


def directory_entries(data: bytes) -> int:
    """How many files a ZIP of these bytes may list: asked before it is opened, for
    opening reads the whole list into memory.
    """
    return data.count(DIRECTORY_ENTRY)


def pieces(bundle: Bundle, most_bytes: int) -> Iterator[list[tuple[Entry, bytes]]]:
    """The files with their contents, several at a time, so that memory is bounded."""
    piece: list[tuple[Entry, bytes]] = []
    held = 0
    for entry in bundle.entries:
        data = bundle.read(entry)
        if piece and held + len(data) > most_bytes:
            yield piece
            piece, held = [], 0
        piece.append((entry, data))
        held += len(data)
    if piece:
        yield piece


def _mib(size: int) -> str:
    return f"{size / MIB:.1f} MiB"


def _shown(path: str) -> str:
    return one_line(path)[:200]
