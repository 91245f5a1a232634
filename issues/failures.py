"""Tells of an error without what clients sent: rows and logs must not hold it.

The text of an exception often quotes the value that raised it. Only exceptions that say
so (``tellable``) speak for themselves, of others there is their type and place.
"""

import traceback
from collections.abc import Iterator

import psycopg
from django.db import Error as DjangoError
from django.db import InterfaceError, OperationalError
from psycopg.errors import lookup

from issues.scrubbing import Policy, scrub_text, scrubber_of

MAX_TRACE = 8000
_STATE = (OperationalError, InterfaceError)
_PSYCOPG_STATE = (psycopg.OperationalError, psycopg.InterfaceError)


def told(error: BaseException) -> str:
    """The error in one line, without values that it met."""
    name = type(error).__name__
    if getattr(error, "tellable", False):
        text, _ = scrub_text(str(error), scrubber_of(Policy()))
        return f"{name}: {text}"
    cause = error.__cause__ if isinstance(error, DjangoError) else error
    if isinstance(cause, psycopg.Error):
        return f"{name}: {_of_database(cause)}"
    if isinstance(error, _STATE):
        return f"{name}: {_first_line(error)}"
    return f"{name} {_place(error)}".strip()


def trace(error: BaseException) -> str:
    """The traceback of the error and its causes, without their texts."""
    parts = [
        "".join(["Traceback:\n", *traceback.format_tb(link.__traceback__), told(link)])
        for link in _chain(error)
    ]
    return "\n\nwhich led to\n\n".join(reversed(parts))[-MAX_TRACE:]


def _of_database(error: psycopg.Error) -> str:
    """What is wrong with which column; PostgreSQL's own text may quote the row."""
    if isinstance(error, _PSYCOPG_STATE):
        return _first_line(error)
    diag = error.diag
    named = {
        "table": diag.table_name,
        "column": diag.column_name,
        "constraint": diag.constraint_name,
    }
    where = ", ".join(f"{kind} {name}" for kind, name in named.items() if name)
    state = error.sqlstate or ""
    reason = f"{lookup(state).__name__} ({state})" if state else "of the driver"
    return f"{reason}{', ' if where else ''}{where}"


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0][:300]


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f"in {frames[-1].name}, line {frames[-1].lineno}" if frames else ""


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, then what it came from."""
    link: BaseException | None = error
    while link is not None:
        yield link
        hidden = link.__suppress_context__
        link = link.__cause__ or (None if hidden else link.__context__)
