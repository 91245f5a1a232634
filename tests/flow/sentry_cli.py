"""The unmodified sentry-cli in a checkout, with a token of a running ``up``."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from tests.flow import npm
from tests.running import RunningUp, manage

PREPARE = """
import json, os
from django.conf import settings
from tenants.models import Project, ProjectKey
from tenants.tokens import issue_token

for slug in ("cli-web", "cli-api", "tracking"):
    defaults = {"name": slug.title(), "repositories": ["acme/shop", "acme/theme"]}
    Project.objects.get_or_create(slug=slug, defaults=defaults)
options = {"base_url": os.environ["RUSH_URL"]}
options["organization"] = settings.ORGANIZATION_SLUG
scopes = ["release:write", "traffic:write"]
key, _ = ProjectKey.objects.get_or_create(
    project=Project.objects.get(slug="cli-api"), label="cli"
)
token = issue_token("cli", scopes, **options)[1]
print(json.dumps({"token": token, "dsn": key.dsn(options["base_url"])}))
"""
RELEASES = """
SELECT p.slug, r.* FROM releases_release r JOIN tenants_project p ON p.id = r.project_id
WHERE r.version = %s ORDER BY p.slug
"""
AUTHOR = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (
        ("NAME", "Mia Müller"),
        ("EMAIL", "mia@example.com"),
        ("DATE", "2026-11-24T10:00:00Z"),
    )
}


class SentryCli:
    """The program with a token of ours: URL and organization stand in that."""

    def __init__(self, up: RunningUp, program: Path, checkout: Path) -> None:
        command = ("shell", "-v", "0", "-c", PREPARE)
        prepared = manage(up.data_dir, *command, RUSH_URL=up.url)
        assert prepared.returncode == 0, prepared.stderr
        told = json.loads(prepared.stdout.splitlines()[-1])
        self.token: str = told["token"]
        self.dsn: str = told["dsn"]
        self.url = up.url
        self.checkout = checkout
        self._program = program
        self._database_url = up.database_url

    @property
    def environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("SENTRY_")}
        return {
            **kept,
            "PATH": f"{self._program.parent}:{os.environ['PATH']}",
            "SENTRY_AUTH_TOKEN": self.token,
            "SENTRY_PROJECT": "cli-web",
            "SENTRY_DSN": self.dsn,
            "SENTRY_LOG_LEVEL": "warn",
        }

    def try_run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run it in the checkout to its end."""
        return subprocess.run(
            [str(self._program), *arguments],
            cwd=self.checkout,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def run(self, *arguments: str) -> str:
        """What it printed; its exit status must be 0."""
        done = self.try_run(*arguments)
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def rows(self, query: str, version: str) -> list[dict[str, Any]]:
        with psycopg.connect(self._database_url, row_factory=dict_row) as session:
            return session.execute(query, [version]).fetchall()

    def release(self, version: str) -> dict[str, Any]:
        """The row of the one project that has it."""
        (row,) = self.rows(RELEASES, version)
        return row

    def commit(self, name: str, text: str) -> str:
        """Commit a file to the checkout; the id."""
        (self.checkout / name).write_text(text, encoding="utf-8")
        git(self.checkout, "add", name)
        git(self.checkout, "commit", "-q", "-m", f"Change {name}\n\n{text}")
        return git(self.checkout, "rev-parse", "HEAD").strip()


def git(directory: Path, *arguments: str) -> str:
    done = subprocess.run(
        [npm.command("git"), *arguments],
        cwd=directory,
        env={**os.environ, **AUTHOR},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout
