"""Everything that ``manage.py up`` runs, and the order in which it starts and stops."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rush_monitor.children import Again, Child, Children, Log, Process, StopRequested
from rush_monitor.cluster import Postgres
from rush_monitor.embedded import Valkey
from rush_monitor.listen import answers, listen_tcp, listen_unix, start_again
from rush_monitor.lock import Record, locked
from rush_monitor.processes import PROCESSES, load_shared
from rush_monitor.spawn import fork, start
from rush_monitor.unprivileged import EngineError, make_directories

ROOT = Path(__file__).resolve().parent.parent
READY_SECONDS = 60.0

# What stops first: who sends, who takes requests, who works on them, what they need.
DEMO, FRONT, WORK, BROKER, DATABASE = range(5)
RANKS = {"demo": DEMO, "front": FRONT}


@dataclass(frozen=True)
class Plan:
    """What ``up`` was asked to run."""

    data_dir: Path
    run_dir: Path
    host: str
    port: int
    embedded_database: bool
    embedded_broker: bool
    demo: bool
    # Whether the processes are forks of this process or programs of their own.
    forks: bool

    @property
    def django_socket(self) -> Path:
        return self.run_dir / "django.sock"


class Up:
    """One run of ``manage.py up``."""

    def __init__(self, plan: Plan, log: Log) -> None:
        self._plan = plan
        self._log = log
        self._record = Record(plan.run_dir / "children.json")
        self._children = Children(log, self._record.write)

    def run(self) -> None:
        """Start everything, keep it running until a stop signal, stop everything.

        SIGUSR2 then starts this command again, as the same process, with the code that
        is there now. Raises EngineError when something cannot start; nothing runs then.
        """
        plan = self._plan
        make_directories(plan.data_dir, plan.run_dir)
        with (
            locked(plan.data_dir),
            listen_tcp(plan.host, plan.port) as front,
            listen_unix(plan.django_socket) as django,
        ):
            # The engines know better how to stop their own.
            self._record.stop_left_over(but={Postgres.name, Valkey.name})
            try:
                with contextlib.suppress(StopRequested):
                    self._start(front, django)
                    self._children.keep()
            finally:
                self._log.line("up", "stopping; Ctrl-C again to hurry")
                self._children.stop()
                self._log.line("up", "stopped")
            if self._children.restart_wanted:
                start_again(front)

    def _start(self, front: socket.socket, django: socket.socket) -> None:
        plan = self._plan
        if plan.embedded_database:
            postgres = Postgres(plan.data_dir, plan.run_dir)
            self._start_engine(
                postgres,
                Child(
                    postgres.name,
                    postgres.spawn,
                    DATABASE,
                    grace=8,
                    stop_signal=signal.SIGINT,
                    last_signal=signal.SIGQUIT,
                    # The backends of a killed server keep the new one out for a while.
                    longest_pause=0.5,
                ),
            )
        if plan.embedded_broker:
            valkey = Valkey(plan.run_dir)
            # It never forks to save, so overcommitting memory does not concern it.
            hidden = ("overcommit",)
            child = Child(valkey.name, valkey.spawn, BROKER, grace=2, hidden=hidden)
            self._start_engine(valkey, child)
        if plan.forks:
            load_shared()
        text = self._prepare_database()
        try:
            self._start_processes(front, django)
            self._children.wait(lambda: answers(front), READY_SECONDS)
        finally:
            # It holds the password, which is shown only once: also on Ctrl-C.
            self._log.block(text)
        self._log.line("up", "ready; Ctrl-C stops everything")
        if plan.demo:
            self._children.add(self._child("demo"))

    def _start_engine(self, engine: Postgres | Valkey, child: Child) -> None:
        self._log.line("up", f"starting {child.name}")
        engine.prepare()
        self._children.add(child)

        def is_ready() -> bool:
            pid = self._children.pid(child.name)
            return pid is not None and engine.is_ready(pid)

        if not self._children.wait(is_ready, READY_SECONDS):
            raise EngineError(f"{child.name} does not start; its reasons are above.")

    def _start_processes(self, front: socket.socket, django: socket.socket) -> None:
        """All at once: requests wait in the sockets until they are served."""
        for name, listener in (("django", django), ("front", front)):
            self._children.add(self._child(name, listener.fileno()))
        for name in ("digest", "worker", "beat"):
            self._children.add(self._child(name))

    def _child(self, name: str, fd: int = -1) -> Child:
        again: dict[str, Again] = {"prepare": "never", "demo": "after failure"}
        return Child(
            name,
            partial(self._start_process, name, fd),
            RANKS.get(name, WORK),
            grace=5,
            again=again.get(name, "always"),
        )

    def _start_process(self, name: str, fd: int, output: int) -> Process:
        keep = () if fd < 0 else (fd,)
        if self._plan.forks:
            run = partial(PROCESSES[name], fd)
            return fork(run, title=name, output=output, keep=keep)
        return start(
            [sys.executable, "-m", "django", "process", name, str(fd)],
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "rush_monitor.settings"},
            cwd=ROOT,
            pass_fds=keep,
            stdout=output,
            stderr=subprocess.STDOUT,
        )

    def _prepare_database(self) -> str:
        """Migrate and make the first account; returns what the person should read."""
        reader, writer = os.pipe()
        with open(reader, encoding="utf-8") as answer:
            self._children.add(self._child("prepare", writer))
            os.close(writer)
            self._children.wait(lambda: self._children.pid("prepare") is None, 3600)
            if self._children.status("prepare") != 0:
                raise EngineError(
                    "The database could not be prepared; the reasons are above."
                )
            return answer.read()
