"""What does it cost to judge a deploy, with 14 days of counters and many watches?

Fills a database with minute counters of 14 days at 1,500 tenants (errors and traffic of
each), opens 200 watches and looks at them, once with the baseline still to be read and
then again. Writes results/watches.md.

    python -m benchmarks.watches [--days 14] [--watches 200]
"""

import argparse
import json
import time

import psycopg

from benchmarks.large import database, django, quantile, server
from benchmarks.page import publish, table


def main() -> None:
    """Fill, look, report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--days", type=float, default=14)
    parser.add_argument("--watches", type=int, default=200)
    parser.add_argument("--database-url", default="", help="a server of yours")
    parser.add_argument("--dry", action="store_true", help="print, write no page")
    args = parser.parse_args()
    told = json.dumps({"days": args.days, "watches": args.watches})
    with server(args.database_url) as url, database(url, "rush_watches") as own:
        began = time.monotonic()
        answer = django(own, "benchmarks.watches_fill", told)
        filled = time.monotonic() - began
        found = json.loads(answer.splitlines()[-1])
        with psycopg.connect(own) as connection:
            version = str(connection.info.parameter_status("server_version"))
    rows = [
        ("rows of tenants by minute", f"{found['tenant_rows']:,}"),
        ("calibration of 14 days, s", f"{found['calibration']:.1f}"),
        ("first look at the large one, with its baseline, ms", _ms(found["first"])),
        ("later looks at it, minute 60, ms", _ms(found["later"])),
        (f"first looks at {args.watches} watches, ms each", _ms(found["many_first"])),
        (f"one tick over {args.watches} watches, s", f"**{found['tick']:.1f}**"),
    ]
    heading = f"{args.days:g} days, 1,500 tenants, {args.watches} open watches"
    text = f"Filled in {filled:.0f} s.\n\n{table(rows)}"
    publish("watches", heading, version, text, keep=not args.dry)


def _ms(values: list[float]) -> str:
    return (
        f"median **{1000 * quantile(values, 0.5):.1f}**, "
        f"p99 {1000 * quantile(values, 0.99):.1f}"
    )


if __name__ == "__main__":
    main()
