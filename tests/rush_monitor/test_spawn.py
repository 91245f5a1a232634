import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from rush_monitor.spawn import birth, fork, start, stop_stray, wait_until, works_in
from tests.running import ROOT


def run_forked(
    run: Callable[[], object], keep: tuple[int, ...] = ()
) -> tuple[int, str]:
    """The status and the output of a forked function."""
    reader, writer = os.pipe()
    child = fork(run, title="test", output=writer, keep=keep)
    os.close(writer)
    with open(reader, encoding="utf-8") as output:
        text = output.read()
    return child.wait(), text


def test_a_forked_function_prints_to_its_output() -> None:
    assert run_forked(lambda: os.write(1, b"hello")) == (0, "hello")


def test_a_forked_function_that_raises_ends_with_one_and_says_why() -> None:
    status, output = run_forked(lambda: 1 / 0)
    assert status == 1
    assert output.endswith("ZeroDivisionError: division by zero\n")


def test_a_forked_function_may_exit_with_a_status() -> None:
    assert run_forked(lambda: sys.exit(3))[0] == 3


def test_a_forked_child_that_is_killed_says_by_what() -> None:
    assert run_forked(lambda: os.kill(os.getpid(), signal.SIGKILL))[0] == -9


def test_a_forked_child_has_no_file_but_those_it_keeps() -> None:
    kept, other = os.pipe()

    def is_open(fd: int) -> bool:
        return Path(f"/dev/fd/{fd}").exists()

    def check() -> None:
        sys.exit(0 if is_open(kept) and not is_open(other) else 1)

    assert run_forked(check, keep=(kept,))[0] == 0
    os.close(kept)
    os.close(other)


def test_a_forked_child_leads_a_session_of_its_own() -> None:
    assert run_forked(lambda: sys.exit(os.getsid(0) != os.getpid()))[0] == 0


def test_a_forked_child_has_no_handler_of_its_parent() -> None:
    def check() -> None:
        sys.exit(signal.getsignal(signal.SIGINT) is not signal.SIG_DFL)

    assert run_forked(check)[0] == 0


def test_a_child_dies_with_its_killed_parent() -> None:
    program = (
        "import time; from rush_monitor.spawn import start;"
        "print(start(['sleep', '62']).pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE
    )
    assert parent.stdout
    with parent.stdout:
        pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    assert wait_until(lambda: not birth(pid), 5)


def test_a_process_works_in_its_directory(tmp_path: Path) -> None:
    child = start(["sleep", "63"], cwd=tmp_path)
    assert works_in(child.pid, tmp_path)
    assert not works_in(child.pid, tmp_path.parent)
    child.kill()
    child.wait()


def test_nobody_was_born_with_an_id_that_is_free() -> None:
    child = start(["true"])
    child.wait()
    assert birth(child.pid) == ""


def test_a_stray_that_stops_is_reported_gone() -> None:
    child = start(["sleep", "64"])
    assert stop_stray(child.pid, signal.SIGTERM, 5)
    child.wait()


def test_waiting_ends_at_its_time() -> None:
    begun = time.monotonic()
    assert not wait_until(lambda: False, 0.1)
    assert time.monotonic() - begun < 1
