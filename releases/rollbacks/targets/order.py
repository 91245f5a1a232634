"""What a target is told: plain values, and what each kind of target offers."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from tenants.talks import Fate, Outcome, Sighting, Talk


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
