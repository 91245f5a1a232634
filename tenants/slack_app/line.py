"""Speaks to Slack while it waits for our answer: dialogs, replies, who somebody is.

Slack waits three seconds, and a dialog can be opened for as long. Nothing here decides
what is done: when Slack cannot be reached, that is logged, and the step stands.
"""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

import orjson

from tenants.channels.post import Access
from tenants.channels.slack import API, call
from tenants.channels.slack_blocks import escaped
from tenants.outbound import OutboundError, Request, send
from tenants.talks import part

logger = logging.getLogger(__name__)

SECONDS = 2.2  # for all calls of one press; the rest of the three is ours
# Where Slack takes replies; its government cloud has a host of its own.
REPLY_HOSTS = frozenset({"hooks.slack.com", "hooks.slack-gov.com"})


@dataclass
class Line:
    """To the app of one channel; ``response_url`` is where replies to a press go."""

    access: Access
    response_url: str = ""
    until: float = field(default_factory=lambda: time.monotonic() + SECONDS)

    def say(self, text: str) -> None:
        """Tell something to the person who pressed, and to nobody else."""
        if not self._takes_replies():
            logger.warning("a reply to Slack has no address of Slack's: %s", text)
            return
        body = {
            "response_type": "ephemeral",
            "replace_original": False,
            "text": escaped(text),
        }
        headers = {"Content-Type": "application/json"}
        request = Request("POST", self.response_url, headers, orjson.dumps(body))
        self._sent(request, "a reply")

    def open(self, trigger_id: str, view: Mapping[str, Any]) -> bool:
        """Open a dialog for the person who pressed; False when Slack did not."""
        body = {"trigger_id": trigger_id, "view": view}
        request = call(self.access, "views.open", body)
        return bool(part(self._sent(request, "a dialog"), "ok"))

    def user_info(self, slack_user: str) -> Any:
        """What Slack says of a user; None when it does not."""
        query = urlencode({"user": slack_user})
        request = Request(
            "GET",
            f"{self.access.text('api') or API}/users.info?{query}",
            {"Authorization": f"Bearer {self.access.secret}"},
        )
        return part(self._sent(request, "a look-up"), "user")

    def _takes_replies(self) -> bool:
        try:
            url = urlsplit(self.response_url)
            api = urlsplit(self.access.text("api"))
        except ValueError:
            return False
        if url.scheme == "https" and url.netloc in REPLY_HOSTS:
            return True
        # A channel with an address of its own is answered there.
        ours = (api.scheme, api.netloc)
        return bool(api.netloc) and (url.scheme, url.netloc) == ours

    def _sent(self, request: Request, what: str) -> Any:
        """The answer's JSON; None, and a line in the log, where it went wrong."""
        left = self.until - time.monotonic()
        if left <= 0:
            logger.warning("%s to Slack was not sent: the time is over", what)
            return None
        try:
            answer = send(request, seconds=left)
        except OutboundError as failure:
            logger.warning("%s to Slack failed: %s", what, failure)
            return None
        found = answer.json()
        error = part(found, "error")
        if answer.status != 200 or error:
            told = error or f"HTTP {answer.status}"
            logger.warning("Slack refused %s: %s", what, told)
        return found
