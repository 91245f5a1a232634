"""How long after a bad deploy does the rollback call come? Real SDKs, real time.

Several apps run side by side, each a process with the real Python SDK: 20 requests/s,
0.4 % of them failing. Each posts a deploy at another second of the minute and fails ten
times as often from then on. Half of them post their traffic, half let the SDK count
sessions. Takes about seven minutes and writes results/deploys.md.

    python -m benchmarks.deploys [--apps 4] [--times-worse 10]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from benchmarks.large import django
from benchmarks.page import publish
from benchmarks.system import ROOT, System, running_system

LONGEST = 480.0
SOURCES = ("traffic", "sessions")
BARS = {"traffic": 240, "sessions": 300}


@dataclass
class Receiver:
    """Stands for the CDs: notes when each was told to roll back."""

    calls: dict[str, list[float]] = field(default_factory=dict)

    def start(self) -> str:
        """Serve on a free port; returns the address."""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                receiver.calls.setdefault(self.path, []).append(time.time())
                self.send_response(202)
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                """Nothing: the results say it."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_address[1]}"


@dataclass
class App:
    """One app, its source of exposure, and when it posted its deploy."""

    project: str
    source: str
    second: int
    process: subprocess.Popen[str]
    deployed: float = 0.0
    deploy_id: int = 0

    def read(self) -> None:
        """Take what the process says; blocks until it ends."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            told = json.loads(line)
            self.deployed, self.deploy_id = told["deployed"], told["deploy"]


def start_apps(
    system: System, prepared: list[dict[str, Any]], args: argparse.Namespace
) -> list[App]:
    """One process for each prepared project."""
    apps = []
    for i, row in enumerate(prepared):
        second = 60 * (i // 2) // args.apps
        told = {
            **row,
            "base_url": system.base_url,
            "second": second,
            "worse": args.times_worse,
            "seconds": LONGEST,
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.deploys_app", json.dumps(told)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        app = App(row["project"], row["source"], second, process)
        threading.Thread(target=app.read, daemon=True).start()
        apps.append(app)
    return apps


def report(system: System, apps: list[App], receiver: Receiver) -> str:
    """A row for each app, with what the verdict said."""
    lines = [
        "| source | posted at second | rollback call after s | calls | verdict |",
        "|---|---|---|---|---|",
    ]
    with system.connect() as connection:
        for app in apps:
            calls = receiver.calls.get(f"/{app.project}", [])
            row = connection.execute(
                "SELECT sentence FROM releases_watch WHERE deploy_id = %s",
                [app.deploy_id],
            ).fetchone()
            after = f"**{calls[0] - app.deployed:.0f}**" if calls else "none"
            sentence = str(row[0]).partition(", mainly")[0] if row else ""
            lines.append(
                f"| {app.source} | {app.second} | {after} | {len(calls)} | {sentence} |"
            )
    return "\n".join(lines)


def main() -> None:
    """Prepare, deploy, wait for the calls, report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--apps", type=int, default=4, help="for each source")
    parser.add_argument("--times-worse", type=float, default=10.0)
    parser.add_argument("--dry", action="store_true", help="print, write no page")
    args = parser.parse_args()
    receiver = Receiver()
    url = receiver.start()
    allowed = {"OUTBOUND_ALLOWED_NETWORKS": "127.0.0.1/32"}
    with (
        tempfile.TemporaryDirectory() as scratch,
        running_system("", allowed) as system,
    ):
        key = (system.data_dir / "secret_key").read_text(encoding="ascii").strip()
        told = json.dumps({"receiver": url, "apps": args.apps, "scratch": scratch})
        prepared = json.loads(
            django(
                system.database_url,
                "benchmarks.deploys_prepare",
                told,
                SECRET_KEY=key,
                BASE_URL=system.base_url,
            )
        )
        apps = start_apps(system, prepared, args)
        deadline = time.time() + LONGEST
        while time.time() < deadline and len(receiver.calls) < len(apps):
            time.sleep(1)
        time.sleep(15)  # a second call would come by now
        text = report(system, apps, receiver)
        with system.connect() as connection:
            version = str(connection.info.parameter_status("server_version"))
        for app in apps:
            app.process.kill()
    heading = (
        f"{args.apps} apps each, error rate x{args.times_worse:g} at 20 requests/s"
    )
    publish("deploys", heading, version, text, keep=not args.dry)
    late = [
        app
        for app in apps
        if not (calls := receiver.calls.get(f"/{app.project}"))
        or calls[0] - app.deployed > BARS[app.source]
        or len(calls) != 1
    ]
    if late:
        sys.exit(f"{len(late)} of {len(apps)} rollbacks came late, twice or not at all")


if __name__ == "__main__":
    main()
