"""Finds what CI uploaded for a script, asking the database seldom."""

from collections.abc import Callable
from time import monotonic
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import QuerySet

from issues.digest.bounded_cache import BoundedCache
from issues.digest.symbolicate import Origin, Script
from releases.artifacts import MapFiles, find_by_debug_id, find_by_url
from releases.models import Artifact, ArtifactBundle

FOUND_SECONDS = 60.0
# An upload shows this soon in events of what was missing before.
MISSING_SECONDS = 10.0
REMEMBERED = 20_000
SCRIPTS = (Artifact.Kind.MINIFIED, Artifact.Kind.SOURCE)

T = TypeVar("T")
Key = tuple[str | int | UUID, ...]


class MapFinder:
    """Files by debug id, else by release, dist and URL; as of some seconds ago.

    Strangers name debug ids and URLs as they like, and each shop has a host of its own.
    So a project and a release that have no uploads are asked for once, and hosts count
    only where uploads name them.
    """

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        self._now = now
        self._answers: BoundedCache[Key, Any] = BoundedCache(REMEMBERED)

    def has_uploads(self, project_id: int) -> bool:
        """Whether a project has any bundle."""
        return self._remembered(
            ("uploads", project_id),
            lambda: ArtifactBundle.objects.filter(
                project=project_id, state=ArtifactBundle.State.OK
            ).exists(),
        )

    def find(self, origin: Origin, script: Script) -> MapFiles | None:
        """What is there for the script; up to five queries, mostly none."""
        found = None
        if script.debug_id:
            found = self._by_debug_id(origin.project_id, script.debug_id)
        if found is None and origin.release:
            found = self._by_url(origin, script.url)
        return found

    def _by_debug_id(self, project_id: int, debug_id: UUID) -> MapFiles | None:
        any_there = self._remembered(
            ("ids", project_id),
            lambda: Artifact.objects.filter(
                project_id=project_id, debug_id__isnull=False
            ).exists(),
        )
        if not any_there:
            return None
        return self._remembered(
            ("id", project_id, debug_id),
            lambda: find_by_debug_id(project_id, debug_id),
        )

    def _by_url(self, origin: Origin, url: str) -> MapFiles | None:
        project_id, release, dist = origin.project_id, origin.release, origin.dist
        if not self._remembered(
            ("release", project_id, release),
            lambda: _scripts(project_id, release).exists(),
        ):
            return None
        hosts_count = self._remembered(
            ("hosts", project_id, release),
            lambda: (
                _scripts(project_id, release).exclude(url__startswith="~/").exists()
            ),
        )
        name = url if hosts_count else without_host(url)
        return self._remembered(
            ("url", project_id, release, dist, name),
            lambda: find_by_url(project_id, release, dist, name),
        )

    def _remembered(self, key: Key, ask: Callable[[], T]) -> T:
        now = self._now()
        known: tuple[T, float] | None = self._answers.get(key)
        if known is None or known[1] < now:
            answer = ask()
            seconds = FOUND_SECONDS if answer else MISSING_SECONDS
            known = answer, now + seconds
            self._answers.put(key, known)
        return known[0]


def _scripts(project_id: int, release: str) -> QuerySet[Artifact]:
    return Artifact.objects.filter(
        kind__in=SCRIPTS,
        bundle__project_id=project_id,
        bundle__release__version=release,
    )


def without_host(url: str) -> str:
    """``~/x.js?v=1`` of ``https://a.example/x.js?v=1``; a path stays as it is."""
    _, is_address, rest = url.partition("://")
    return f"~/{rest.partition('/')[2]}" if is_address else url
