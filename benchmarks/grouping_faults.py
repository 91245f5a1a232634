"""Do the faults of the benchmark load become one issue each, and at what cost?

A fault is split when its events fall into several groups, merged when a group holds
events of another fault. What an event's fault is, the load itself tells: a Python site
by the function that failed (level_N), a browser site by type and the property in its
message. Prints both shares, and the CPU time of decoding, normalising and grouping.

usage: python -m benchmarks.grouping_faults [--bodies 2000] [--seed 7]
"""

import argparse
import gc
import re
import uuid
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from time import process_time
from typing import TypeVar

from benchmarks.make_workload import EVENT_ID, make_workload
from issues.clean import decode
from issues.digest.normalise import normalise
from issues.grouping import group
from issues.normal_event import NormalEvent

RECEIVED = datetime(2026, 11, 23, 9, 0, 1, tzinfo=UTC)
ROUNDS = 5
T = TypeVar("T")


def payloads(count: int, seed: int) -> list[bytes]:
    """The event payloads of the load, each with an event id of its own."""
    return [
        body.replace(EVENT_ID, uuid.uuid4().hex).encode().split(b"\n")[2]
        for body in make_workload(count, seed)
    ]


def normal(payload: bytes) -> NormalEvent:
    """The payload as digest sees it."""
    return normalise(
        payload,
        header_event_id=uuid.uuid4().hex,
        sent_at=RECEIVED,
        received=RECEIVED,
        remote_addr="198.51.100.7",
        user_agent="",
        tenant_tags=("tenant", "shop"),
    )


def fault_of(event: NormalEvent) -> tuple[str, str]:
    """The fault site that the load generator drew."""
    raised = event.exceptions[-1]
    if event.platform == "python":
        found = re.match(r"level_\d+", raised.frames[-1].function)
    else:
        found = re.search(r"reading '(\w+)'", raised.value)
    if found is None:
        raise RuntimeError(f"no fault site in {raised.type}: {raised.value}")
    return raised.type, found.group()


def report_faults(events: Sequence[NormalEvent]) -> None:
    """Print how many faults are split or merged."""
    groups_of: dict[tuple[str, str], set[str]] = defaultdict(set)
    faults_of: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for event in events:
        fault, answer = fault_of(event), group(event).hash
        groups_of[fault].add(answer)
        faults_of[answer].add(fault)
    split = {fault for fault, groups in groups_of.items() if len(groups) > 1}
    merged = {f for faults in faults_of.values() if len(faults) > 1 for f in faults}
    wrong = 100 * len(split | merged) / len(groups_of)
    print(
        f"{len(events)} events, {len(groups_of)} faults, {len(faults_of)} groups: "
        f"{len(split)} split, {len(merged)} merged, {wrong:.1f} % wrong"
    )


def cpu(step: Callable[[T], object], values: Sequence[T]) -> float:
    """Microseconds of CPU per value, the best of several rounds."""
    best = float("inf")
    for _ in range(ROUNDS):
        gc.collect()
        start = process_time()
        for value in values:
            step(value)
        best = min(best, process_time() - start)
    return best / len(values) * 1e6


def main() -> None:
    """Make the load, group it, print the shares and times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bodies", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    bodies = payloads(args.bodies, args.seed)
    events = [normal(body) for body in bodies]
    report_faults(events)
    for name, chosen in (
        ("python", [i for i, e in enumerate(events) if e.platform == "python"]),
        ("browser", [i for i, e in enumerate(events) if e.platform != "python"]),
        ("all", list(range(len(events)))),
    ):
        raw, cooked = [bodies[i] for i in chosen], [events[i] for i in chosen]
        decoding, normalising = cpu(decode, raw), cpu(normal, raw)
        grouping = cpu(group, cooked)
        print(
            f"{name:>8}: decode {decoding:.0f} µs, normalise "
            f"{normalising - decoding:.0f} µs, group {grouping:.0f} µs, "
            f"together {normalising + grouping:.0f} µs of "
            f"{sum(map(len, raw)) // len(raw)} bytes"
        )


if __name__ == "__main__":
    main()
