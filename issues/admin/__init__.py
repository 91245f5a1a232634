"""The admin pages of issues; Django's autodiscovery registers them from here."""

from issues.admin import (
    dead_letters,
    event_page,
    hit_list,
    issues,
    releases,
    rules,
    scrub_rules,
    tenants,
)

__all__ = [
    "dead_letters",
    "event_page",
    "hit_list",
    "issues",
    "releases",
    "rules",
    "scrub_rules",
    "tenants",
]
