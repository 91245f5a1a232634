"""Refuses a database that would forget what was answered with 200."""

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error
from django.db import DatabaseError, connection

OLDEST_POSTGRES = 15
DURABLE = ("fsync", "full_page_writes", "synchronous_commit")


def server_problems() -> list[str]:
    """One line for each reason not to run on the configured server; [] when good.

    Raises django.db.DatabaseError when it cannot be asked.
    """
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version_num")
        major = int(cursor.fetchone()[0]) // 10_000
        cursor.execute(
            "SELECT name FROM pg_settings WHERE name = ANY(%s) AND setting = 'off'",
            [list(DURABLE)],
        )
        switched_off = sorted(name for (name,) in cursor.fetchall())
    problems = []
    if major < OLDEST_POSTGRES:
        problems.append(
            f"PostgreSQL {major} is too old: rush_monitor needs {OLDEST_POSTGRES} "
            "or newer."
        )
    return problems + [
        f"{name} is off, so a crash loses events that were answered with 200: set "
        f"{name} = on in postgresql.conf (or for this role and database) and reload."
        for name in switched_off
    ]


def database_is_durable(
    app_configs: Sequence[Any] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """For ``manage.py check --deploy``."""
    try:
        problems = server_problems()
    except DatabaseError as error:
        reason = str(error).strip().splitlines()[0]
        return [
            Error(
                f"The database does not answer: {reason}",
                hint="Start it, or correct DATABASE_URL.",
                id="rush_monitor.E001",
            )
        ]
    return [Error(problem, id="rush_monitor.E002") for problem in problems]
