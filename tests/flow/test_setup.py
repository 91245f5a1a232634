"""The snippets of the set-up page, run as they are against a running ``manage.py up``.

Each platform has a project of its own; what arrives there is asked for as a script
would. Only rates are turned up, so that each request is sent. The snippets of PHP and
Ruby are not run: their packages are not to be had everywhere.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tests.flow import npm
from tests.receiver import Receiver, Reply, receiving
from tests.running import RunningUp, eventually, free_port, manage

pytestmark = pytest.mark.clients

CONSOLE = Path(__file__).parent.parent / "clients/browser/console.py"
SHOP = "acme.example"
RATE = re.compile(r"(?<=[=: ])0\.1\b")
# A tag of its own: the snippets must follow the project.
PREPARE = """
import json, os
from tenants.models import Project, ProjectKey
from tenants.tokens import issue_token

ids = {}
for slug in ("django", "python", "celery", "node", "browser", "curl", "ci", "trial"):
    fields = {"name": slug, "slug": f"setup-{slug}", "tenant_tags": ["brand"]}
    project = Project.objects.create(**fields)
    ProjectKey.objects.create(project=project)
    ids[slug] = project.pk
scopes = ["project:write", "event:read", "release:write"]
options = {"base_url": os.environ["RUSH_URL"], "organization": "rush"}
print(json.dumps({"ids": ids, "token": issue_token("setup", scopes, **options)[1]}))
"""
REQUESTS = """
SELECT coalesce(sum(m.requests), 0) FROM releases_tenantminute m
JOIN tenants_tenant t ON t.id = m.tenant_id WHERE m.project_id = %s AND t.key = %s
"""
RELEASES = """
SELECT r.version, r.released_at IS NOT NULL, e.name FROM releases_release r
LEFT JOIN releases_deploy d ON d.release_id = r.id
LEFT JOIN releases_environment e ON e.id = d.environment_id
WHERE r.project_id = %s
"""
SERVE_ONE_REQUEST = f"""
import os
from wsgiref.util import setup_testing_defaults

os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
from django.core.wsgi import get_wsgi_application
import sentry_sdk

environ = {{"HTTP_HOST": "{SHOP}", "PATH_INFO": "/first-error/"}}
setup_testing_defaults(environ)
list(get_wsgi_application()(environ, lambda status, headers: None))
sentry_sdk.flush(10)
"""
RUN_A_TASK = """
import celery_tenant
import sentry_sdk
from celery import Celery

app = Celery("jobs")

@app.task
def sync(tenant):
    raise RuntimeError("First error in a task")

sync.apply(kwargs={"tenant": "acme.example"})
sentry_sdk.flush(10)
"""


class Rush:
    """The running system, with a project for each platform."""

    def __init__(self, up: RunningUp) -> None:
        command = ("shell", "-v", "0", "-c", PREPARE)
        told = manage(up.data_dir, *command, RUSH_URL=up.url)
        assert told.returncode == 0, told.stderr
        prepared = json.loads(told.stdout.splitlines()[-1])
        self.url = up.url
        self.ids: dict[str, int] = prepared["ids"]
        self.token: str = prepared["token"]
        self._database_url = up.database_url
        headers = {"authorization": f"Bearer {self.token}"}
        self.api = httpx.Client(base_url=f"{up.url}/api/v1", headers=headers)

    def setup(self, project: str, **query: str) -> dict[str, Any]:
        answer = self.api.get(f"/projects/{self.ids[project]}/setup/", params=query)
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told

    def steps(self, project: str, platform: str) -> list[dict[str, str]]:
        (told,) = self.setup(project, platform=platform)["platforms"]
        steps: list[dict[str, str]] = told["steps"]
        return steps

    def first_event(self, project: str) -> dict[str, Any]:
        """The event, as soon as the set-up page would show it."""
        assert eventually(lambda: self.setup(project)["arrival"]["arrived"]), project
        event_id = self.setup(project)["arrival"]["event_id"]
        event: dict[str, Any] = self.api.get(f"/events/{event_id}/").json()
        return event

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self._database_url) as session:
            return session.execute(query.encode(), values).fetchall()

    def requests(self, project: str, tenant: str) -> float:
        """Those that were counted for a tenant."""
        return float(self.rows(REQUESTS, self.ids[project], tenant)[0][0])


@pytest.fixture(scope="module")
def rush(up: RunningUp) -> Rush:
    return Rush(up)


@pytest.fixture
def program(packages: Path) -> Iterator[Path]:
    """A directory from which the npm packages are found."""
    directory = packages / f"setup-{os.getpid()}"
    directory.mkdir(exist_ok=True)
    yield directory
    shutil.rmtree(directory)


def write(steps: list[dict[str, str]], directory: Path, **before: str) -> None:
    """Write the code of each file, below what the file holds before."""
    for step in steps:
        if not step["file"]:
            continue
        path = directory / step["file"]
        if not path.exists():
            path.write_text(before.get(path.stem, ""), encoding="utf-8")
        code = RATE.sub("1.0", step["code"])
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{code}\n")


def bash(
    code: str, directory: Path, **variables: str
) -> subprocess.CompletedProcess[str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("SENTRY_")}
    path = f"{Path(sys.executable).parent}:{kept['PATH']}"
    return subprocess.run(
        ["bash", "-eu", "-c", code],
        cwd=directory,
        env={**kept, "PATH": path, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def place_of(event: Mapping[str, Any]) -> tuple[str, str, str]:
    return event["release"], event["environment"], event["tenant"]


def test_django(rush: Rush, tmp_path: Path) -> None:
    steps = rush.steps("django", "django")
    own = "\nROOT_URLCONF = 'urls'\nALLOWED_HOSTS = ['*']\nSECRET_KEY = 'x'\n"
    urls = "from django.urls import path\nurlpatterns = []\n"
    write(steps[:2], tmp_path)
    with (tmp_path / "settings.py").open("a") as file:
        file.write(f"{own}MIDDLEWARE = []\n")
    write(steps[2:], tmp_path, urls=urls)

    done = bash(f"python - <<'EOF'\n{SERVE_ONE_REQUEST}\nEOF", tmp_path)

    assert done.returncode == 0, done.stderr
    event = rush.first_event("django")
    assert place_of(event) == ("setup-django@1.0.0", "production", SHOP)
    assert (event["title"], event["transaction"]) == (
        "ZeroDivisionError: division by zero",
        "/first-error/",
    )
    assert eventually(lambda: rush.requests("django", SHOP) == 1)


def test_python(rush: Rush, tmp_path: Path) -> None:
    steps = rush.steps("python", "python")
    write(steps, tmp_path)

    done = bash(steps[-1]["code"], tmp_path, SENTRY_RELEASE="jobs@2")

    assert "ZeroDivisionError" in done.stderr
    event = rush.first_event("python")
    assert place_of(event) == ("jobs@2", "production", SHOP)


def test_a_celery_task(rush: Rush, tmp_path: Path) -> None:
    write(rush.steps("celery", "python"), tmp_path)

    code = f"python - <<'EOF'\n{RUN_A_TASK}\nEOF"
    done = bash(code, tmp_path, SENTRY_ENVIRONMENT="staging")

    assert done.returncode == 0, done.stderr
    event = rush.first_event("celery")
    assert place_of(event) == ("setup-celery@1.0.0", "staging", SHOP)
    assert event["title"] == "RuntimeError: First error in a task"


def test_node(rush: Rush, program: Path) -> None:
    npm.command("node")
    steps = rush.steps("node", "node")
    write(steps, program)
    port = str(free_port())
    start, ask = (step["code"] for step in steps[-2:])
    environment = {**os.environ, "PORT": port}
    server = subprocess.Popen(
        ["bash", "-c", f"exec {start}"], cwd=program, env=environment
    )
    try:
        asked = ask.replace("3000", port)
        assert eventually(lambda: bash(asked, program).returncode == 0)
        event = rush.first_event("node")
        assert place_of(event) == ("setup-node@1.0.0", "production", "127.0.0.1")
        assert (event["title"], event["transaction"]) == (
            "Error: First error",
            "GET /first-error",
        )
        # Spans carry no tags: the tenant came by the attribute.
        assert eventually(lambda: rush.requests("node", "127.0.0.1") == 1, 30)
    finally:
        server.send_signal(signal.SIGKILL)
        server.wait()


@pytest.fixture
def shop_page(rush: Rush, program: Path, packages: Path) -> Iterator[Receiver]:
    """The page of a shop as its template says, with the bundle and its policy."""
    steps = rush.steps("browser", "browser")
    write(steps, program)
    subprocess.run(
        [
            packages / "node_modules/.bin/esbuild",
            *("monitoring.js", "--bundle", "--minify", "--outfile=page.js"),
        ],
        cwd=program,
        check=True,
        capture_output=True,
    )
    head = (program / "head.html").read_text().replace("{{ shop.domain }}", SHOP)
    html = f"<!doctype html><head>{head}</head><script src='/page.js'></script>"
    policy = next(step["code"] for step in steps if step["language"] == "http")
    name, _, value = policy.partition(": ")
    with receiving() as receiver:
        script = (program / "page.js").read_bytes()
        receiver.answer = lambda asked: (
            Reply(200, script, {"Content-Type": "text/javascript"})
            if asked.path == "/page.js"
            else Reply(200, html.encode(), {"Content-Type": "text/html", name: value})
        )
        yield receiver


def test_a_page(rush: Rush, shop_page: Receiver) -> None:
    line = rush.steps("browser", "browser")[-1]["code"]
    url = f"http://{SHOP}/order"

    done = subprocess.run(
        [sys.executable, CONSOLE, npm.chromium(), str(shop_page.port), url, line],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    # Its policy let it report.
    assert [told for told in json.loads(done.stdout) if "Policy" in told] == []
    event = rush.first_event("browser")
    assert place_of(event) == ("setup-browser@1.0.0", "production", SHOP)
    assert event["title"] == "Error: First error"
    assert eventually(lambda: rush.requests("browser", SHOP) == 1)


def test_curl(rush: Rush, tmp_path: Path) -> None:
    npm.command("curl")
    (step,) = rush.steps("curl", "curl")

    done = bash(step["code"], tmp_path)

    event = rush.first_event("curl")
    assert json.loads(done.stdout)["id"] == event["event_id"].replace("-", "")
    assert place_of(event) == ("setup-curl@1.0.0", "production", SHOP)


def test_a_test_event_comes_through_the_front_door(rush: Rush) -> None:
    answer = rush.api.post(f"/projects/{rush.ids['trial']}/test-event/")

    assert answer.status_code == 201, answer.text
    path = f"/events/{answer.json()['event_id']}/"
    assert eventually(lambda: rush.api.get(path).status_code == 200)
    event = rush.api.get(path).json()
    assert event["title"] == "Test event from the set-up page"
    assert (event["environment"], event["level"]) == ("test", "info")
    assert not rush.setup("trial")["arrival"]["arrived"]


@pytest.fixture
def checkout(program: Path, packages: Path) -> Path:
    """A repository with a commit, and a build in dist."""
    for needed in ("git", "curl"):
        npm.command(needed)
    (program / "page.js").write_text("console.log(location.href);\n")
    bundled = f"{packages}/node_modules/.bin/esbuild page.js --sourcemap --outdir=dist"
    commands = ["git init -q", "git add page.js", "git commit -qm Page", bundled]
    mia = {"NAME": "Mia", "EMAIL": "mia@example.com"}
    names = {f"GIT_{who}_{what}": mia[what] for who in WHO for what in mia}
    done = bash("\n".join(commands), program, **names)
    assert done.returncode == 0, done.stderr
    return program


WHO = ("AUTHOR", "COMMITTER")


def test_ci(rush: Rush, checkout: Path, packages: Path) -> None:
    ci = rush.setup("ci")["ci"]
    where, maps, release, deploy, gate = (step["code"] for step in ci[1:])
    # The verdict is an hour away.
    script = [where, maps, release, deploy, f"{gate} --wait 1"]

    done = bash(
        "\n".join(script),
        checkout,
        SENTRY_AUTH_TOKEN=rush.token,
        PATH=f"{packages / 'node_modules/.bin'}:{os.environ['PATH']}",
    )

    assert done.returncode == 4, done.stdout + done.stderr
    rows = rush.rows(RELEASES, rush.ids["ci"])
    version = bash("git rev-parse --short HEAD", checkout).stdout.strip()
    assert set(rows) == {(f"setup-ci@{version}", True, "production")}
