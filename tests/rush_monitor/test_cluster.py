"""The embedded PostgreSQL, with servers that are really started and killed."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from rush_monitor.cluster import Postgres
from rush_monitor.spawn import birth, wait_until
from rush_monitor.unprivileged import EngineError

pytestmark = pytest.mark.own_engines


@pytest.fixture(scope="module")
def home(short_tmp: Path) -> Path:
    """A directory like a private home: nobody else may even look into it."""
    home = short_tmp / "home"
    home.mkdir(mode=0o700)
    return home


@pytest.fixture(scope="module")
def postgres(home: Path) -> Iterator[Postgres]:
    with Postgres(home / "var", home / "var" / "run").running() as postgres:
        yield postgres


@pytest.fixture(scope="module")
def made(short_tmp: Path) -> Postgres:
    data_dir = short_tmp / "made"
    with Postgres(data_dir, data_dir / "run").running() as postgres:
        ask(postgres, "CREATE TABLE kept AS SELECT 7 AS number")
    return postgres


@pytest.fixture
def stopped(made: Postgres) -> Iterator[Postgres]:
    """A cluster with a row in it, whose server does not run."""
    yield made
    (made.data_dir / "postgres.conf").unlink(missing_ok=True)


def ask(postgres: Postgres, sql: str) -> object:
    with psycopg.connect(postgres.url, autocommit=True) as session:
        cursor = session.execute(sql)
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def server_pid(postgres: Postgres) -> int:
    return int((postgres.cluster / "postmaster.pid").read_text().split()[0])


def test_directories_above_the_data_keep_their_mode(
    postgres: Postgres, home: Path
) -> None:
    assert ask(postgres, "SELECT 1") == 1
    assert home.stat().st_mode & 0o777 == 0o700


def test_the_data_is_private(postgres: Postgres) -> None:
    for path in (postgres.data_dir, postgres.run_dir, postgres.cluster):
        assert path.stat().st_mode & 0o077 == 0


def test_the_server_does_not_run_as_root(postgres: Postgres) -> None:
    status = Path(f"/proc/{server_pid(postgres)}/status")
    if not status.exists():
        pytest.fail("this test needs /proc")
    capabilities = next(
        line for line in status.read_text().splitlines() if line.startswith("CapEff")
    )
    assert int(capabilities.split()[1], 16) == 0


def test_there_is_no_tcp_port(postgres: Postgres) -> None:
    assert ask(postgres, "SHOW listen_addresses") == ""


@pytest.mark.parametrize("name", ["fsync", "full_page_writes", "synchronous_commit"])
def test_no_file_can_switch_durability_off(postgres: Postgres, name: str) -> None:
    ask(postgres, f"ALTER SYSTEM SET {name} = off")
    ask(postgres, "SELECT pg_reload_conf()")
    assert ask(postgres, f"SHOW {name}") == "on"
    ask(postgres, f"ALTER SYSTEM RESET {name}")


def test_pages_have_checksums(postgres: Postgres) -> None:
    assert ask(postgres, "SHOW data_checksums") == "on"


def test_text_is_utf8_and_sorted_by_code_point(postgres: Postgres) -> None:
    assert ask(postgres, "SHOW server_encoding") == "UTF8"
    assert ask(postgres, "SELECT 'Z' < 'a'") is True
    assert ask(postgres, "SELECT upper('é')") == "É"


def test_trigrams_are_there_for_the_search(postgres: Postgres) -> None:
    extension = "SELECT 1 FROM pg_available_extensions WHERE name = 'pg_trgm'"
    assert ask(postgres, extension) == 1


def test_own_settings_are_read_from_the_data_directory(stopped: Postgres) -> None:
    (stopped.data_dir / "postgres.conf").write_text("work_mem = '5MB'\nfsync = off\n")
    with stopped.running():
        assert ask(stopped, "SHOW work_mem") == "5MB"
        assert ask(stopped, "SHOW fsync") == "on"


def test_a_killed_server_starts_again_with_all_that_was_committed(
    stopped: Postgres,
) -> None:
    with stopped.running():
        ask(stopped, "CREATE TABLE late AS SELECT 8 AS number")
        pid = server_pid(stopped)
        os.kill(pid, signal.SIGKILL)
        assert wait_until(lambda: not birth(pid), 5)
    with stopped.running():
        assert ask(stopped, "SELECT number FROM late") == 8


def test_a_server_that_was_left_over_is_stopped(stopped: Postgres) -> None:
    left = stopped.spawn(subprocess.DEVNULL)
    assert wait_until(lambda: stopped.is_ready(left.pid), 20)
    with Postgres(stopped.data_dir, stopped.run_dir).running() as postgres:
        assert left.wait(5) == 0
        assert ask(postgres, "SELECT number FROM kept") == 7


def test_a_pid_file_that_names_a_stranger_is_no_obstacle(stopped: Postgres) -> None:
    (stopped.cluster / "postmaster.pid").write_text(f"{os.getpid()}\n")
    with stopped.running():
        assert ask(stopped, "SELECT number FROM kept") == 7


def test_half_a_cluster_is_made_anew(data_dir: Path) -> None:
    (data_dir / "postgres.new").mkdir(parents=True)
    (data_dir / "postgres.new" / "PG_VERSION").touch()
    with Postgres(data_dir, data_dir / "run", durable=False).running() as postgres:
        assert ask(postgres, "SELECT 1") == 1


def test_a_server_that_cannot_start_says_why(stopped: Postgres) -> None:
    (stopped.data_dir / "postgres.conf").write_text("shared_buffers = 'lots'\n")
    with pytest.raises(EngineError, match="does not start: .*FATAL"), stopped.running():
        pass


def reaches(uid: int, program: str) -> bool:
    try:
        subprocess.run(
            [program, "--version"], user=uid, capture_output=True, check=True
        )
    except PermissionError:
        return False
    return True


def test_data_of_an_ordinary_user_is_served_as_that_user(data_dir: Path) -> None:
    nobody = 65534 if os.geteuid() == 0 else os.geteuid()
    data_dir.mkdir()
    for path in (data_dir.parent.parent, data_dir.parent):
        path.chmod(0o711)
    os.chown(data_dir, nobody, -1)
    postgres = Postgres(data_dir, data_dir / "run", durable=False)
    if not reaches(nobody, postgres.binaries.path("postgres")):
        with pytest.raises(EngineError, match="run it as an ordinary user"):
            postgres.prepare()
        return
    with postgres.running():
        assert Path(f"/proc/{server_pid(postgres)}").stat().st_uid == nobody
    assert postgres.cluster.stat().st_uid == nobody
