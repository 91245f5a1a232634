"""PagerDuty's Events API v2: a subject is one alert there, by its ``dedup_key``.

Open triggers, acknowledged acknowledges, resolved resolves; updates are not sent, as
the alert has no place for them. PagerDuty acts once per key and action, so that what is
in doubt is sent again. Source: developer.pagerduty.com/docs/events-api-v2.
"""

from typing import Any

import orjson

from tenants.channels.post import Access, Post, unknown_fields
from tenants.outbound import Request
from tenants.talks import Outcome, Send, Sighting, Talk, called, outcome_of_telling

EDITS, UPDATES = True, False
REPEATS, LOOKS_UP = True, False
FIELDS = {"url": "another address, such as https://events.eu.pagerduty.com/v2/enqueue"}
URL = "https://events.pagerduty.com/v2/enqueue"
SEVERITIES = {"critical": "critical", "high": "error", "low": "warning", "info": "info"}
ACTIONS = {"acknowledged": "acknowledge", "resolved": "resolve"}
SUMMARY = 1024
ROUTING_KEY = 32


def problems(access: Access) -> dict[str, str]:
    found = unknown_fields(access, FIELDS)
    if len(access.secret) != ROUTING_KEY:
        found["secret"] = (
            "Give the integration key of an Events API v2 integration: "
            f"{ROUTING_KEY} letters and digits."
        )
    return found


def deliver(access: Access, post: Post, send: Send) -> Outcome:
    return called(_talk(access, post), send)


def look_up(access: Access, post: Post, send: Send) -> Sighting:
    return Sighting(False, "It is sent again instead.")


def _talk(access: Access, post: Post) -> Talk[Outcome]:
    headers = {"Content-Type": "application/json"}
    url = access.text("url") or URL
    body = orjson.dumps(event(access.secret, post))
    answer = yield Request("POST", url, headers, body)
    return outcome_of_telling(answer)


def event(routing_key: str, post: Post) -> dict[str, Any]:
    """The event of a head message."""
    message = post.message
    found: dict[str, Any] = {
        "routing_key": routing_key,
        "event_action": ACTIONS.get(message.status, "trigger"),
        "dedup_key": f"rush_monitor {post.subject}",
    }
    if found["event_action"] != "trigger":
        return found
    found["payload"] = {
        "summary": message.title[:SUMMARY],
        "source": "rush_monitor",
        "severity": SEVERITIES.get(message.severity, "info"),
        "timestamp": post.since.isoformat(),
        "custom_details": {
            "text": message.text,
            **dict(message.facts),
            **{heading: "\n".join(lines) for heading, lines in message.sections},
        },
    }
    if message.url:
        found["links"] = [{"href": message.url, "text": "Open in rush_monitor"}]
    return found
