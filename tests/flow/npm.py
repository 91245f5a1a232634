"""What the clients from npm need: node, npm, Chromium, and packages by name."""

import fcntl
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest

# Installed by name at test time: no lock file and no registry's address stand here.
PACKAGES = (
    *("@sentry/node@^11", "@sentry/browser@^11", "@sentry/cli@^3.8"),
    *("express@^5", "esbuild@*"),
)
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "chrome")
INSTALL_SECONDS = 240


def go_without(reason: str) -> NoReturn:
    """Skip where a person runs the tests; in CI nothing may be missing."""
    if os.environ.get("CI"):
        pytest.fail(f"{reason} CI must have it: see .ci/run.")
    pytest.skip(reason)


def command(*names: str) -> str:
    """The first of these commands that the machine has, or it goes without."""
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        go_without(f"There is no {names[0]} on this machine.")
    return found


def chromium() -> str:
    return command(*filter(None, (os.environ.get("CHROMIUM"), *CHROMIUM)))


def installed(directory: Path) -> Path:
    """A directory with the packages, installed there once and kept."""
    command("node")
    npm = command("npm")
    wanted = json.dumps({"private": True, "packages": PACKAGES})
    with (directory / "lock").open("w") as lock:
        # Workers of pytest-xdist share the directory.
        fcntl.flock(lock, fcntl.LOCK_EX)
        marker = directory / "packages.json"
        if not marker.exists() or marker.read_text(encoding="utf-8") != wanted:
            _install(npm, directory)
            marker.write_text(wanted, encoding="utf-8")
    return directory


def _install(npm: str, directory: Path) -> None:
    options = ["--prefix", str(directory), "--no-save", "--no-package-lock"]
    quiet = ["--no-audit", "--no-fund", "--loglevel=error"]
    try:
        subprocess.run(
            [npm, "install", *options, *quiet, *PACKAGES],
            cwd=directory,
            check=True,
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
        )
    except subprocess.CalledProcessError as error:
        go_without(f"npm cannot install {' '.join(PACKAGES)}: {error.stderr[-500:]}.")
    except subprocess.TimeoutExpired:
        go_without(f"npm install was not done after {INSTALL_SECONDS} s.")
