"""A bad deploy and a target, for tests of rolling it back."""

from datetime import UTC, datetime, timedelta
from typing import Any

from releases.models import Deploy, Environment, Release, RollbackTarget, Watch
from tenants.secrets import encrypt
from tests.factories import make_environment, make_project, make_release

NOON = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SECRET = "a signing key of some length"


class Clock:
    """Tells a time that only the test moves."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, **span: float) -> None:
        self.now += timedelta(**span)


def make_deploy(
    environment: Environment, version: str, at: datetime, **fields: Any
) -> Deploy:
    """A deploy of a release, which is made where it is not there."""
    release = Release.objects.filter(
        project=environment.project, version=version
    ).first()
    return Deploy.objects.create(
        project=environment.project,
        environment=environment,
        release=release or make_release(environment.project, version),
        started_at=at,
        **fields,
    )


def make_watch(deploy: Deploy, verdict: str, **fields: Any) -> Watch:
    at = fields.pop("decided_at", deploy.started_at + 4 * MINUTE)
    return Watch.objects.create(
        deploy=deploy,
        verdict=verdict,
        opened_at=deploy.started_at,
        due_at=at,
        decided_at=at,
        **fields,
    )


def make_target(**fields: Any) -> RollbackTarget:
    """An active webhook for every project; ``secret`` is given in the clear."""
    defaults = {"name": "cd", "url": "https://cd.example.com/hook"}
    secret = encrypt(fields.pop("secret", SECRET))
    return RollbackTarget.objects.create(secret=secret, **{**defaults, **fields})


def degraded(now: datetime = NOON, **fields: Any) -> Watch:
    """shop@1.1 was deployed 4 minutes ago over shop@1.0, and is degraded now."""
    environment = make_environment(make_project(slug="shop"))
    old = make_deploy(environment, "shop@1.0", now - timedelta(hours=20))
    make_watch(old, Watch.Verdict.HEALTHY)
    new = make_deploy(environment, "shop@1.1", now - 4 * MINUTE)
    defaults = {
        "reason": "global",
        "action": "rollback",
        "sentence": "shop@1.1 in production is degraded.",
        "source": "traffic",
        "baseline": old.release,
        "baseline_numbers": {
            "errors": 360.0,
            "exposure": 96_000.0,
            "dispersion": 1.0,
            "cap": 5,
        },
        "numbers": {
            "rate": 0.03,
            "errors": 150,
            "errors_capped": 144.0,
            "exposure": 4800.0,
        },
        "suspects": [{"issue_id": 7, "title": "KeyError: 'CHF'"}],
    }
    return make_watch(new, Watch.Verdict.DEGRADED, **{**defaults, **fields})
