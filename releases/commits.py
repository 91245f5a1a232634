"""Sets what a release brought: its commits, newest first, with their files."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from releases.models import Commit, Release
from tenants.audit import Actor, difference, record
from tenants.names import one_line
from tenants.refusals import Refusal

MOST_COMMITS = 5_000
MOST_FILES = 100_000  # of all commits of a release
SHA_CHARACTERS = 64
REPOSITORY_CHARACTERS = 200
MESSAGE_CHARACTERS = 10_000
AUTHOR_CHARACTERS = 200
EMAIL_CHARACTERS = 254
PATH_CHARACTERS = 500


class CommitsError(Refusal):
    """Commits that cannot be stored as told."""


@dataclass(frozen=True, slots=True)
class NewCommit:
    """One commit as CI tells it: see Commit."""

    sha: str
    repository: str = ""
    message: str = ""
    author_name: str = ""
    author_email: str = ""
    committed_at: datetime | None = None
    files: Sequence[str] = ()


def set_commits(release: Release, told: Sequence[NewCommit], actor: Actor) -> Release:
    """Replace the commits of a release; returns it as it is then.

    Newest first; an empty list clears. Its ``commit`` becomes the newest one's id, its
    ``authors`` those of all. A commit told twice counts once. Long messages are cut at
    10,000 characters; paths that no stack trace shows, of more than 500 characters or
    with what cannot be printed, are left out. Raises CommitsError.
    """
    _check(told)
    unique: dict[tuple[str, str], NewCommit] = {}
    for one in told:
        unique.setdefault((one.repository, one.sha), one)
    commits = list(unique.values())
    with transaction.atomic():
        # One at a time, so that two posts at once make one list.
        releases = Release.objects.select_related("project")
        releases = releases.select_for_update(of=["self"], no_key=True)
        locked = releases.get(pk=release.pk)
        before = {"commit": locked.commit, "commits": locked.commits.count()}
        locked.commits.all().delete()
        Commit.objects.bulk_create(
            [_row(locked, n, one) for n, one in enumerate(commits)], batch_size=500
        )
        locked.commit = commits[0].sha if commits else ""
        locked.authors = _authors(commits)
        locked.save(update_fields=["commit", "authors"])
        after = {"commit": locked.commit, "commits": len(commits)}
        changes = difference(before, after)
        if changes:
            record(actor, "changed", locked, changes)
    return locked


def _check(told: Sequence[NewCommit]) -> None:
    if len(told) > MOST_COMMITS:
        raise CommitsError(
            f"A release takes {MOST_COMMITS} commits and was given {len(told)}: give "
            "the newest, or those since the previous release."
        )
    files = sum(len(one.files) for one in told)
    if files > MOST_FILES:
        raise CommitsError(
            f"The commits of a release may name {MOST_FILES} files together; these "
            f"name {files}."
        )
    for one in told:
        if not one.sha or len(one.sha) > SHA_CHARACTERS or one_line(one.sha) != one.sha:
            raise CommitsError(
                f"{one.sha[:80]!r} is no commit: give its id, at most {SHA_CHARACTERS} "
                "characters."
            )
        if len(one.repository) > REPOSITORY_CHARACTERS:
            raise CommitsError(
                f"The name of the repository {one.repository[:80]!r} is longer than "
                f"{REPOSITORY_CHARACTERS} characters."
            )


def _row(release: Release, position: int, told: NewCommit) -> Commit:
    return Commit(
        release=release,
        position=position,
        sha=told.sha,
        repository=told.repository,
        message=told.message[:MESSAGE_CHARACTERS],
        author_name=one_line(told.author_name)[:AUTHOR_CHARACTERS],
        author_email=one_line(told.author_email)[:EMAIL_CHARACTERS],
        committed_at=told.committed_at,
        files=[path for path in told.files if _is_path(path)],
    )


def _is_path(text: str) -> bool:
    return 0 < len(text) <= PATH_CHARACTERS and text.isprintable()


def _authors(commits: Iterable[NewCommit]) -> list[str]:
    """Whoever wrote them, each once, the newest commit's first."""
    names = (one_line(one.author_name or one.author_email) for one in commits)
    return list(dict.fromkeys(name[:AUTHOR_CHARACTERS] for name in names if name))
