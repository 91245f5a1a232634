"""Keeps child processes running: reads their output, starts again what dies.

One thread, one selector. Standard library only, so that the supervisor stays small.
"""

import contextlib
import json
import os
import selectors
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol, TextIO

from rush_monitor.spawn import signal_group, wait_until

COLOURS = (36, 33, 32, 35, 34, 31)
STEADY_SECONDS = 10.0  # a child that lived this long starts again at once

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
RESTART_SIGNAL = signal.SIGUSR2

Again = Literal["always", "after failure", "never"]


class StopRequested(Exception):
    """Ctrl-C or SIGTERM came while something was being waited for."""


class Log:
    """Lines of all children in one stream, each with the name of who wrote it."""

    def __init__(self, stream: TextIO, *, as_json: bool = False) -> None:
        self._stream = stream
        self._as_json = as_json
        self._colours: dict[str, int] | None = {} if stream.isatty() else None

    def line(self, name: str, text: str) -> None:
        if self._as_json:
            is_object = text.startswith("{")
            self.raw(text if is_object else json.dumps({"logger": name, "event": text}))
            return
        prefix = f"{name:<9}|"
        if self._colours is not None:
            colour = COLOURS[len(self._colours) % len(COLOURS)]
            prefix = f"\x1b[{self._colours.setdefault(name, colour)}m{prefix}\x1b[0m"
        self.raw(f"{prefix} {text}")

    def block(self, text: str) -> None:
        """Text for a person, without a name before each line."""
        for line in text.splitlines():
            if self._as_json:
                self.line("up", line)
            else:
                self.raw(line)

    def raw(self, text: str) -> None:
        # A closed terminal or a finished `| head` must not stop the service.
        with contextlib.suppress(OSError, ValueError):
            print(text, file=self._stream, flush=True)


class Process(Protocol):
    """A started process, whether a program or a copy of this one."""

    @property
    def pid(self) -> int: ...

    def wait(self) -> int:
        """Its exit status, the negative signal number when it was killed."""


@dataclass(frozen=True)
class Child:
    """A process to keep running.

    ``start`` takes the file descriptor for its output. Children of a lower ``rank``
    stop earlier; ``grace`` is what they get for it, in seconds, before the
    ``last_signal``. Lines that contain one of ``hidden`` are not shown. After quick
    deaths it starts again later and later, up to ``longest_pause`` seconds.
    """

    name: str
    start: Callable[[int], Process]
    rank: int
    grace: float
    stop_signal: signal.Signals = signal.SIGTERM
    last_signal: signal.Signals = signal.SIGKILL
    again: Again = "always"
    hidden: tuple[str, ...] = ()
    longest_pause: float = 10.0


@dataclass
class _Kept:
    child: Child
    process: Process | None = None
    started: float = 0.0
    quick_deaths: int = 0
    start_at: float | None = None
    status: int | None = None
    rest: dict[int, bytes] = field(default_factory=dict)


class Children:
    """The running children. ``changed`` is called when the set of pids changes."""

    def __init__(self, log: Log, changed: Callable[[dict[str, int]], None]) -> None:
        self._log = log
        self._changed = changed
        self._kept: dict[str, _Kept] = {}
        self._selector = selectors.DefaultSelector()
        self._stopping = False
        self.stop_signals = 0
        self.restart_wanted = False
        self._waker, wake = socket.socketpair()
        for end in (self._waker, wake):
            end.setblocking(False)
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        self._wake = wake
        self._selector.register(self._waker, selectors.EVENT_READ)
        for number in (*STOP_SIGNALS, RESTART_SIGNAL):
            signal.signal(number, self._on_stop_signal)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # only to wake the selector

    def _on_stop_signal(self, number: int, _: object) -> None:
        self.stop_signals += 1
        self.restart_wanted = number == RESTART_SIGNAL

    def pid(self, name: str) -> int | None:
        """The process id of a child, None while it does not run."""
        kept = self._kept.get(name)
        return kept.process.pid if kept and kept.process else None

    def status(self, name: str) -> int | None:
        """The exit status of a child that runs once, None before its end."""
        return self._kept[name].status

    def add(self, child: Child) -> None:
        """Start a child and keep it running from now on."""
        self._kept[child.name] = kept = _Kept(child)
        self._start(kept)

    def _start(self, kept: _Kept) -> None:
        kept.start_at, kept.started = None, time.monotonic()
        reader, writer = os.pipe()
        try:
            kept.process = kept.child.start(writer)
        except (OSError, subprocess.SubprocessError) as error:
            os.close(reader)
            self._log.line(kept.child.name, f"cannot start: {error}")
            kept.status = 127  # as a shell says it
            if kept.child.again != "never":
                self._plan_restart(kept, "did not start")
            return
        finally:
            os.close(writer)
        os.set_blocking(reader, False)
        self._selector.register(reader, selectors.EVENT_READ, kept)
        self._tell()

    def _tell(self) -> None:
        running = ((kept.child.name, kept.process) for kept in self._kept.values())
        self._changed({name: process.pid for name, process in running if process})

    def turn(self, seconds: float) -> None:
        """Wait up to ``seconds`` for something to happen, and deal with it."""
        due = [kept.start_at for kept in self._kept.values() if kept.start_at]
        pause = max(0.0, min([seconds, *(when - time.monotonic() for when in due)]))
        for key, _ in self._selector.select(pause):
            if isinstance(key.data, _Kept):
                self._read(key.fd, key.data)
            else:
                self._waker.recv(4096)
        for kept in self._kept.values():
            if kept.process:
                self._reap(kept, kept.process)
            elif kept.start_at and kept.start_at <= time.monotonic():
                self._start(kept)

    def _read(self, fd: int, kept: _Kept) -> None:
        try:
            data = os.read(fd, 65536)
        except BlockingIOError:
            return
        lines = (kept.rest.pop(fd, b"") + data).split(b"\n")
        last = lines.pop()
        if not data:
            self._selector.unregister(fd)
            os.close(fd)
            lines += [last] if last else []
        else:
            kept.rest[fd] = last
        for line in lines:
            text = line.decode(errors="replace").rstrip()
            if text and not any(part in text for part in kept.child.hidden):
                self._log.line(kept.child.name, text)

    def _reap(self, kept: _Kept, process: Process) -> None:
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        if os.waitid(os.P_PID, process.pid, options) is None:
            return
        # Before its id is free again: nobody of its group may outlive it.
        signal_group(process.pid, signal.SIGKILL)
        kept.status, kept.process = process.wait(), None
        again = kept.child.again
        wanted = again == "always" or (again == "after failure" and kept.status != 0)
        if wanted and not self._stopping:
            self._plan_restart(kept, _ending(kept.status))
        self._tell()

    def _plan_restart(self, kept: _Kept, ending: str) -> None:
        now = time.monotonic()
        if now - kept.started >= STEADY_SECONDS:
            kept.quick_deaths = 0
        pause = 0.0
        if kept.quick_deaths:
            pause = min(kept.child.longest_pause, 0.25 * 2**kept.quick_deaths)
        kept.quick_deaths += 1
        kept.start_at = now + pause
        when = f"in {pause:g} s" if pause else "now"
        self._log.line("up", f"{kept.child.name} {ending}; starting it again {when}")

    def wait(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Turn until ``condition`` holds; False when ``seconds`` are over.

        Raises StopRequested when a stop signal comes first.
        """
        deadline = time.monotonic() + seconds
        while not condition():
            if self.stop_signals:
                raise StopRequested
            if time.monotonic() >= deadline:
                return False
            self.turn(0.05)
        return True

    def keep(self) -> None:
        """Turn until a stop signal comes."""
        while not self.stop_signals:
            self.turn(5.0)

    def stop(self) -> None:
        """Stop every child, rank by rank; a second stop signal cuts the grace."""
        self._stopping = True
        for kept in self._kept.values():
            kept.start_at = None
        for rank in sorted({kept.child.rank for kept in self._kept.values()}):
            self._stop_rank([k for k in self._kept.values() if k.child.rank == rank])
        wait_until(self._has_read_all, 1)

    def _has_read_all(self) -> bool:
        self.turn(0)
        return len(self._selector.get_map()) == 1

    def _stop_rank(self, members: list[_Kept]) -> None:
        for attempt in ("stop", "last", "kill"):
            alive = [kept for kept in members if kept.process]
            for kept in alive:
                self._signal(kept, attempt)
            begun = time.monotonic()
            while alive := [kept for kept in members if kept.process]:
                grace = max(kept.child.grace for kept in alive)
                if time.monotonic() - begun > (1.0 if self.stop_signals > 1 else grace):
                    break
                self.turn(0.05)

    def _signal(self, kept: _Kept, attempt: str) -> None:
        child, process = kept.child, kept.process
        if process is None:
            return
        if attempt == "stop":
            os.kill(process.pid, child.stop_signal)
            return
        number = child.last_signal if attempt == "last" else signal.SIGKILL
        self._log.line("up", f"{child.name} does not stop: {number.name}")
        signal_group(process.pid, number)


def _ending(status: int) -> str:
    if status < 0:
        return f"died of {signal.Signals(-status).name}"
    return f"ended with status {status}"
