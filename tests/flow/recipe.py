"""Reads the recipes of docs/ci and runs their commands as the CI systems do."""

import json
import os
import re
import string
import subprocess
import sys
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from releases import rush_gate

DOCS = Path(__file__).parents[2] / "docs" / "ci"
ADDRESS = "https://rush.example.com"
COMMAND_SECONDS = 60
SOURCE_MAP = {
    "version": 3,
    "sources": ["app.ts"],
    "sourcesContent": ["a();"],
    "names": [],
    "mappings": "AAAA",
}
# What a CI system sets, so that a test run inside one does not mix them up.
FOREIGN = ("GITHUB_", "CI_", "RUSH_", "SENTRY_")


def blocks(page: str, language: str) -> list[str]:
    """The code of a page in this language."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@dataclass
class Runner:
    """A checked-out repository with commits, and what the CI system has set."""

    directory: Path
    env: dict[str, str]
    printed: list[str] = field(default_factory=list)

    @property
    def sha(self) -> str:
        """The commit that is shipped."""
        return self._git("rev-parse", "HEAD").strip()

    @property
    def path(self) -> str:
        """Where commands are looked for: what the team has comes first."""
        return f"{self.directory}:{os.environ['PATH']}"

    def prepare(self) -> None:
        """Make what a team has: commits, a build, a way to deploy, an access log."""
        self.directory.mkdir()
        self._git("init", "--quiet")
        for number, name in enumerate(("pricing.py", "grüße.py")):
            (self.directory / name).write_text(f"version = '{uuid.uuid4()}'\n")
            self._git("add", name)
            self._git("commit", "--quiet", "-m", f"Change {number}\n\nBecause.")
        self._script("deploy.sh", "touch deployed")
        command = f'exec "{sys.executable}" "{rush_gate.__file__}" "$@"'
        self._script("rush-gate", command)
        (self.directory / "access.log").write_text("")
        dist = self.directory / "dist"
        dist.mkdir()
        (dist / "app.js").write_text("a();\n//# sourceMappingURL=app.js.map\n")
        (dist / "app.js.map").write_text(json.dumps(SOURCE_MAP))

    def _script(self, name: str, line: str) -> None:
        path = self.directory / name
        path.write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
        path.chmod(0o755)

    def _git(self, *arguments: str) -> str:
        who = {
            f"GIT_{role}_{what}": value
            for role in ("AUTHOR", "COMMITTER")
            for what, value in (("NAME", "Mia"), ("EMAIL", "mia@example.com"))
        }
        return subprocess.check_output(
            ["git", *arguments],
            cwd=self.directory,
            env={**os.environ, **who},
            text=True,
        )

    def bash(self, script: str, *options: str) -> int:
        """Run a script to its end; returns its exit status."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(FOREIGN)}
        done = subprocess.run(
            ["bash", *options, "-c", script],
            cwd=self.directory,
            env={**kept, "PATH": self.path, **self.env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        self.printed += [done.stdout, done.stderr]
        return done.returncode


def run_github_job(runner: Runner, job: Mapping[str, Any], url: str) -> int:
    """The ``run`` lines of a job, each in a shell of its own, until one fails."""
    known = {"secrets.RUSH_TOKEN": runner.env["RUSH_TOKEN"], "github.sha": runner.sha}
    for name, value in job["env"].items():
        told = re.sub(r"\$\{\{ *(.*?) *\}\}", lambda found: known[found[1]], value)
        runner.env[name] = told.replace(ADDRESS, url)
    handed_on = runner.directory / "github_env"
    handed_on.touch()
    runner.env["GITHUB_ENV"] = str(handed_on)
    for step in job["steps"]:
        if "run" not in step:
            continue
        status = runner.bash(step["run"], "-e")
        if status:
            return status
        for line in handed_on.read_text().splitlines():
            name, _, value = line.partition("=")
            runner.env[name] = value
    return 0


def run_gitlab_job(runner: Runner, job: Mapping[str, Any], url: str) -> int:
    """The ``script`` lines of a job in one shell."""
    for name, value in job["variables"].items():
        told = string.Template(value).substitute(runner.env)
        runner.env[name] = told.replace(ADDRESS, url)
    return runner.bash("\n".join(job["script"]), "-eo", "pipefail")


def parsed(page: str) -> dict[str, Any]:
    """The one YAML block of a page."""
    (block,) = blocks(page, "yaml")
    document: dict[str, Any] = yaml.safe_load(block)
    return document
