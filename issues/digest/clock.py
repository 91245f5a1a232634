"""Client clocks: when something occurred, told by machines that may be wrong."""

from dataclasses import dataclass
from datetime import datetime, timedelta

# A smaller difference of the clocks is the time on the wire.
SAME_CLOCK = timedelta(seconds=1)
WINDOW = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Clock:
    """One envelope's clock: ``sent_at`` by the client, ``received`` by us."""

    received: datetime
    sent_at: datetime | None = None

    @property
    def skew(self) -> timedelta:
        """What must be added to the client's times."""
        if self.sent_at is None:
            return timedelta()
        difference = self.received - self.sent_at
        return difference if abs(difference) > SAME_CLOCK else timedelta()

    def corrected(self, told: datetime) -> datetime:
        """The instant by our clock; of receipt where that is beyond all dates."""
        try:
            return told + self.skew
        except OverflowError:
            return self.received

    def occurred(self, told: datetime) -> datetime:
        """The corrected instant, within 24 h before receipt and never after it."""
        return min(max(self.corrected(told), self.received - WINDOW), self.received)

    def minute(self, told: datetime) -> int:
        """The occurred minute, counted from 1970."""
        return int(self.occurred(told).timestamp() // 60)
