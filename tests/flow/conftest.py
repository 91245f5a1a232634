"""One front door for all flow tests of a session."""

from collections.abc import Iterator

import pytest

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
