"""``manage.py up``: checks what can be checked, then becomes the supervisor."""

import os
import secrets
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, connection

from rush_monitor.checks import server_problems
from rush_monitor.children import Log
from rush_monitor.supervisor import Plan, Up
from rush_monitor.unprivileged import EngineError, make_directories

DEFAULT_PORT = 8000


def port_number(text: str) -> int:
    port = int(text)
    if not 0 < port < 65536:
        raise ValueError
    return port


def make_secret_key(path: Path) -> None:
    """Write a new key that only this user can read, unless there is one."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(fd, "w", encoding="ascii") as file:
        file.write(secrets.token_urlsafe(50))


def check_configured_database() -> None:
    """Raise CommandError when DATABASE_URL leads to no server we may trust."""
    try:
        problems = server_problems()
    except DatabaseError as error:
        reason = str(error).strip().splitlines()[0]
        raise CommandError(
            f"DATABASE_URL: {reason}. Start that server, correct the URL, or unset it "
            "to use the embedded database."
        ) from error
    finally:
        connection.close()
    if problems:
        raise CommandError(f"DATABASE_URL: {' '.join(problems)}")


class Command(BaseCommand):
    help = (
        "Run everything: database and broker (embedded unless DATABASE_URL and "
        "CELERY_BROKER_URL are set), front door, admin, workers and beat. Ctrl-C "
        "stops it."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--host", default="127.0.0.1", help="address to listen on (127.0.0.1)"
        )
        parser.add_argument(
            "--port",
            type=port_number,
            help=f"port to listen on (the one in BASE_URL, else {DEFAULT_PORT})",
        )
        parser.add_argument(
            "--demo",
            action="store_true",
            help="also play 60 shops, two deploys and a rollback",
        )
        parser.add_argument(
            "--no-fork",
            dest="fork",
            action="store_false",
            default=sys.platform == "linux",
            help="start each process as a program of its own (always so on macOS)",
        )
        parser.add_argument(
            "--no-input",
            action="store_true",
            help="for scripts that pass it to every command: `up` never asks anything",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            make_directories(settings.DATA_DIR, settings.RUN_DIR)
        except EngineError as error:
            raise CommandError(str(error)) from error
        # settings read the key when they were loaded, so look at what they were given.
        if not (os.environ.get("SECRET_KEY") or os.environ.get("SECRET_KEY_FILE")):
            make_secret_key(settings.DATA_DIR / "secret_key")
        if not settings.EMBEDDED_DATABASE:
            check_configured_database()
        plan = self._plan(options)
        _settle_environment(plan)
        connection.close()
        log = Log(sys.stdout, as_json=settings.LOG_FORMAT == "json")
        try:
            Up(plan, log).run()
        except EngineError as error:
            raise CommandError(str(error)) from error

    def _plan(self, options: dict[str, Any]) -> Plan:
        given = os.environ.get("BASE_URL")
        port = options["port"] or (given and urlsplit(given).port) or DEFAULT_PORT
        return Plan(
            data_dir=settings.DATA_DIR,
            run_dir=settings.RUN_DIR,
            host=options["host"],
            port=port,
            embedded_database=settings.EMBEDDED_DATABASE,
            embedded_broker=settings.EMBEDDED_BROKER,
            demo=options["demo"],
            forks=options["fork"],
        )


def _settle_environment(plan: Plan) -> None:
    """Start this command again when settings must be read with other variables.

    The process keeps its id, and the second time everything is in place.
    """
    wanted = {
        "BASE_URL": f"http://{_reachable(plan.host)}:{plan.port}",
        **os.environ,
        "DJANGO_UPSTREAM": f"unix:{plan.django_socket}",
        "CELERY_SKIP_CHECKS": "1",
        # Few arenas and an early trim: else threads keep memory they used once.
        "MALLOC_ARENA_MAX": "2",
        "MALLOC_TRIM_THRESHOLD_": "131072",
    }
    if plan.demo:
        # The demo's CD is on this machine, where no rollback call may go otherwise.
        allowed = os.environ.get("OUTBOUND_ALLOWED_NETWORKS", "")
        if "127.0.0.1" not in allowed:
            wanted["OUTBOUND_ALLOWED_NETWORKS"] = ",".join(
                filter(None, (allowed, "127.0.0.1/32"))
            )
    if wanted != dict(os.environ):
        os.execve(sys.executable, sys.orig_argv, wanted)


def _reachable(host: str) -> str:
    """The host for a URL: an address that listens everywhere is reached as local."""
    if host in {"0.0.0.0", "::", ""}:
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host
