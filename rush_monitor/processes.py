"""The processes that ``up`` keeps running, each a function that ends on SIGTERM.

``up`` forks them from one process that has loaded what they share: that takes half of
the memory of loading it in each, and a killed one answers again within milliseconds.
Where forking is not safe (macOS) each runs as ``manage.py process <name>``.
"""

import contextlib
import gc
import os
import socket
import sys
import warnings
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import OutputWrapper
from django.urls import get_resolver

from rush_monitor.celery import app
from rush_monitor.first_run import prepare_database, welcome
from rush_monitor.serve import serve

# Imported late by those who use them; loaded early, all share them.
SHARED = (
    "anyio._backends._asyncio",
    "celery.apps.beat",
    "celery.apps.worker",
    "celery.app.events",
    "celery.concurrency.prefork",
    "celery.concurrency.thread",
    "celery.worker.components",
    "celery.worker.consumer",
    "celery.worker.control",
    "celery.worker.loops",
    "celery.worker.strategy",
    "cffi.cparser",
    "django.core.wsgi",
    "issues.ingest.endpoint",
    "rush_monitor.upstream",
)

# An SDK waits for its answer and never asks again; people and digest can wait. At 10,
# digest starves beside other programs; at 5, ingest answers as fast (measured).
PAGES_NICE, WORK_NICE = 2, 5
AUTOGROUP = Path("/proc/self/autogroup")

SKIP_CHECKS = "CELERY_SKIP_CHECKS"  # read by Celery
# Without these, workers talk to each other through the broker; ours have no need.
ALONE = {"without_gossip": True, "without_mingle": True, "without_heartbeat": True}


def load_shared() -> None:
    """Load what all processes use, and keep the garbage collector from touching it."""
    for module in SHARED:
        import_module(module)
    for middleware in settings.MIDDLEWARE:
        import_module(middleware.rpartition(".")[0])
    os.environ.pop(SKIP_CHECKS, None)
    app.loader.import_default_modules()  # runs Django's checks
    app.finalize()
    app.connection_for_write().get_transport_cls()  # imports the broker's client
    get_resolver().url_patterns  # noqa: B018  (imports every view)
    # Checks look at every model and view, and a fork must copy what it looks at.
    os.environ[SKIP_CHECKS] = "1"
    gc.collect()
    gc.freeze()


def give_way(nice: int) -> None:
    """Leave the processors to others when they want them.

    Linux may weigh whole sessions against each other (autogroup); then a niceness
    counts only inside ours, and the session needs one of its own.
    """
    os.nice(nice)
    with contextlib.suppress(OSError):
        AUTOGROUP.write_text(str(nice), encoding="ascii")


def front(fd: int) -> None:
    serve("asgi", fd)


def django(fd: int) -> None:
    give_way(PAGES_NICE)
    # Nothing need be collected there, but whitenoise wants to see it.
    settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)
    serve("wsgi", fd)


def digest(_fd: int) -> None:
    # Two overlap: one computes while the other waits for PostgreSQL.
    _work("digest", pool="prefork", threads_or_processes=settings.DIGEST_PROCESSES)


def worker(_fd: int) -> None:
    # Threads: deliveries wait for strangers, and no pool process is needed.
    _work("watch", "notify", "upkeep", pool="threads", threads_or_processes=3)


def _work(*queues: str, pool: str, threads_or_processes: int) -> None:
    give_way(WORK_NICE)
    # Our tasks carry no pickles, which is what makes a worker of root dangerous.
    warnings.filterwarnings("ignore", message=".*superuser privileges")
    # Not by Celery's command line, which would load a terminal's whole toolkit.
    running = app.Worker(
        hostname=f"{queues[0]}-{os.getpid()}@{socket.gethostname()}",
        queues=queues,
        pool_cls=pool,
        concurrency=threads_or_processes,
        quiet=True,
        **ALONE,
    )
    running.start()
    sys.exit(running.exitcode)


def beat(_fd: int) -> None:
    app.Beat(schedule=str(settings.DATA_DIR / "beat"), quiet=True).run()


def demo(_fd: int) -> None:
    call_command("demo")


def prepare(fd: int) -> None:
    """Migrate and make the first account; what the person should read goes to fd."""
    text = welcome(prepare_database(log=OutputWrapper(sys.stderr)))
    with open(fd, "w", encoding="utf-8") as answer:
        answer.write(text)


# Each takes the file descriptor that it serves from or answers to, -1 without one.
PROCESSES: dict[str, Callable[[int], None]] = {
    process.__name__: process
    for process in (front, django, digest, worker, beat, demo, prepare)
}
