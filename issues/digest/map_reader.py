"""Speaks to the process that reads source maps; starts it when it is needed."""

import subprocess
import sys
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import orjson

from issues.digest.symbolicate import CONTEXT_LINES, Place

PROGRAM = Path(__file__).with_name("map_process.py")
# A map of 37 MB took 1.6 s.
SECONDS = 3.0
SECONDS_PER_MIB = 0.3


class MapError(Exception):
    """A map that cannot be used; the text says why."""


class MapReaderDied(Exception):
    """The process ended over what it was asked, and with it all that it had loaded."""


class MapReader:
    """Maps by key, loaded into one process; not for use by several threads."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def load(self, key: str, script: bytes, source_map: bytes) -> int:
        """Read a map with its script (may be empty); how many bytes it takes.

        Raises MapError, or MapReaderDied.
        """
        size = len(script) + len(source_map)
        request = {
            "load": key,
            "script": len(script),
            "map": len(source_map),
            "seconds": SECONDS + SECONDS_PER_MIB * size / (1 << 20),
        }
        answer = self._ask(request, script, source_map)
        if "error" in answer:
            raise MapError(answer["error"])
        return int(answer["size"])

    def look(self, wanted: Sequence[tuple[str, int, int]]) -> list[Place | None]:
        """The places of 1-based lines and columns in loaded maps; or MapReaderDied."""
        answer = self._ask({"look": wanted, "lines": CONTEXT_LINES})
        return [None if told is None else _place(*told) for told in answer["places"]]

    def drop(self, keys: Collection[str]) -> None:
        """Forget loaded maps."""
        if self._process is not None:
            self._send({"drop": list(keys)})

    def close(self) -> None:
        """End the process; the next question starts another."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        for pipe in (process.stdin, process.stdout):
            # What was not sent any more cannot be.
            with suppress(OSError):
                if pipe is not None:
                    pipe.close()
        process.wait()

    def _ask(self, request: dict[str, Any], *contents: bytes) -> dict[str, Any]:
        answer: dict[str, Any] | None = None
        if self._send(request, *contents):
            line = self._pipes()[1].readline()
            answer = orjson.loads(line) if line.endswith(b"\n") else None
        if answer is None:
            self.close()
            raise MapReaderDied
        return answer

    def _send(self, request: dict[str, Any], *contents: bytes) -> bool:
        into, _ = self._pipes()
        try:
            into.writelines([orjson.dumps(request), b"\n", *contents])
            into.flush()
        except OSError:
            return False
        return True

    def _pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        if self._process is None:
            self._process = subprocess.Popen(
                # -P: the directory of the program holds modules of common names.
                [sys.executable, "-P", str(PROGRAM)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                # It ends with this process, at the end of its input, not by Ctrl-C.
                start_new_session=True,
            )
        process = self._process
        assert process.stdin is not None and process.stdout is not None
        return process.stdin, process.stdout


def _place(
    source: str,
    line: int,
    column: int,
    function: str,
    context: str | None,
    before: Sequence[str],
    after: Sequence[str],
) -> Place:
    return Place(source, line, column, function, context, tuple(before), tuple(after))
