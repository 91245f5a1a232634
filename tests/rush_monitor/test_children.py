"""Children of real processes: restarts, the log, the order of the stop."""

import io
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rush_monitor.children import (
    RESTART_SIGNAL,
    STOP_SIGNALS,
    Child,
    Children,
    Log,
    StopRequested,
)
from rush_monitor.spawn import start


def shell(script: str) -> Callable[[int], subprocess.Popen[bytes]]:
    def run(output: int) -> subprocess.Popen[bytes]:
        argv = ["/bin/sh", "-c", script]
        return start(argv, stdout=output, stderr=subprocess.STDOUT)

    return run


class Family:
    """Children, and what they and their keeper said."""

    def __init__(self) -> None:
        self.stream = io.StringIO()
        self.changes: list[dict[str, int]] = []
        self.children = Children(Log(self.stream), self.changes.append)

    def add(self, name: str, script: str, **options: object) -> None:
        settings = {"rank": 0, "grace": 5, **options}
        self.children.add(Child(name, shell(script), **settings))  # type: ignore[arg-type]

    @property
    def lines(self) -> list[str]:
        return self.stream.getvalue().splitlines()

    def until(self, text: str, times: int = 1) -> bool:
        return self.children.wait(
            lambda: self.stream.getvalue().count(text) >= times, 10
        )


@pytest.fixture
def family() -> Iterator[Family]:
    numbers = (*STOP_SIGNALS, RESTART_SIGNAL, signal.SIGCHLD)
    handlers = {number: signal.getsignal(number) for number in numbers}
    family = Family()
    yield family
    family.children.stop()
    signal.set_wakeup_fd(-1)
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_a_line_begins_with_the_name_of_its_child(family: Family) -> None:
    family.add("web", "echo hello; sleep 60")
    assert family.until("hello")
    assert family.lines == ["web      | hello"]


def test_empty_and_hidden_lines_are_not_shown(family: Family) -> None:
    family.add("web", "echo; echo a secret; echo end; sleep 60", hidden=("secret",))
    assert family.until("end")
    assert family.lines == ["web      | end"]


def test_a_last_line_without_an_end_is_shown(family: Family) -> None:
    family.add("web", "printf half", again="never")
    assert family.until("half")


def test_json_lines_pass_and_others_are_wrapped() -> None:
    stream = io.StringIO()
    log = Log(stream, as_json=True)
    log.line("web", '{"event": "a"}')
    log.line("postgres", "LOG:  ready")
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert first == {"event": "a"}
    assert second == {"logger": "postgres", "event": "LOG:  ready"}


def test_names_are_coloured_on_a_terminal_only() -> None:
    stream = io.StringIO()
    stream.isatty = lambda: True  # type: ignore[method-assign]
    Log(stream).line("web", "hello")
    assert stream.getvalue() == "\x1b[36mweb      |\x1b[0m hello\n"


def test_a_closed_terminal_does_not_stop_the_keeping(family: Family) -> None:
    family.add("web", "read never; sleep 60")
    family.stream.close()
    os.kill(family.changes[-1]["web"], signal.SIGKILL)
    changes = len(family.changes)
    assert family.children.wait(lambda: len(family.changes) > changes + 1, 10)


def test_a_child_that_dies_starts_again_at_once(family: Family) -> None:
    family.add("web", "echo up; sleep 60")
    assert family.until("up")
    begun = time.monotonic()
    os.kill(family.changes[-1]["web"], signal.SIGKILL)
    assert family.until("| up", times=2)
    assert time.monotonic() - begun < 0.5
    assert "up       | web died of SIGKILL; starting it again now" in family.lines


def test_a_child_that_keeps_dying_waits_longer_each_time(family: Family) -> None:
    family.add("web", "exit 3")
    assert family.until("starting it again", times=3)
    pauses = [line.rpartition("again ")[2] for line in family.lines]
    assert pauses == ["now", "in 0.5 s", "in 1 s"]
    assert (
        family.lines[0] == "up       | web ended with status 3; starting it again now"
    )


def test_a_program_that_cannot_start_is_tried_again(family: Family) -> None:
    def missing(output: int) -> subprocess.Popen[bytes]:
        return start(["/nowhere"], stdout=output)

    family.children.add(Child("web", missing, 0, 5))
    assert family.until("web did not start; starting it again", times=2)


def test_a_child_that_may_end_well_is_not_started_again(family: Family) -> None:
    family.add("demo", "exit 0", again="after failure")
    assert family.children.wait(lambda: family.children.status("demo") == 0, 10)
    family.children.turn(0.1)
    assert family.lines == []


def test_a_child_that_should_end_well_is_started_again_when_not(family: Family) -> None:
    family.add("demo", "exit 1", again="after failure")
    assert family.until("demo ended with status 1; starting it again now")


def test_a_dead_child_takes_its_own_children_with_it(
    family: Family, tmp_path: Path
) -> None:
    grandchild = tmp_path / "pid"
    family.add(
        "web", f"sleep 61 & echo $! > {grandchild}; echo up; wait", again="never"
    )
    assert family.until("up")
    pid = int(grandchild.read_text())
    os.kill(family.changes[-1]["web"], signal.SIGKILL)
    assert family.children.wait(lambda: is_gone(pid), 10)


def is_gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state == "Z"


def test_lower_ranks_stop_before_higher_ones(family: Family) -> None:
    wait = "echo up; while :; do sleep 0.05; done"
    script = "trap 'sleep 0.2; echo {0} ends; exit' TERM; " + wait
    family.add("database", script.format("database"), rank=2)
    family.add("work", script.format("work"), rank=1)
    family.add("web", script.format("web"), rank=0)
    assert family.until("up", times=3)
    family.children.stop()
    ends = [line.split()[2] for line in family.lines if line.endswith("ends")]
    assert ends == ["web", "work", "database"]


def test_a_child_that_does_not_stop_is_killed(family: Family) -> None:
    family.add("web", "trap '' TERM; echo up; while :; do sleep 1; done", grace=0.3)
    assert family.until("| up")
    family.children.stop()
    assert family.children.pid("web") is None
    assert family.lines[-1] == "up       | web does not stop: SIGKILL"


def test_a_second_stop_signal_cuts_the_grace(family: Family) -> None:
    family.add("web", "trap '' TERM; echo up; while :; do sleep 1; done", grace=30)
    assert family.until("| up")
    family.children.stop_signals = 2
    begun = time.monotonic()
    family.children.stop()
    assert time.monotonic() - begun < 5


def test_a_stop_signal_ends_a_wait(family: Family) -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(StopRequested):
        family.children.wait(lambda: False, 10)


def test_a_stop_signal_ends_the_keeping(family: Family) -> None:
    family.add("web", f"sleep 0.2; kill -INT {os.getpid()}; sleep 60")
    begun = time.monotonic()
    family.children.keep()
    assert time.monotonic() - begun < 4


def test_every_change_of_the_children_is_told(family: Family) -> None:
    family.add("web", "sleep 60")
    family.children.stop()
    assert [list(change) for change in family.changes] == [["web"], []]
