"""What digest must know of the projects; read once per 10 s and process."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase
from functools import partial
from time import monotonic
from urllib.parse import urlsplit

from issues.digest.detail import DetailPolicy
from issues.digest.inbound import InboundRules
from issues.grouping.rules import FingerprintRule as Rule
from issues.grouping.rules import RuleError, parse_rule
from issues.models import FingerprintRule, PathRule
from issues.normal_event import NormalEvent
from issues.scrub_policies import policies
from issues.scrubbing import Scrubber, scrubber_of
from releases import seen
from tenants.models import DetailRule, InboundFilters, Project, ProjectKey, Tenant
from tenants.patterns import PatternError

logger = logging.getLogger(__name__)

CACHE_SECONDS = 10.0


@dataclass(slots=True)
class KeyLimit:
    """Event bodies that a project key may keep per window."""

    count: int
    seconds: int


@dataclass(slots=True)
class ProjectRules:
    """A project's settings as plain values."""

    project_id: int
    tenant_tags: Sequence[str]
    grouping_version: str
    fingerprint_rules: Sequence[Rule]
    path_rules: Sequence[tuple[str, float]]
    inbound: InboundRules
    scrubber: Scrubber
    detail: DetailPolicy = field(default_factory=DetailPolicy)

    def path_weight(self, event: NormalEvent) -> float:
        """The weight of the first path rule that matches, 1.0 where none does."""
        if not self.path_rules:
            return 1.0
        path = _path(event.url)
        for pattern, weight in self.path_rules:
            if fnmatchcase(event.transaction, pattern) or fnmatchcase(path, pattern):
                return weight
        return 1.0


@dataclass(slots=True)
class DigestContext:
    """Projects, limited keys and those in web pages by id, as of the last reading."""

    read_at: float = float("-inf")
    projects: dict[int, ProjectRules] = field(default_factory=dict)
    limits: dict[int, KeyLimit] = field(default_factory=dict)
    public_keys: set[int] = field(default_factory=set)
    releases: dict[tuple[int, str], datetime | None] = field(default_factory=dict)

    def refresh(self) -> None:
        """Read the tables again when the last reading is older than 10 s."""
        if monotonic() - self.read_at < CACHE_SECONDS:
            return
        rules = list(FingerprintRule.objects.filter(is_active=True))
        paths = list(PathRule.objects.all())
        details = list(DetailRule.objects.filter(is_active=True))
        plans = _plans(details)
        self.releases = {}
        projects = list(Project.objects.select_related("inbound_filters"))
        scrubbing = policies(projects)
        self.projects = {
            project.pk: ProjectRules(
                project_id=project.pk,
                tenant_tags=tuple(project.tenant_tags),
                grouping_version=project.grouping_version,
                fingerprint_rules=_parsed(
                    [r for r in rules if r.project_id in (None, project.pk)]
                ),
                path_rules=[
                    (p.pattern, p.weight)
                    for p in paths
                    if p.project_id in (None, project.pk)
                ],
                inbound=_filters(project),
                scrubber=scrubber_of(scrubbing[project.pk]),
                detail=DetailPolicy(
                    [d.rule() for d in details if d.project_id in (None, project.pk)],
                    plans,
                    partial(self._first_seen, project.pk),
                ),
            )
            for project in projects
        }
        keys = list(ProjectKey.objects.exclude(rate_limit_count=None, is_public=False))
        self.limits = {
            key.pk: KeyLimit(key.rate_limit_count, key.rate_limit_seconds)
            for key in keys
            if key.rate_limit_count is not None and key.rate_limit_seconds
        }
        self.public_keys = {key.pk for key in keys if key.is_public}
        self.read_at = monotonic()

    def _first_seen(self, project_id: int, version: str) -> datetime | None:
        """When the release was first seen, asked once per reading."""
        key = (project_id, version)
        if key not in self.releases:
            self.releases[key] = seen.first_seen(project_id, version)
        return self.releases[key]

    def forget(self) -> None:
        """Read anew at the next batch, as after a rule was changed in this process."""
        self.read_at = float("-inf")


def _filters(project: Project) -> InboundRules:
    """The project's filters, or none where a pattern cannot be read.

    The admin and the API refuse such patterns.
    """
    try:
        return InboundRules.of(InboundFilters.of(project))
    except PatternError as error:
        logger.error("project %s is not filtered: %s", project.pk, error)
        return InboundRules.off()


def _path(url: str) -> str:
    """The path of an address, which clients may have written as they like."""
    try:
        return urlsplit(url).path
    except ValueError:
        return ""


def _plans(rules: Sequence[DetailRule]) -> dict[str, int]:
    """Tenant keys with their plan, of the plans that some rule asks for."""
    asked = {rule.plan_id for rule in rules if rule.plan_id is not None}
    if not asked:
        return {}
    found = Tenant.objects.filter(plan__in=asked)
    return dict(found.values_list("key", "plan__pk"))


def _parsed(rules: Sequence[FingerprintRule]) -> list[Rule]:
    """The rules that can be read; the admin and the API refuse the others."""
    parsed = []
    for rule in rules:
        try:
            parsed.append(parse_rule(rule.rule))
        except RuleError as error:
            logger.warning("fingerprint rule %s is skipped: %s", rule.pk, error)
    return parsed
