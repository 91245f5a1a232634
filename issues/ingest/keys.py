"""The project keys as this process knows them: at most some seconds old."""

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import NamedTuple
from urllib.parse import urlsplit

log = logging.getLogger(__name__)

_PORT = re.compile(r":\d+\Z")

SELECT_KEYS = """
SELECT public_key, k.id, project_id, is_active, allowed_origins, keep_attachments
FROM tenants_projectkey k JOIN tenants_project p ON p.id = project_id
"""
KeyRow = tuple[str, int, int, bool, list[str], bool]


class Origins:
    """The pages that may send with a key; an empty list stands for all and servers.

    Entries: ``https://shop.example`` (just this origin), ``shop.example`` (any scheme
    and port), ``*.example`` (its subdomains, not itself) or ``*``.
    """

    def __init__(self, allowed: Iterable[str]) -> None:
        entries = {entry.strip().lower().rstrip("/") for entry in allowed}
        self.any = not entries or "*" in entries
        self._exact = {entry for entry in entries if "*" not in entry}
        wild = [entry.partition("*.") for entry in entries if "*." in entry]
        self._suffixes = [(scheme, "." + rest) for scheme, _, rest in wild]

    def allow(self, origin: str) -> bool:
        """Whether ``origin`` (scheme://host[:port]; "" where unknown) may send."""
        if self.any:
            return True
        origin = origin.lower()
        scheme, separator, netloc = origin.partition("://")
        if not separator:
            return False
        host = _PORT.sub("", netloc)
        if not self._exact.isdisjoint((origin, netloc, host)):
            return True
        return any(
            wanted in {"", f"{scheme}://"}
            and (netloc.endswith(suffix) or host.endswith(suffix))
            for wanted, suffix in self._suffixes
        )


def page_origin(origin: str, referer: str) -> str:
    """The page's origin: the Origin header, else that of the Referer, else ""."""
    if origin:
        return origin
    try:
        url = urlsplit(referer)
    except ValueError:
        return ""
    return f"{url.scheme}://{url.netloc}" if url.scheme and url.netloc else ""


class Key(NamedTuple):
    """A project key; ``id`` and ``project_id`` go into the inbox row."""

    id: int
    project_id: int
    is_active: bool
    origins: Origins
    keeps_attachments: bool = True  # its project does


class KeyDirectory:
    """All keys, read in one query at most ``max_age`` seconds ago.

    An unknown key reads them again, at most once in ``min_age`` seconds, so that a new
    project's key works at once and a flood of forged keys costs one query a second.
    While the database is away the known keys stay good: what they send must wait
    for it anyway.
    """

    def __init__(
        self,
        fetch: Callable[[], Awaitable[list[KeyRow]]],
        *,
        max_age: float = 10.0,
        min_age: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch = fetch
        self._max_age, self._min_age, self._clock = max_age, min_age, clock
        self._keys: dict[str, Key] = {}
        self._read_at = float("-inf")
        self._reading: asyncio.Task[None] | None = None

    def known(self, public_key: str) -> Key | None:
        """The key without waiting, None if unknown; a stale list is read meanwhile."""
        if self._clock() - self._read_at > self._max_age:
            self._start_reading()
        return self._keys.get(public_key)

    async def find(self, public_key: str) -> Key | None:
        """The key, with a fresh look at the database where it is unknown.

        Raises what the database raises when no list was read yet.
        """
        key = self.known(public_key)
        if key is None and self._clock() - self._read_at > self._min_age:
            # Shielded: one client that leaves must not end the reading of all.
            await asyncio.shield(self._start_reading())
            key = self._keys.get(public_key)
        return key

    async def stop(self) -> None:
        """Leave no reading behind."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait([self._reading])

    def _start_reading(self) -> asyncio.Task[None]:
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read())
            # A failure is told to those who wait; nobody may be waiting.
            self._reading.add_done_callback(_forget_failure)
        return self._reading

    async def _read(self) -> None:
        rows = await self._fetch()
        self._keys = {
            row[0].lower(): Key(row[1], row[2], row[3], Origins(row[4]), row[5])
            for row in rows
        }
        self._read_at = self._clock()


def _forget_failure(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.warning("project keys not read: %s", error)
