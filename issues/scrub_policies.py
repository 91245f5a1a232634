"""What each project wants scrubbed, as the scrubber reads it."""

import logging
from collections.abc import Iterable

from django.db.models import Q

from issues.scrubbing import Policy
from tenants.models import Project, ScrubRule
from tenants.models.scrubbing import check
from tenants.scrub_rules import ScrubRuleError
from tenants.sealing import derived

logger = logging.getLogger(__name__)

# Of a project that is gone, nobody can say what it wanted kept.
STRICTEST = Policy(addresses=Project.Addresses.OFF, personal=True)


def policies(projects: Iterable[Project]) -> dict[int, Policy]:
    """The policy of each project, by its id."""
    rules = working_rules()
    return {
        project.pk: policy_of(
            project, [r for r in rules if r.project_id in (None, project.pk)]
        )
        for project in projects
    }


def working_rules(project_id: int | None = None) -> list[ScrubRule]:
    """The active rules, of every project or of one."""
    active = ScrubRule.objects.filter(is_active=True).order_by("pk")
    if project_id is not None:
        active = active.filter(Q(project=None) | Q(project=project_id))
    return [rule for rule in active if _works(rule)]


def _works(rule: ScrubRule) -> bool:
    """The admin and the API refuse others; one that slipped in must stop nothing."""
    try:
        check(rule.kind, rule.value)
    except ScrubRuleError as error:
        logger.error("scrub rule %s is skipped: %s", rule.pk, error)
        return False
    return True


def policy_of(project: Project, rules: Iterable[ScrubRule]) -> Policy:
    """The policy of a project that has these rules, saved or not."""
    by_kind: dict[str, list[tuple[str, str]]] = {}
    for rule in rules:
        label = f"rule {rule.pk}" if rule.pk else "this rule"
        by_kind.setdefault(rule.kind, []).append((label, rule.value))
    return Policy(
        addresses=project.ip_addresses,
        personal=project.scrub_personal_data,
        keys=tuple(by_kind.get(ScrubRule.Kind.KEY, ())),
        patterns=tuple(by_kind.get(ScrubRule.Kind.PATTERN, ())),
        kept=tuple(text for _, text in by_kind.get(ScrubRule.Kind.KEEP, ())),
        tenant_tags=tuple(project.tenant_tags),
        salt=derived("users"),
    )
