"""Which threshold holds for a deploy, and what it says as plain values."""

from dataclasses import asdict
from typing import Any

from django.db.models import Q

from releases.models import Action, Threshold, Watch
from releases.verdict import Rule, without_denominator
from tenants.models import Project


def threshold_for(project: Project, environment: str) -> Threshold:
    """The most specific threshold: project and environment, then project, then
    environment, then the one for all. Without any: an unsaved one with the defaults.
    """
    rows = Threshold.objects.filter(
        Q(project=project) | Q(project=None), environment__in=[environment, ""]
    )
    best = max(
        rows,
        key=lambda row: (row.project_id is not None, row.environment),
        default=None,
    )
    return best or Threshold(action=Action.ALERT)


def rule_of(threshold: Threshold) -> Rule:
    """The numbers of a threshold."""
    return Rule(
        ratio=threshold.ratio,
        tolerated_drift=threshold.tolerated_drift,
        floor=threshold.floor,
        confidence=threshold.confidence,
        min_events=threshold.min_events,
        min_tenants=threshold.min_tenants,
        grace=threshold.grace_minutes,
        window=threshold.window_minutes,
        guard_new_issue=threshold.guard_new_issue,
        guard_tenant=threshold.guard_tenant,
    )


def settings_of(threshold: Threshold) -> dict[str, Any]:
    """What a watch remembers of its threshold; ``Watch.settings``."""
    return {
        **asdict(rule_of(threshold)),
        "action": threshold.action,
        "outside_control": threshold.outside_control,
    }


def rule_from(settings: dict[str, Any]) -> Rule:
    """The rule that ``settings_of`` wrote."""
    names = Rule.__dataclass_fields__
    return Rule(**{name: settings[name] for name in names if name in settings})


def rule_by(settings: dict[str, Any], source: str) -> Rule:
    """The rule of ``settings`` as a source of exposure allows it."""
    rule = rule_from(settings)
    return without_denominator(rule) if source == Watch.Source.NONE else rule
