"""kill -9 of every process under load, again and again: is the promise kept?

A sender posts the load and notes every event id that was answered with 200; an event
without an answer is sent again. Processes are killed one after the other, three times
each. In the end no acknowledged event may be missing, none counted twice, and every
counter must equal the rows.

    python -m benchmarks.faults [--rounds 3] [--rate 300] [--only front ...]
"""

import argparse
import sys
import time
from collections.abc import Sequence

from benchmarks import kills, load
from benchmarks.kills import Outcome, Recovery
from benchmarks.page import publish, table
from benchmarks.sender import Sender
from benchmarks.system import System, running_system

BETWEEN_SECONDS = 3.0
BODIES = 400
DIGEST_SECONDS = 600.0


def run(system: System, sender: Sender, targets: Sequence[str]) -> list[Recovery]:
    """Kill the targets in turn while the sender sends."""
    recoveries = []
    with sender.running():
        time.sleep(BETWEEN_SECONDS)
        for target in targets:
            recoveries.append(kills.kill_and_recover(system, sender, target))
            print(
                f"{target}: restarted {recoveries[-1].restarted:.2f} s, accepted "
                f"{recoveries[-1].accepted:.2f} s, digested "
                f"{recoveries[-1].digested:.2f} s",
                flush=True,
            )
            time.sleep(BETWEEN_SECONDS)
    return recoveries


def report(recoveries: Sequence[Recovery], sender: Sender, outcome: Outcome) -> str:
    """What was lost, and the longest recovery of each target."""
    ledger = outcome.ledger
    refused = ", ".join(f"{n} × {status}" for status, n in sender.refused.items())
    rows = [
        ("kills", str(len(recoveries))),
        ("events acknowledged", str(outcome.acknowledged)),
        ("sent again because no answer came", str(sender.repeated)),
        ("of these stored before, counted as duplicates", str(ledger.duplicates)),
        ("refused", refused or "none"),
        ("acknowledged and lost", f"**{len(outcome.lost)}**"),
        ("rows of events, distinct ids", f"{ledger.rows}, {ledger.distinct}"),
        ("counters", "; ".join(ledger.faults()) or "**equal the rows**"),
    ]
    lines = [
        "Longest time in seconds from the kill to:\n",
        "| killed | process restarted | event accepted | event digested |",
        "|---|---|---|---|",
    ]
    for target in dict.fromkeys(recovery.target for recovery in recoveries):
        longest = kills.worst(recoveries, target)
        lines.append(
            f"| {target} | {longest.restarted:.2f} | {longest.accepted:.2f} "
            f"| {longest.digested:.2f} |"
        )
    return table(rows) + "\n\n" + "\n".join(lines)


def main() -> None:
    """Kill, settle, report; ends with status 1 when a promise was broken."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    known = (*kills.TARGETS, kills.SUPERVISOR)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rate", type=float, default=300, help="events per second")
    parser.add_argument("--only", nargs="+", choices=known, default=known)
    parser.add_argument("--database-url", default="")
    parser.add_argument("--dry", action="store_true", help="print, write no page")
    args = parser.parse_args()
    bodies = [body.encode() for body in load.fresh_bodies(BODIES)]
    with running_system(args.database_url) as system:
        sender = Sender(
            system.port, system.project_id, system.public_key, bodies, rate=args.rate
        )
        recoveries = run(system, sender, [*args.only] * args.rounds)
        outcome = kills.settle(system, sender, DIGEST_SECONDS)
        with system.connect() as connection:
            server = str(connection.info.parameter_status("server_version"))
    heading = f"kill -9, {args.rounds} times each, at {args.rate:.0f} events/s"
    body = report(recoveries, sender, outcome)
    publish("faults", heading, server, body, keep=not args.dry)
    if outcome.faults():
        sys.exit("promises broken: " + "; ".join(outcome.faults()))


if __name__ == "__main__":
    main()
