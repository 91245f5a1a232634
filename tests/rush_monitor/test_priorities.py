"""Who goes first when the processors are busy."""

import os
import re
from pathlib import Path

import pytest

from rush_monitor.processes import AUTOGROUP, PAGES_NICE, WORK_NICE, give_way
from rush_monitor.spawn import fork
from tests.running import RunningUp

NICE = {"front": 0, "django": PAGES_NICE, "digest": WORK_NICE, "worker": WORK_NICE}


@pytest.mark.parametrize("name", NICE)
def test_taking_events_goes_before_all_else(up: RunningUp, name: str) -> None:
    mine = os.getpriority(os.PRIO_PROCESS, 0)
    assert os.getpriority(os.PRIO_PROCESS, up.pids()[name]) == mine + NICE[name]


def test_a_session_gives_way_as_a_whole(tmp_path: Path) -> None:
    seen = tmp_path / "seen"

    def look() -> None:
        give_way(7)
        group = AUTOGROUP.read_text(encoding="ascii") if AUTOGROUP.exists() else ""
        seen.write_text(group or "nice 7", encoding="ascii")

    with (tmp_path / "log").open("wb") as log:
        assert fork(look, title="look", output=log.fileno()).wait() == 0
    assert re.search(r"nice 7$", seen.read_text(encoding="ascii").strip())
