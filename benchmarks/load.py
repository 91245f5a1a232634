"""The load: 2,000 bodies shaped as SDKs send them, posted by wrk."""

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.make_workload import make_workload

BODIES = 2000
SEED = 7
SCRIPT = Path(__file__).resolve().parent / "send.lua"
# The times that the generator writes; they become the time of the run.
WRITTEN_SENT_AT = "2026-11-23T09:00:00.000Z"


@dataclass(frozen=True, slots=True)
class Answers:
    """What wrk saw; latencies in milliseconds."""

    answered: int
    refused: int
    broken: int
    seconds: float
    p50: float
    p99: float
    max: float

    @property
    def accepted(self) -> int:
        return self.answered - self.refused


def need_wrk() -> None:
    """End with a clear message where wrk is missing."""
    if shutil.which("wrk") is None:
        sys.exit("wrk is missing: apt-get install wrk (or brew install wrk)")


def fresh_bodies(count: int = BODIES, seed: int = SEED) -> list[str]:
    """The load's envelopes, sent now: ``sent_at`` equals the events' own time.

    Without this the clock correction would move every event to the day of its making.
    """
    now = datetime.now(UTC)
    stamp = now.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    return [_stamped(body, stamp, now) for body in make_workload(count, seed)]


def _stamped(body: str, stamp: str, now: datetime) -> str:
    head, item, payload, end = body.split("\n")
    event = json.loads(payload)
    event["timestamp"] = now.timestamp()
    payload = json.dumps(event, separators=(",", ":"))
    size = len(payload.encode()) + (32 - len("@@EVENT_ID@@")) * payload.count(
        "@@EVENT_ID@@"
    )
    item = json.dumps({**json.loads(item), "length": size}, separators=(",", ":"))
    return "\n".join([head.replace(WRITTEN_SENT_AT, stamp), item, payload, end])


def write_workload(directory: Path, count: int = BODIES, seed: int = SEED) -> None:
    """Write the envelopes as files, for wrk."""
    directory.mkdir(parents=True, exist_ok=True)
    for number, body in enumerate(fresh_bodies(count, seed)):
        path = directory / f"{number:05}.envelope"
        path.write_text(body, encoding="utf-8")


def start_wrk(
    url: str, arguments: Sequence[str], seconds: float, connections: int
) -> subprocess.Popen[str]:
    """Post envelopes for ``seconds`` over ``connections``.

    ``arguments``: project id, public key and the directory with the envelopes.
    """
    options = ["-t1", f"-c{connections}", f"-d{seconds:.0f}s", "--timeout", "15s"]
    return subprocess.Popen(
        ["wrk", *options, "-s", str(SCRIPT), url, "--", *arguments],
        stdout=subprocess.PIPE,
        text=True,
    )


def answers(process: subprocess.Popen[str]) -> Answers:
    """Wait for wrk and read what it measured."""
    output, _ = process.communicate()
    lines = [line for line in output.splitlines() if line.startswith("{")]
    if process.returncode or not lines:
        sys.exit(f"wrk ended with status {process.returncode}:\n{output}")
    return Answers(**json.loads(lines[-1]))
