"""The kinds of channel, one module each.

A new kind is a module that offers what ``post.Kind`` lists, and a line here and in
``Channel.Kind``.
"""

from tenants.channels import (
    discord,
    email,
    pagerduty,
    slack,
    slack_webhook,
    teams,
    webhook,
)
from tenants.channels.post import Access, Kind, Post

__all__ = ["KINDS", "Access", "Kind", "Post"]

KINDS: dict[str, Kind] = {
    "slack": slack,
    "slack_webhook": slack_webhook,
    "email": email,
    "webhook": webhook,
    "teams": teams,
    "discord": discord,
    "pagerduty": pagerduty,
}
