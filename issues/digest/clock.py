"""Client clocks: when something occurred, told by machines that may be wrong."""

from dataclasses import dataclass
from datetime import datetime, timedelta

# A client whose clock is off by more than this is corrected by the difference.
TOLERATED_DRIFT = timedelta(minutes=1)
WINDOW = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Clock:
    """One envelope's clock: ``sent_at`` by the client, ``received`` by us."""

    received: datetime
    sent_at: datetime | None = None

    def occurred(self, told: datetime) -> datetime:
        """The instant by our clock, within 24 h of receipt and never after it."""
        if self.sent_at is not None:
            drift = self.received - self.sent_at
            if abs(drift) > TOLERATED_DRIFT:
                try:
                    told += drift
                except OverflowError:
                    told = self.received
        return min(max(told, self.received - WINDOW), self.received)

    def minute(self, told: datetime) -> int:
        """The occurred minute, counted from 1970."""
        return int(self.occurred(told).timestamp() // 60)
