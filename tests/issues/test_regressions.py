from datetime import UTC, datetime, timedelta

import pytest

from issues.regressions import Shipped, is_regression, order_of, version_key

DAY = timedelta(days=1)
START = datetime(2026, 11, 1, tzinfo=UTC)


def release(
    version: str,
    seen: int = 0,
    released: int | None = None,
    deployed: tuple[int, int] | None = None,
    rolled_back: bool = False,
) -> Shipped:
    """A release by the days after the first of the month; ``deployed`` first and last
    to the event's environment.
    """
    date = None if released is None else START + released * DAY
    first, last = (START + day * DAY for day in deployed) if deployed else (None, None)
    return Shipped(version, START + seen * DAY, date, first, last, rolled_back)


@pytest.mark.parametrize(
    ("event", "fix", "reopens"),
    [
        # The fix itself, and what came before and after it by date.
        (release("fix", 5), release("fix", 5), True),
        (release("older", 4), release("fix", 5), False),
        (release("newer", 6), release("fix", 5), True),
        # A release date wins over first sight: an old build that is first seen late.
        (release("a", 9, released=3), release("fix", 5, released=5), False),
        (release("a", 1, released=6), release("fix", 5, released=5), True),
        # An installed old version of a package never reopens, however late it is seen.
        (release("app@1.2.9", 9), release("app@2.0.0", 5), False),
        (release("app@1.2.9", 9, released=9), release("app@2.0.0", 5), False),
        (release("app@2.0.1", 1), release("app@2.0.0", 5), True),
        # Bare versions: dates of CI first, then the number, then first sight.
        (release("5.36.1", 9), release("5.36.2", 5), False),
        (release("5.36.10", 1), release("5.36.9", 5), True),
        (release("5.36.1", 9, released=9), release("5.36.2", 5, released=5), True),
        # Other packages are no version to compare with: dates decide.
        (release("web@1.0.0", 9), release("app@2.0.0", 5), True),
        # Pre-releases come before the release.
        (release("app@2.0.0-rc.1", 9), release("app@2.0.0", 5), False),
        (release("app@2.0.0", 1), release("app@2.0.0-rc.1", 5), True),
        # The order of deploys to the environment wins over all others.
        (
            release("app@2.1.0", 4, 4, deployed=(4, 4)),
            release("app@2.0.1", 5, 5, deployed=(5, 5)),
            False,
        ),
        (
            release("app@1.9.9", 9, 4, deployed=(6, 6)),
            release("app@2.0.0", 5, 5, deployed=(5, 5)),
            True,
        ),
        # The last deploy counts: the old one was shipped again, or the fix was.
        (release("a", 1, deployed=(1, 6)), release("fix", 5, deployed=(5, 5)), True),
        (release("b", 6, deployed=(6, 6)), release("fix", 5, deployed=(5, 7)), False),
        # Deployed together: the version decides.
        (
            release("app@1.9.9", 9, deployed=(5, 5)),
            release("app@2.0.0", 5, deployed=(5, 5)),
            False,
        ),
        # One of them was never deployed there: the other witnesses decide.
        (release("a", 4, deployed=(9, 9)), release("fix", 5), False),
        (release("newer", 6), release("fix", 5, deployed=(9, 9)), True),
        # What was rolled back never reopens, though it was newer, or had the fix.
        (
            release("b", 6, deployed=(6, 6), rolled_back=True),
            release("fix", 5, deployed=(5, 5)),
            False,
        ),
        (release("fix", 5, rolled_back=True), release("fix", 5), False),
        (release("a", 5, rolled_back=True), None, False),
        # Same moment: the order is unknown.
        (release("a1b2c3d", 5), release("d4e5f6a", 5), True),
        (None, release("fix", 5), True),
        (release("a", 5), None, True),
    ],
)
def test_events_reopen_an_issue_fixed_in_a_release(
    event: Shipped | None, fix: Shipped | None, reopens: bool
) -> None:
    judged = is_regression("in_release", event, fix, START + 5 * DAY)

    assert judged.reopens is reopens, judged.reason


@pytest.mark.parametrize(
    ("event", "newest", "reopens"),
    [
        (release("newest", 5), release("newest", 5), False),
        (release("older", 4), release("newest", 5), False),
        (release("next", 7), release("newest", 5), True),
        # Known before the issue was resolved, though by number it looks newer.
        (release("app@3.0.0", 4), release("app@2.0.0", 5), False),
        # Made ahead of time, released after the issue was resolved.
        (release("app@2.1.0", 4, released=8), release("app@2.0.0", 5), True),
        # An old client that is first seen after the issue was resolved.
        (release("app@1.9.0", 9), release("app@2.0.0", 5), False),
        (release("app@2.0.1", 9), release("app@2.0.0", 5), True),
        # By deploys: a hotfix of an older line comes after, and one that ran before
        # the issue was resolved is no next release, however late CI finalizes it.
        (
            release("app@1.9.1", 9, deployed=(8, 8)),
            release("app@2.0.0", 5, deployed=(5, 5)),
            True,
        ),
        (
            release("app@2.0.1", 4, released=8, deployed=(4, 9)),
            release("app@2.0.0", 5, deployed=(5, 5)),
            False,
        ),
        (release("next", 7, rolled_back=True), release("newest", 5), False),
        # No release was known, or it was deleted: what comes later is next.
        (release("first", 7), None, True),
        (release("first", 5), None, False),
        (None, release("newest", 5), True),
    ],
)
def test_events_reopen_an_issue_fixed_in_the_next_release(
    event: Shipped | None, newest: Shipped | None, reopens: bool
) -> None:
    judged = is_regression("in_next_release", event, newest, START + 6 * DAY)

    assert judged.reopens is reopens, judged.reason


@pytest.mark.parametrize("event", [None, release("old", 0), release("new", 9)])
def test_any_event_reopens_an_issue_that_was_resolved_now(
    event: Shipped | None,
) -> None:
    assert is_regression("now", event, None, START).reopens


def test_an_event_of_a_release_that_was_rolled_back_does_not() -> None:
    event = release("bad", 9, rolled_back=True)

    assert not is_regression("now", event, None, START).reopens


@pytest.mark.parametrize(
    ("event", "fix", "words"),
    [
        (release("b", rolled_back=True), release("a"), "b, which was rolled back"),
        (
            release("b", deployed=(2, 2)),
            release("a", deployed=(1, 1)),
            "newer than the fix in a by deploy order",
        ),
        (None, release("fix"), "names no release"),
        (release("a"), None, "was deleted"),
        (release("a"), release("b"), "is unknown"),
        (release("a", 1), release("b"), "newer than the fix in b by first sight"),
        (release("1.0.0"), release("2.0.0"), "older than the fix in 2.0.0 by version"),
        (release("b", 0, 2), release("a", 0, 1), "by release date"),
        (release("b"), release("b"), "b, which has the fix"),
    ],
)
def test_the_reason_names_what_decided(
    event: Shipped | None, fix: Shipped | None, words: str
) -> None:
    assert words in is_regression("in_release", event, fix, START).reason


@pytest.mark.parametrize(
    "ascending",
    [
        ["1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta.2"],
        ["1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0"],
        ["1.9", "1.10", "1.10.1", "1.10.1.7", "v2.0"],
    ],
)
def test_versions_are_ordered_as_semver_says(ascending: list[str]) -> None:
    keys = [version_key(version) for version in ascending]

    assert None not in keys
    assert keys == sorted(keys)  # type: ignore[type-var]


@pytest.mark.parametrize("version", ["", "a1b2c3d", "42", "app@main", "1.2.x", "@1.0"])
def test_what_is_no_version_has_no_key(version: str) -> None:
    assert version_key(version) is None


def test_builds_of_one_version_are_ordered_by_date() -> None:
    order = order_of(release("app@1.0.0+2", 2), release("app@1.0.0+1", 1))

    assert order is not None
    assert (order.sign, order.by) == (1, "first sight")
