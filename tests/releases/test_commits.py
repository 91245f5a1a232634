from datetime import UTC, datetime
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from releases.commits import CommitsError, NewCommit, set_commits
from releases.models import Commit, Release
from tenants.models import AuditEntry
from tests.factories import ANNA, make_project, make_release

pytestmark = pytest.mark.django_db


@pytest.fixture
def release() -> Release:
    return make_release(make_project(slug="shop"), "2.0")


def shas(release: Release) -> list[str]:
    return [commit.sha for commit in release.commits.all()]


def test_commits_are_stored_newest_first(release: Release) -> None:
    when = datetime(2026, 11, 24, 10, tzinfo=UTC)
    newest = NewCommit(
        "c2",
        "acme/shop",
        "Round prices\n\nonce",
        "Mia",
        "mia@example.com",
        when,
        ["shop/pricing.py", "README.md"],
    )

    changed = set_commits(release, [newest, NewCommit("c1")], ANNA)

    first, second = release.commits.all()
    assert (first.position, first.sha, first.repository) == (0, "c2", "acme/shop")
    assert (first.subject, first.author_name) == ("Round prices", "Mia")
    assert (first.author_email, first.committed_at) == ("mia@example.com", when)
    assert first.files == ["shop/pricing.py", "README.md"]
    assert (second.position, second.sha, second.files) == (1, "c1", [])
    assert (changed.commit, changed.authors) == ("c2", ["Mia"])


def test_new_commits_replace_the_old_ones(release: Release) -> None:
    set_commits(release, [NewCommit("c2"), NewCommit("c1")], ANNA)

    set_commits(release, [NewCommit("c3"), NewCommit("c2")], ANNA)

    assert shas(release) == ["c3", "c2"]


def test_an_empty_list_clears(release: Release) -> None:
    set_commits(release, [NewCommit("c1", author_name="Mia")], ANNA)

    changed = set_commits(release, [], ANNA)

    assert (shas(release), changed.commit, changed.authors) == ([], "", [])


def test_a_commit_told_twice_counts_once(release: Release) -> None:
    told = [NewCommit("c2", "a"), NewCommit("c1", "a"), NewCommit("c2", "a")]

    set_commits(release, [*told, NewCommit("c2", "b")], ANNA)

    assert shas(release) == ["c2", "c1", "c2"]


def test_authors_are_named_once_by_name_else_address(release: Release) -> None:
    told = [
        NewCommit("c4", author_name="Mia\n Müller"),
        NewCommit("c3", author_email="bot@example.com"),
        NewCommit("c2"),
        NewCommit("c1", author_name="Mia Müller", author_email="mia@example.com"),
    ]

    assert set_commits(release, told, ANNA).authors == ["Mia Müller", "bot@example.com"]


def test_what_is_long_is_cut_and_what_is_no_path_left_out(release: Release) -> None:
    files = ["", "a/" * 300, "line\nbreak.py", "fine.py"]
    told = NewCommit("c1", "", "m" * 20_000, "n" * 300, "e" * 300, None, files)

    set_commits(release, [told], ANNA)

    commit = Commit.objects.get()
    sizes = [len(commit.message), len(commit.author_name), len(commit.author_email)]
    assert sizes == [10_000, 200, 254]
    assert commit.files == ["fine.py"]


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ([NewCommit("")], "'' is no commit"),
        ([NewCommit("s" * 65)], "at most 64 characters"),
        ([NewCommit("a\nb")], "is no commit"),
        ([NewCommit("c1", "r" * 201)], "longer than 200"),
        ([NewCommit("c1")] * 5001, "takes 5000 commits and was given 5001"),
        ([NewCommit("c1", files=["f"] * 100_001)], "100000 files together"),
    ],
)
def test_what_cannot_be_stored_is_refused(
    release: Release, told: Any, message: str
) -> None:
    with pytest.raises(CommitsError, match=message):
        set_commits(release, told, ANNA)


def test_a_change_is_audited_and_a_repetition_is_none(release: Release) -> None:
    for _ in range(2):
        set_commits(release, [NewCommit("c2"), NewCommit("c1")], ANNA)

    entry = AuditEntry.objects.get()
    assert entry.changes == {"commit": ["", "c2"], "commits": [0, 2]}


def test_many_commits_cost_few_queries(
    release: Release, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    told = [NewCommit(f"c{n}") for n in range(500)]

    # Lock, count, delete, insert, update, audit, and the savepoint's two.
    with django_assert_num_queries(8):
        set_commits(release, told, ANNA)
