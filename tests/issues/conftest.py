"""Fixtures for tests of ingest and digest."""

from collections.abc import Iterator

import pytest

from issues.digest.batch import Digest
from tenants.models import ProjectKey
from tests.factories import make_key


@pytest.fixture
def key() -> ProjectKey:
    return make_key()


@pytest.fixture
def digest() -> Iterator[Digest]:
    digest = Digest(500)
    yield digest
    digest.close()
