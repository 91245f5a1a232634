"""The admin pages of issues; Django's autodiscovery registers them from here."""

from issues.admin import (
    attachments,
    dead_letters,
    detail_rules,
    event_page,
    hit_list,
    inbound_filters,
    incidents,
    issues,
    monitors,
    releases,
    rules,
    scrub_rules,
    tenants,
    weekly_reports,
)

__all__ = [
    "attachments",
    "dead_letters",
    "detail_rules",
    "event_page",
    "hit_list",
    "inbound_filters",
    "incidents",
    "issues",
    "monitors",
    "releases",
    "rules",
    "scrub_rules",
    "tenants",
    "weekly_reports",
]
