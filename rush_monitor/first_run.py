"""Migrates, makes the first account and project, and says how to log in and send."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import OutputWrapper
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor

from rush_monitor.roles import ensure_roles
from tenants.models import Project, ProjectKey

# Two `up` on one DATABASE_URL must not migrate at the same time.
ADVISORY_LOCK = 0x72757368
ADMIN = "admin"

PLACE = """
rush_monitor is at {base_url}

  Admin     {base_url}/admin/
{account}
  DSN       {dsn}
{set_up}"""
NEW_ACCOUNT = f"""\
  User      {ADMIN}
  Password  {{password}}   (shown only now; change it in the admin)"""
OLD_ACCOUNT = f"  Password  forgotten? python manage.py changepassword {ADMIN}"

# Not by reverse(): the supervisor, which shows it, need not load every page.
SET_UP = "  Set up    {base_url}/admin/tenants/project/{project}/setup/\n"

SNIPPETS = """
Python (pip install sentry-sdk):
  import sentry_sdk
  sentry_sdk.init(dsn="{dsn}")
  sentry_sdk.capture_message("Hello", level="error", tags={{"shop": "a.example"}})

JavaScript (npm install @sentry/browser):
  import * as Sentry from "@sentry/browser";
  Sentry.init({{ dsn: "{dsn}" }});
  Sentry.captureMessage("Hello", {{ level: "error", tags: {{ shop: "a.example" }} }});
"""


@dataclass(frozen=True)
class FirstRun:
    """``password`` is None unless the account was made just now, ``dsn`` '' unless
    some project has an active key."""

    password: str | None
    dsn: str


def prepare_database(log: OutputWrapper) -> FirstRun:
    """Migrate, bring the roles up to date, make account and project if there are none.

    What it does goes to ``log``.
    """
    with _one_at_a_time():
        executor = MigrationExecutor(connection)
        pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
        if pending:
            log.write(f"applying {len(pending)} migrations")
        call_command("migrate", interactive=False, verbosity=0)
        with transaction.atomic():
            ensure_roles()
            password = None if User.objects.exists() else _make_first_account()
    key = ProjectKey.objects.filter(is_active=True).order_by("id").first()
    return FirstRun(password, key.dsn(settings.BASE_URL) if key else "")


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [ADVISORY_LOCK])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [ADVISORY_LOCK])


def _make_first_account() -> str:
    password = secrets.token_urlsafe(12)
    User.objects.create_superuser(ADMIN, password=password)
    if not Project.objects.exists():
        project = Project.objects.create(name="default", slug="default")
        ProjectKey.objects.create(project=project)
    return password


def welcome(run: FirstRun) -> str:
    """What ``up`` shows once it answers requests."""
    account = NEW_ACCOUNT.format(password=run.password) if run.password else OLD_ACCOUNT
    dsn = run.dsn or "none yet: add a project or a key in the admin"
    base, project = settings.BASE_URL, run.dsn.rpartition("/")[2]
    set_up = SET_UP.format(base_url=base, project=project) if run.dsn else ""
    text = PLACE.format(base_url=base, account=account, dsn=dsn, set_up=set_up)
    return text + (SNIPPETS.format(dsn=dsn) if run.password else "")
