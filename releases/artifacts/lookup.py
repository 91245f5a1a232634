"""Finds a script and its source map: by debug id, or by release, dist and URL."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import unquote, urlsplit
from uuid import UUID

from django.db.models import Q, QuerySet

from releases.models import Artifact, ArtifactBundle

USED_GRAIN = timedelta(days=1)
MAP = Artifact.Kind.SOURCE_MAP
SCRIPTS = (Artifact.Kind.MINIFIED, Artifact.Kind.SOURCE)
# Bundles of one release and dist that are looked through for a URL, newest first.
MOST_BUNDLES = 50

NO_SCRIPT = "the script itself was not uploaded, only its source map"
NO_MAP = "the script was uploaded without its source map"
NAMES_NO_MAP = "the script was uploaded, but it names no source map"


@dataclass(frozen=True, slots=True)
class MapFiles:
    """What was uploaded for a script; at least one of the two files is there.

    ``key`` stands for the contents: the same key, the same files. ``minified`` and
    ``source_map`` are names for ``read_blob``. ``missing`` says which one is not there
    and why, "" when both are. ``bundle_ids`` are those to ``touch``.
    """

    key: str
    minified: str | None
    source_map: str | None
    bundle_ids: tuple[int, ...]
    missing: str

    @property
    def bundle_id(self) -> int:
        return self.bundle_ids[0]


def find_by_debug_id(project_id: int, debug_id: UUID) -> MapFiles | None:
    """The files that carry a debug id; the newest upload wins. One query, or two."""
    rows = Artifact.objects.filter(project_id=project_id, debug_id=debug_id)
    rows = rows.select_related("stored", "bundle").order_by("-bundle_id")
    newest = rows.filter(kind__in=SCRIPTS)[:1].union(rows.filter(kind=MAP)[:1])
    script = source_map = None
    for row in newest:
        if row.kind == MAP:
            source_map = row
        else:
            script = row
    if script and not source_map:
        source_map = _map_of(script)
    return _found(script, source_map)


def find_by_url(project_id: int, release: str, dist: str, url: str) -> MapFiles | None:
    """The script of a URL in a release, first of its dist, then of none; and its map.

    ``url`` is that of a frame, or a path. Two queries at most.
    """
    names = url_names(url)
    if not names or not release:
        return None
    scripts = Artifact.objects.filter(
        kind__in=SCRIPTS,
        bundle__project_id=project_id,
        bundle__release__version=release,
        bundle__dist__in={dist, ""},
    )
    script = _best(scripts, names, dist)
    return _found(script, _map_of(script) if script else None)


def url_names(url: str) -> list[str]:
    """What CI may have called the file of a URL, the closest first.

    ``https://a.example/x%20y.js?v=1`` is also ``~/x%20y.js?v=1``, ``~/x%20y.js`` and
    ``~/x y.js``.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return []
    if not parts.path.strip("/~") or "\0" in url:
        return []
    whole = url.partition("#")[0]
    path = "~/" + parts.path.removeprefix("~").lstrip("/")
    query = f"?{parts.query}" if parts.query else ""
    bare = whole.partition("?")[0]
    return list(dict.fromkeys([whole, path + query, bare, path, unquote(path)]))


def touch(bundle_ids: Collection[int], now: datetime) -> None:
    """Note that bundles are used, at most once a day each; the unused ones expire.

    For a caller in a transaction.
    """
    stale = ArtifactBundle.objects.filter(
        pk__in=bundle_ids, last_used__lt=now - USED_GRAIN
    )
    # Locked in id order: two workers may note the same bundles.
    ids = list(stale.order_by("pk").select_for_update().values_list("pk", flat=True))
    if ids:
        ArtifactBundle.objects.filter(pk__in=ids).update(last_used=now)


def look_again(bundle_ids: Collection[int]) -> None:
    """Note that events wait for what the storage does not give now.

    For a caller in a transaction.
    """
    idle = ArtifactBundle.objects.filter(pk__in=bundle_ids, events_due=False)
    ids = list(idle.order_by("pk").select_for_update().values_list("pk", flat=True))
    if ids:
        ArtifactBundle.objects.filter(pk__in=ids).update(events_due=True)


def _map_of(script: Artifact) -> Artifact | None:
    """The map that a script names, in its own bundle or else in its release."""
    names = url_names(script.source_map_url)
    if not names:
        return None
    bundle = script.bundle
    near = Q(bundle=bundle)
    if bundle.release_id:
        near |= Q(
            bundle__project_id=bundle.project_id,
            bundle__release_id=bundle.release_id,
            bundle__dist=bundle.dist,
        )
    maps = Artifact.objects.filter(near, kind=MAP)
    return _best(maps, names, bundle.dist, bundle.pk)


def _best(
    rows: QuerySet[Artifact], names: Sequence[str], dist: str, bundle_id: int = 0
) -> Artifact | None:
    """Of rows with one of the names: of the bundle, of the dist, the closest name,
    the newest.
    """
    found = rows.filter(url__in=names).select_related("stored", "bundle")
    newest = found.order_by("-bundle__uploaded", "-bundle_id", "pk")
    # Of equals, the first is taken: the newest upload.
    return min(
        newest[: MOST_BUNDLES * len(names)],
        key=lambda row: (
            row.bundle_id != bundle_id,
            row.bundle.dist != dist,
            names.index(row.url),
        ),
        default=None,
    )


def _found(script: Artifact | None, source_map: Artifact | None) -> MapFiles | None:
    rows = [row for row in (source_map, script) if row]
    if not rows:
        return None
    missing = ""
    if script is None:
        missing = NO_SCRIPT
    elif source_map is None:
        missing = NO_MAP if script.source_map_url else NAMES_NO_MAP
    return MapFiles(
        key=":".join(row.stored.name if row else "" for row in (script, source_map)),
        minified=script.stored.name if script else None,
        source_map=source_map.stored.name if source_map else None,
        bundle_ids=tuple(dict.fromkeys(row.bundle_id for row in rows)),
        missing=missing,
    )
