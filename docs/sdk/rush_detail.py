"""Leaves out of an event what rush_monitor would not keep, before it is sent.

    import sentry_sdk
    from rush_detail import RushDetail

    sentry_sdk.init(dsn=DSN, before_send=RushDetail(DSN))

Copy this file into your project; it needs Python 3.8 and nothing else. Events are cut,
never dropped: each one must arrive to be counted. Where the rules are not known, as for
the first event, the event goes out whole and rush_monitor cuts it.
"""

import json
import logging
import threading
import time
from typing import Any, Callable, Dict, Iterator, Optional, Tuple
from urllib.parse import urlencode, urlsplit
from urllib.request import urlopen

Event = Dict[str, Any]
BeforeSend = Callable[[Event, Dict[str, Any]], Optional[Event]]
Asked = Tuple[str, str, str]  # tenant, release, environment

LEVELS = {"debug": 10, "info": 20, "log": 20, "warning": 30, "error": 40, "fatal": 50}
LAST_CRUMBS = 20
RETRY_SECONDS = 60.0
TIMEOUT_SECONDS = 5.0
MOST_ANSWERS = 2000

log = logging.getLogger("rush_detail")


class Answer:
    """What rush_monitor said; ``told`` is None until it has."""

    def __init__(self) -> None:
        self.told: Optional[Dict[str, Any]] = None
        self.ask_again = float("-inf")
        self.tried = threading.Event()


class RushDetail:
    """A ``before_send``. ``then`` is your own, which sees the event first.

    ``wait`` is how many seconds an event may wait for rules that are not known yet.
    The rules are fetched by a thread, and again when they are five minutes old.
    """

    def __init__(
        self, dsn: str, then: Optional[BeforeSend] = None, wait: float = 0.0
    ) -> None:
        url = urlsplit(dsn)
        host = url.netloc.rpartition("@")[2]
        prefix = url.path.rpartition("/")[0]
        self._url = f"{url.scheme}://{host}{prefix}/api/v1/detail/"
        self._key = url.username or ""
        self._then, self._wait = then, wait
        self._answers: Dict[Asked, Answer] = {}
        self._lock = threading.Lock()

    def __call__(self, event: Event, hint: Dict[str, Any]) -> Optional[Event]:
        if self._then is not None:
            changed = self._then(event, hint)
            if changed is None:
                return None
            event = changed
        try:
            told = self._rules_for(event)
            if told is not None:
                cut(event, hint, detail_of(event, told["rules"]))
        except Exception:
            log.debug("the event goes out as it is", exc_info=True)
        return event

    def _rules_for(self, event: Event) -> Optional[Dict[str, Any]]:
        sender = (event.get("release") or "", event.get("environment") or "")
        told = self._answer(("", *sender))
        if told is None or not told["by_tenant"]:
            return told
        tags = dict(event.get("tags") or {})
        named = (str(tags.get(name) or "") for name in told["tenant_tags"])
        tenant = next(filter(None, named), "")
        return self._answer((tenant, *sender)) if tenant else told

    def _answer(self, asked: Asked) -> Optional[Dict[str, Any]]:
        with self._lock:
            if asked not in self._answers and len(self._answers) >= MOST_ANSWERS:
                self._answers.clear()
            answer = self._answers.setdefault(asked, Answer())
            due = time.monotonic() >= answer.ask_again
            if due:
                answer.ask_again = time.monotonic() + RETRY_SECONDS
        if due:
            threading.Thread(
                target=self._fetch, args=(asked, answer), daemon=True
            ).start()
        if answer.told is None and self._wait:
            answer.tried.wait(self._wait)
        return answer.told

    def _fetch(self, asked: Asked, answer: Answer) -> None:
        names = ("tenant", "release", "environment")
        query = {name: value for name, value in zip(names, asked) if value}
        url = f"{self._url}?{urlencode({'sentry_key': self._key, **query})}"
        try:
            with urlopen(url, timeout=TIMEOUT_SECONDS) as response:
                told = json.load(response)
            answer.told = told
            answer.ask_again = time.monotonic() + told["max_age"]
        except (OSError, ValueError) as error:
            log.debug("no detail rules from %s: %s", self._url, error)
        finally:
            answer.tried.set()


def detail_of(event: Event, rules: Any) -> str:
    """The detail of the first rule that matches: minimal, standard or full."""
    level = LEVELS.get(str(event.get("level") or "error"), 40)
    tags = dict(event.get("tags") or {})
    for rule in rules:
        if not LEVELS[rule["min_level"]] <= level <= LEVELS[rule["max_level"]]:
            continue
        if not rule["tag"]:
            return str(rule["detail"])
        value = tags.get(rule["tag"])
        if value is not None and matches(rule["value"] or "*", str(value)):
            return str(rule["detail"])
    return "full"


def matches(pattern: str, text: str) -> bool:
    """Whether the whole text fits; ``*`` stands for any characters."""
    first, *rest = pattern.split("*")
    if not rest:
        return text == first
    *middle, last = rest
    at = len(first)
    if not text.startswith(first):
        return False
    for part in middle:
        found = text.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return len(text) - at >= len(last) and text.endswith(last)


def cut(event: Event, hint: Dict[str, Any], detail: str) -> None:
    """Cut the event to its detail, in place. What counts or groups it stays."""
    if detail == "full":
        return
    minimal = detail == "minimal"
    for frame in _frames(event):
        frame.pop("vars", None)
        if minimal:
            frame.pop("pre_context", None)
            frame.pop("post_context", None)
    (event.get("request") or {}).pop("data", None)
    crumbs = event.get("breadcrumbs")
    values = crumbs.get("values") if isinstance(crumbs, dict) else crumbs
    if isinstance(values, list):
        del values[: None if minimal else -LAST_CRUMBS]
    if minimal:
        event.pop("extra", None)
    if hint.get("attachments"):
        hint["attachments"] = []


def _frames(event: Event) -> Iterator[Dict[str, Any]]:
    for key in ("exception", "threads"):
        for value in (event.get(key) or {}).get("values") or ():
            yield from (value.get("stacktrace") or {}).get("frames") or ()
