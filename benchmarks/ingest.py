"""How many events a second the whole system takes and digests, and at what cost.

Starts ``manage.py up`` in a fresh directory, posts the load with wrk, waits until the
last accepted event is digested, and writes results/ingest.md.

    python -m benchmarks.ingest                       20 s of load
    python -m benchmarks.ingest --with-floor          three rounds against the floor
    python -m benchmarks.ingest --minutes 15 --pause 12  is the last third as fast?
    python -m benchmarks.ingest --admin-reload        while people reload the issue list
    python -m benchmarks.ingest --with-rules          with every kind of rule and filter
    python -m benchmarks.ingest --digest-processes 1  instead of two
    python -m benchmarks.ingest --idle                one event on an idle system
"""

import argparse
import contextlib
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import floor, load, meters
from benchmarks.idle import TRIES, measure_idle
from benchmarks.ledger import Ledger, read_ledger, wait_until_digested
from benchmarks.page import publish, table
from benchmarks.reload import Reloader
from benchmarks.rules import add_rules
from benchmarks.system import Connection, System, running_system

ROUNDS = 3
RELOAD_SECONDS = 0.5
INBOX = "issues_inboxenvelope"
# Answers that came after wrk had stopped listening: one per connection, and a margin.
MARGIN = 32
RECEIVED = """
SELECT extract(epoch FROM min(received))::float8 FROM issues_event
"""
THIRDS = """
SELECT width_bucket(extract(epoch FROM received)::float8, %s, %s, 3), count(*)
FROM issues_event GROUP BY 1 ORDER BY 1
"""


@dataclass(frozen=True)
class Run:
    """What one run measured; times are Unix time, rates events per second."""

    answers: load.Answers
    ledger: Ledger
    first: float
    last: float
    accepted_thirds: list[float]
    digested_thirds: list[float]
    watch: meters.Watch
    reloads: list[float]  # milliseconds
    connections: int

    @property
    def sustained(self) -> float:
        """Events per second from the first request to the last digested event."""
        return self.answers.accepted / (self.last - self.first)

    def per_event(self, amounts: dict[str, int]) -> float:
        return sum(amounts.values()) / max(self.ledger.rows, 1)

    def faults(self) -> list[str]:
        """What must not be: losses, doubles, counters that differ, refusals."""
        found = self.ledger.faults()
        more = self.ledger.rows - self.answers.accepted
        if more < 0:
            found.append(f"{-more} accepted events have no row")
        if more > self.connections + MARGIN:
            found.append(f"{more} rows more than accepted events")
        if self.answers.refused or self.answers.broken:
            found.append(
                f"{self.answers.refused} requests refused, {self.answers.broken} broken"
            )
        return found


@contextlib.contextmanager
def reloading(system: System, *, wanted: bool) -> Iterator[list[float]]:
    """Reload the issue list during the block; yields the times in milliseconds."""
    if not wanted:
        yield []
        return
    reloader = Reloader(system)
    with contextlib.closing(reloader), meters.every(RELOAD_SECONDS, reloader.reload):
        yield reloader.milliseconds


def measure(system: System, workload: Path, args: argparse.Namespace) -> Run:
    """Put the load on a system and watch it until all is digested."""
    watch = meters.Watch(system)
    with watch:
        with reloading(system, wanted=args.admin_reload) as reloads:
            wrk = load.start_wrk(
                f"{system.base_url}/",
                (
                    str(system.project_id),
                    system.public_key,
                    str(workload),
                    str(args.pause),
                ),
                args.seconds,
                args.connections,
            )
            answers = load.answers(wrk)
        last = wait_until_digested(system.connect, 600 + 2 * args.seconds)
    with contextlib.closing(watch):
        first, thirds = _received(watch.connection, answers.seconds)
        return Run(
            answers,
            read_ledger(watch.connection),
            first,
            last,
            thirds,
            watch.progress.thirds(first, first + answers.seconds),
            watch,
            reloads,
            args.connections,
        )


def _received(connection: Connection, seconds: float) -> tuple[float, list[float]]:
    """When the first event came, and how many a second in each third of the load."""
    row = connection.execute(RECEIVED).fetchone()
    if row is None or row[0] is None:
        sys.exit("no event arrived; the log of up is in its data directory")
    first = float(str(row[0]))
    rows = connection.execute(THIRDS, [first, first + seconds]).fetchall()
    counts = {int(str(third)): int(str(count)) for third, count in rows}
    return first, [counts.get(third, 0) * 3 / seconds for third in (1, 2, 3)]


def report(run: Run) -> str:
    """The run as a table, and the services' CPU and memory as another."""
    answers, watch = run.answers, run.watch
    lag = watch.progress.lag
    stored = {name: size for name, size in watch.grown.items() if name != INBOX}
    largest = sorted(stored.items(), key=lambda item: -item[1])[:6]
    shares = ", ".join(
        f"{name.partition('_')[2]} {size / run.ledger.rows:.0f}"
        for name, size in largest
    )
    rows = [
        ("sustained events/s", f"**{run.sustained:.0f}**"),
        ("accepted/s", f"{answers.accepted / answers.seconds:.0f}"),
        (
            f"accept at {run.connections} connections, ms",
            f"p50 {answers.p50:.1f}, **p99 {answers.p99:.1f}**, max {answers.max:.0f}",
        ),
        ("events", f"{run.ledger.rows} in {run.ledger.issues} issues"),
        ("accepted/s by thirds of the load", _thirds(run.accepted_thirds)),
        ("digested/s by thirds of the load", _thirds(run.digested_thirds)),
        (
            "digest lag, s",
            f"median {statistics.median(lag):.1f}, max {max(lag):.1f}",
        ),
        ("bytes per event in the database", f"{run.per_event(stored):.0f} ({shares})"),
        ("bytes per event written ahead", f"{watch.wal / run.ledger.rows:.0f}"),
        ("lock waits of digest", f"{watch.locks.share:.1%} of the time in batches"),
    ]
    if run.reloads:
        slow = statistics.quantiles(run.reloads, n=100)[98]
        middle = statistics.median(run.reloads)
        rows.append(
            (
                "issue list reloads, ms",
                f"{len(run.reloads)}: p50 {middle:.0f}, p99 {slow:.0f}",
            )
        )
    rows.append(
        ("promises", "; ".join(run.faults()) or "kept: counters equal the rows")
    )
    return f"{table(rows)}\n\n{_services(run)}"


def _thirds(rates: Sequence[float]) -> str:
    ratio = rates[2] / rates[0] if rates[0] else 0.0
    return f"{', '.join(f'{rate:.0f}' for rate in rates)} (last ÷ first {ratio:.2f})"


def _services(run: Run) -> str:
    cpu, memory = run.watch.cpu, run.watch.memory
    per_event = {name: spent * 1000 / run.ledger.rows for name, spent in cpu.items()}
    names = sorted(cpu, key=lambda name: (name in meters.ENGINES, name))
    lines = ["| service | CPU ms per event | PSS MB |", "|---|---|---|"]
    for name in names:
        lines.append(
            f"| {name} | {per_event[name]:.3f} | {memory.get(name, 0) / 1e6:.0f} |"
        )

    def total(amounts: dict[str, float], *, engines: bool) -> float:
        return sum(v for k, v in amounts.items() if engines or k not in meters.ENGINES)

    sizes = {name: size / 1e6 for name, size in memory.items()}
    for label, engines in (("all Python", False), ("all", True)):
        lines.append(
            f"| **{label}** | **{total(per_event, engines=engines):.3f}** "
            f"| **{total(sizes, engines=engines):.0f}** |"
        )
    return "\n".join(lines)


def with_system(args: argparse.Namespace, use: Callable[[System], object]) -> None:
    variables = {"DIGEST_PROCESSES": str(args.digest_processes)}
    with running_system(args.database_url, variables) as system:
        if args.with_rules:
            add_rules(system)
        try:
            use(system)
        finally:
            if args.log:
                args.log.write_text(system.log(), encoding="utf-8")


def one_run(args: argparse.Namespace, workload: Path) -> Run:
    runs: list[Run] = []
    with_system(args, lambda system: runs.append(measure(system, workload, args)))
    return runs[0]


def run_load(args: argparse.Namespace, workload: Path) -> None:
    run = one_run(args, workload)
    extras = [
        f"{args.pause} ms of pause" * bool(args.pause),
        "issue list reloaded twice a second" * args.admin_reload,
        "every kind of rule and filter on" * args.with_rules,
        f"{args.digest_processes} digest process(es)",
    ]
    heading = ", ".join(filter(None, [f"{args.seconds:.0f} s of load", *extras]))
    publish("ingest", heading, run.watch.server, report(run), keep=not args.dry)
    if run.faults():
        sys.exit("promises broken: " + "; ".join(run.faults()))


def run_rounds(args: argparse.Namespace, workload: Path) -> None:
    """The system and the floor in turn, so that noise of the machine hits both."""
    rows, ratios = [], []
    for number in range(1, ROUNDS + 1):
        bare = floor.measure(workload, args.seconds, args.connections)
        run = one_run(args, workload)
        ratios.append(run.sustained / bare.sustained)
        rows.append(
            (
                str(number),
                f"{run.sustained:.0f}/s (accept p99 {run.answers.p99:.0f} ms) to "
                f"{bare.sustained:.0f}/s (p99 {bare.answers.p99:.0f} ms): "
                f"**{ratios[-1]:.2f}**",
            )
        )
        print(*rows[-1])
    rows.append(("median", f"**{statistics.median(ratios):.2f}**"))
    body = table(rows, ("round", "sustained events/s, system to floor"))
    body += f"\n\nThe last round of the system:\n\n{report(run)}"
    heading = f"{ROUNDS} rounds of {args.seconds:.0f} s against the floor"
    publish("ingest", heading, run.watch.server, body, keep=not args.dry)


def run_idle(args: argparse.Namespace) -> None:
    def use(system: System) -> None:
        times = measure_idle(system)
        with system.connect() as connection:
            server = str(connection.info.parameter_status("server_version"))
        rows = [
            ("median, ms", f"**{statistics.median(times):.0f}**"),
            ("max, ms", f"{max(times):.0f}"),
        ]
        heading = f"{TRIES} single events on an idle system, sent to scored"
        publish("ingest", heading, server, table(rows), keep=not args.dry)

    with_system(args, use)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--minutes", type=float, help="instead of --seconds")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument(
        "--pause",
        type=int,
        default=0,
        help="milliseconds that each connection waits before its next request",
    )
    parser.add_argument(
        "--database-url", default="", help="a server; the run makes a database there"
    )
    parser.add_argument("--with-floor", action="store_true")
    parser.add_argument("--admin-reload", action="store_true")
    parser.add_argument("--with-rules", action="store_true")
    parser.add_argument("--digest-processes", type=int, default=2)
    parser.add_argument("--idle", action="store_true")
    parser.add_argument("--dry", action="store_true", help="print, write no page")
    parser.add_argument("--log", type=Path, help="keep the log of up in this file")
    args = parser.parse_args()
    if args.minutes:
        args.seconds = args.minutes * 60
    return args


def main() -> None:
    """Measure what the command line asks for."""
    args = arguments()
    if args.idle:
        run_idle(args)
        return
    load.need_wrk()
    with tempfile.TemporaryDirectory(prefix="rush-load-") as directory:
        workload = Path(directory)
        load.write_workload(workload)
        (run_rounds if args.with_floor else run_load)(args, workload)


if __name__ == "__main__":
    main()
