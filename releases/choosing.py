"""Chooses the release that a deploy is compared with."""

from datetime import datetime

from releases.baseline import LATELY, PREFERENCE, releases_that_ran
from releases.models import Deploy, Rollback, Watch

JUDGED_READ = 5
# The part of what the busiest release had from which on another one served at all.
SERVED = 0.01


def choose_baseline(
    deploy: Deploy, before: datetime
) -> tuple[int, dict[str, float]] | None:
    """The release to compare with (0: unnamed), and what it had within 24 hours.

    The newest release that was judged healthy here and still served; else the one that
    served the most. None: nothing else ever ran.
    """
    ran = served(releases_that_ran(deploy.environment, before - LATELY, before))
    others = {pk: had for pk, had in ran.items() if pk != deploy.release_id}
    sound = {pk: had for pk, had in others.items() if not _is_rolled_back(pk, deploy)}
    # The same release again, such as with another configuration, is its own baseline.
    candidates = sound or others or ran
    judged = (
        Watch.objects.filter(
            deploy__environment=deploy.environment_id,
            verdict=Watch.Verdict.HEALTHY,
            deploy__started_at__lt=deploy.started_at,
        )
        .exclude(deploy__release=deploy.release_id)
        .order_by("-deploy__started_at")
        .values_list("deploy__release_id", flat=True)
    )
    for release_id in judged[:JUDGED_READ]:
        if release_id in candidates:
            return release_id, candidates[release_id]
    if not candidates:
        return None
    most = max(candidates, key=lambda pk: _weight_of(candidates[pk]))
    return most, candidates[most]


def served(ran: dict[int, dict[str, float]]) -> dict[int, dict[str, float]]:
    """The releases that did a part of the work: one old page left open is no baseline.

    At least SERVED of what the busiest had, in the preferred count that any has.
    """
    most = max((_weight_of(had) for had in ran.values()), default=())
    for place, top in enumerate(most):
        if top:
            return {
                pk: had
                for pk, had in ran.items()
                if _weight_of(had)[place] >= SERVED * top
            }
    return {}


def _weight_of(had: dict[str, float]) -> tuple[float, ...]:
    return tuple(had[source] for source in PREFERENCE) + (had["errors"],)


def _is_rolled_back(release_id: int, deploy: Deploy) -> bool:
    """Whether the last deploy of the release to the environment was rolled back."""
    last = (
        Deploy.objects.filter(release=release_id, environment=deploy.environment_id)
        .order_by("-started_at", "-pk")
        .first()
    )
    return (
        last is not None and last.rollbacks.filter(state__in=Rollback.CALLED).exists()
    )
