"""Releases and environments that events name: found, or made when first seen."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime

from releases.models import Environment, Release


def resolve_releases(
    wanted: Mapping[tuple[int, str], datetime],
) -> dict[tuple[int, str], int]:
    """Ids of ``(project id, version)``; the values say when each was first seen."""
    found: dict[tuple[int, str], int] = {}
    for project_id, versions in _by_project(wanted).items():
        rows = Release.objects.filter(project_id=project_id, version__in=versions)
        found |= {(project_id, v): pk for pk, v in rows.values_list("pk", "version")}
    missing = sorted(set(wanted) - set(found))
    if missing:
        Release.objects.bulk_create(
            [
                Release(project_id=project, version=version, first_seen=wanted[key])
                for key in missing
                for project, version in [key]
            ],
            ignore_conflicts=True,
        )
        found |= {
            (project, version): pk
            for pk, project, version in Release.objects.filter(
                project_id__in={project for project, _ in missing},
                version__in={version for _, version in missing},
            ).values_list("pk", "project_id", "version")
        }
    return found


def first_seen(project_id: int, version: str) -> datetime | None:
    """When an event or CI first named the release; None where nobody has."""
    found = Release.objects.filter(project_id=project_id, version=version)
    return found.values_list("first_seen", flat=True).first()


def resolve_environments(
    wanted: Iterable[tuple[int, str]],
) -> dict[tuple[int, str], int]:
    """Ids of ``(project id, name)``."""
    keys = set(wanted)
    found = _environments(keys)
    missing = sorted(keys - set(found))
    if missing:
        Environment.objects.bulk_create(
            [Environment(project_id=project, name=name) for project, name in missing],
            ignore_conflicts=True,
        )
        found |= _environments(set(missing))
    return found


def _environments(keys: set[tuple[int, str]]) -> dict[tuple[int, str], int]:
    rows = Environment.objects.filter(
        project_id__in={project for project, _ in keys}, name__in={n for _, n in keys}
    )
    return {(r.project_id, r.name): r.pk for r in rows}


def _by_project(keys: Iterable[tuple[int, str]]) -> dict[int, list[str]]:
    grouped: dict[int, list[str]] = defaultdict(list)
    for project_id, name in keys:
        grouped[project_id].append(name)
    return grouped
