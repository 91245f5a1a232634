"""Rows as the columns that ``unnest`` takes, one parameter a column."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

# Their texts need no quotes inside an array.
PLAIN = frozenset({int, float, UUID})


def columns(rows: Sequence[tuple[Any, ...]]) -> list[Any]:
    """The columns of at least one row; the statement casts each, as ``%s::bigint[]``.

    Numbers and UUIDs become the text of an array here: psycopg would adapt them one by
    one, at five times the cost.
    """
    return [_array(column) for column in zip(*rows, strict=True)]


def _array(column: tuple[Any, ...]) -> Any:
    if type(column[0]) in PLAIN:
        return "{" + ",".join(map(str, column)) + "}"
    return list(column)
