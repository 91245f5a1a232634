"""When so many tenants were hit within a span that slides over the past. Pure.

All times are whole minutes, as numbers of them since any one moment.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain


@dataclass(frozen=True, slots=True)
class Sought:
    """What is told: ``fewest`` tenants within ``span``, again after ``repeat``.

    Nothing is told up to ``start`` or after ``end``, nor while ``may_tell`` denies it.
    """

    fewest: float
    span: int
    repeat: int
    start: int
    end: int
    may_tell: Callable[[int], bool]


@dataclass(slots=True)
class Window:
    """The tenants hit within ``span`` before a moment; moments never go back."""

    span: int
    # With the minute that hit them last, the oldest first.
    last: OrderedDict[int, int] = field(default_factory=OrderedDict)

    def add(self, minute: int, tenants: Iterable[int]) -> None:
        for tenant in tenants:
            self.last[tenant] = minute
            self.last.move_to_end(tenant)

    def count(self, at: int) -> int:
        while self.last:
            tenant = next(iter(self.last))
            if self.last[tenant] >= at - self.span:
                break
            del self.last[tenant]
        return len(self.last)


def times_told(
    hits: Iterable[tuple[int, Iterable[int]]], sought: Sought
) -> Iterator[tuple[int, int]]:
    """When it is told, and how many tenants were hit then.

    ``hits``: minutes in their order, each with the tenants hit; it counts at its end.
    What still stands when the silence ends is told again.
    """
    window = Window(sought.span)
    at = sought.start + 1
    for minute, tenants in chain(hits, [(sought.end, ())]):
        while at <= minute:
            count = window.count(at)
            if count < sought.fewest or not sought.may_tell(at):
                break
            yield at, count
            at += sought.repeat
        window.add(minute, tenants)
        at = max(at, minute + 1)
