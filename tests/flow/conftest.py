"""One front door for all flow tests of a session."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flow import npm
from tests.flow.sentry_cli import SentryCli, git
from tests.flow.server import Wire, serving_front
from tests.running import RunningUp


@pytest.fixture(scope="session")
def front(django_db_setup: None) -> Iterator[int]:
    """The port of a front door that stores into the tests' database."""
    with serving_front() as port:
        yield port


@pytest.fixture
def wire(front: int) -> Iterator[Wire]:
    with Wire(front) as wire:
        yield wire


@pytest.fixture(scope="session")
def packages(pytestconfig: pytest.Config) -> Path:
    """A directory with the npm packages, kept from run to run."""
    cache = pytestconfig.cache
    assert cache is not None
    return npm.installed(cache.mkdir("clients"))


@pytest.fixture(scope="module")
def cli(
    up: RunningUp, packages: Path, tmp_path_factory: pytest.TempPathFactory
) -> SentryCli:
    """sentry-cli with a token of the running ``up``, in a checkout without commits."""
    checkout = tmp_path_factory.mktemp("checkout")
    git(checkout, "init", "-q", "-b", "main")
    git(checkout, "remote", "add", "origin", "https://git.example.com/acme/shop.git")
    return SentryCli(up, packages / "node_modules/.bin/sentry-cli", checkout)
