"""Pages of lists in the admin: no row is counted beyond what somebody would read."""

from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

COUNT_CAP = 1000
PER_PAGE = 25
LAST_PAGE = COUNT_CAP // PER_PAGE  # nobody reads on: narrow the list instead


@dataclass(frozen=True, slots=True)
class Page:
    """One page of rows; ``more`` tells that another follows."""

    rows: list[Any]
    number: int
    size: int
    more: bool

    @property
    def first(self) -> int:
        return (self.number - 1) * self.size + 1

    @property
    def last(self) -> int:
        return (self.number - 1) * self.size + len(self.rows)


def page_of(
    found: QuerySet[Any], full: QuerySet[Any], number: int, size: int = PER_PAGE
) -> Page:
    """A page without counting: one row beyond it tells whether more follow.

    The ids are found first, so that nothing wide is sorted; ``full`` are the rows with
    all that the page tells.
    """
    start = (number - 1) * size
    ids = list(found.values_list("pk", flat=True)[start : start + size + 1])
    by_id = full.in_bulk(ids[:size])
    rows = [by_id[pk] for pk in ids[:size] if pk in by_id]
    return Page(rows, number, size, more=len(ids) > size and number < LAST_PAGE)


def capped_count(found: QuerySet[Any], cap: int = COUNT_CAP) -> int:
    """How many rows there are, ``cap`` meaning that many or more."""
    return found.order_by().values("pk")[:cap].count()
