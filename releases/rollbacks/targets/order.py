"""What a target is told, and what can become of it: plain values.

A kind of target speaks in *talks*: generators that yield a request, are sent its
answer, and return what they made of it. They read no clock and open no connection.
"""

import re
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol, TypeVar

from tenants.outbound import Answer, Request

EXCERPT = 300  # letters of an answer that a sentence quotes
LONGEST_URL = 500

T = TypeVar("T")
Talk = Generator[Request, Answer, T]


@dataclass(frozen=True, slots=True)
class Version:
    """A release by the names that a CD may know it by."""

    version: str
    commit: str = ""

    @property
    def tags(self) -> set[str]:
        """How images and branches may name it: shop@2.4.0 is 2.4.0 and v2.4.0, too."""
        short = self.version.rpartition("@")[2]
        return {self.version, short, f"v{short.removeprefix('v')}"}


@dataclass(frozen=True, slots=True)
class Order:
    """One rollback. ``key`` is its idempotency key, ``at`` the time of the call.

    ``since`` is when it was sent first: look-ups search from then. ``test`` marks an
    order that must change nothing.
    """

    id: int
    key: str
    project: str
    environment: str
    deploy_id: int
    from_release: Version
    to_release: Version
    at: datetime
    since: datetime
    deploy_name: str = ""
    deploy_url: str = ""
    verdict: str = ""
    reason: str = ""
    sentence: str = ""
    numbers: Mapping[str, Any] = field(default_factory=dict)
    suspects: Sequence[Any] = ()
    requested_by: str = ""
    test: bool = False


@dataclass(frozen=True, slots=True)
class Access:
    """Where a target is and how to get in: the fields of a RollbackTarget, readable."""

    url: str
    secret: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)

    def option(self, name: str, default: str = "") -> str:
        """An option as text."""
        value = self.options.get(name)
        return default if value in (None, "") else str(value)

    def address(self, path: str) -> str:
        """The URL with ``path`` behind it."""
        return f"{self.url.rstrip('/')}{path}"


class Fate(StrEnum):
    """What became of a call: for the last three it is known that nothing was done, or
    not known at all.
    """

    CALLED = "called"
    REFUSED = "refused"  # surely not done, and the same call will not be
    LATER = "later"  # surely not done, but it may be later
    DOUBT = "doubt"  # it may have been done


@dataclass(frozen=True, slots=True)
class Outcome:
    """``told`` is for a person, ``wait`` the seconds that the target asked for."""

    fate: Fate
    told: str
    run_url: str = ""
    wait: int = 0
    answer: Answer | None = None


@dataclass(frozen=True, slots=True)
class Sighting:
    """Whether a look-up found the run of an order."""

    seen: bool
    told: str
    run_url: str = ""


class Kind(Protocol):
    """What each module of ``releases.rollbacks.targets`` offers."""

    def problems(self, access: Access) -> dict[str, str]:
        """What cannot work, by field: url, secret or options."""

    def preview(self, access: Access, order: Order) -> str:
        """What would be called, in one sentence without secrets."""

    def call(self, access: Access, order: Order) -> Talk[Outcome]:
        """Order the rollback. The last request is the one that does it."""

    def probe(self, access: Access, order: Order) -> Talk[Outcome]:
        """A call that changes nothing but shows whether the real one would work."""

    def looks_up(self, access: Access) -> bool:
        """Whether a run can be found again after its answer was lost."""

    def look_up(self, access: Access, order: Order) -> Talk[Sighting]:
        """Find the run of an order that may have been received."""


def outcome_of(answer: Answer) -> Outcome:
    """What an answer's status says of a POST that orders something.

    A refusal (4xx) was not acted on. After 5xx, a time-out of the server or a redirect
    that may follow an action, nobody knows.
    """
    told = quoted(answer)
    status = answer.status
    if 200 <= status < 300:
        return Outcome(Fate.CALLED, told, answer=answer)
    if status in {425, 429}:
        return Outcome(Fate.LATER, told, wait=_retry_after(answer), answer=answer)
    in_doubt = status >= 500 or status in {301, 302, 303, 408, 409}
    return Outcome(Fate.DOUBT if in_doubt else Fate.REFUSED, told, answer=answer)


def outcome_of_reading(answer: Answer) -> Outcome | None:
    """What a GET before the call says when it failed; None: it worked."""
    if 200 <= answer.status < 300:
        return None
    passing = answer.status >= 500 or answer.status in {408, 429}
    return Outcome(
        Fate.LATER if passing else Fate.REFUSED,
        quoted(answer),
        wait=_retry_after(answer),
        answer=answer,
    )


def quoted(answer: Answer) -> str:
    """The status and the beginning of the body, on one line."""
    text = " ".join(answer.text.split())
    return f"HTTP {answer.status}" + (f": {text[:EXCERPT]}" if text else ".")


def _retry_after(answer: Answer) -> int:
    text = answer.headers.get("retry-after", "")
    return min(int(text), 3600) if text.isascii() and text.isdecimal() else 0


def link(value: Any) -> str:
    """A URL that a page may link to, or ""."""
    text = value if isinstance(value, str) else ""
    is_url = re.match(r"https?://[!-~]+\Z", text) and len(text) <= LONGEST_URL
    return text if is_url else ""


def part(value: Any, *names: str) -> Any:
    """What lies in nested objects under these names; None where they end."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def parts(value: Any, *names: str) -> list[Any]:
    """The list that lies there, [] where there is none."""
    found = part(value, *names)
    return found if isinstance(found, list) else []


def words(order: Order) -> dict[str, str]:
    """What pipelines are given, by the names of their variables or inputs."""
    return {
        "rush_rollback_id": order.key,
        "rush_environment": order.environment,
        "rush_to_release": order.to_release.version,
        "rush_to_commit": order.to_release.commit,
        "rush_from_release": order.from_release.version,
        "rush_deploy_id": str(order.deploy_id),
    }


def risk_of(order: Order) -> Outcome | None:
    """A refusal of names that a shell would act on; None where there are none.

    Events name releases, and anyone can send events; pipelines put their inputs into
    scripts. For the same reason no text of an issue is among the inputs.
    """
    for name, value in words(order).items():
        if not re.fullmatch(r"[\w.@+:/~-]*", value, re.ASCII) or value.startswith("-"):
            told = f"{name} is {value!r}, which is not safe to hand to a pipeline."
            return Outcome(Fate.REFUSED, told)
    return None


def fill(template: str, values: Mapping[str, str]) -> str:
    """The template with each known ``{name}`` replaced."""
    return re.sub(r"\{(\w+)\}", lambda match: values.get(match[1], match[0]), template)


def unknown_options(access: Access, known: Sequence[str]) -> dict[str, str]:
    """A problem when there are options that the kind does not know."""
    if not isinstance(access.options, dict):
        return {"options": 'Give an object, such as {"ref": "main"}.'}
    unknown = sorted(set(access.options) - set(known))
    if not unknown:
        return {}
    offered = ", ".join(known) or "none"
    return {"options": f"{', '.join(unknown)}: not known here. There are: {offered}."}


def missing_options(access: Access, needed: Sequence[str]) -> dict[str, str]:
    """A problem when options that the kind needs are not given."""
    missing = [name for name in needed if not access.option(name)]
    return {"options": f"Give {' and '.join(missing)}."} if missing else {}


def open_wire(access: Access) -> dict[str, str]:
    """A problem when a token would travel in the clear."""
    if access.url.startswith("https://"):
        return {}
    return {"url": "Use https://, as the token travels with each request."}
