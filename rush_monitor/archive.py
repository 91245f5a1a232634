"""Backup and restore of the database, with PostgreSQL's own tools.

An archive is what ``pg_dump --format=custom`` writes: one consistent moment of every
table and partition, which plain ``pg_restore`` can read as well.
"""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO, cast

from django.conf import settings
from django.db import DatabaseError, connection

from rush_monitor.cluster import Postgres
from rush_monitor.embedded import Binaries, found_postgres
from rush_monitor.lock import locked
from rush_monitor.unprivileged import EngineError, make_directories

# Tables of the application: not those that an extension brought.
TABLES = """
    SELECT count(*) FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
      AND NOT EXISTS (
          SELECT FROM pg_depend
          WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid
            AND deptype = 'e')
"""
OTHERS = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
      AND backend_type = 'client backend'
"""


class ArchiveError(Exception):
    """Nothing was changed; the message is one line that says what to do."""


@dataclass(frozen=True)
class Archive:
    """A complete archive: its tables with rows, partitions counted apart; bytes."""

    path: Path
    tables: int
    size: int


@dataclass(frozen=True)
class _Server:
    """How to reach the database with the tools that fit its version."""

    tools: Binaries
    dsn: str
    password: str

    def run(self, program: str, *arguments: str) -> str:
        """Run a client to its end. Raises ArchiveError with its first complaint."""
        done = subprocess.run(
            [self.tools.path(program), *arguments],
            env=self.environment(),
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode != 0:
            raise ArchiveError(_complaint(done.stderr))
        return done.stdout

    def environment(self) -> dict[str, str]:
        # Not on the command line, where every user of the machine can read it.
        return {**os.environ, "PGPASSWORD": self.password, "LC_ALL": "C"}


def _complaint(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line] or ["no reason given"]
    errors = [line for line in lines if "error" in line.lower()]
    return (errors or lines)[0]


def backup(path: Path) -> Archive:
    """Write a new archive, from a database that may be in use.

    Raises ArchiveError or EngineError; then there is no file at ``path``.
    """
    if path.exists():
        raise ArchiveError(f"{path} exists: remove it, or choose another name.")
    if not os.access(path.absolute().parent, os.W_OK | os.X_OK):
        raise ArchiveError(
            f"{path.absolute().parent} is no directory that this user may write to: "
            "choose another place."
        )
    with _engine(needs_data=True):
        server = _server("pg_dump")
        part = path.with_name(f"{path.name}.part")
        try:
            # It holds personal data: only this user may read it.
            os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
            options = ("--format=custom", "--compress=1", f"--file={part}")
            server.run("pg_dump", *options, f"--dbname={server.dsn}")
            tables = _verify(server, part)
            with part.open("rb") as file:
                os.fsync(file.fileno())
            part.rename(path)
        finally:
            part.unlink(missing_ok=True)
    return Archive(path, tables, path.stat().st_size)


def restore(path: Path, *, replace: bool) -> Archive:
    """Fill the database from an archive, in one transaction.

    ``replace`` says that what is in the database may go. Raises ArchiveError or
    EngineError; then the database is as it was.
    """
    if not path.is_file():
        raise ArchiveError(f"{path}: no such file.")
    with _engine(alone=True):
        server = _server("pg_restore")
        tables = _verify(server, path)
        with connection.cursor() as cursor:
            cursor.execute(TABLES)
            present = cursor.fetchone()[0]
            cursor.execute(OTHERS)
            others = cursor.fetchone()[0]
        if present and not replace:
            raise ArchiveError(
                f"The database holds {present} tables: give --replace to drop them "
                "and everything in them."
            )
        if others:
            raise ArchiveError(
                f"{others} other connections use the database: stop what runs on it."
            )
        connection.close()
        _load(server, path)
    return Archive(path, tables, path.stat().st_size)


@contextlib.contextmanager
def _engine(*, alone: bool = False, needs_data: bool = False) -> Iterator[None]:
    """A database that answers: the one of a running ``up``, or our own for the block.

    ``alone`` refuses while an ``up`` runs on this data directory.
    """
    database = Postgres(settings.DATA_DIR, settings.RUN_DIR)
    if needs_data and settings.EMBEDDED_DATABASE and not database.cluster.exists():
        raise ArchiveError(f"There is no database in {settings.DATA_DIR} yet.")
    make_directories(settings.DATA_DIR, settings.RUN_DIR)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(locked(settings.DATA_DIR))
        except EngineError:
            if alone:
                raise
        else:
            if settings.EMBEDDED_DATABASE:
                stack.enter_context(database.running())
        stack.callback(connection.close)
        yield


def _server(program: str) -> _Server:
    """Raises ArchiveError when the database or tools for its version are not there."""
    try:
        connection.ensure_connection()
    except DatabaseError as error:
        reason = str(error).strip().splitlines()[0]
        raise ArchiveError(f"The database does not answer: {reason}") from error
    info = connection.connection.info
    major = info.server_version // 10_000
    tools = [
        found
        for found in found_postgres()
        if found.major >= major and os.access(found.path(program), os.X_OK)
    ]
    if not tools:
        raise ArchiveError(
            f"No {program} of version {major} or newer found: install the client tools "
            f"of PostgreSQL {major} (Debian: postgresql-client-{major})."
        )
    # An archive of an older version can be restored to more servers.
    return _Server(min(tools, key=lambda found: found.major), info.dsn, info.password)


def _verify(server: _Server, path: Path) -> int:
    """Read a whole archive; returns how many tables have rows in it."""
    contents = server.run("pg_restore", "--list", str(path))
    if "TABLE public django_migrations" not in contents:
        raise ArchiveError(f"{path.name} is no backup of rush_monitor.")
    server.run("pg_restore", f"--file={os.devnull}", str(path))
    return contents.count(" TABLE DATA public ")


def _load(server: _Server, path: Path) -> None:
    """Replace the schema in one transaction, which only a whole archive commits."""
    psql = [
        server.tools.path("psql"),
        "--no-psqlrc",
        "--quiet",
        "-v",
        "ON_ERROR_STOP=1",
    ]
    unpack = [server.tools.path("pg_restore"), "--no-owner", "--no-privileges"]
    whole = False
    with TemporaryFile() as complaints:
        loader = subprocess.Popen(
            [*psql, f"--dbname={server.dsn}"],
            env=server.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=complaints,
        )
        script = cast(BinaryIO, loader.stdin)
        with contextlib.suppress(BrokenPipeError), script:
            script.write(b"BEGIN; DROP SCHEMA public CASCADE; CREATE SCHEMA public;\n")
            script.flush()
            unpacked = subprocess.run(
                [*unpack, "--file=-", str(path)],
                stdout=script,
                stderr=complaints,
                check=False,
            )
            whole = unpacked.returncode == 0
            script.write(b"COMMIT; ANALYZE;\n" if whole else b"ROLLBACK;\n")
        if loader.wait() != 0 or not whole:
            complaints.seek(0)
            text = complaints.read().decode(errors="replace")
            raise ArchiveError(f"Nothing was restored: {_complaint(text)}")
