"""An environment with a history of counters, for tests of what is watched there."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from releases.deploys import NewDeploy, record_deploy
from releases.models import (
    Deploy,
    Environment,
    Release,
    ReleaseMinute,
    TenantMinute,
    Threshold,
    Watch,
)
from releases.watch import open_watch
from tenants.models import Project, Tenant
from tests.factories import ANNA, make_environment, make_project, make_release

# A whole minute, so that minute 0 is a whole one.
NOON = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@dataclass
class Scene:
    """A project in production: 1,600 requests, 6 errors a minute, 100 shops."""

    project: Project = field(default_factory=make_project)
    environment: Environment = field(init=False)
    old: Release = field(init=False)
    new: Release = field(init=False)
    tenants: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.environment = make_environment(self.project)
        self.old = make_release(self.project, "shop@1.0", first_seen=NOON - 9 * MINUTE)
        self.new = make_release(self.project, "shop@1.1", first_seen=NOON)
        rows = Tenant.objects.bulk_create(
            Tenant(
                key=f"{self.project.slug}-{i}.example",
                source=Tenant.Source.IMPORT,
                first_seen=NOON - timedelta(days=30),
                last_seen=NOON,
            )
            for i in range(100)
        )
        self.tenants = [row.pk for row in rows]

    def count(
        self,
        release: Release,
        start: datetime,
        minutes: int,
        *,
        errors: int = 6,
        shops: int = 100,
        **exposure: float,
    ) -> None:
        """Counters of a release; ``errors`` a minute go round the first shops."""
        exposure = exposure or {"traffic": 1600}
        place = {"project_id": self.project.pk, "environment_id": self.environment.pk}
        whole, single = [], []
        for i in range(minutes):
            minute = start + MINUTE * i
            whole.append(
                ReleaseMinute(
                    release_id=release.pk,
                    minute=minute,
                    errors=errors,
                    events=errors,
                    **place,
                    **{"traffic": 0, **exposure},
                )
            )
            hit: dict[int, int] = {}
            for n in range(errors):
                tenant = self.tenants[(i * 7 + n) % shops]
                hit[tenant] = hit.get(tenant, 0) + 1
            single += [
                TenantMinute(
                    release_id=release.pk,
                    minute=minute,
                    tenant_id=tenant,
                    errors=count,
                    traffic=0,
                    **place,
                )
                for tenant, count in hit.items()
            ]
        ReleaseMinute.objects.bulk_create(whole)
        TenantMinute.objects.bulk_create(single)

    def history(self, hours: int = 6, **counts: Any) -> None:
        """What the old release did up to noon."""
        self.count(self.old, NOON - timedelta(hours=hours), hours * 60, **counts)

    def deploy(self, at: datetime = NOON, **told: Any) -> Watch:
        """Deploy the new release and open its watch."""
        release = told.pop("release", self.new)
        deploy, _ = record_deploy(
            self.project,
            release.version,
            NewDeploy("production", **{"started_at": at, **told}),
            ANNA,
            at,
        )
        return open_watch(deploy, at)

    def threshold(self, **fields: Any) -> Threshold:
        return Threshold.objects.create(
            project=self.project, environment="production", **fields
        )


def deploys_of(scene: Scene) -> list[Deploy]:
    return list(Deploy.objects.filter(project=scene.project))
