"""What a page must say of channels and messages without being asked."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Min, Q

from tenants.models import Channel, Delivery

LOOKED_BACK = timedelta(hours=24)
# Beat rings each 5 seconds, and a channel that is well answers within some.
LAG_WARNING = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Trouble:
    """``off``: channels that refused for good; ``lag``: of the oldest that waits."""

    off: list[Channel]
    failed: int
    unknown: int
    waiting: int
    lag: timedelta

    @property
    def is_late(self) -> bool:
        return self.lag > LAG_WARNING


def trouble(now: datetime) -> Trouble:
    """The state of all channels, in three queries; tests are left out."""
    # Those that a person switched off have no moment.
    off = Channel.objects.filter(is_active=False, disabled_at__isnull=False)
    messages = Delivery.objects.order_by().exclude(subject__startswith="test:")
    ended = messages.filter(
        state__in=Delivery.TROUBLE, finished_at__gte=now - LOOKED_BACK
    ).aggregate(
        failed=Count("pk", filter=Q(state=Delivery.State.FAILED)),
        unknown=Count("pk", filter=Q(state=Delivery.State.UNKNOWN)),
    )
    queue = messages.filter(state__in=Delivery.UNFINISHED).aggregate(
        waiting=Count("pk"), oldest=Min("queued_at")
    )
    lag = now - queue["oldest"] if queue["oldest"] else timedelta(0)
    return Trouble(
        off=list(off.order_by("name")),
        failed=ended["failed"],
        unknown=ended["unknown"],
        waiting=queue["waiting"],
        lag=max(lag, timedelta(0)),
    )
