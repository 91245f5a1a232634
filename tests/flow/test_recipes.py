"""Every command of docs/ci runs against a real ``up``; verdicts come from the test."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from tests.flow import npm
from tests.flow.recipe import (
    DOCS,
    Runner,
    blocks,
    parsed,
    run_github_job,
    run_gitlab_job,
)
from tests.running import RunningUp, manage

PREPARE = """
import json, os
from tenants.models import Project
from tenants.tokens import issue_token

url = os.environ["RUSH_URL"]
Project.objects.get_or_create(slug="shop", defaults={"name": "Shop"})
scopes = ["release:write", "traffic:write"]
print(json.dumps(issue_token("ci", scopes, base_url=url, organization="rush")[1]))
"""
SETTLE = """
UPDATE releases_watch SET verdict = %s, sentence = 'As the test says.', reason = 'test',
    decided_at = now()
WHERE verdict = 'pending' AND deploy_id IN (
    SELECT d.id FROM releases_deploy d JOIN releases_release r ON r.id = d.release_id
    WHERE r.version = %s)
"""
DEPLOYS = """
SELECT d.*, e.name AS environment_name, w.verdict FROM releases_deploy d
JOIN releases_release r ON r.id = d.release_id
JOIN releases_environment e ON e.id = d.environment_id
JOIN releases_watch w ON w.deploy_id = d.id
WHERE r.version = %s ORDER BY d.id
"""
COMMITS = """
SELECT c.* FROM releases_commit c JOIN releases_release r ON r.id = c.release_id
WHERE r.version = %s ORDER BY c.position
"""
TRAFFIC = """
SELECT count(*) AS posted FROM releases_trafficminute t
JOIN releases_release r ON r.id = t.release_id WHERE r.version = %s
"""
Rows = list[dict[str, Any]]


class Rush:
    """The running system, with a project and a token for the pipeline."""

    def __init__(self, up: RunningUp) -> None:
        command = ("shell", "-v", "0", "-c", PREPARE)
        told = manage(up.data_dir, *command, RUSH_URL=up.url)
        assert told.returncode == 0, told.stderr
        self.token: str = json.loads(told.stdout.splitlines()[-1])
        self.url = up.url
        self._database_url = up.database_url

    def rows(self, query: str, release: str) -> Rows:
        with psycopg.connect(self._database_url, row_factory=dict_row) as session:
            return session.execute(query.encode(), [release]).fetchall()

    @contextmanager
    def judging(self, release: str, verdict: str) -> Iterator[None]:
        """Meanwhile every deploy of the release gets this verdict."""
        over = threading.Event()

        def judge() -> None:
            with psycopg.connect(self._database_url, autocommit=True) as session:
                while not over.wait(0.2):
                    session.execute(SETTLE, [verdict, release])

        thread = threading.Thread(target=judge)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


@pytest.fixture(scope="module")
def rush(up: RunningUp) -> Rush:
    return Rush(up)


@pytest.fixture
def runner(rush: Rush, tmp_path: Path) -> Runner:
    for needed in ("bash", "curl", "git", "jq", "python3"):
        npm.command(needed)
    runner = Runner(tmp_path / "repository", {"RUSH_TOKEN": rush.token})
    runner.prepare()
    return runner


def check_commits(rush: Rush, release: str) -> None:
    """What ``Runner.prepare`` committed is there, the newest first."""
    newest, oldest = rush.rows(COMMITS, release)
    assert newest["message"].strip() == "Change 1\n\nBecause."
    assert (newest["author_name"], newest["author_email"]) == ("Mia", "mia@example.com")
    assert (newest["files"], oldest["files"]) == (["grüße.py"], ["pricing.py"])


@pytest.mark.parametrize(
    ("verdict", "status"), [("healthy", 0), ("degraded", 1), ("inconclusive", 3)]
)
def test_the_recipe_for_github(
    rush: Rush, runner: Runner, verdict: str, status: int
) -> None:
    runner.env |= {
        "GITHUB_SERVER_URL": "https://github.com",
        "GITHUB_REPOSITORY": "acme/shop",
        "GITHUB_RUN_ID": "4711",
        "GITHUB_RUN_ATTEMPT": "1",
        "GITHUB_JOB": "deploy",
    }
    release = f"shop@{runner.sha}"
    job = parsed("github-actions.md")["jobs"]["deploy"]

    with rush.judging(release, verdict):
        ended = run_github_job(runner, job, rush.url)

    assert ended == status, runner.printed
    assert f"{verdict.upper()}: As the test says." in runner.printed[-2]
    (deploy,) = rush.rows(DEPLOYS, release)
    assert deploy["url"] == "https://github.com/acme/shop/actions/runs/4711"
    assert deploy["started_at"] <= deploy["finished_at"]
    check_commits(rush, release)


def test_the_canary_on_github(rush: Rush, runner: Runner) -> None:
    release = f"shop@{runner.sha}"
    runner.env |= {"RUSH_URL": rush.url, "RUSH_PROJECT": "shop"}
    runner.env["RUSH_RELEASE"] = release
    runner.bash('curl -fsS -o rush-gate.py "$RUSH_URL/rush-gate.py"')
    (script,) = blocks("github-actions.md", "sh")

    with rush.judging(release, "inconclusive"):
        assert runner.bash(script, "-e") == 0, runner.printed

    (deploy,) = rush.rows(DEPLOYS, release)
    assert (deploy["name"], deploy["traffic_share"]) == ("canary", 0.05)


@pytest.mark.parametrize(("verdict", "status"), [("healthy", 0), ("inconclusive", 3)])
def test_the_recipe_for_gitlab(
    rush: Rush, runner: Runner, verdict: str, status: int
) -> None:
    page = "https://gitlab.com/acme/shop/-/jobs/815"
    runner.env |= {
        "CI_COMMIT_SHA": runner.sha,
        "CI_JOB_ID": f"815-{verdict}",
        "CI_JOB_URL": page,
        "CI_SERVER_URL": "https://gitlab.com",
    }
    release = f"shop@{runner.sha}"
    job = parsed("gitlab-ci.md")["deploy"]

    with rush.judging(release, verdict):
        ended = run_gitlab_job(runner, job, rush.url)

    assert ended == status, runner.printed
    assert job["allow_failure"]["exit_codes"] == [3]
    (deploy,) = rush.rows(DEPLOYS, release)
    assert (deploy["url"], deploy["verdict"]) == (page, verdict)
    assert deploy["idempotency_key"].startswith("gitlab-815-")


@pytest.mark.parametrize(("verdict", "status"), [("healthy", 0), ("degraded", 1)])
def test_the_recipe_for_curl(
    rush: Rush, runner: Runner, verdict: str, status: int
) -> None:
    release = f"shop@{runner.sha}"
    runner.env |= {"RUSH_URL": rush.url, "RUSH_PROJECT": "shop"}
    runner.env |= {"RUSH_RELEASE": release, "RUN": f"1-{verdict}"}

    with rush.judging(release, verdict):
        ended = runner.bash("\n".join(blocks("curl.md", "sh")))

    assert ended == status, runner.printed
    assert runner.printed[-2].splitlines()[-1] == f"{verdict}: As the test says."
    (deploy,) = rush.rows(DEPLOYS, release)
    assert deploy["idempotency_key"] == f"run-1-{verdict}"
    assert deploy["finished_at"] is not None
    assert rush.rows(TRAFFIC, release) == [{"posted": 1}]
    check_commits(rush, release)


@pytest.mark.clients
def test_the_recipe_for_sentry_cli(rush: Rush, runner: Runner, packages: Path) -> None:
    release = f"shop@{runner.sha}"
    runner.env |= {
        "SENTRY_URL": rush.url,
        "SENTRY_AUTH_TOKEN": rush.token,
        "SENTRY_ORG": "rush",
        "SENTRY_PROJECT": "shop",
        "RELEASE": release,
        "PATH": f"{packages / 'node_modules' / '.bin'}:{runner.path}",
    }
    script = "\n".join(blocks("sentry-cli.md", "sh"))

    with rush.judging(release, "healthy"):
        ended = runner.bash(script, "-eo", "pipefail")

    assert ended == 0, runner.printed
    (deploy,) = rush.rows(DEPLOYS, release)
    assert deploy["environment_name"] == "production"
    check_commits(rush, release)


def test_the_command_of_the_overview(rush: Rush, runner: Runner) -> None:
    runner.env["RUSH_URL"] = rush.url
    (script,) = blocks("README.md", "sh")

    with rush.judging("shop@2.4.0", "healthy"):
        assert runner.bash(script) == 0, runner.printed


def test_every_page_is_run_and_says_what_is_not() -> None:
    pages = {page.name for page in DOCS.glob("*.md")} - {"README.md"}
    assert pages == {"curl.md", "github-actions.md", "gitlab-ci.md", "sentry-cli.md"}
    for page in pages:
        assert "**Not run by the tests:**" in (DOCS / page).read_text(encoding="utf-8")
