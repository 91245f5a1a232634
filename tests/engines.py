"""Pytest plugin: gives the tests a database before Django reads its settings.

Loaded by ``-p tests.engines``. ``DATABASE_URL`` and ``CELERY_BROKER_URL`` of the
environment win; without them a throw-away embedded PostgreSQL runs for the session,
and Celery uses its in-memory broker. Workers of pytest-xdist inherit both, but each
has a database of its own on a Redis server, whose queues they would share.
"""

import contextlib
import os
import secrets
import tempfile
from collections.abc import Generator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from rush_monitor.cluster import Postgres

# What a developer's shell may hold and no test may depend on.
FOREIGN = ("BASE_URL", "ALLOWED_HOSTS", "TRUSTED_PROXIES", "DJANGO_UPSTREAM", "DEBUG")

MEMORY_BROKER = "memory://"
SERVER_IS_OURS = "RUSH_TEST_SERVER_IS_OURS"  # a variable that xdist's workers see

_stack = contextlib.ExitStack()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--no-skips",
        action="store_true",
        help="fail the run when a test was skipped (for CI)",
    )


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config,
) -> Generator[None, None, None]:
    # A wrapper runs before pytest-django's own hook, which imports the settings.
    if not early_config.known_args_namespace.help:
        early_config.add_cleanup(_stack.close)
        _provide_engines()
    yield


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "broker: uses the broker of CELERY_BROKER_URL, whichever it is"
    )
    config.addinivalue_line(
        "markers", "own_engines: starts embedded engines, whatever DATABASE_URL says"
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "up" in getattr(item, "fixturenames", ()):
            item.add_marker("own_engines")


def worker_number() -> str:
    """The digits of this worker of pytest-xdist; "" in the only process."""
    return os.environ.get("PYTEST_XDIST_WORKER", "").removeprefix("gw")


def _provide_engines() -> None:
    # A short path: a socket's ends at 103 bytes on macOS.
    directory = tempfile.TemporaryDirectory(prefix="rush-test-", dir="/tmp")
    data_dir = Path(_stack.enter_context(directory))
    (data_dir / "static").mkdir()  # whitenoise wants to see it, as `up` makes it
    for name in FOREIGN:
        os.environ.pop(name, None)
    os.environ["DATA_DIR"] = str(data_dir)
    os.environ["SECRET_KEY"] = secrets.token_hex()
    broker = os.environ.setdefault("CELERY_BROKER_URL", MEMORY_BROKER)
    if worker_number() and broker.startswith("redis://"):
        parts = urlsplit(broker)._replace(path=f"/{worker_number()}")
        os.environ["CELERY_BROKER_URL"] = parts.geturl()
    if not os.environ.get("DATABASE_URL"):
        server = Postgres(data_dir, data_dir / "run", durable=False)
        _stack.enter_context(server.running())
        os.environ["DATABASE_URL"] = server.url
        os.environ[SERVER_IS_OURS] = "1"


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if not session.config.getoption("--no-skips"):
        return
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter and reporter.stats.get("skipped") and session.exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
