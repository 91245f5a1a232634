"""The embedded PostgreSQL: makes its cluster, starts it, stops what was left over."""

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryFile

import psycopg

from rush_monitor.embedded import Binaries, postgres_for
from rush_monitor.spawn import Become, birth, start, stop_stray, wait_until, works_in
from rush_monitor.unprivileged import (
    Account,
    EngineError,
    make_directories,
    unprivileged,
)

START_SECONDS = 60.0
NAME = "rush_monitor"  # of the database and of its only user

# The three settings behind "200 means durable": given on the command line, where no
# configuration file and no ALTER SYSTEM can undo them.
DURABLE = ("fsync=on", "full_page_writes=on", "synchronous_commit=on")

CONFIGURATION = """\
# Written by rush_monitor at each start. Your own settings: {own}
listen_addresses = ''
unix_socket_directories = '{run_dir}'
unix_socket_permissions = 0700
max_connections = 60
max_locks_per_transaction = 256
shared_buffers = 40MB
effective_cache_size = 512MB
jit = off
max_parallel_workers_per_gather = 0
wal_compression = on
autovacuum_work_mem = 8MB
checkpoint_timeout = 15min
checkpoint_completion_target = 0.9
min_wal_size = 512MB
max_wal_size = 2GB
autovacuum_naptime = 20s
autovacuum_vacuum_scale_factor = 0.05
autovacuum_analyze_scale_factor = 0.05
idle_in_transaction_session_timeout = 5min
timezone = 'UTC'
log_timezone = 'UTC'
log_destination = 'stderr'
logging_collector = off
log_checkpoints = off
log_line_prefix = ''
"""


class Postgres:
    """The embedded database: one cluster, reachable only through its socket.

    ``durable`` False is for tests: faster, and a power cut may ruin the data.
    """

    name = "postgres"

    def __init__(self, data_dir: Path, run_dir: Path, *, durable: bool = True) -> None:
        self.data_dir = data_dir
        self.run_dir = run_dir
        self.durable = durable
        self.cluster = data_dir / "postgres"

    @cached_property
    def binaries(self) -> Binaries:
        return postgres_for(self.cluster)

    @property
    def url(self) -> str:
        """For DATABASE_URL."""
        socket_dir = str(self.run_dir).replace("/", "%2F")
        return f"postgresql://{NAME}@{socket_dir}/{NAME}"

    def prepare(self) -> None:
        """Stop what a killed parent left, make the cluster, write its settings."""
        make_directories(self.data_dir, self.run_dir)
        _stop_left_over(self.cluster)
        if not self.cluster.exists():
            self._make_cluster()
        self._configure(self.cluster)

    def _configure(self, cluster: Path) -> None:
        own = self.data_dir / "postgres.conf"
        text = CONFIGURATION.format(run_dir=_quoted(self.run_dir), own=own)
        if own.exists():
            text += f"include '{_quoted(own)}'\n"
        (cluster / "postgresql.conf").write_text(text, encoding="utf-8")

    def argv(self, cluster: Path) -> list[str]:
        settings = (
            DURABLE
            if self.durable
            else ("fsync=off", "full_page_writes=off", "synchronous_commit=off")
        )
        pins = [part for setting in settings for part in ("-c", setting)]
        return [self.binaries.path("postgres"), "-D", str(cluster), *pins]

    @cached_property
    def account(self) -> Account | None:
        """Who runs the server instead of root; None for an ordinary user."""
        postgres = self.binaries.path("postgres")
        return unprivileged(self.data_dir, self.run_dir, self.cluster, postgres)

    @property
    def _become(self) -> Become | None:
        return self.account.become if self.account else None

    def _make_cluster(self) -> None:
        """initdb beside the final place, and rename: half a cluster never starts."""
        fresh = self.data_dir / "postgres.new"
        _stop_left_over(fresh)
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        if self.account:
            self.account.own(fresh)
        locale = (
            ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
            if self.binaries.major >= 17
            else ["--locale=C"]
        )
        initdb = [self.binaries.path("initdb"), "-D", str(fresh), f"--username={NAME}"]
        options = ["--encoding=UTF8", "--auth=trust", "--no-instructions"]
        options += ["--data-checksums"] if self.durable else ["--no-sync"]
        self._run([*initdb, *options, *locale])
        # Who may pass the 0700 directory of the socket is the user; nobody else is.
        (fresh / "pg_hba.conf").write_text("local all all trust\n", encoding="ascii")
        self._configure(fresh)
        # Not in single-user mode: what is made there, pg_dump takes for built in.
        with self._serving(fresh), self._connection() as session:
            session.execute(f"CREATE DATABASE {NAME}")
        fresh.rename(self.cluster)

    def _connection(self) -> psycopg.Connection:
        return psycopg.connect(
            host=str(self.run_dir), user=NAME, dbname="postgres", autocommit=True
        )

    def _run(self, argv: Sequence[str]) -> None:
        child = start(
            argv,
            env=_clean_environment(),
            cwd=self.data_dir,
            become=self._become,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        output, _ = child.communicate()
        if child.returncode != 0:
            lines = output.decode(errors="replace").strip().splitlines()
            errors = [line for line in lines if "error" in line.lower()]
            reason = (errors or lines[-1:] or ["no output"])[0]
            raise EngineError(f"{Path(argv[0]).name} failed: {reason}")

    def spawn(self, output: int) -> subprocess.Popen[bytes]:
        """Start the server; SIGINT stops it fast and clean."""
        return self._spawn(self.cluster, output)

    def _spawn(self, cluster: Path, output: int) -> subprocess.Popen[bytes]:
        return start(
            self.argv(cluster),
            env=_clean_environment(),
            cwd=self.data_dir,
            become=self._become,
            death_signal=signal.SIGINT,
            stdout=output,
            stderr=subprocess.STDOUT,
        )

    def is_ready(self, pid: int) -> bool:
        """Whether the server ``pid`` takes queries; as pg_ctl reads postmaster.pid."""
        return _is_ready(self.cluster, pid)

    @contextlib.contextmanager
    def running(self) -> Iterator["Postgres"]:
        """Run the server for the length of the block."""
        self.prepare()
        with self._serving(self.cluster):
            yield self

    @contextlib.contextmanager
    def _serving(self, cluster: Path) -> Iterator[None]:
        with TemporaryFile() as log:
            server = self._spawn(cluster, log.fileno())
            try:
                wait_until(
                    lambda: _is_ready(cluster, server.pid) or server.poll() is not None,
                    START_SECONDS,
                )
                if not _is_ready(cluster, server.pid):
                    log.seek(0)
                    lines = log.read().decode(errors="replace").split("\n")
                    reason = next((x for x in lines if "FATAL" in x), "no reason given")
                    raise EngineError(f"PostgreSQL does not start: {reason}")
                yield
            finally:
                server.send_signal(signal.SIGINT)
                server.wait()


def _pid_file(cluster: Path) -> list[str]:
    try:
        text = (cluster / "postmaster.pid").read_text(encoding="utf-8")
    except OSError:
        return []
    return text.splitlines()


def _stop_left_over(cluster: Path) -> None:
    """Stop the server that a killed parent left behind.

    The caller holds the lock of the data directory, so it is nobody else's.
    """
    lines = _pid_file(cluster)
    pid = int(lines[0]) if lines and lines[0].isdigit() else 0
    if not pid or not birth(pid):
        return
    if not works_in(pid, cluster):
        # The id went to another program, for which PostgreSQL would wait.
        (cluster / "postmaster.pid").unlink()
        return
    for number in (signal.SIGINT, signal.SIGQUIT):
        if stop_stray(pid, number, 10):
            return
    raise EngineError(
        f"PostgreSQL (pid {pid}) of an earlier run does not stop: kill {pid}."
    )


def _is_ready(cluster: Path, pid: int) -> bool:
    lines = _pid_file(cluster)
    return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"


def _clean_environment() -> dict[str, str]:
    """Without the PG* variables, which are meant for another server."""
    kept = {key: value for key, value in os.environ.items() if key[:2] != "PG"}
    return {**kept, "LC_ALL": "C"}


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
