import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rush_monitor.lock import Record, locked
from rush_monitor.spawn import birth, start
from rush_monitor.unprivileged import EngineError
from tests.running import ROOT


def test_a_second_lock_names_who_holds_the_first(tmp_path: Path) -> None:
    with (
        locked(tmp_path),
        pytest.raises(EngineError, match=rf"\(pid {os.getpid()}\) runs on"),
        locked(tmp_path),
    ):
        pass


def test_the_lock_is_free_after_its_block(tmp_path: Path) -> None:
    with locked(tmp_path):
        pass
    with locked(tmp_path):
        assert (tmp_path / "up.lock").read_text() == str(os.getpid())


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path\n"
        "from rush_monitor.lock import locked\n"
        "with locked(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout
    with holder.stdout:
        assert holder.stdout.readline() == b"held\n"
    with pytest.raises(EngineError), locked(tmp_path):
        pass
    holder.kill()
    holder.wait()
    with locked(tmp_path):
        pass


def test_recorded_processes_that_still_run_are_stopped(tmp_path: Path) -> None:
    left = start(["sleep", "65"])
    record = Record(tmp_path / "children.json")
    record.write({"web": left.pid})
    record.stop_left_over(but=())
    assert left.wait() == -15


def test_a_recorded_engine_is_left_to_itself(tmp_path: Path) -> None:
    left = start(["sleep", "66"])
    record = Record(tmp_path / "children.json")
    record.write({"postgres": left.pid})
    record.stop_left_over(but={"postgres"})
    assert birth(left.pid)
    left.kill()
    left.wait()


def test_a_stranger_with_the_id_of_a_recorded_process_is_spared(
    tmp_path: Path,
) -> None:
    stranger = start(["sleep", "67"])
    path = tmp_path / "children.json"
    path.write_text(json.dumps({"web": [stranger.pid, "an earlier birth"]}))
    Record(path).stop_left_over(but=())
    assert birth(stranger.pid)
    stranger.kill()
    stranger.wait()


def test_without_a_record_nothing_is_stopped(tmp_path: Path) -> None:
    Record(tmp_path / "children.json").stop_left_over(but=())
