"""``backup`` and ``restore`` as commands, on databases of a real ``up``."""

from pathlib import Path

import httpx
import psycopg
import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command
from psycopg import sql

from rush_monitor.cluster import Postgres
from rush_monitor.spawn import wait_until
from tests.running import RunningUp, manage

pytestmark = pytest.mark.own_engines

TABLES = """
    SELECT relname FROM pg_class WHERE relkind = 'r'
      AND relnamespace = 'public'::regnamespace ORDER BY relname
"""


def contents(database_url: str) -> dict[str, list[str]]:
    """Every row of every table and partition, as text."""
    with psycopg.connect(database_url) as session:
        names = [name for (name,) in session.execute(TABLES)]
        return {name: rows(session, name) for name in names}


def rows(session: psycopg.Connection, table: str) -> list[str]:
    query = sql.SQL("SELECT t::text FROM {} t ORDER BY 1").format(sql.Identifier(table))
    return [row for (row,) in session.execute(query)]


def is_digested(database_url: str) -> bool:
    with psycopg.connect(database_url) as session:
        return session.execute("SELECT 1 FROM issues_issue").fetchone() is not None


def only_line(text: str) -> str:
    (line,) = text.strip().splitlines()
    return line


@pytest.fixture(scope="module")
def archive(up: RunningUp, short_tmp: Path) -> Path:
    """A backup of a running ``up`` that has taken an event."""
    key, _, place = up.value("DSN").partition("://")[2].partition("@")
    httpx.post(
        f"{up.url}/api/{place.rpartition('/')[2]}/store/?sentry_key={key}",
        json={"message": "in the backup", "extra": {"odd": "é\\ \t\n"}},
    ).raise_for_status()
    assert wait_until(lambda: is_digested(up.database_url), 20)
    path = short_tmp / "rush.backup"
    done = manage(up.data_dir, "backup", str(path))
    assert done.returncode == 0, done.stderr
    return path


@pytest.fixture(scope="module")
def restored(archive: Path, short_tmp: Path) -> Postgres:
    """Another data directory, filled from it."""
    data_dir = short_tmp / "restored"
    done = manage(data_dir, "restore", str(archive))
    assert done.returncode == 0, done.stderr
    return Postgres(data_dir, data_dir / "run")


def test_a_backup_is_for_this_user_alone(archive: Path) -> None:
    assert archive.stat().st_mode & 0o077 == 0


@pytest.fixture
def here(up: RunningUp, settings: LazySettings) -> Path:
    """The data directory of the ``up``, for a command in this process."""
    settings.EMBEDDED_DATABASE = True
    settings.DATA_DIR = up.data_dir
    settings.RUN_DIR = up.data_dir / "run"
    return up.data_dir


@pytest.mark.usefixtures("here")
def test_a_backup_never_overwrites_a_file(archive: Path) -> None:
    with pytest.raises(CommandError, match="exists: remove it, or choose another name"):
        call_command("backup", archive)


@pytest.mark.usefixtures("here")
def test_a_backup_needs_a_directory() -> None:
    with pytest.raises(CommandError, match="/nowhere is no directory"):
        call_command("backup", "/nowhere/rush.backup")


@pytest.mark.usefixtures("here")
def test_a_data_directory_without_a_database_has_no_backup(
    settings: LazySettings, tmp_path: Path
) -> None:
    settings.DATA_DIR = tmp_path / "var"
    with pytest.raises(CommandError, match="There is no database in"):
        call_command("backup", tmp_path / "rush.backup")
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("here")
def test_restore_refuses_while_up_runs(up: RunningUp, archive: Path) -> None:
    with pytest.raises(CommandError, match=rf"\(pid {up.process.pid}\)"):
        call_command("restore", archive, replace=True)


@pytest.mark.usefixtures("here")
def test_a_backup_that_is_not_there_is_named() -> None:
    with pytest.raises(CommandError, match="missing.backup: no such file"):
        call_command("restore", "missing.backup")


def test_a_backup_of_a_stopped_database_brings_every_row_back(
    restored: Postgres, short_tmp: Path
) -> None:
    again = short_tmp / "again.backup"
    assert manage(restored.data_dir, "backup", str(again)).returncode == 0
    data_dir = short_tmp / "again"
    assert manage(data_dir, "restore", str(again)).returncode == 0
    with restored.running():
        before = contents(restored.url)
    with Postgres(data_dir, data_dir / "run").running() as copy:
        after = contents(copy.url)
    assert before == after
    assert any("in the backup" in row for row in before["issues_issue"])
    assert sum(name.startswith("issues_event_") for name in before) > 1


def test_a_database_with_tables_is_replaced_only_when_told(
    restored: Postgres, archive: Path
) -> None:
    refused = manage(restored.data_dir, "restore", str(archive))
    assert refused.returncode == 1
    assert "give --replace to drop them" in only_line(refused.stderr)
    replaced = manage(restored.data_dir, "restore", "--replace", str(archive))
    assert replaced.stdout.startswith("Restored ")


def test_a_truncated_backup_changes_nothing(
    restored: Postgres, archive: Path, tmp_path: Path
) -> None:
    with restored.running():
        before = contents(restored.url)
    half = tmp_path / "half.backup"
    half.write_bytes(archive.read_bytes()[: archive.stat().st_size // 2])
    refused = manage(restored.data_dir, "restore", "--replace", str(half))
    assert refused.returncode == 1
    assert "error: could not read from input file" in only_line(refused.stderr)
    with restored.running():
        assert contents(restored.url) == before


def test_what_is_no_backup_is_refused(restored: Postgres) -> None:
    refused = manage(restored.data_dir, "restore", "--replace", "/etc/passwd")
    assert refused.returncode == 1
    assert only_line(refused.stderr).startswith("CommandError: ")


def test_an_error_half_way_rolls_everything_back(
    restored: Postgres, archive: Path
) -> None:
    with restored.running():
        before = contents(restored.url)
    # So few locks that the server gives up in the middle of the transaction.
    few = "max_locks_per_transaction = 10\nmax_connections = 10\n"
    own = restored.data_dir / "postgres.conf"
    own.write_text(few)
    refused = manage(restored.data_dir, "restore", "--replace", str(archive))
    own.unlink()
    assert refused.returncode == 1
    reason = "CommandError: Nothing was restored: ERROR:  out of shared memory"
    assert only_line(refused.stderr) == reason
    with restored.running():
        assert contents(restored.url) == before
