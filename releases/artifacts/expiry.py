"""Deletes bundles that nobody used for long, and then the files that nothing names."""

from datetime import datetime, timedelta
from time import monotonic

from releases.artifacts.stored import delete_unused
from releases.models import ArtifactBundle

PIECE = 20


def expire(now: datetime, *, days: int, seconds: float) -> tuple[int, int]:
    """Delete for about ``seconds``; how many bundles and files. ``days``: unused."""
    deadline = monotonic() + seconds
    bundles = _expire_bundles(now - timedelta(days=days), deadline)
    return bundles, delete_unused(now, deadline - monotonic())


def _expire_bundles(before: datetime, deadline: float) -> int:
    total = 0
    unused = ArtifactBundle.objects.filter(last_used__lt=before)
    while monotonic() < deadline:
        ids = list(unused.order_by("last_used").values_list("pk", flat=True)[:PIECE])
        # The condition again: one may have been used meanwhile.
        _, by_model = unused.filter(pk__in=ids).delete()
        total += by_model.get(ArtifactBundle._meta.label, 0)
        if len(ids) < PIECE:
            break
    return total
