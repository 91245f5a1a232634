"""The unmodified sentry-cli against a running ``manage.py up``: every command of
releases and deploys ends with status 0, and what it stored is right."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from tests.flow import npm
from tests.flow.sentry_cli import RELEASES, SentryCli
from tests.running import ROOT, eventually

pytestmark = pytest.mark.clients

DOCS = ROOT / "docs" / "releases.md"
SHELL = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)

COMMITS = """
SELECT c.* FROM releases_commit c JOIN releases_release r ON r.id = c.release_id
JOIN tenants_project p ON p.id = r.project_id
WHERE r.version = %s AND p.slug = 'cli-web' ORDER BY c.position
"""
RUNS = """
SELECT m.slug, m.crontab, m.timezone, e.name AS environment, c.status, c.duration
FROM issues_checkin c
JOIN issues_monitorenvironment p ON p.id = c.monitor_environment_id
JOIN issues_monitor m ON m.id = p.monitor_id
JOIN releases_environment e ON e.id = p.environment_id
WHERE m.slug = %s AND c.status <> 'in_progress' ORDER BY c.started
"""
DEPLOYS = """
SELECT p.slug, e.name AS environment, d.*, w.verdict
FROM releases_deploy d JOIN releases_release r ON r.id = d.release_id
JOIN tenants_project p ON p.id = d.project_id
JOIN releases_environment e ON e.id = d.environment_id
LEFT JOIN releases_watch w ON w.deploy_id = d.id
WHERE r.version = %s ORDER BY d.id
"""


def test_it_tells_who_it_talks_to(cli: SentryCli) -> None:
    told = cli.run("info")

    assert cli.url in told
    assert "release:write" in told


@pytest.mark.parametrize(
    ("command", "told"),
    [("organizations", "rush"), ("projects", "cli-api"), ("repos", "acme/shop")],
)
def test_lists_are_shown(cli: SentryCli, command: str, told: str) -> None:
    assert told in cli.run(command, "list")


def test_a_release_is_made_and_finalized(cli: SentryCli) -> None:
    cli.run("releases", "new", "shop@1.0", "--url", "https://ci.example.com/7")
    made = cli.release("shop@1.0")
    cli.run("releases", "new", "shop@1.0")
    cli.run("releases", "finalize", "shop@1.0")

    release = cli.release("shop@1.0")
    assert (made["slug"], made["url"]) == ("cli-web", "https://ci.example.com/7")
    assert made["started_at"] == release["started_at"] is not None
    assert (made["released_at"], release["id"]) == (None, made["id"])
    assert release["released_at"] >= release["started_at"]


def test_a_release_is_finalized_as_of_the_given_time(cli: SentryCli) -> None:
    cli.run("releases", "new", "shop@1.1", "--finalize")
    assert cli.release("shop@1.1")["released_at"] is not None

    cli.run("releases", "finalize", "shop@1.1", "--released", "1795420090")

    assert cli.release("shop@1.1")["released_at"].timestamp() == 1795420090


def test_a_release_spans_projects(cli: SentryCli) -> None:
    both = ("-p", "cli-web", "-p", "cli-api")
    cli.run("releases", *both, "new", "suite@1")
    cli.run("releases", *both, "finalize", "suite@1")

    rows = cli.rows(RELEASES, "suite@1")
    assert [row["slug"] for row in rows] == ["cli-api", "cli-web"]
    assert all(row["released_at"] for row in rows)
    told = cli.run("releases", "info", "suite@1", "-P")
    assert "cli-api" in told and "cli-web" in told


def test_local_commits_carry_their_files(cli: SentryCli) -> None:
    first = cli.commit("app.py", "one")
    cli.run("releases", "set-commits", "--local", "commits@1")
    second = cli.commit("pricing.py", "two 🧦")
    third = cli.commit("app.py", "three")
    # The repositories that we name never match, so --auto sends what is local, too.
    cli.run("releases", "set-commits", "--auto", "commits@2")

    assert [row["sha"] for row in cli.rows(COMMITS, "commits@1")] == [first]
    newest, older = cli.rows(COMMITS, "commits@2")
    assert (newest["sha"], newest["files"]) == (third, ["app.py"])
    assert (older["sha"], older["files"]) == (second, ["pricing.py"])
    assert older["message"] == "Change pricing.py\n\ntwo 🧦"
    assert (older["author_name"], older["author_email"]) == (
        "Mia Müller",
        "mia@example.com",
    )
    assert older["committed_at"].isoformat() == "2026-11-24T10:00:00+00:00"
    release = cli.release("commits@2")
    assert (release["commit"], release["authors"]) == (third, ["Mia Müller"])
    assert third in cli.run("releases", "info", "commits@2", "-C")


def test_auto_may_ignore_a_previous_commit_that_is_gone(cli: SentryCli) -> None:
    sha = cli.commit("app.py", "four")
    gone = "acme/shop@" + "a" * 40
    cli.run("releases", "set-commits", "rewritten@1", "--commit", gone)

    cli.run("releases", "set-commits", "--auto", "--ignore-missing", "rewritten@2")

    assert cli.rows(COMMITS, "rewritten@2")[0]["sha"] == sha


def test_a_repository_that_no_project_names_is_unknown(cli: SentryCli) -> None:
    spec = ("--commit", "acme/other@" + "a" * 40)

    done = cli.try_run("releases", "set-commits", "hand@0", *spec)

    assert done.returncode == 1
    assert "Unknown repo 'acme/other'" in done.stderr


def test_commits_are_named_by_hand_and_cleared(cli: SentryCli) -> None:
    old, new, theme = "a" * 40, "b" * 40, "c" * 40
    ranges = ("--commit", f"acme/shop@{old}..{new}", "--commit", f"acme/theme@{theme}")
    cli.run("releases", "set-commits", "hand@1", *ranges)
    named = [(row["repository"], row["sha"]) for row in cli.rows(COMMITS, "hand@1")]
    assert named == [("acme/shop", new), ("acme/theme", theme)]

    cli.run("releases", "set-commits", "hand@1", "--clear")
    assert cli.rows(COMMITS, "hand@1") == []
    assert cli.release("hand@1")["commit"] == ""


def test_releases_are_listed_and_looked_at(cli: SentryCli) -> None:
    cli.run("releases", "new", "listed@1")

    assert "listed@1" in cli.run("releases", "list", "--raw").split()
    assert "listed@1" in cli.run("releases", "list")
    assert "listed@1" in cli.run("releases", "info", "listed@1")
    assert cli.try_run("releases", "info", "unknown@1").returncode == 1


def test_a_release_is_archived_restored_and_deleted(cli: SentryCli) -> None:
    cli.run("releases", "new", "old@1")
    cli.run("releases", "archive", "old@1")
    assert cli.release("old@1")["archived_at"] is not None
    assert "old@1" not in cli.run("releases", "list", "--raw").split()

    cli.run("releases", "restore", "old@1")
    assert cli.release("old@1")["archived_at"] is None

    assert "Deleted" in cli.run("releases", "delete", "old@1")
    assert cli.rows(RELEASES, "old@1") == []
    assert "does not exist" in cli.run("releases", "delete", "old@1")


def test_a_deploy_is_recorded_and_watched(cli: SentryCli) -> None:
    cli.run("releases", "new", "deployed@1")
    new = ("deploys", "new", "--release", "deployed@1", "-e", "production")
    cli.run(*new, "-n", "blue 7", "-u", "https://ci.example.com/7", "-t", "95")
    cli.run(*new, "-n", "blue 7", "-u", "https://ci.example.com/7", "-t", "95")

    (deploy,) = cli.rows(DEPLOYS, "deployed@1")
    assert (deploy["environment"], deploy["name"]) == ("production", "blue 7")
    assert deploy["url"] == "https://ci.example.com/7"
    took = deploy["finished_at"] - deploy["started_at"]
    assert 90 < took.total_seconds() < 96
    assert deploy["verdict"] is not None
    assert "blue 7" in cli.run("deploys", "list", "--release", "deployed@1")


def test_a_deploy_tells_its_times_or_none(cli: SentryCli) -> None:
    cli.run("releases", "new", "deployed@2")
    new = ("deploys", "new", "--release", "deployed@2", "-e")
    cli.run(*new, "staging", "--started", "1795420000", "--finished", "1795420090")
    cli.run(*new, "production")

    staging, production = cli.rows(DEPLOYS, "deployed@2")
    assert staging["started_at"].timestamp() == 1795420000
    assert staging["finished_at"].timestamp() == 1795420090
    assert production["started_at"] == production["finished_at"]
    listed = cli.run("deploys", "list", "--release", "deployed@2")
    assert "staging" in listed and "production" in listed


def test_a_deploy_of_several_projects_is_one_for_it(cli: SentryCli) -> None:
    cli.run("releases", "-p", "cli-web", "-p", "cli-api", "new", "suite@2")
    cli.run("deploys", "new", "--release", "suite@2", "-e", "qa")

    rows = cli.rows(DEPLOYS, "suite@2")
    assert sorted(row["slug"] for row in rows) == ["cli-api", "cli-web"]
    assert cli.run("deploys", "list", "--release", "suite@2").count("| qa ") == 1


def test_what_was_deployed_is_not_deleted(cli: SentryCli) -> None:
    cli.run("releases", "new", "kept@1")
    cli.run("deploys", "new", "--release", "kept@1", "-e", "production")

    done = cli.try_run("releases", "delete", "kept@1")

    assert done.returncode == 1
    assert "it was deployed. Archive it instead" in done.stderr
    assert cli.release("kept@1")


def test_what_is_not_there_is_told(cli: SentryCli) -> None:
    done = cli.try_run("deploys", "new", "--release", "no@1", "-e", "production")
    assert done.returncode == 1
    assert "Release not found" in done.stderr

    done = cli.try_run("releases", "-p", "nope", "new", "x@1")
    assert done.returncode == 1
    assert "There is no project 'nope'" in done.stderr


ODD = [
    "web shop@1.0+build.7",
    "größe@1 🧦",
    "100%",
    "%2F",
    "a?b#c&d",
    "commits",
    "(v1)",
]


@pytest.mark.parametrize("version", ODD)
def test_a_version_may_be_odd(cli: SentryCli, version: str) -> None:
    cli.run("releases", "new", version)
    cli.run("releases", "finalize", version)
    cli.run("deploys", "new", "--release", version, "-e", "production")

    assert cli.release(version)["released_at"] is not None
    assert len(cli.rows(DEPLOYS, version)) == 1
    assert version in cli.run("releases", "info", version)


def test_a_job_that_it_runs_is_watched(cli: SentryCli) -> None:
    schedule = ("-s", "0 3 * * *", "--timezone", "Europe/Vienna")
    cli.run("monitors", "run", "nightly-cli", *schedule, "--", "true")
    failed = cli.try_run("monitors", "run", "-e", "qa", "nightly-cli", "--", "false")

    assert failed.returncode == 1
    assert eventually(lambda: len(cli.rows(RUNS, "nightly-cli")) == 2)
    good, bad = cli.rows(RUNS, "nightly-cli")
    assert (good["crontab"], good["timezone"]) == ("0 3 * * *", "Europe/Vienna")
    assert (good["environment"], good["status"]) == ("production", "ok")
    assert (bad["environment"], bad["status"]) == ("qa", "error")
    assert 0 < good["duration"] < 10
    assert "nightly-cli" in cli.run("monitors", "list")


@contextmanager
def calling(cli: SentryCli) -> Iterator[httpx.Client]:
    token = {"authorization": f"Bearer {cli.token}"}
    with httpx.Client(base_url=f"{cli.url}/api/0", headers=token) as client:
        yield client


@pytest.mark.parametrize("name", ["feature%2Fcart", "feature/cart2", "a%2F%2Fb"])
def test_other_tools_may_name_versions_with_slashes(cli: SentryCli, name: str) -> None:
    version = name.replace("%2F", "/")
    with calling(cli) as client:
        path = "/organizations/rush/releases/"
        client.post(path, json={"version": version, "projects": ["cli-web"]})
        told = client.get(f"{path}{name}/")
        deploy = client.post(f"{path}{name}/deploys/", json={"environment": "qa"})

    assert told.json()["version"] == version
    assert deploy.status_code == 201


def test_a_path_that_is_not_there_is_told_in_json(cli: SentryCli) -> None:
    with calling(cli) as client:
        answer = client.get("/organizations/rush/nope/")

    assert answer.status_code == 404
    assert list(answer.json()) == ["detail"]


def test_the_commands_of_the_docs_work(cli: SentryCli) -> None:
    cli.commit("tracking.py", "five")
    with calling(cli) as client:
        told = {"version": "tracking@2.4.0", "projects": ["tracking"]}
        made = client.post("/organizations/rush/releases/", json=told).json()
    setting, *commands = SHELL.findall(DOCS.read_text(encoding="utf-8"))
    assert setting.startswith("export RUSH_URL=")
    npm.command("curl")
    assert len(commands) == 5

    for command in commands:
        subprocess.run(
            [npm.command("bash"), "-euo", "pipefail", "-c", command],
            cwd=cli.checkout,
            env={
                **cli.environment,
                "RUSH_URL": cli.url,
                "RUSH_TOKEN": cli.token,
                "ID": str(made["id"]),
            },
            check=True,
            timeout=60,
        )

    (deploy,) = cli.rows(DEPLOYS, "tracking@2.4.0")
    assert deploy["idempotency_key"] == "run-812"
    assert cli.release("tracking@2.4.0")["released_at"] is not None
