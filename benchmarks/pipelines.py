"""Pipelines that wait for verdicts, as rush-gate does: one poll after the other."""

import asyncio
import contextlib
import multiprocessing
import random
import time
from collections.abc import Iterator, Sequence

from benchmarks.sender import Line

POLL_SECONDS = 55
START_SECONDS = 60.0


class Pipelines:
    """Clients in a process of their own, one for each deploy.

    They begin at random points of their polls, for pipelines start independently.
    """

    def __init__(self, port: int, token: str, deploys: Sequence[int]) -> None:
        context = multiprocessing.get_context("spawn")
        # Polls that wait, that were answered, and that were answered otherwise.
        self._counts = context.Array("q", 3)
        self._many = len(deploys)
        self._process = context.Process(
            target=_run, args=(port, token, list(deploys), self._counts), daemon=True
        )

    @contextlib.contextmanager
    def waiting(self) -> Iterator["Pipelines"]:
        """Wait during the block; raises TimeoutError when they cannot all wait."""
        self._process.start()
        try:
            deadline = time.monotonic() + START_SECONDS
            while self._counts[0] < self._many:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"only {self._counts[0]} pipelines wait")
                time.sleep(0.1)
            yield self
        finally:
            self._process.terminate()
            self._process.join()

    @property
    def polls(self) -> int:
        """How many were answered."""
        return int(self._counts[1])

    @property
    def failures(self) -> int:
        """How many were answered with anything but 200."""
        return int(self._counts[2])


def _run(port: int, token: str, deploys: Sequence[int], counts: "list[int]") -> None:
    async def run() -> None:
        await asyncio.gather(
            *(_wait_on(port, token, deploy, counts) for deploy in deploys)
        )

    asyncio.run(run())


async def _wait_on(port: int, token: str, deploy: int, counts: "list[int]") -> None:
    await asyncio.sleep(random.uniform(0, 5))
    seconds = random.randint(1, POLL_SECONDS)
    while True:
        line = Line(port)
        request = (
            f"GET /api/v1/deploys/{deploy}/verdict?wait={seconds} HTTP/1.1\r\n"
            f"Host: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\r\n"
        )
        counts[0] += 1
        status = await line.ask(request.encode())
        line.hang_up()
        counts[0] -= 1
        counts[1] += 1
        counts[2] += status != 200
        seconds = POLL_SECONDS
