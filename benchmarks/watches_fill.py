"""Fills the counters for watches.py, looks at the watches, prints times as JSON."""

import json
import random
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import django

django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402

from benchmarks.worlds import TENANTS, ZIPF  # noqa: E402
from issues import tasks  # noqa: E402
from releases.calibration import calibrate  # noqa: E402
from releases.deploys import NewDeploy, record_deploy  # noqa: E402
from releases.models import Environment, Release, Watch  # noqa: E402
from releases.watch import open_watch  # noqa: E402
from rush_monitor.demo_history import load_history  # noqa: E402
from tenants.audit import Actor  # noqa: E402
from tenants.models import Project, Tenant  # noqa: E402

REQUESTS_PER_MINUTE = 1597.0
ERRORS_PER_MINUTE = 6.4
SERVED_MINUTES = 61
# Every tenant's traffic by minute: by Zipf's law most minutes of small ones are empty.
TRAFFIC = """
INSERT INTO releases_tenantminute AS old (project_id, release_id, environment_id,
    minute, tenant_id, errors, requests, traffic)
SELECT %(project)s, %(release)s, %(environment)s, m, t.id, 0, 0,
    ceil(t.mean * (0.5 + random()))
FROM generate_series(%(start)s::timestamptz, %(end)s::timestamptz, '1 minute') m,
    (SELECT id, 1597.0 / (7.9 * row_number() OVER (ORDER BY id)) AS mean
        FROM tenants_tenant) t
WHERE random() < t.mean
ON CONFLICT (release_id, environment_id, minute, tenant_id)
DO UPDATE SET traffic = excluded.traffic
"""


def place(slug: str) -> tuple[Release, Environment]:
    project = Project.objects.create(name=slug, slug=slug)
    release = Release.objects.create(project=project, version=f"{slug}@1.0")
    return release, Environment.objects.create(project=project, name="production")


def bad_or_good(
    release: Release, environment: Environment, ids: list[int], start: datetime
) -> Watch:
    """Deploy the next version at ``start``, with an hour of its own counters."""
    deploy, _ = record_deploy(
        release.project,
        f"{release.project.slug}@1.1",
        NewDeploy("production", started_at=start),
        Actor("bench"),
        datetime.now(UTC),
    )
    history(
        deploy.release, environment, ids, start + SERVED_MINUTES * MINUTE, 61 / 1440
    )
    return open_watch(deploy, start)


MINUTE = timedelta(minutes=1)
CHANCE = random.Random(3)


def history(
    release: Release,
    environment: Environment,
    ids: list[int],
    end: datetime,
    days: float,
) -> None:
    load_history(
        release,
        environment,
        end,
        requests_per_minute=REQUESTS_PER_MINUTE,
        errors_per_minute=ERRORS_PER_MINUTE,
        hit=lambda times: CHANCE.choices(ids, ZIPF.tolist(), k=times),
        chance=CHANCE,
        days=days,
    )


def look(watch: Watch) -> float:
    """Seconds of one look; the watch stays open."""
    began = time.perf_counter()
    tasks.watch_one(watch.pk)
    took = time.perf_counter() - began
    Watch.objects.filter(pk=watch.pk).update(
        verdict=Watch.Verdict.PENDING, decided_at=None
    )
    return took


def main() -> None:
    """Fill, calibrate, look."""
    told: dict[str, Any] = json.loads(sys.argv[1])
    call_command("migrate", verbosity=0)
    tenants = Tenant.objects.bulk_create(
        Tenant(
            key=f"shop-{i}", source=Tenant.Source.IMPORT, last_seen=datetime.now(UTC)
        )
        for i in range(TENANTS)
    )
    ids = [tenant.pk for tenant in tenants]
    start = datetime.now(UTC).replace(second=0, microsecond=0) - 61 * MINUTE
    release, environment = place("large")
    history(release, environment, ids, start, told["days"])
    with connection.cursor() as cursor:
        cursor.execute(
            TRAFFIC,
            {
                "project": environment.project_id,
                "release": release.pk,
                "environment": environment.pk,
                "start": start - timedelta(days=told["days"]),
                "end": start - MINUTE,
            },
        )
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("SELECT count(*) FROM releases_tenantminute")
        (rows,) = cursor.fetchone() or (0,)
    began = time.perf_counter()
    calibrate(environment, start)
    calibration = time.perf_counter() - began
    large = bad_or_good(release, environment, ids, start)
    first = [look(large)]
    for _ in range(4):
        Watch.objects.filter(pk=large.pk).update(
            serving_since=None, source="", baseline_numbers={}
        )
        first.append(look(large))
    later = [look(large) for _ in range(50)]
    many = []
    for number in range(told["watches"]):
        release, environment = place(f"service-{number}")
        history(release, environment, ids, start, 2 / 24)
        many.append(bad_or_good(release, environment, ids, start))
    many_first = [look(watch) for watch in many]
    Watch.objects.update(due_at=start)
    began = time.perf_counter()
    tasks.watch_tick()
    tick = time.perf_counter() - began
    print(
        json.dumps(
            {
                "tenant_rows": rows,
                "calibration": calibration,
                "first": first,
                "later": later,
                "many_first": many_first,
                "tick": tick,
            }
        )
    )


if __name__ == "__main__":
    main()
