"""The admin pages of issues; Django's autodiscovery registers them from here."""

from issues.admin import (
    alert_rules,
    alerts,
    attachments,
    dead_letters,
    detail_rules,
    event_page,
    feedback,
    hit_list,
    inbound_filters,
    incidents,
    issues,
    monitors,
    releases,
    rules,
    scrub_rules,
    tenants,
)

__all__ = [
    "alert_rules",
    "alerts",
    "attachments",
    "dead_letters",
    "detail_rules",
    "event_page",
    "feedback",
    "hit_list",
    "inbound_filters",
    "incidents",
    "issues",
    "monitors",
    "releases",
    "rules",
    "scrub_rules",
    "tenants",
]
