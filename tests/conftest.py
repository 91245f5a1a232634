"""Fixtures for more than one test module."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

from rush_monitor.cluster import Postgres
from rush_monitor.embedded import Valkey
from rush_monitor.spawn import wait_until
from tests.engines import MEMORY_BROKER, SERVER_IS_OURS, worker_number
from tests.running import RunningUp, running_up


@pytest.fixture(scope="session")
def short_tmp() -> Iterator[Path]:
    """A directory whose path leaves room for the name of a socket."""
    with tempfile.TemporaryDirectory(prefix="rush-", dir="/tmp") as name:
        yield Path(name)


@pytest.fixture
def data_dir(short_tmp: Path) -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(dir=short_tmp)) / "var"
    yield path
    shutil.rmtree(path.parent)


@pytest.fixture(scope="session")
def up(short_tmp: Path) -> Iterator[RunningUp]:
    """One ``up`` for all tests that leave it running."""
    with running_up(short_tmp / "up") as running:
        yield running


@pytest.fixture(scope="session")
def durable_database_url(short_tmp: Path) -> Iterator[str]:
    """An empty database that keeps what it was told: on the server of the
    environment, else on one of our own, for the tests' usual one is careless."""
    if SERVER_IS_OURS not in os.environ:
        server = os.environ["DATABASE_URL"]
        database = f"rush_durable{worker_number()}"
        name = sql.Identifier(database)
        drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name)
        with psycopg.connect(server, autocommit=True) as session:
            session.execute(drop)
            session.execute(sql.SQL("CREATE DATABASE {}").format(name))
        parts = urlsplit(server)
        yield urlunsplit(parts._replace(path=f"/{database}"))
        with psycopg.connect(server, autocommit=True) as session:
            session.execute(drop)
        return
    directory = short_tmp / "durable"
    with Postgres(directory, directory / "run").running() as postgres:
        yield postgres.url


@pytest.fixture(scope="session")
def broker_url(short_tmp: Path) -> Iterator[str]:
    """A real broker: the one of the environment, else a Valkey of our own."""
    given = os.environ["CELERY_BROKER_URL"]
    if given != MEMORY_BROKER:
        yield given
        return
    valkey = Valkey(short_tmp / "broker")
    valkey.run_dir.mkdir()
    server = valkey.spawn(subprocess.DEVNULL)
    assert wait_until(valkey.is_ready, 10)
    yield valkey.url
    server.terminate()
    server.wait()
