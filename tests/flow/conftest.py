"""One front door for all flow tests of a session."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flow import npm
from tests.flow.server import Wire, serving_front


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
