"""Starts the real ``manage.py up`` and other commands for tests."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from rush_monitor.cluster import Postgres
from rush_monitor.spawn import birth, wait_until

ROOT = Path(__file__).resolve().parent.parent

# Set for the tests' own process; a command under test starts from nothing.
UNSET = ("DATABASE_URL", "CELERY_BROKER_URL", "SECRET_KEY", "BASE_URL")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def environment(data_dir: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in UNSET}
    return {**kept, "DATA_DIR": str(data_dir), **more}


def manage(
    data_dir: Path, *arguments: str, **more: str
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environment(data_dir, **more),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


class RunningUp:
    """An ``up`` in the background, and what it printed so far."""

    def __init__(
        self, data_dir: Path, *options: str, env: Mapping[str, str] | None = None
    ) -> None:
        self.data_dir = data_dir
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.left: list[int] = []  # processes to look for after its end
        self._output = data_dir.with_suffix(f".{self.port}.log")
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "up", "--port", str(self.port), *options],
                cwd=ROOT,
                env=environment(data_dir, **(env or {})),
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def database_url(self) -> str:
        return Postgres(self.data_dir, self.data_dir / "run").url

    @property
    def output(self) -> str:
        return self._output.read_text(encoding="utf-8")

    def wait_for(self, text: str, seconds: float = 60) -> None:
        wait_until(
            lambda: text in self.output or self.process.poll() is not None, seconds
        )
        assert text in self.output, self.output

    def value(self, label: str) -> str:
        """What the welcome says after ``label``."""
        line = next(x for x in self.output.splitlines() if x.startswith(f"  {label} "))
        return line.split()[1]

    def pids(self) -> dict[str, int]:
        """The children by name."""
        path = self.data_dir / "run" / "children.json"
        recorded = json.loads(path.read_text(encoding="utf-8"))
        return {name: pid for name, (pid, _) in recorded.items()}

    def everyone(self) -> list[int]:
        """The children and theirs."""
        pids = list(self.pids().values())
        listing = subprocess.run(
            ["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True
        )
        rows = [line.split() for line in listing.stdout.splitlines()]
        return pids + [int(pid) for pid, parent in rows if int(parent) in pids]

    def kill(self, name: str) -> None:
        """``kill -9`` a child and wait until another has its place."""
        before = self.pids()[name]
        os.kill(before, signal.SIGKILL)
        assert wait_until(lambda: self.pids().get(name, before) != before, 20)

    def answers(self) -> bool:
        """Whether the log-in page, which needs front door, Django and database,
        comes; requests wait while one of them starts anew."""
        return httpx.get(f"{self.url}/admin/login/", timeout=20).status_code == 200

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Its exit status, after at most 20 s."""
        self.process.send_signal(number)
        return self.process.wait(20)


def gone(pids: list[int], seconds: float = 10) -> bool:
    return wait_until(lambda: not any(birth(pid) for pid in pids), seconds)


@contextmanager
def running_up(
    data_dir: Path, *options: str, env: Mapping[str, str] | None = None
) -> Iterator[RunningUp]:
    up = RunningUp(data_dir, *options, env=env)
    try:
        up.wait_for("ready;")
        yield up
    finally:
        if up.process.poll() is None:
            up.stop()


def eventually(condition: Callable[[], bool], seconds: float = 15) -> bool:
    """Like wait_until, less often: for what costs a request or a query."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True
