"""Rows for tests, each with defaults that a keyword replaces."""

import itertools
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any
from uuid import uuid4

import zstandard
from django.contrib.auth.models import Group, User
from django.core.files.storage import storages
from django.utils import timezone
from rest_framework.test import APIClient

from issues import partitions
from issues.bodies import pack
from issues.models import (
    Attachment,
    CheckIn,
    DeadLetter,
    Event,
    Feedback,
    Fingerprint,
    HitListEntry,
    Issue,
    IssueStats,
    IssueTag,
    IssueTenant,
    Level,
    Monitor,
    MonitorEnvironment,
)
from issues.sealed_envelopes import Sender
from releases.models import (
    Artifact,
    ArtifactBundle,
    Commit,
    Deploy,
    Environment,
    Evaluation,
    Release,
    ReleaseMinute,
    Rollback,
    RollbackTarget,
    StoredFile,
    Threshold,
    Watch,
)
from releases.thresholds import settings_of
from rush_monitor.roles import ensure_roles
from tenants.audit import Actor
from tenants.blobs import content_name, stage_blobs
from tenants.models import (
    ApiToken,
    Channel,
    DetailRule,
    Plan,
    Project,
    ProjectKey,
    Tenant,
)
from tenants.sealing import seal
from tenants.tokens import issue_token
from tests.envelopes import sealed

_numbers = itertools.count(1)

ANNA = Actor("anna")


def make_project(**fields: Any) -> Project:
    slug = fields.pop("slug", f"project{next(_numbers)}")
    return Project.objects.create(**{"name": slug.title(), "slug": slug, **fields})


def make_key(project: Project | None = None, **fields: Any) -> ProjectKey:
    return ProjectKey.objects.create(project=project or make_project(), **fields)


def make_user(username: str = "", *, role: str = "", **fields: Any) -> User:
    """A member of staff with the permissions of a role, if one is given."""
    user = User.objects.create_user(
        username or f"user{next(_numbers)}", **{"is_staff": True, **fields}
    )
    if role:
        ensure_roles()
        user.groups.add(Group.objects.get(name=role))
    return user


def make_token(*scopes: str, **fields: Any) -> tuple[ApiToken, str]:
    name = fields.pop("name", "ci")
    return issue_token(
        name, scopes, base_url="http://testserver", organization="rush", **fields
    )


def token_client(*scopes: str) -> APIClient:
    """A client that calls the API with a token of these scopes."""
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {make_token(*scopes)[1]}")
    return client


def role_client(role: str) -> APIClient:
    """A client that a person of this role has logged in with."""
    client = APIClient()
    client.force_login(make_user(role=role))
    return client


def make_plan(name: str = "Pro", weight: float = 1.0) -> Plan:
    return Plan.objects.create(name=name, weight=weight)


def make_tenant(key: str = "", **fields: Any) -> Tenant:
    return Tenant.objects.create(
        key=key or f"shop{next(_numbers)}.example",
        **{"last_seen": timezone.now(), **fields},
    )


def make_release(project: Project, version: str = "1.0.0", **fields: Any) -> Release:
    return Release.objects.create(project=project, version=version, **fields)


def make_environment(project: Project, name: str = "production") -> Environment:
    return Environment.objects.create(project=project, name=name)


def make_commit(release: Release, position: int = 0, **fields: Any) -> Commit:
    defaults = {
        "sha": uuid4().hex,
        "message": f"Change {next(_numbers)}",
        "author_name": "Ann",
        "author_email": "ann@example.com",
    }
    return Commit.objects.create(
        release=release, position=position, **{**defaults, **fields}
    )


def make_deploy(
    release: Release | None = None,
    environment: Environment | str = "production",
    **fields: Any,
) -> Deploy:
    """A deploy of a release, just started."""
    release = release or make_release(make_project())
    if isinstance(environment, str):
        environment, _ = Environment.objects.get_or_create(
            project=release.project, name=environment
        )
    return Deploy.objects.create(
        project=release.project,
        release=release,
        environment=environment,
        **{"started_at": timezone.now(), **fields},
    )


def make_watch(deploy: Deploy | None = None, **fields: Any) -> Watch:
    """An open watch under the default threshold, of a release that serves."""
    deploy = deploy or make_deploy()
    defaults = {
        "settings": settings_of(Threshold()),
        "source": Watch.Source.TRAFFIC,
        "opened_at": deploy.started_at,
        "serving_since": deploy.started_at.replace(second=0, microsecond=0),
        "due_at": deploy.started_at,
    }
    return Watch.objects.create(deploy=deploy, **{**defaults, **fields})


def make_rollback(deploy: Deploy, **fields: Any) -> Rollback:
    defaults = {"state": Rollback.State.VERIFIED, "idempotency_key": uuid4()}
    return Rollback.objects.create(deploy=deploy, **{**defaults, **fields})


def make_minute(
    release: Release | None, environment: Environment, minute: datetime, **counts: Any
) -> ReleaseMinute:
    """Counters of a minute; ``release`` None: of events that name none."""
    return ReleaseMinute.objects.create(
        project_id=environment.project_id,
        release_id=release.pk if release else 0,
        environment_id=environment.pk,
        minute=minute.replace(second=0, microsecond=0),
        **counts,
    )


def make_issue(
    project: Project | None = None,
    *,
    stats: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
    tenants: Sequence[Tenant] = (),
    **fields: Any,
) -> Issue:
    """An issue with its numbers, and with the tags and tenants that it has had."""
    now = timezone.now()
    issue = Issue.objects.create(
        project=project or make_project(),
        **{"title": f"KeyError: 'price{next(_numbers)}'", "first_seen": now, **fields},
    )
    numbers = {"events": 1, "tenants": len(tenants), "last_seen": now, **(stats or {})}
    IssueStats.objects.create(issue=issue, **numbers)
    IssueTag.objects.bulk_create(
        IssueTag(issue_id=issue.pk, key=key, value=value)
        for key, value in (tags or {}).items()
    )
    IssueTenant.objects.bulk_create(
        IssueTenant(
            issue_id=issue.pk,
            tenant_id=tenant.pk,
            events=1,
            first_seen=now,
            last_seen=now,
        )
        for tenant in tenants
    )
    return issue


def make_fingerprint(issue: Issue, **fields: Any) -> Fingerprint:
    defaults = {
        "hash": uuid4(),
        "version": "v1",
        "reason": "in-app frames",
        "parts": ["orders.pricing quote"],
    }
    return Fingerprint.objects.create(
        project=issue.project, issue=issue, **{**defaults, **fields}
    )


def make_event(
    issue: Issue, *, payload: Mapping[str, Any] | None = None, **fields: Any
) -> Event:
    """A stored event; ``payload`` None: one whose body was not kept."""
    now = timezone.now()
    defaults = {
        "event_id": uuid4(),
        "project": issue.project,
        "issue": issue,
        "received": now,
        "occurred": now,
        "level": Level.ERROR,
        "unhandled": True,
        "user": "",
        "transaction": "/checkout",
        "title": issue.title,
        "tags": [],
        "body": None if payload is None else pack(dict(payload)),
    }
    values = {**defaults, **fields}
    # Days before the first migration, such as yesterday at midnight, have none.
    received = Event._meta.get_field("received").to_python(values["received"])
    partitions.create(received.astimezone(UTC).date())
    return Event.objects.create(**values)


def make_attachment(
    data: bytes = b"file", *, event: Event | None = None, **fields: Any
) -> Attachment:
    """A file of an event, in the database as digest leaves it."""
    blob = f"attachments/{uuid4().hex}"
    stage_blobs({blob: seal(zstandard.compress(data))})
    defaults = {
        "project": event.project if event else make_project(),
        "event_id": event.event_id if event else uuid4(),
        "received": timezone.now(),
        "name": "log.txt",
        "kind": "event.attachment",
        "size": len(data),
        "blob": blob,
    }
    return Attachment.objects.create(**{**defaults, **fields})


def make_feedback(*, event: Event | None = None, **fields: Any) -> Feedback:
    """What somebody wrote about an event, or about none."""
    defaults: dict[str, Any] = {
        "feedback_id": uuid4(),
        "received": timezone.now(),
        "message": "Where is my parcel?",
        "name": "Mia",
        "email": "mia@example.com",
        "url": "https://shop.example/order/1",
        "source": "widget",
    }
    if event:
        defaults |= {
            "event_id": event.event_id,
            "issue": event.issue,
            "project": event.project,
        }
    values = {**defaults, **fields}
    return Feedback.objects.create(
        **{"project": values.get("project") or make_project(), **values}
    )


def make_place(
    environment: str = "production",
    *,
    project: Project | None = None,
    slug: str = "nightly",
    every: tuple[int, str] | None = None,
    monitor: Monitor | None = None,
    **fields: Any,
) -> MonitorEnvironment:
    """A monitor, unless one is given, in an environment."""
    if monitor is None:
        value, unit = every or (None, "")
        monitor = Monitor.objects.create(
            project=project or make_project(),
            slug=slug,
            name=slug,
            interval_value=value,
            interval_unit=unit,
        )
    place, _ = Environment.objects.get_or_create(
        project=monitor.project, name=environment
    )
    return MonitorEnvironment.objects.create(
        monitor=monitor, environment=place, **fields
    )


def make_check_in(place: MonitorEnvironment, **fields: Any) -> CheckIn:
    defaults = {
        "check_in_id": uuid4(),
        "status": "in_progress",
        "started": timezone.now(),
    }
    return CheckIn.objects.create(monitor_environment=place, **{**defaults, **fields})


def make_hit(issue: Issue, **fields: Any) -> HitListEntry:
    defaults = {"reason": "shops complain", "added_by": "anna"}
    return HitListEntry.objects.create(issue=issue, **{**defaults, **fields})


def make_dead_letter(project: Project, **fields: Any) -> DeadLetter:
    defaults = {
        "project_id": project.pk,
        "key_id": 1,
        "kind": "store",
        "received": timezone.now() - timedelta(minutes=5),
        "size": 2,
        "body": sealed(b"{}", Sender("192.0.2.1", "sentry.python/2")),
        "attempts": 1,
        "error": "ValueError: no",
    }
    return DeadLetter.objects.create(**{**defaults, **fields})


def make_threshold(**fields: Any) -> Threshold:
    """The threshold for every project and environment, unless it is told where."""
    return Threshold.objects.create(**fields)


def make_evaluation(watch: Watch, **fields: Any) -> Evaluation:
    defaults = {
        "at": timezone.now(),
        "minutes": 5,
        "errors": 30,
        "exposure": 8000.0,
        "ratio": 1.0,
        "numbers": {"log_needed": 4.8},
    }
    return Evaluation.objects.create(watch=watch, **{**defaults, **fields})


def make_rollback_target(**fields: Any) -> RollbackTarget:
    defaults = {
        "name": f"CD {next(_numbers)}",
        "url": "https://cd.example.com/rollback",
    }
    return RollbackTarget.objects.create(**{**defaults, **fields})


def make_bundle(
    project: Project | None = None, version: str = "", **fields: Any
) -> ArtifactBundle:
    """A bundle that is ready, of a release when ``version`` names one."""
    project = project or make_project()
    release = (
        Release.objects.get_or_create(project=project, version=version)[0]
        if version
        else None
    )
    defaults = {"checksum": uuid4().hex + "0" * 8, "state": ArtifactBundle.State.OK}
    return ArtifactBundle.objects.create(
        project=project, release=release, **{**defaults, **fields}
    )


def make_channel(name: str = "team") -> Channel:
    url = "https://hooks.example.com/"
    return Channel.objects.create(name=name, kind="webhook", config={"url": url})


def write_blob(folder: str, data: bytes) -> str:
    """Keep ``data`` and return its name; nothing is written where it lies already."""
    name, storage = content_name(folder, data), storages["blobs"]
    if not storage.exists(name):
        storage.save(name, BytesIO(data))
    return name


def make_artifact(
    bundle: ArtifactBundle, url: str, data: bytes = b"", **fields: Any
) -> Artifact:
    """A file of a bundle; ``*.map`` are source maps, all others scripts."""
    data = data or url.encode()
    stored, _ = StoredFile.objects.get_or_create(
        name=write_blob("artifacts", data), defaults={"size": len(data)}
    )
    kinds = Artifact.Kind
    kind = kinds.SOURCE_MAP if url.endswith(".map") else kinds.MINIFIED
    return Artifact.objects.create(
        bundle=bundle,
        project=bundle.project,
        stored=stored,
        url=url,
        **{"kind": kind, **fields},
    )


def make_detail_rule(**fields: Any) -> DetailRule:
    """A rule for every event that leaves what is standard, unless it is told else."""
    return DetailRule.objects.create(
        **{"name": f"rule {next(_numbers)}", "detail": "standard", **fields}
    )
