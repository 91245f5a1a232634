"""Which filter of its project an event or a request is dropped by, if any.

The filters are asked in the order of ``Filter``: who sent it, then what it says. The
first that says so is the one under which it is counted.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from issues.digest.foreign_scripts import (
    is_chunk_load_error,
    is_extension_error,
    is_hydration_error,
    is_thrown_by_extension,
)
from issues.digest.health_checks import is_health_check
from issues.digest.senders import Sender, header_of, sender_of_event
from issues.digest.user_agents import read_user_agent
from issues.normal_event import NormalEvent
from tenants.models import Filter, InboundFilters
from tenants.patterns import LOOKED_AT, AddressSet, Globs, parse_browser

ADDRESSES = Filter.ADDRESSES.value
RELEASES = Filter.RELEASES.value
LOCALHOST = Filter.LOCALHOST.value
CRAWLERS = Filter.CRAWLERS.value
LEGACY_BROWSERS = Filter.LEGACY_BROWSERS.value
HEALTH_CHECKS = Filter.HEALTH_CHECKS.value
BROWSER_EXTENSIONS = Filter.BROWSER_EXTENSIONS.value
CHUNK_LOAD_ERRORS = Filter.CHUNK_LOAD_ERRORS.value
HYDRATION_ERRORS = Filter.HYDRATION_ERRORS.value
MESSAGES = Filter.MESSAGES.value

_OF_PAGES = frozenset({BROWSER_EXTENSIONS, CHUNK_LOAD_ERRORS, HYDRATION_ERRORS})
# Anywhere in a URL; whether it is the host is asked where it is found.
_NAMES_LOCAL = re.compile(r"localhost|127\.|::1\]|//0\.0\.0\.0", re.IGNORECASE)
_FORWARDED = ("x-forwarded-host", "x-forwarded-for")


@dataclass(frozen=True, slots=True)
class InboundRules:
    """A project's filters, ready to be asked; ``on`` are the names of those in use."""

    on: frozenset[str]
    legacy: Mapping[str, int]  # engine and the first version that is welcome
    messages: Globs
    releases: Globs
    addresses: AddressSet

    @classmethod
    def of(cls, filters: InboundFilters) -> "InboundRules":
        """Raises PatternError for a pattern that the admin and the API refuse."""
        return cls(
            filters.on,
            # Of two versions of one browser the higher one holds.
            dict(sorted(map(parse_browser, filters.legacy_versions))),
            Globs(filters.message_patterns),
            Globs(filters.release_patterns),
            AddressSet(filters.address_patterns),
        )

    @classmethod
    def off(cls) -> "InboundRules":
        """Everything is wanted."""
        return cls(frozenset(), {}, Globs(()), Globs(()), AddressSet(()))


def filter_of_event(
    event: NormalEvent, rules: InboundRules, remote_addr: str, user_agent: str
) -> str:
    """Name of the filter that drops the event; "" where it is wanted.

    ``remote_addr`` and ``user_agent`` are those of the request that brought it.
    """
    if not rules.on:
        return ""
    sender = sender_of_event(event, user_agent)
    return filter_of_sender(sender, rules, remote_addr) or _filter_of_content(
        event, rules
    )


def filter_of_sender(sender: Sender, rules: InboundRules, remote_addr: str) -> str:
    """Name of the filter that drops all that this sender sends; "" for none."""
    on = rules.on
    if ADDRESSES in on and (
        remote_addr in rules.addresses or sender.address in rules.addresses
    ):
        return ADDRESSES
    if RELEASES in on and sender.release and rules.releases.match(sender.release):
        return RELEASES
    if LOCALHOST in on and _is_local(sender):
        return LOCALHOST
    told = _filter_of_agent(sender.user_agent, rules) if sender.user_agent else ""
    if told:
        return told
    if sender.path and HEALTH_CHECKS in on and is_health_check(sender.path):
        return HEALTH_CHECKS
    return ""


def _filter_of_agent(user_agent: str, rules: InboundRules) -> str:
    agent = read_user_agent(user_agent)
    if agent.is_robot and CRAWLERS in rules.on:
        return CRAWLERS
    if LEGACY_BROWSERS in rules.on:
        for name, version in agent.engines:
            if version < rules.legacy.get(name, 0):
                return LEGACY_BROWSERS
    return ""


def _filter_of_content(event: NormalEvent, rules: InboundRules) -> str:
    on = rules.on
    in_page = event.platform == "javascript" and not on.isdisjoint(_OF_PAGES)
    if not in_page and MESSAGES not in on:
        return ""
    texts = _texts(event)
    if in_page:
        lowered = [text[:LOOKED_AT].lower() for text in texts]
        if BROWSER_EXTENSIONS in on and (
            is_thrown_by_extension(event) or any(map(is_extension_error, lowered))
        ):
            return BROWSER_EXTENSIONS
        if CHUNK_LOAD_ERRORS in on and any(map(is_chunk_load_error, lowered)):
            return CHUNK_LOAD_ERRORS
        if HYDRATION_ERRORS in on and any(map(is_hydration_error, lowered)):
            return HYDRATION_ERRORS
    if MESSAGES in on and any(map(rules.messages.match, _spellings(event, texts))):
        return MESSAGES
    return ""


def _texts(event: NormalEvent) -> list[str]:
    """What the event says: "type: value" of each exception, and the message."""
    texts = [
        f"{raised.type}: {raised.value}"
        if raised.type and raised.value
        else raised.type or raised.value
        for raised in event.exceptions
    ]
    if event.message:
        texts.append(event.message)
    return texts


def _spellings(event: NormalEvent, texts: list[str]) -> Iterable[str]:
    """The values alone as well: people copy them from a console."""
    return [*texts, *(raised.value for raised in event.exceptions if raised.value)]


def _is_local(sender: Sender) -> bool:
    """By the page's or server's address; by the visitor's where there is no URL.

    A proxy on the same machine talks to its server at localhost: what it forwarded for
    others is not local.
    """
    if not sender.url:
        host = header_of(sender.headers, "host")
        return _is_local_host(host) if host else _is_local_host(sender.address)
    if sender.url.startswith("file:"):
        return True
    if not _NAMES_LOCAL.search(sender.url):
        return False
    try:
        host = urlsplit(sender.url).hostname or ""
    except ValueError:
        return False
    if not _is_local_host(host):
        return False
    forwarded = (header_of(sender.headers, name) for name in _FORWARDED)
    return all(_is_local_host(told) for told in forwarded if told)


def _is_local_host(host: str) -> bool:
    """A host, perhaps with its port, or the first of several."""
    first = host.partition(",")[0].strip().lower()
    if first.startswith("["):
        first = first[1:].partition("]")[0]
    elif first.count(":") == 1:
        first = first.partition(":")[0]
    return (
        first in {"localhost", "::1", "0.0.0.0"}
        or first.endswith(".localhost")
        or (first.startswith("127.") and first.replace(".", "").isdigit())
    )
