"""Answers spots in scripts with places in the source, within a memory bound.

Three things are kept: which files belong to a script (``MapFinder``), the maps that the
reading process has loaded, and the places that were asked for. A fault happens again
and again at the same places, so most events ask the process nothing.
"""

import logging
from collections import deque
from collections.abc import Callable, Sequence
from time import monotonic

from django.db import DatabaseError

from issues.digest.bounded_cache import BoundedCache
from issues.digest.map_finder import MapFinder, without_host
from issues.digest.map_reader import MapError, MapReader, MapReaderDied
from issues.digest.symbolicate import Origin, Place, Script, Spot, Unmapped
from releases.artifacts import MapFiles, read_blob

logger = logging.getLogger(__name__)

# The process takes five times as much while it reads one, for a moment.
MOST_BYTES = 40 << 20
# Share of the memory for places, the rest is for maps.
PLACES_SHARE = 8
PLACE_BYTES = 1000  # of one without its texts
FAILED_REMEMBERED = 5_000
RETRY_SECONDS = 10.0
# A file that cannot be read is not read again: the same key, the same contents.
BROKEN_SECONDS = 3600.0
TOUCH_SECONDS = 6 * 3600.0
# Each script that ends the reader takes seconds. After so many within a minute maps are
# read without their scripts, which is quick whatever is in them.
MOST_DEATHS = 3
DEATHS_SECONDS = 60.0

PlaceKey = tuple[str, int, int]


class SourceMaps:
    """One for each process that symbolicates; not for use by several threads."""

    def __init__(self, cache_bytes: int, now: Callable[[], float] = monotonic) -> None:
        self._now = now
        self._finder = MapFinder(now)
        self._reader = MapReader()
        self._loaded: BoundedCache[str, bool] = BoundedCache(
            cache_bytes, lambda key: self._reader.drop([key])
        )
        self._places: BoundedCache[PlaceKey, Place | Unmapped] = BoundedCache(
            cache_bytes // PLACES_SHARE
        )
        self._failed: BoundedCache[str, tuple[Unmapped, float]] = BoundedCache(
            FAILED_REMEMBERED
        )
        self._deaths: deque[float] = deque(maxlen=MOST_DEATHS)
        self._touched: dict[int, float] = {}
        self._to_touch: set[int] = set()
        self._unfetched: set[int] = set()

    def has_uploads(self, project_id: int) -> bool:
        """Whether there is anything to look into; as of some seconds ago."""
        return self._finder.has_uploads(project_id)

    def look(
        self, origin: Origin, script: Script, spots: Sequence[Spot]
    ) -> list[Place | Unmapped] | Unmapped:
        """The place of each spot, or why there is none; see ``symbolicate``."""
        files = self._files(origin, script)
        if isinstance(files, Unmapped):
            return files
        keys = [(files.key, line, column) for line, column in spots]
        known: dict[PlaceKey, Place | Unmapped] = {}
        for key in keys:
            place = self._places.get(key)
            if place is not None:
                known[key] = place
        wanted = [key for key in keys if key not in known]
        if wanted:
            answers = self._ask(files, wanted)
            if isinstance(answers, Unmapped):
                return answers
            known |= answers
        return [known[key] for key in keys]

    def find(self, origin: Origin, script: Script) -> MapFiles | None:
        """What was uploaded for a script."""
        return self._finder.find(origin, script)

    def to_touch(self) -> list[int]:
        """Bundles used since the last call that were not told within six hours."""
        now, told = self._now(), []
        for bundle_id in sorted(self._to_touch):
            if now - self._touched.get(bundle_id, -TOUCH_SECONDS) >= TOUCH_SECONDS:
                self._touched[bundle_id] = now
                told.append(bundle_id)
        self._to_touch.clear()
        return told

    def unfetched(self) -> list[int]:
        """Bundles whose files the storage did not give since the last call."""
        ids = sorted(self._unfetched)
        self._unfetched.clear()
        return ids

    def close(self) -> None:
        """End the reading process; another is started when it is needed."""
        self._loaded.clear()
        self._reader.close()

    def _files(self, origin: Origin, script: Script) -> MapFiles | Unmapped:
        found = self._finder.find(origin, script)
        if found is None:
            return _nothing(origin, script)
        self._to_touch.update(found.bundle_ids)
        if found.source_map is None:
            reason = found.missing[:1].upper() + found.missing[1:]
            return Unmapped(f"{reason}.", awaited=True)
        return found

    def _ask(
        self, files: MapFiles, keys: Sequence[PlaceKey]
    ) -> dict[PlaceKey, Place | Unmapped] | Unmapped:
        failed = self._cannot_load(files)
        if failed:
            return failed
        try:
            told = self._reader.look(keys)
        except MapReaderDied:
            self._loaded.clear()
            failed = Unmapped("Looking into the source map took too long.")
            self._failed.put(files.key, (failed, self._now() + BROKEN_SECONDS))
            return failed
        answers: dict[PlaceKey, Place | Unmapped] = {}
        for key, place in zip(keys, told, strict=True):
            answers[key] = place or Unmapped(
                f"The source map tells nothing of line {key[1]}, column {key[2]}."
            )
            self._places.put(key, answers[key], _size(answers[key]))
        return answers

    def _cannot_load(self, files: MapFiles) -> Unmapped | None:
        """Why a map is not loaded; None when it is."""
        if self._loaded.get(files.key):
            return None
        known = self._failed.get(files.key)
        if known and self._now() < known[1]:
            failed: Unmapped | None = known[0]
        else:
            failed = self._try_to_load(files)
        if failed and failed.awaited:
            self._unfetched.update(files.bundle_ids)
        return failed

    def _try_to_load(self, files: MapFiles) -> Unmapped | None:
        try:
            reason = self._load(files)
        except DatabaseError:
            raise
        except Exception as error:  # each storage raises its own kinds
            logger.warning("source map %s is not fetched: %r", files.source_map, error)
            reason = f"The source map cannot be fetched now ({type(error).__name__})."
            failed = Unmapped(reason, awaited=True)
            self._failed.put(files.key, (failed, self._now() + RETRY_SECONDS))
            return failed
        if not reason:
            return None
        failed = Unmapped(reason)
        self._failed.put(files.key, (failed, self._now() + BROKEN_SECONDS))
        return failed

    def _load(self, files: MapFiles) -> str:
        source_map = read_blob(files.source_map or "")
        script = read_blob(files.minified) if files.minified else b""
        if len(source_map) > MOST_BYTES:
            return (
                f"The source map has {len(source_map) >> 20} MB; those of more than "
                f"{MOST_BYTES >> 20} MB are not read."
            )
        # Without its script a map tells places as well, only no names of functions.
        is_usable = len(script) <= MOST_BYTES // 2 and not self._dies_often()
        usable = script if is_usable else b""
        for given in dict.fromkeys((usable, b"")):
            try:
                size = self._reader.load(files.key, given, source_map)
            except MapReaderDied:
                logger.warning("reading source map %s ended the reader", files.key)
                self._deaths.append(self._now())
                self._loaded.clear()
            except MapError as error:
                return f"The source map cannot be read: {str(error)[:200]}."
            else:
                self._loaded.put(files.key, True, size)
                return ""
        return "The source map is not read: it took too long, or too much memory."

    def _dies_often(self) -> bool:
        deaths = self._deaths
        return len(deaths) == MOST_DEATHS and self._now() - deaths[0] < DEATHS_SECONDS


def _nothing(origin: Origin, script: Script) -> Unmapped:
    release = f"release {origin.release}" + (
        f", dist {origin.dist}" if origin.dist else ""
    )
    path = without_host(script.url)[:200]
    if script.debug_id:
        reason = f"No source map with the debug id {script.debug_id} was uploaded"
        if origin.release:
            reason += f", and none for {path} to {release}"
        return Unmapped(f"{reason}.", awaited=True)
    if origin.release:
        return Unmapped(f"No source map for {path} was uploaded to {release}.", True)
    return Unmapped("The event names no debug id for this script, and no release.")


def _size(answer: Place | Unmapped) -> int:
    if isinstance(answer, Unmapped):
        return PLACE_BYTES
    texts = (*answer.pre_context, answer.context_line or "", *answer.post_context)
    return PLACE_BYTES + sum(map(len, texts))
