"""How many browser events a second does one digest process symbolicate, in what memory?

Makes source maps of 1 MB, uploads them, and digests browser events of eight frames that
hit them: at random places (nothing was asked before, the worst that can be), and as 300
faults do (the same places again and again). The first load meets no map that is loaded.
Beside it the same events in a project without uploads. Writes results/symbols.md.

    python -m benchmarks.symbols [--maps 50] [--megabytes 1] [--events 6000]
"""

import argparse
import json
from typing import Any

import psycopg

from benchmarks.large import database, django, server
from benchmarks.page import publish, table

LOADS = {
    "none": "no map uploaded, 300 faults",
    "cold": "random places, from no map loaded",
    "random": "random places, again",
    "sites": "300 faults",
}


def main() -> None:
    """Fill, digest, report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--maps", type=int, default=50)
    parser.add_argument("--megabytes", type=float, default=1.0)
    parser.add_argument("--events", type=int, default=6000, help="of each load")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--database-url", default="", help="a server of yours")
    parser.add_argument("--dry", action="store_true", help="print, write no page")
    args = parser.parse_args()
    told = {
        "maps": args.maps,
        "map_bytes": int(args.megabytes * 1_000_000),
        "events": args.events,
        "seed": args.seed,
    }
    with server(args.database_url) as url, database(url, "rush_symbols") as own:
        answer = django(own, "benchmarks.symbols_digest", json.dumps(told))
        found = json.loads(answer.splitlines()[-1])
        with psycopg.connect(own) as connection:
            version = str(connection.info.parameter_status("server_version"))
    heading = f"{args.maps} maps of {args.megabytes:g} MB, one digest process"
    publish("symbols", heading, version, _text(found, args.events), keep=not args.dry)


def _text(found: dict[str, Any], events: int) -> str:
    rows = [
        (
            words,
            f"**{found[name]['events'] / found[name]['seconds']:,.0f}** events/s, "
            f"{found[name]['cpu_ms']:.2f} ms CPU an event, slowest batch of 500 "
            f"{found[name]['slowest_batch']:.1f} s, "
            f"peak **{found[name]['peak'] / 1e6:.0f} MB**, "
            f"{found[name]['mapped']:.0%} of the frames resolved",
        )
        for name, words in LOADS.items()
    ]
    head = (
        f"Maps of {found['map'] / 1e6:.2f} MB on average, of scripts of "
        f"{found['script'] / 1e3:.0f} kB; {events:,} events of each load, eight frames "
        "an event. Memory is the PSS of the digest process with the process that reads "
        f"maps ({found['idle'] / 1e6:.0f} MB before the first event)."
    )
    return f"{head}\n\n{table(rows, ('load', 'digested'))}"


if __name__ == "__main__":
    main()
