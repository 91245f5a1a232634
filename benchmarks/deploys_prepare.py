"""Makes the projects of deploys.py with tenants and history; prints them as JSON."""

import json
import random
import sys
from datetime import UTC, datetime
from typing import Any

import django

django.setup()

from django.conf import settings  # noqa: E402

from benchmarks.worlds import TENANTS, ZIPF  # noqa: E402
from releases.models import (  # noqa: E402
    Action,
    Environment,
    Release,
    RollbackTarget,
    Threshold,
)
from rush_monitor.demo_history import load_history  # noqa: E402
from tenants.models import Project, ProjectKey, Tenant  # noqa: E402
from tenants.secrets import encrypt  # noqa: E402
from tenants.tokens import issue_token  # noqa: E402

REQUESTS_PER_MINUTE = 1200.0
ERROR_RATE = 0.004
OLD = "shop@1.0"


def main() -> None:
    """Two projects for each pair of apps: one posts traffic, one counts sessions."""
    told: dict[str, Any] = json.loads(sys.argv[1])
    tenants = Tenant.objects.bulk_create(
        Tenant(key=f"shop-{i}.example", source=Tenant.Source.IMPORT)
        for i in range(TENANTS)
    )
    ids = [tenant.pk for tenant in tenants]
    chance = random.Random(7)
    _, token = issue_token(
        "ci",
        ["release:write", "traffic:write"],
        base_url=settings.BASE_URL,
        organization=settings.ORGANIZATION_SLUG,
    )
    rows = []
    for number in range(told["apps"]):
        for source in ("traffic", "sessions"):
            slug = f"{source}-{number}"
            project = Project.objects.create(name=slug, slug=slug)
            release = Release.objects.create(project=project, version=OLD)
            environment = Environment.objects.create(project=project, name="production")
            load_history(
                release,
                environment,
                datetime.now(UTC),
                requests_per_minute=REQUESTS_PER_MINUTE,
                errors_per_minute=REQUESTS_PER_MINUTE * ERROR_RATE,
                hit=lambda times: chance.choices(ids, ZIPF.tolist(), k=times),
                chance=chance,
                column=source,
            )
            Threshold.objects.create(
                project=project, environment="production", action=Action.ROLLBACK
            )
            RollbackTarget.objects.create(
                name=slug,
                project=project,
                environment="production",
                url=f"{told['receiver']}/{slug}",
                secret=encrypt("key"),
            )
            key = ProjectKey.objects.create(project=project)
            rows.append(
                {
                    "project": slug,
                    "source": source,
                    "dsn": key.dsn(settings.BASE_URL),
                    "token": token,
                }
            )
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
