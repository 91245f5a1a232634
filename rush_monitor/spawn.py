"""Starts child processes that do not outlive their parent, and finds strays."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

# What a child does to itself between fork and exec, e.g. to shed the rights of root.
Become = Callable[[], None]

_LIBC = None if sys.platform == "win32" else ctypes.CDLL(None, use_errno=True)
_HAS_PROC = Path("/proc/self/stat").exists()
_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_CLONE_NEWUSER = 0x10000000
# What a forked child must not inherit a handler of.
_RESET = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGCHLD,
    signal.SIGUSR2,
)


def start(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    become: Become | None = None,
    death_signal: signal.Signals = signal.SIGTERM,
    pass_fds: Sequence[int] = (),
    stdin: int = subprocess.DEVNULL,
    stdout: int | None = None,
    stderr: int | None = None,
) -> subprocess.Popen[bytes]:
    """Start ``argv`` in a session of its own, so that Ctrl-C reaches only the parent.

    On Linux the child gets ``death_signal`` when the calling thread ends, however it
    ends. Raises OSError or subprocess.SubprocessError when the child cannot start.
    """
    parent = os.getpid()

    def before_exec() -> None:
        if become:
            become()
        # After become(): the kernel forgets the signal when the user changes.
        _die_with(parent, death_signal)

    return subprocess.Popen(
        list(argv),
        env=dict(env) if env is not None else None,
        cwd=cwd,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        pass_fds=pass_fds,
        start_new_session=True,
        # Every caller is single-threaded: nothing can hold a lock across the fork.
        preexec_fn=before_exec,  # noqa: PLW1509
    )


def _die_with(parent: int, death_signal: signal.Signals) -> None:
    if sys.platform == "linux":
        _call("prctl", _PR_SET_PDEATHSIG, int(death_signal))
        if os.getppid() != parent:
            os._exit(1)


class Forked:
    """A child that is a copy of this process: its id, and its end."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def wait(self) -> int:
        """Its exit status, the negative signal number when it was killed."""
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def fork(
    run: Callable[[], object], *, title: str, output: int, keep: Sequence[int] = ()
) -> Forked:
    """Run a function in a copy of this process, which shares what is loaded.

    The copy is to the caller what ``start`` makes of a program: a session of its own,
    both output streams in ``output``, no open file but those and ``keep``, default
    signal handlers, and SIGTERM when the calling thread ends.
    """
    parent = os.getpid()
    sys.stdout.flush()
    sys.stderr.flush()
    # Else a stop signal sent to the newborn would be noted by our handler, and lost.
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, _RESET)
    pid = os.fork()
    if pid:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        return Forked(pid)
    status = 1
    try:
        _leave_parent(parent, title, output, keep)
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        run()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(bool(end.code))
    except BaseException:  # whatever it is, it must not unwind into the parent's code
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def _leave_parent(parent: int, title: str, output: int, keep: Sequence[int]) -> None:
    os.setsid()
    _die_with(parent, signal.SIGTERM)
    signal.set_wakeup_fd(-1)
    for number in _RESET:
        signal.signal(number, signal.SIG_DFL)
    if sys.platform == "linux":
        # What `ps -o comm` and `top` show; the command line stays the parent's.
        name = ctypes.create_string_buffer(f"rush:{title}".encode()[:15])
        _call("prctl", _PR_SET_NAME, ctypes.addressof(name))
    null = os.open(os.devnull, os.O_RDONLY)
    for fd, target in ((null, 0), (output, 1), (output, 2)):
        os.dup2(fd, target)
    # The parent's own may be someone else's, such as those of a test runner.
    sys.stdout = os.fdopen(1, "w", buffering=1, errors="replace", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="replace", closefd=False)
    lowest = 3
    for fd in sorted(keep):
        os.closerange(lowest, fd)
        lowest = fd + 1
    os.closerange(lowest, os.sysconf("SC_OPEN_MAX"))


def _call(function: str, *arguments: int) -> None:
    wide = (ctypes.c_ulong(argument) for argument in arguments)
    if getattr(_LIBC, function)(*wide) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{function}: {os.strerror(number)}")


def enter_user_namespace() -> None:
    """Turn root into an ordinary user (1000) who still owns what root owns.

    No account is made and no file changes its owner or mode. Linux only; raises
    OSError where user namespaces are switched off, as in many containers.
    """
    uid, gid = os.geteuid(), os.getegid()
    _call("unshare", _CLONE_NEWUSER)
    for name, line in (
        ("setgroups", "deny"),
        ("uid_map", f"1000 {uid} 1"),
        ("gid_map", f"1000 {gid} 1"),
    ):
        Path(f"/proc/self/{name}").write_text(line, encoding="ascii")


def become_user(uid: int, gid: int) -> Become:
    """A Become that gives up root for good in favour of an existing account."""

    def switch() -> None:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)

    return switch


def works_in(pid: int, directory: Path) -> bool:
    """Whether a process has ``directory`` as its own, as a PostgreSQL server does."""
    if _HAS_PROC:
        try:
            return os.path.samefile(f"/proc/{pid}/cwd", directory)
        except OSError:
            return False
    return str(directory) in _ps(pid, "command=")


def birth(pid: int) -> str:
    """When a process began, as text that a later process of that id cannot repeat.

    '' when no such process runs.
    """
    if _HAS_PROC:
        try:
            stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
        except OSError:
            return ""
        # The name in brackets may hold spaces; state is field 3, start time field 22.
        fields = stat.rpartition(")")[2].split()
        return "" if fields[0] == "Z" else fields[19]
    return _ps(pid, "lstart=")


def _ps(pid: int, column: str) -> str:
    answer = subprocess.run(
        ["ps", "-o", column, "-p", str(pid)], capture_output=True, check=False
    )
    return answer.stdout.decode(errors="replace").strip()


def signal_group(pid: int, number: signal.Signals) -> bool:
    """Signal a child's whole process group; False when nobody is left in it."""
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Poll ``condition``; False when it does not hold within ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def stop_stray(pid: int, number: signal.Signals, seconds: float) -> bool:
    """Ask a process that is not our child to stop; False when it is still there."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
    return wait_until(lambda: not birth(pid), seconds)
