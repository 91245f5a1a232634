"""The processes that ``up`` keeps running, each a function that ends on SIGTERM.

``up`` forks them from one process that has loaded what they share: that takes half of
the memory of loading it in each, and a killed one answers again within milliseconds.
Where forking is not safe (macOS) each runs as ``manage.py process <name>``.
"""

import contextlib
import gc
import os
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
    "celery.apps.beat",
    "celery.apps.worker",
    "celery.concurrency.prefork",
    "celery.concurrency.thread",
    "django.core.wsgi",
    "issues.ingest.endpoint",
    "rush_monitor.upstream",
)

# An SDK waits for its answer and never asks again; people and digest can wait.
PAGES_NICE, WORK_NICE = 5, 10
AUTOGROUP = Path("/proc/self/autogroup")

# Without these, workers talk to each other through the broker; ours have no need.
ALONE = ("--without-gossip", "--without-mingle", "--without-heartbeat")


def load_shared() -> None:
    """Load what all processes use, and keep the garbage collector from touching it."""
    for module in SHARED:
        import_module(module)
    app.loader.import_default_modules()
    app.finalize()
    app.connection_for_write().get_transport_cls()  # imports the broker's client
    get_resolver().url_patterns  # noqa: B018  (imports every view)
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
    number = f"--concurrency={settings.DIGEST_PROCESSES}"
    _work("digest", "--queues=digest", "--pool=prefork", number)


def worker(_fd: int) -> None:
    # Threads: deliveries wait for strangers, and no pool process is needed.
    _work("worker", "--queues=watch,notify,upkeep", "--pool=threads", "--concurrency=3")


def _work(name: str, *options: str) -> None:
    give_way(WORK_NICE)
    # Our tasks carry no pickles, which is what makes a worker of root dangerous.
    warnings.filterwarnings("ignore", message=".*superuser privileges")
    node = f"--hostname={name}-{os.getpid()}@%h"
    app.worker_main(["--quiet", "worker", node, *ALONE, *options])


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
