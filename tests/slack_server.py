"""A server that behaves like the part of Slack's API that we call, and fails like it.

chat.postMessage, chat.update, conversations.history and .replies with the metadata of
messages, views.open, users.info, and replies to presses; docs.slack.dev/reference. It
checks what Slack checks of a request.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson

from tests.receiver import Received, Receiver, Reply, receiving

TOKEN = "xoxb-1234567890-abcdefghij"
CHANNEL = "C0123456789"
TEAM = "T012AB3C4"
LONGEST_TITLE = 24
LONGEST_TEXT, MOST_BLOCKS = 40_000, 50


@dataclass
class Slack:
    """``failures`` are answered first, one a call: an error's name, or a Reply.

    ``acts``: whether a call that is answered with a Reply has its effect nonetheless.
    """

    receiver: Receiver
    messages: list[dict[str, Any]] = field(default_factory=list)
    failures: list[str | Reply] = field(default_factory=list)
    acts: bool = False
    token: str = TOKEN
    users: dict[str, Any] = field(default_factory=dict)  # by id, as users.info tells
    views: list[dict[str, Any]] = field(default_factory=list)
    replies: list[dict[str, Any]] = field(default_factory=list)
    triggers: set[str] = field(default_factory=set)  # those that opened a dialog

    @property
    def response_url(self) -> str:
        """Where a press is answered."""
        return f"{self.receiver.url}/actions/{TEAM}/1232321423432/D09sSasdasdAS9091209"

    @property
    def api(self) -> str:
        return f"{self.receiver.url}/api"

    @property
    def methods(self) -> list[str]:
        """The methods that were called, in order."""
        paths = [urlsplit(request.path).path for request in self.receiver.requests]
        return [path.removeprefix("/api/") for path in paths]

    def keys(self) -> list[str]:
        """Our key of each message that is there."""
        return [m["metadata"]["event_payload"]["key"] for m in self.messages]

    def answer(self, received: Received) -> Reply:
        failure = self.failures.pop(0) if self.failures else None
        if isinstance(failure, str):
            return _told(error=failure)
        if failure is not None:
            if self.acts:
                self.act(received)
            return failure
        return self.act(received)

    def act(self, received: Received) -> Reply:
        if received.path.startswith("/actions/"):
            return self.reply(received)
        if received.headers.get("authorization") != f"Bearer {self.token}":
            return _told(error="invalid_auth")
        parts = urlsplit(received.path)
        method = parts.path.removeprefix("/api/")
        if method in {"chat.postMessage", "chat.update"}:
            return self.write(method, received)
        calls = {"views.open": self.open, "users.info": self.user_info}
        if method in calls:
            return calls[method](received)
        given = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if given.get("channel") != CHANNEL:
            return _told(error="channel_not_found")
        return self.read(method, given)

    def reply(self, received: Received) -> Reply:
        body = received.json
        assert body["response_type"] in {"ephemeral", "in_channel"}
        self.replies.append(body)
        return Reply(body=b"ok")

    def user_info(self, received: Received) -> Reply:
        (user_id,) = parse_qs(urlsplit(received.path).query)["user"]
        user = self.users.get(user_id)
        return _told(user=user) if user else _told(error="user_not_found")

    def open(self, received: Received) -> Reply:
        body = received.json
        trigger, view = body["trigger_id"], body["view"]
        if trigger in self.triggers:
            return _told(error="exchanged_trigger_id")
        self.triggers.add(trigger)
        inputs = [block for block in view["blocks"] if block["type"] == "input"]
        wrong = (
            view["type"] != "modal"
            or len(view["title"]["text"]) > LONGEST_TITLE
            or (inputs and "submit" not in view)
            or len({block["block_id"] for block in inputs}) < len(inputs)
        )
        if wrong:
            return _told(error="invalid_arguments")
        shown = {**view, "id": "VNHU13V36", "team_id": TEAM, "state": {"values": {}}}
        self.views.append(shown)
        return _told(view=shown)

    def write(self, method: str, received: Received) -> Reply:
        kind = received.headers["content-type"]
        assert kind == "application/json; charset=utf-8", kind
        body = received.json
        if body["channel"] != CHANNEL:
            return _told(error="channel_not_found")
        if len(body["text"]) > LONGEST_TEXT:
            return _told(error="msg_too_long")
        if len(body["blocks"]) > MOST_BLOCKS:
            return _told(error="invalid_blocks")
        if method == "chat.update":
            found = [m for m in self.messages if m["ts"] == body["ts"]]
            if not found:
                return _told(error="message_not_found")
            found[0].update(_content(body))
            return _told(channel=CHANNEL, ts=body["ts"], text=body["text"])
        # Seconds like those of a clock that runs with the tests'.
        ts = f"{_seconds() + len(self.messages) / 1000:.6f}"
        message = {"type": "message", "ts": ts, **_content(body)}
        if "thread_ts" in body:
            message["thread_ts"] = body["thread_ts"]
        self.messages.append(message)
        return _told(channel=CHANNEL, ts=ts, message=message)

    def read(self, method: str, given: dict[str, str]) -> Reply:
        if method == "conversations.replies":
            head = given["ts"]
            found = [
                m for m in self.messages if head in {m["ts"], m.get("thread_ts", "")}
            ]
            if not found:
                return _told(error="thread_not_found")
        else:
            assert method == "conversations.history", method
            found = [m for m in reversed(self.messages) if "thread_ts" not in m]
        oldest = float(given.get("oldest", "0"))
        found = [m for m in found if float(m["ts"]) > oldest]
        shown = found[: int(given["limit"])]
        if given.get("include_all_metadata") != "true":
            hidden = {"metadata"}
            shown = [{k: v for k, v in m.items() if k not in hidden} for m in shown]
        return _told(messages=shown, has_more=len(found) > len(shown))


def _content(body: dict[str, Any]) -> dict[str, Any]:
    assert set(body["metadata"]) == {"event_type", "event_payload"}
    return {name: body[name] for name in ("text", "blocks", "metadata")}


def _told(**fields: Any) -> Reply:
    body = {"ok": "error" not in fields, **fields}
    return Reply(body=orjson.dumps(body), headers={"Content-Type": "application/json"})


def rate_limited(seconds: int) -> Reply:
    """What Slack answers to an app that writes too fast."""
    body = orjson.dumps({"ok": False, "error": "ratelimited"})
    return Reply(429, body, headers={"Retry-After": str(seconds)})


def _seconds() -> float:
    return time.time()


@contextmanager
def slack_running() -> Iterator[Slack]:
    """A Slack on this machine."""
    with receiving() as receiver:
        slack = Slack(receiver)
        receiver.answer = slack.answer
        yield slack
