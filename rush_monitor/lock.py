"""What one run on a data directory holds alone: its lock and its list of children."""

import contextlib
import fcntl
import json
import os
import signal
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from rush_monitor.spawn import birth, signal_group, wait_until
from rush_monitor.unprivileged import EngineError


@contextlib.contextmanager
def locked(data_dir: Path) -> Iterator[None]:
    """Keep every other ``up`` and ``restore`` off this directory for the block.

    The lock ends with this process, however it ends. Raises EngineError naming the
    process that holds it.
    """
    path = data_dir / "up.lock"
    with path.open("a+", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = path.read_text(encoding="ascii") or "unknown"
            raise EngineError(
                f"Another `manage.py up` (pid {holder}) runs on {data_dir}: stop it "
                f"(kill {holder}), or set DATA_DIR to another directory."
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


class Record:
    """The pids of our children on disk, for the ``up`` that follows a killed one."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, pids: Mapping[str, int]) -> None:
        text = json.dumps({name: [pid, birth(pid)] for name, pid in pids.items()})
        fresh = self._path.with_suffix(".new")
        # A full disk must not take the supervisor down: then nothing is recorded.
        with contextlib.suppress(OSError):
            fresh.write_text(text, encoding="utf-8")
            fresh.replace(self._path)

    def stop_left_over(self, *, but: Collection[str]) -> None:
        """Stop what a killed supervisor left, but for the children named in ``but``.

        On Linux it has stopped by itself, unless it hangs.
        """
        try:
            recorded = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return
        rows = [row for name, row in recorded.items() if name not in but]
        left = [pid for pid, born in rows if born and birth(pid) == born]
        for pid in left:
            signal_group(pid, signal.SIGTERM)
        wait_until(lambda: not any(birth(pid) for pid in left), 5)
        for pid in left:
            signal_group(pid, signal.SIGKILL)
