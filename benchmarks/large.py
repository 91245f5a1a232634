"""Do issue list and issue page stay fast with 10 million events stored?

Fills a database with generated events of 30 days and 20,000 issues, and another with
25 issues, asks both for the same admin pages in turn, and compares: SQL time by query,
time of the whole page, and their ratio. Needs about 10 minutes and 8 GB for the full
size.

    python -m benchmarks.large [--events 10000000] [--issues 20000]
"""

import argparse
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg

from benchmarks.page import publish, table
from benchmarks.system import FOREIGN, ROOT
from rush_monitor.cluster import Postgres

SMALL_ISSUES = 25
EVENTS_PER_ISSUE = 500
# A page without rows is no measure: what it is compared with instead.
REFERENCES = {"list, page 3": "list by impact"}
ROUNDS = 3
SETTINGS = """
shared_buffers = 256MB
maintenance_work_mem = 256MB
work_mem = 256MB
max_wal_size = 8GB
checkpoint_timeout = 60min
"""


@dataclass(frozen=True, slots=True)
class Visit:
    """One page: milliseconds in all and in SQL, and each query's text and time."""

    page: str
    wall: float
    queries: list[tuple[str, float]]

    @property
    def sql(self) -> float:
        return sum(milliseconds for _, milliseconds in self.queries)


@contextlib.contextmanager
def server(url: str) -> Iterator[str]:
    """The given server, or an embedded one that lasts as long as the block."""
    if url:
        yield url
        return
    directory = Path(tempfile.mkdtemp(prefix="rush-large-"))
    try:
        (directory / "postgres.conf").write_text(SETTINGS, encoding="ascii")
        # The rows are worth nothing, so filling need not wait for the disk.
        postgres = Postgres(directory, directory / "run", durable=False)
        with postgres.running():
            yield postgres.url
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextlib.contextmanager
def database(server_url: str, name: str) -> Iterator[str]:
    """A fresh database on the server, dropped after the block."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())
        connection.execute(f"CREATE DATABASE {name}".encode())
    try:
        yield urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))
    finally:
        with psycopg.connect(server_url, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def django(database_url: str, *argv: str, **more: str) -> str:
    """Run a step in a process of its own, as settings are read once.

    ``more`` are environment variables.
    """
    kept = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    variables = {
        "DATABASE_URL": database_url,
        "SECRET_KEY": "benchmark",
        "DJANGO_SETTINGS_MODULE": "rush_monitor.settings",
        "LOG_LEVEL": "WARNING",
        "PYTHONWARNINGS": "ignore",
        **more,
    }
    with tempfile.TemporaryDirectory() as data_dir:
        done = subprocess.run(
            [sys.executable, "-m", *argv],
            cwd=ROOT,
            env={**kept, **variables, "DATA_DIR": data_dir},
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
    if done.returncode:
        sys.exit(f"{' '.join(argv)} failed; its reasons are above")
    return done.stdout


def visits(database_url: str) -> list[Visit]:
    """Ask for every page once more, in a process of its own."""
    answer = django(database_url, "benchmarks.large_pages")
    return [
        Visit(row["page"], row["wall"], [(q, t) for q, t in row["queries"]])
        for row in json.loads(answer)
    ]


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which ``share`` of the values lie."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def compare(large: Sequence[Visit], small: Sequence[Visit]) -> str:
    """Pages of both databases side by side."""
    lines = [
        "| page | SQL p50 ms | SQL p99 ms | slowest query p99 ms | page p50 ms "
        f"| page p50 ms with {SMALL_ISSUES} issues | ratio |",
        "|---|---|---|---|---|---|---|",
    ]
    for page in dict.fromkeys(visit.page for visit in large):
        mine = [visit for visit in large if visit.page == page]
        sql = [visit.sql for visit in mine]
        slowest = [max(t for _, t in visit.queries) for visit in mine]
        wall = statistics.median(visit.wall for visit in mine)
        same = REFERENCES.get(page, page)
        reference = statistics.median(v.wall for v in small if v.page == same)
        lines.append(
            f"| {page} | {statistics.median(sql):.1f} | **{quantile(sql, 0.99):.1f}** "
            f"| {quantile(slowest, 0.99):.1f} | {wall:.0f} | {reference:.0f} "
            f"| **{wall / reference:.2f}** |"
        )
    return "\n".join(lines)


def slowest_queries(large: Sequence[Visit]) -> str:
    """The queries that cost most, by their 99th percentile."""
    times: dict[str, list[float]] = {}
    for visit in large:
        for query, milliseconds in visit.queries:
            times.setdefault(" ".join(query.split())[:100], []).append(milliseconds)
    rows = sorted(times.items(), key=lambda item: -quantile(item[1], 0.99))[:8]
    return table(
        [
            (
                f"`{query.replace('|', '¦')}`",
                f"{statistics.median(found):.1f} / {quantile(found, 0.99):.1f}",
            )
            for query, found in rows
        ],
        ("slowest queries", "p50 / p99 ms"),
    )


def main() -> None:
    """Fill both databases, visit both in turn, report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--issues", type=int, default=20_000)
    parser.add_argument(
        "--database-url", default="", help="a server; both databases are made there"
    )
    parser.add_argument("--dry", action="store_true", help="print, write no page")
    args = parser.parse_args()
    with (
        server(args.database_url) as url,
        database(url, "rush_large") as large_url,
        database(url, "rush_small") as small_url,
    ):
        began = time.monotonic()
        fill = "benchmarks.large_fill"
        small_events = SMALL_ISSUES * EVENTS_PER_ISSUE
        print(django(small_url, fill, str(small_events), str(SMALL_ISSUES)), flush=True)
        print(django(large_url, fill, str(args.events), str(args.issues)), flush=True)
        filled = time.monotonic() - began
        large, small = [], []
        for _ in range(ROUNDS):
            small += visits(small_url)
            large += visits(large_url)
        with psycopg.connect(large_url) as connection:
            size = connection.execute(
                "SELECT pg_database_size(current_database())"
            ).fetchone()
            version = str(connection.info.parameter_status("server_version"))
    gigabytes = size[0] / 1e9 if size else 0
    text = (
        f"Filled in {filled:.0f} s, {gigabytes:.1f} GB.\n\n"
        f"{compare(large, small)}\n\n{slowest_queries(large)}"
    )
    heading = f"{args.events:,} events, {args.issues:,} issues"
    publish("large", heading, version, text, keep=not args.dry)


def as_json(found: Sequence[Visit]) -> str:
    """What ``visits`` reads."""
    return json.dumps([asdict(visit) for visit in found])


if __name__ == "__main__":
    main()
