"""Does what real clients sent stand in the API? Every scenario, item by item.

    python -m benchmarks.live_clients python=/clients/python/run.sh node=… browser=…

Each command is one client with all of its scenarios: it gets SENTRY_DSN and runs to its
end. It sends through a recorder to a fresh ``manage.py up``; then what was recorded is
compared with what /api/v1/ tells. Ends with 1 where anything differs.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.live_compare import Sent, compare
from benchmarks.live_recorder import Recorder
from tests.running import RunningUp, eventually, manage

SECONDS = 900
PREPARE = """
import json, os
from tenants.models import Project, ProjectKey
from tenants.tokens import issue_token

url, dsns = os.environ["RUSH_URL"], {}
for slug in os.environ["RUSH_SLUGS"].split(","):
    project, _ = Project.objects.get_or_create(slug=slug, defaults={"name": slug})
    dsns[slug] = ProjectKey.objects.create(project=project).dsn(url)
scopes = ["event:read", "project:read", "release:read"]
_, token = issue_token("live", scopes, base_url=url, organization="rush")
print(json.dumps({"dsns": dsns, "token": token}))
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clients", nargs="+", metavar="NAME=COMMAND")
    clients = dict(told.split("=", 1) for told in parser.parse_args().clients)
    with tempfile.TemporaryDirectory() as directory:
        up = RunningUp(Path(directory) / "data")
        try:
            up.wait_for("DSN")
            return run(up, clients)
        finally:
            up.process.terminate()
            up.process.wait(60)


def run(up: RunningUp, clients: dict[str, str]) -> int:
    eventually(lambda: manage(up.data_dir, "check").returncode == 0)
    told = manage(
        up.data_dir,
        *("shell", "-v", "0", "-c", PREPARE),
        RUSH_URL=up.url,
        RUSH_SLUGS=",".join(clients),
    )
    if told.returncode:
        sys.exit(told.stderr)
    prepared = json.loads(told.stdout.splitlines()[-1])
    wrong = 0
    with Recorder(up.port) as recorder:
        for name, command in clients.items():
            dsn = urlsplit(prepared["dsns"][name])
            seen_from = dsn._replace(netloc=f"{dsn.username}@127.0.0.1:{recorder.port}")
            subprocess.run(
                [command],
                env={**os.environ, "SENTRY_DSN": seen_from.geturl()},
                timeout=SECONDS,
                check=False,
            )
            sent = Sent.of(recorder.take())
            problems = compare(up.url, prepared["token"], name, sent)
            print(f"{name}: sent {sent}")
            for problem in problems:
                print(f"{name}: DIFFERS: {problem}")
            wrong += len(problems)
    print("all is as it was sent" if not wrong else f"{wrong} differences")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
