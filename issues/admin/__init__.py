"""The admin pages of issues; Django's autodiscovery registers them from here."""

from issues.admin import (
    dead_letters,
    detail_rules,
    event_page,
    hit_list,
    inbound_filters,
    incidents,
    issues,
    releases,
    rules,
    scrub_rules,
    tenants,
)

__all__ = [
    "dead_letters",
    "detail_rules",
    "event_page",
    "hit_list",
    "inbound_filters",
    "incidents",
    "issues",
    "releases",
    "rules",
    "scrub_rules",
    "tenants",
]
