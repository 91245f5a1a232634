"""In which order releases were shipped to an environment."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Exists, OuterRef, Q

from releases.models import Deploy, Release, Rollback

Place = tuple[int, int]  # release and environment


@dataclass(slots=True)
class Deployed:
    """First and last deploy, without those that carried out a rollback.

    ``rolled_back``: the last deploy of all was taken back, which was proved, or told
    by a deploy of its own.
    """

    first: datetime | None = None
    last: datetime | None = None
    rolled_back: bool = False


def deployed(
    release_ids: Collection[int], environment_ids: Collection[int]
) -> dict[Place, Deployed]:
    """What is known of the deploys of each release to each environment: one query."""
    taken_back = Rollback.objects.filter(deploy=OuterRef("pk")).filter(
        Q(state=Rollback.State.VERIFIED) | Q(deploys__isnull=False)
    )
    rows = (
        Deploy.objects.filter(
            release_id__in=release_ids, environment_id__in=environment_ids
        )
        .annotate(taken_back=Exists(taken_back))
        .order_by("started_at", "pk")
    )
    found: dict[Place, Deployed] = {}
    for row in rows.values_list(
        "release_id", "environment_id", "started_at", "rollback_id", "taken_back"
    ):
        release_id, environment_id, started, carries_out, taken = row
        order = found.setdefault((release_id, environment_id), Deployed())
        if not carries_out:
            order.first = order.first or started
            order.last = started
        order.rolled_back = taken
    return found


# The release that ran before: by deploys, else the one that was seen before it there.
PREVIOUS = """
SELECT place.id, coalesce(by_deploy.release_id, by_sight.id)
FROM unnest(%(environments)s::bigint[]) AS place (id)
LEFT JOIN LATERAL (
    SELECT min(started_at) AS started FROM releases_deploy
    WHERE environment_id = place.id AND release_id = %(release)s
) AS own ON true
LEFT JOIN LATERAL (
    SELECT release_id FROM releases_deploy d
    WHERE d.environment_id = place.id AND d.release_id <> %(release)s
        AND d.started_at < own.started AND NOT EXISTS (SELECT 1
            FROM releases_rollback b WHERE b.deploy_id = d.id AND b.state = 'verified')
    ORDER BY d.started_at DESC, d.id DESC LIMIT 1
) AS by_deploy ON true
LEFT JOIN LATERAL (
    SELECT r.id FROM releases_release r
    WHERE by_deploy.release_id IS NULL AND r.project_id = %(project)s
        AND (r.first_seen, r.id) < (%(seen)s, %(release)s)
        AND EXISTS (SELECT 1 FROM releases_releaseminute m
            WHERE m.release_id = r.id AND m.environment_id = place.id)
    ORDER BY r.first_seen DESC, r.id DESC LIMIT 1
) AS by_sight ON true
"""


def previous_releases(
    release: Release, environment_ids: Collection[int]
) -> dict[int, Release]:
    """By environment the release that ran there before; two queries.

    A release that was rolled back is passed over.
    """
    parameters: dict[str, Any] = {
        "environments": list(environment_ids),
        "release": release.pk,
        "project": release.project_id,
        "seen": release.first_seen,
    }
    with connection.cursor() as cursor:
        cursor.execute(PREVIOUS, parameters)
        found = {place: previous for place, previous in cursor.fetchall() if previous}
    releases = Release.objects.in_bulk(found.values())
    return {place: releases[pk] for place, pk in found.items() if pk in releases}
