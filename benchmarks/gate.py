"""Do 200 pipelines that wait for a verdict slow anybody else down?

Sends a steady load of API lists and events, with nobody waiting and with 200 pipelines
waiting, in turn, and compares the times of the answers, threads and database
connections. Takes about ten minutes.

    python -m benchmarks.gate [--pipelines 200] [--rounds 5] [--seconds 45] [--dry]
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import httpx

from benchmarks import load, machine
from benchmarks.meters import every
from benchmarks.page import publish, table
from benchmarks.pipelines import Pipelines
from benchmarks.sender import EVENT_ID, Line
from benchmarks.system import ROOT, Connection, System, running_system

MOST_GROWTH = 1.2
BODIES = 300
FILL_SECONDS = 10.0
SETTLE_SECONDS = 5.0
LIST = "/api/v1/issues/?per_page=25"
# Requests per second, and the connections that they share.
LISTS = (20.0, 4)
EVENTS = (40.0, 8)
SERVICES = ("front", "django")
COUNTED = ("threads", "connections")
PREPARE = """
import json
from tenants.tokens import issue_token

scopes = ["issue:read", "release:write"]
_, token = issue_token("benchmark", scopes, base_url="http://x", organization="rush")
print(json.dumps(token))
"""
CONNECTIONS = """
SELECT count(*) FROM pg_stat_activity
WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
"""


@dataclass
class Arm:
    """What was seen while nobody, or everybody, waited; the most of what is counted."""

    lists: list[float] = field(default_factory=list)  # milliseconds
    events: list[float] = field(default_factory=list)
    refused: int = 0
    threads: int = 0
    connections: int = 0
    front_bytes: int = 0
    polls: int = 0

    @property
    def p95(self) -> tuple[float, float]:
        """Milliseconds of the lists and of the events."""
        lists, events = (statistics.quantiles(t, n=100)[94] for t in self.times)
        return lists, events

    @property
    def times(self) -> tuple[list[float], list[float]]:
        return self.lists, self.events


@dataclass(frozen=True)
class Round:
    """The same load twice."""

    nobody: Arm
    waiting: Arm

    @property
    def growth(self) -> tuple[float, float]:
        """How much longer lists and events took at their p95, 1 for the same."""
        before, after = self.nobody.p95, self.waiting.p95
        return after[0] / before[0], after[1] / before[1]


class Bench:
    """A running system with issues in it, a token, and deploys to wait for."""

    def __init__(self, system: System, pipelines: int) -> None:
        self._system = system
        self._bodies = [body.encode() for body in load.fresh_bodies(BODIES)]
        self._token = self._make_token()
        self._deploys = [self._deploy(number) for number in range(pipelines)]
        self.measure(FILL_SECONDS)
        time.sleep(SETTLE_SECONDS)

    def _make_token(self) -> str:
        told = subprocess.run(
            [sys.executable, "manage.py", "shell", "-v", "0", "-c", PREPARE],
            cwd=ROOT,
            env=self._system.environment(),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return str(json.loads(told.stdout.splitlines()[-1]))

    def _deploy(self, number: int) -> int:
        """A deploy in an environment of its own, so that none supersedes another."""
        body = {"project": "default", "release": "1", "environment": f"e{number}"}
        answer = httpx.post(
            f"{self._system.base_url}/api/v1/deploys/",
            json=body,
            headers={"authorization": f"Bearer {self._token}"},
        )
        answer.raise_for_status()
        return int(answer.json()["id"])

    def round(self, seconds: float, *, waiting_first: bool) -> Round:
        """Both arms; which comes first changes, so that drift is nobody's."""
        waiting = self._measure_waiting(seconds) if waiting_first else None
        time.sleep(SETTLE_SECONDS)
        nobody = self.measure(seconds)
        return Round(nobody, waiting or self._measure_waiting(seconds))

    def _measure_waiting(self, seconds: float) -> Arm:
        crowd = Pipelines(self._system.port, self._token, self._deploys)
        with crowd.waiting():
            time.sleep(SETTLE_SECONDS)
            before = crowd.polls
            arm = self.measure(seconds)
            arm.polls = crowd.polls - before
            arm.refused += crowd.failures
        return arm

    def measure(self, seconds: float) -> Arm:
        """Send the load for so long."""
        arm = Arm()
        with (
            self._system.connect() as connection,
            every(1.0, lambda: self._count(arm, connection)),
        ):
            asyncio.run(self._send(arm, seconds))
        return arm

    def _count(self, arm: Arm, connection: Connection) -> None:
        pids = [self._system.pids()[name] for name in SERVICES]
        arm.threads = max(arm.threads, sum(map(machine.threads, pids)))
        arm.front_bytes = max(arm.front_bytes, machine.pss_bytes(pids[:1]))
        (open_now,) = connection.execute(CONNECTIONS).fetchone() or (0,)
        arm.connections = max(arm.connections, int(str(open_now)))

    async def _send(self, arm: Arm, seconds: float) -> None:
        end = time.monotonic() + seconds
        senders = []
        for (rate, many), make, times in (
            (LISTS, self._list_request, arm.lists),
            (EVENTS, self._event_request, arm.events),
        ):
            for number in range(many):
                begin = number / rate
                senders.append(self._send_on(arm, make, times, begin, many / rate, end))
        await asyncio.gather(*senders)

    async def _send_on(
        self,
        arm: Arm,
        make: Callable[[], bytes],
        times: list[float],
        begin: float,
        interval: float,
        end: float,
    ) -> None:
        """One connection: a request every ``interval`` seconds."""
        line = Line(self._system.port)
        due = time.monotonic() + begin
        while due < end:
            await asyncio.sleep(due - time.monotonic())
            began = time.monotonic()
            status = await line.ask(make())
            times.append((time.monotonic() - began) * 1000)
            arm.refused += status != 200
            due = max(due + interval, time.monotonic())
        line.hang_up()

    def _list_request(self) -> bytes:
        return (
            f"GET {LIST} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Authorization: Bearer {self._token}\r\n\r\n"
        ).encode()

    def _event_request(self) -> bytes:
        event_id = uuid.uuid4()
        body = self._bodies[event_id.int % BODIES]
        body = body.replace(EVENT_ID, event_id.hex.encode())
        path = f"/api/{self._system.project_id}/envelope/"
        head = (
            f"POST {path}?sentry_key={self._system.public_key} HTTP/1.1\r\n"
            f"Host: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


def judge(rounds: Sequence[Round]) -> list[str]:
    """What breaks the bar; nothing when it is met."""
    faults = []
    for name, growth in zip(("lists", "events"), medians(rounds), strict=True):
        if growth > MOST_GROWTH:
            faults.append(f"p95 of {name} grew to {growth:.2f}")
    for name in COUNTED:
        nobody, waiting = usual(rounds, name)
        if waiting > nobody:
            faults.append(f"{name} grew from {nobody} to {waiting}")
    refused = sum(arm.refused for found in rounds for arm in arms(found))
    if refused:
        faults.append(f"{refused} answers other than 200")
    return faults


def arms(found: Round) -> tuple[Arm, Arm]:
    return found.nobody, found.waiting


def medians(rounds: Sequence[Round]) -> tuple[float, float]:
    """The growth of the p95 of lists and events, over all rounds."""
    lists, events = zip(*(found.growth for found in rounds), strict=True)
    return statistics.median(lists), statistics.median(events)


def usual(rounds: Sequence[Round], name: str) -> tuple[int, int]:
    """The most that a round counted, with nobody and everybody waiting; its median."""
    nobody = [getattr(found.nobody, name) for found in rounds]
    waiting = [getattr(found.waiting, name) for found in rounds]
    return statistics.median_low(nobody), statistics.median_low(waiting)


def report(rounds: Sequence[Round], pipelines: int) -> str:
    """The medians, and every round."""
    lists, events = medians(rounds)
    counted = [" → ".join(map(str, usual(rounds, name))) for name in COUNTED]
    megabytes = [
        max(arms(found)[arm].front_bytes for found in rounds) / 2**20 for arm in (0, 1)
    ]
    polls = sum(found.waiting.polls for found in rounds)
    refused = sum(arm.refused for found in rounds for arm in arms(found))
    rows = [
        ("p95 of API lists, waiting ÷ nobody, median", f"**{lists:.2f}**"),
        ("p95 of events, waiting ÷ nobody, median", f"**{events:.2f}**"),
        ("threads of front door and Django, median of the most", f"**{counted[0]}**"),
        ("connections to the database, median of the most", f"**{counted[1]}**"),
        ("memory of the front door, MB", " → ".join(f"{m:.0f}" for m in megabytes)),
        ("polls answered meanwhile", str(polls)),
        ("answers other than 200", str(refused)),
    ]
    lines = [
        f"The p95 in ms, with nobody and with {pipelines} waiting:\n",
        "| round | lists | | ratio | events | | ratio |",
        "|---|---|---|---|---|---|---|",
    ]
    for number, found in enumerate(rounds, 1):
        cells = []
        for kind in (0, 1):
            before, after = (arm.p95[kind] for arm in arms(found))
            cells += [f"{before:.1f}", f"{after:.1f}", f"{after / before:.2f}"]
        lines.append(f"| {number} | {' | '.join(cells)} |")
    faults = "; ".join(judge(rounds)) or "the bar is met"
    return "\n".join([table(rows), "", *lines, "", f"Judged: {faults}."])


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gate")
    parser.add_argument("--pipelines", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=45.0)
    parser.add_argument("--dry", action="store_true", help="write no page")
    args = parser.parse_args(argv)
    with running_system() as system:
        with system.connect() as session:
            server = str(session.info.parameter_status("server_version"))
        bench = Bench(system, args.pipelines)
        rounds = []
        for number in range(args.rounds):
            found = bench.round(args.seconds, waiting_first=number % 2 == 1)
            rounds.append(found)
            print(f"round {number + 1}: {found.growth}", flush=True)
    heading = (
        f"{args.pipelines} pipelines waiting, {args.rounds} rounds of "
        f"2 × {args.seconds:.0f} s, {LISTS[0]:.0f} lists/s, {EVENTS[0]:.0f} events/s"
    )
    publish("gate", heading, server, report(rounds, args.pipelines), keep=not args.dry)
    sys.exit(bool(judge(rounds)))


if __name__ == "__main__":
    main()
