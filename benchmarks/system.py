"""A rush_monitor of its own: ``manage.py up`` on a free port, in a fresh directory."""

import contextlib
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit, urlunsplit

import psycopg

from rush_monitor.embedded import run_directory
from rush_monitor.spawn import start

ROOT = Path(__file__).resolve().parent.parent
READY = "ready; Ctrl-C stops everything"
START_SECONDS = 120.0
STOP_SECONDS = 40.0
# What a developer's shell may hold and no measurement may depend on.
FOREIGN = frozenset(
    {
        *("DATABASE_URL", "CELERY_BROKER_URL", "BASE_URL", "ALLOWED_HOSTS", "DATA_DIR"),
        *("TRUSTED_PROXIES", "DJANGO_UPSTREAM", "DEBUG", "SECRET_KEY", "LOG_LEVEL"),
        "DJANGO_SETTINGS_MODULE",
    }
)
Connection = psycopg.Connection[tuple[object, ...]]


class NotRunning(Exception):
    """``manage.py up`` did not start, or ended by itself; holds its last lines."""


class System:
    """One ``up``; ``start`` and ``stop`` may alternate, the data stays.

    ``data_dir`` should have a short path, because sockets lie in it.
    """

    def __init__(
        self, data_dir: Path, *, database_url: str = "", **variables: str
    ) -> None:
        self.data_dir = data_dir
        self.port = free_port()
        self.base_url = f"http://127.0.0.1:{self.port}"
        self.log_path = data_dir / "up.log"
        self.dsn = self.password = ""
        self._variables = {**variables, "DATA_DIR": str(data_dir)}
        if database_url:
            self._variables["DATABASE_URL"] = database_url
        socket_dir = str(run_directory(data_dir)).replace("/", "%2F")
        embedded = f"postgresql://rush_monitor@{socket_dir}/rush_monitor"
        self.database_url = database_url or embedded
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id of the supervisor."""
        if self._process is None:
            raise NotRunning("up was not started")
        return self._process.pid

    @property
    def project_id(self) -> int:
        return int(urlsplit(self.dsn).path.rpartition("/")[2])

    @property
    def public_key(self) -> str:
        return urlsplit(self.dsn).username or ""

    def environment(self) -> dict[str, str]:
        """The environment for this system's processes."""
        kept = {k: v for k, v in os.environ.items() if k not in FOREIGN}
        return {**kept, **self._variables}

    def start(self) -> None:
        """Start ``up`` and wait until it serves; raises NotRunning."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        with self.log_path.open("ab") as log:
            begin = log.tell()
            self._process = self._run(log, "up", "--port", str(self.port))
        self._wait(lambda: READY in self.log(begin), START_SECONDS, "start")
        self._read_welcome(self.log(begin))

    def stop(self) -> None:
        """Stop ``up`` as Ctrl-C does; kill it when it does not end."""
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_SECONDS)
        if process.poll() is None:
            process.kill()
        process.wait()
        self._process = None

    def log(self, begin: int = 0) -> str:
        """What the processes printed since byte ``begin``."""
        with self.log_path.open("rb") as log:
            log.seek(begin)
            return log.read().decode(errors="replace")

    def pids(self) -> dict[str, int]:
        """The running children by name: front, django, digest, worker, beat, …"""
        path = run_directory(self.data_dir) / "children.json"
        try:
            rows = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return {name: row[0] for name, row in rows.items()}

    def connect(self) -> Connection:
        """A new connection to its database, in autocommit."""
        return psycopg.connect(self.database_url, autocommit=True, connect_timeout=5)

    def _run(self, log: IO[bytes], *argv: str) -> subprocess.Popen[bytes]:
        # It ends with us, however we end.
        return start(
            [sys.executable, "manage.py", *argv],
            env=self.environment(),
            cwd=ROOT,
            stdout=log.fileno(),
            stderr=subprocess.STDOUT,
        )

    def _read_welcome(self, text: str) -> None:
        if found := re.search(r"^ *DSN +(http\S+)", text, re.MULTILINE):
            self.dsn = found[1]
        if found := re.search(r"^ *Password +(\S+) +\(shown", text, re.MULTILINE):
            self.password = found[1]
        if not self.dsn:
            raise NotRunning(f"up printed no DSN:\n{text[-2000:]}")

    def _wait(self, done: Callable[[], bool], seconds: float, what: str) -> None:
        deadline = time.monotonic() + seconds
        while not done():
            if self._process is None or self._process.poll() is not None:
                raise NotRunning(f"up ended at {what}:\n{self.log()[-2000:]}")
            if time.monotonic() > deadline:
                raise NotRunning(f"up did not {what}:\n{self.log()[-2000:]}")
            time.sleep(0.05)


@contextlib.contextmanager
def running_system(
    database_url: str = "", variables: Mapping[str, str] | None = None
) -> Iterator[System]:
    """A started system with nothing in it; all of it is gone after the block.

    ``database_url`` names a server: the system gets a database of its own there.
    """
    with contextlib.ExitStack() as stack:
        directory = Path(tempfile.mkdtemp(prefix="rush-bench-"))
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        if database_url:
            database_url = stack.enter_context(_own_database(database_url))
        system = System(directory, database_url=database_url, **(variables or {}))
        stack.callback(system.stop)
        system.start()
        yield system


@contextlib.contextmanager
def _own_database(url: str) -> Iterator[str]:
    name = f"rush_bench_{secrets.token_hex(4)}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    try:
        yield urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
