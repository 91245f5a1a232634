"""Whether an event brings a resolved issue back. Pure: no clock, no database.

Old clients, hotfixes of an older line and bare version numbers are what make trackers
reopen issues that are fixed, so the order of two releases is asked of several
witnesses, best first (``WITNESSES``).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

NOW, IN_RELEASE, IN_NEXT_RELEASE = "now", "in_release", "in_next_release"

_VERSION = re.compile(
    r"(?:(?P<package>[^@\s]+)@)?v?(?P<numbers>\d{1,18}(?:\.\d{1,18}){1,3})"
    r"(?:-(?P<pre>[0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?\Z"
)


@dataclass(frozen=True, slots=True)
class Shipped:
    """A release as far as its order is concerned.

    ``first_deployed_at`` and ``deployed_at`` are its first and last deploy to the
    event's environment, without those that carried out a rollback. ``rolled_back``:
    its last deploy there was taken back.
    """

    version: str
    first_seen: datetime
    released_at: datetime | None = None
    first_deployed_at: datetime | None = None
    deployed_at: datetime | None = None
    rolled_back: bool = False

    @property
    def date(self) -> datetime:
        return self.released_at or self.first_seen

    @property
    def began(self) -> datetime:
        """Since when it was out, for all that is known."""
        return min(self.date, self.first_deployed_at or self.date)


@dataclass(frozen=True, slots=True)
class Regression:
    """The judgement, and one sentence that explains it."""

    reopens: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Order:
    """``sign`` > 0: the first is newer, < 0: older; ``by`` names the witness."""

    sign: int
    by: str


def is_regression(
    resolution: str,
    event_release: Shipped | None,
    resolution_release: Shipped | None,
    resolved_at: datetime,
) -> Regression:
    """Judge a new event of an issue that was resolved at ``resolved_at``.

    ``resolution`` is ``now``, ``in_release`` or ``in_next_release``;
    ``resolution_release`` is the release with the fix (in_release), or the newest
    one when the issue was resolved (in_next_release). None: not named, or deleted.
    An event of a release older than the fix never reopens, nor one of a release that
    was rolled back; where the order cannot be known the event reopens, and the reason
    says so.
    """
    if event_release is not None and event_release.rolled_back:
        return Regression(
            False, f"It happened in {event_release.version}, which was rolled back."
        )
    if resolution not in {IN_RELEASE, IN_NEXT_RELEASE}:
        return Regression(True, "It happened again after it was resolved.")
    if event_release is None:
        return Regression(
            True,
            "The event names no release, so whether it has the fix is unknown.",
        )
    if resolution == IN_RELEASE:
        return _after_fix(event_release, resolution_release)
    return _after_next(event_release, resolution_release, resolved_at)


def _after_fix(event: Shipped, fix: Shipped | None) -> Regression:
    if fix is None:
        return Regression(
            True,
            f"It happened in {event.version}; the release with the fix was deleted, "
            "so the order is unknown.",
        )
    if event.version == fix.version:
        return Regression(True, f"It happened in {fix.version}, which has the fix.")
    order = order_of(event, fix)
    if order is None:
        return Regression(
            True,
            f"It happened in {event.version}; whether that is newer than the fix in "
            f"{fix.version} is unknown.",
        )
    relation = "newer" if order.sign > 0 else "older"
    return Regression(
        order.sign > 0,
        f"It happened in {event.version}, {relation} than the fix in {fix.version} "
        f"by {order.by}.",
    )


def _after_next(
    event: Shipped, newest: Shipped | None, resolved_at: datetime
) -> Regression:
    if event.began <= resolved_at or (newest and event.version == newest.version):
        return Regression(
            False, f"{event.version} was there before the issue was resolved."
        )
    if newest is None:
        return Regression(
            True,
            f"It happened in {event.version}, first seen after it was resolved.",
        )
    order = order_of(event, newest)
    if order is None:
        return Regression(
            True,
            f"It happened in {event.version}; whether that came after "
            f"{newest.version}, the newest when it was resolved, is unknown.",
        )
    relation = "newer" if order.sign > 0 else "older"
    return Regression(
        order.sign > 0,
        f"It happened in {event.version}, {relation} by {order.by} than "
        f"{newest.version}, the newest when it was resolved.",
    )


def order_of(first: Shipped, second: Shipped) -> Order | None:
    """Which of two releases is newer, by the first witness that knows; else None."""
    for witness in WITNESSES:
        order = witness(first, second)
        if order is not None:
            return order
    return None


def _by_deploy(first: Shipped, second: Shipped) -> Order | None:
    """Both were deployed to the event's environment: what was shipped last is newer,
    such as a hotfix of an older line.
    """
    if first.deployed_at is None or second.deployed_at is None:
        return None
    return _sign(first.deployed_at, second.deployed_at, "deploy order")


def _by_package_version(first: Shipped, second: Shipped) -> Order | None:
    """Both are ``package@1.2.3`` of one package: installed copies live side by side,
    so the number says more than the day that one was first seen.
    """
    return _by_version(first, second, packaged=True)


def _by_release_date(first: Shipped, second: Shipped) -> Order | None:
    """CI told for both when they were released."""
    if first.released_at is None or second.released_at is None:
        return None
    return _sign(first.released_at, second.released_at, "release date")


def _by_bare_version(first: Shipped, second: Shipped) -> Order | None:
    """Both are bare versions: an old client that is first seen late stays old."""
    return _by_version(first, second, packaged=False)


def _by_first_seen(first: Shipped, second: Shipped) -> Order | None:
    return _sign(first.date, second.date, "first sight")


WITNESSES: tuple[Callable[[Shipped, Shipped], Order | None], ...] = (
    _by_deploy,
    _by_package_version,
    _by_release_date,
    _by_bare_version,
    _by_first_seen,
)

# Semver 2.0.0, section 11: numbers, then releases before pre-releases, then the
# identifiers of the pre-release (numbers below words).
VersionKey = tuple[tuple[int, ...], bool, tuple[tuple[bool, int, str], ...]]


def version_key(version: str) -> tuple[str, VersionKey] | None:
    """Package and precedence of ``[package@]1.2[.3[.4]][-pre][+build]``, else None."""
    match = _VERSION.match(version)
    if match is None:
        return None
    numbers = [int(part) for part in match["numbers"].split(".")]
    numbers += [0] * (4 - len(numbers))
    pre = tuple(
        (not part.isdigit(), int(part) if part.isdigit() else 0, part)
        for part in (match["pre"] or "").split(".")
        if part
    )
    return match["package"] or "", (tuple(numbers), not pre, pre)


def _by_version(first: Shipped, second: Shipped, *, packaged: bool) -> Order | None:
    one, other = version_key(first.version), version_key(second.version)
    if one is None or other is None or one[0] != other[0] or bool(one[0]) != packaged:
        return None
    return _sign(one[1], other[1], "version")


def _sign(first: Any, second: Any, by: str) -> Order | None:
    if first == second:
        return None
    return Order(1 if first > second else -1, by)
