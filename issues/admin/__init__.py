"""The admin pages of issues; Django's autodiscovery registers them from here."""

from issues.admin import (
    dead_letters,
    event_page,
    hit_list,
    incidents,
    issues,
    releases,
    rules,
    tenants,
)

__all__ = [
    "dead_letters",
    "event_page",
    "hit_list",
    "incidents",
    "issues",
    "releases",
    "rules",
    "tenants",
]
