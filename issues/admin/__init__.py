"""The admin pages of issues; Django's autodiscovery registers them from here."""

from issues.admin import (
    attachments,
    dead_letters,
    event_page,
    hit_list,
    issues,
    monitors,
    releases,
    rules,
    tenants,
)

__all__ = [
    "attachments",
    "dead_letters",
    "event_page",
    "hit_list",
    "issues",
    "monitors",
    "releases",
    "rules",
    "tenants",
]
