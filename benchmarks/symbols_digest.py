"""Digests what symbols_fill.py prepares, in one process; prints figures as JSON.

What is timed is ``Digest`` as the worker runs it, from the inbox to the committed rows.
"""

import json
import os
import statistics
import subprocess
import sys
import threading
import time
from typing import Any

import django

django.setup()

from benchmarks import machine  # noqa: E402
from issues.digest.batch import Digest  # noqa: E402
from issues.models import Event  # noqa: E402

LOOK_SECONDS = 0.1


class Memory:
    """The most that this process and its reader took together, in bytes of PSS."""

    def __init__(self) -> None:
        self.peak = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> int:
        self._stopped.set()
        self._thread.join()
        return self.peak

    def _run(self) -> None:
        while not self._stopped.wait(LOOK_SECONDS):
            now = machine.pss_bytes(machine.family(os.getpid()))
            self.peak = max(self.peak, now)


def drain(digest: Digest) -> dict[str, float]:
    """Seconds until the inbox is empty, and the CPU of the process and its reader."""
    before = machine.cpu_seconds(machine.family(os.getpid()))
    began = time.perf_counter()
    events, slowest = 0, 0.0
    while True:
        batch = time.perf_counter()
        result = digest.batch()
        if not result.envelopes:
            break
        assert not result.dead
        events += result.events
        slowest = max(slowest, time.perf_counter() - batch)
    seconds = time.perf_counter() - began
    spent = machine.cpu_seconds(machine.family(os.getpid())) - before
    return {
        "events": events,
        "seconds": seconds,
        "cpu_ms": 1000 * spent / events,
        "slowest_batch": slowest,
    }


def mapped_share() -> float:
    """Of the newest events the share of frames that were resolved."""
    marks = [
        "minified" in frame.get("_rush", {})
        for row in Event.objects.order_by("-pk")[:200]
        for frame in row.payload["exception"]["values"][0]["stacktrace"]["frames"]
    ]
    return statistics.mean(marks)


def fill(told: dict[str, Any], step: str, seed: int = 0) -> str:
    """What a step of symbols_fill prints; a process of its own has its own memory."""
    asked = json.dumps({**told, "step": step, "seed": told["seed"] + seed})
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.symbols_fill", asked],
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return done.stdout


def main() -> None:
    told = json.loads(sys.argv[1])
    answer: dict[str, Any] = json.loads(fill(told, "upload").splitlines()[-1])
    digest = Digest(500)
    digest.batch()
    answer["idle"] = machine.pss_bytes(machine.family(os.getpid()))
    loads = [("none", "none"), ("cold", "random"), ("random", "random")]
    for seed, (name, step) in enumerate([*loads, ("sites", "sites")]):
        fill(told, step, seed)
        memory = Memory()
        answer[name] = {**drain(digest), "peak": memory.stop()}
        answer[name]["mapped"] = mapped_share()
    digest.close()
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
