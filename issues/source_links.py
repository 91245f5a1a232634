"""Addresses of a frame's line and of a commit where a project's repository is shown."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from releases.models import Commit, Release
from tenants.models import SourceRepository

Kind = SourceRepository.Kind

FILES = {
    Kind.GITHUB: "{url}/blob/{commit}/{path}#L{line}",
    Kind.GITLAB: "{url}/-/blob/{commit}/{path}#L{line}",
    Kind.BITBUCKET: "{url}/src/{commit}/{path}#lines-{line}",
}
COMMITS = {
    Kind.GITHUB: "{url}/commit/{commit}",
    Kind.GITLAB: "{url}/-/commit/{commit}",
    Kind.BITBUCKET: "{url}/commits/{commit}",
}
# What GitHub, GitLab and Bitbucket call the newest commit of the default branch.
NEWEST = "HEAD"


@dataclass(frozen=True, slots=True)
class Repository:
    """A SourceRepository as plain values; see there."""

    url: str
    kind: str
    template: str = ""
    prefix: str = ""
    folder: str = ""

    def path_of(self, name: str) -> str:
        """Where a frame's file stands in the repository; "" where it does not."""
        if self.prefix:
            if not name.startswith(self.prefix):
                return ""
            name = name[len(self.prefix) :]
        elif name.startswith(("/", "\\", "http://", "https://")) or name[1:3] == ":\\":
            return ""
        return normal_path(f"{self.folder}/{normal_path(name)}") if name else ""


@dataclass(frozen=True, slots=True)
class SourceLinks:
    """The repositories of a project, at the commits of one release.

    ``commits`` holds the newest commit by repository name, such as acme/shop;
    ``commit`` is the release's own.
    """

    repositories: tuple[Repository, ...] = ()
    commits: Mapping[str, str] = field(default_factory=dict)
    commit: str = ""

    def of_frame(self, raw: Mapping[str, Any]) -> str:
        """The address of a stored frame's line; "" for a library's, and for none."""
        line = raw.get("lineno")
        if raw.get("in_app") is False or not isinstance(line, int) or line < 1:
            return ""
        names = [raw.get(key) for key in ("filename", "abs_path")]
        for repository in self.repositories:
            for name in names:
                path = repository.path_of(name) if isinstance(name, str) else ""
                if path:
                    return self._filled(repository, path, line)
        return ""

    def of_commit(self, sha: str, repository: str) -> str:
        """The address of a commit; "" where the project has no repository for it."""
        for known in self.repositories:
            if known.kind in COMMITS and (
                _is_named(known.url, repository) or not repository
            ):
                return _fill(COMMITS[Kind(known.kind)], url=known.url, commit=sha)
        return ""

    def _filled(self, repository: Repository, path: str, line: int) -> str:
        template = repository.template or FILES[Kind(repository.kind)]
        commit = next(
            (
                sha
                for name, sha in self.commits.items()
                if _is_named(repository.url, name)
            ),
            self.commit,
        )
        return _fill(
            template, url=repository.url, commit=commit or NEWEST, path=path, line=line
        )


NO_LINKS = SourceLinks()


def links_of(project_id: int, release: Release | None) -> SourceLinks:
    """The links of a project at a release; one query, two where it has repositories."""
    rows = SourceRepository.objects.filter(project=project_id)
    repositories = tuple(
        Repository(row.url.rstrip("/"), row.kind, row.template, row.prefix, row.folder)
        for row in rows
    )
    if not repositories or release is None:
        return SourceLinks(repositories)
    newest = Commit.objects.filter(release=release).order_by("repository", "position")
    named = newest.exclude(repository="").distinct("repository")
    commits = dict(named.values_list("repository", "sha"))
    return SourceLinks(repositories, commits, release.commit)


def normal_path(name: str) -> str:
    """A path without scheme, host, query and leading dots, with forward slashes."""
    path = name.replace("\\", "/").partition("?")[0]
    if "://" in path:
        path = path.partition("://")[2].partition("/")[2]
    parts = [part for part in path.split("/") if part not in ("", ".", "..", "~")]
    return "/".join(parts)


def base_names(paths: Iterable[str]) -> dict[str, list[str]]:
    """Paths by their last name."""
    named: dict[str, list[str]] = {}
    for path in paths:
        named.setdefault(path.rpartition("/")[2], []).append(path)
    return named


def _is_named(url: str, repository: str) -> bool:
    """Whether acme/shop is the repository at https://github.com/acme/shop.git."""
    path = normal_path(url).removesuffix(".git").lower()
    name = repository.removesuffix(".git").lower()
    return bool(name) and (path == name or path.endswith(f"/{name}"))


def _fill(template: str, **values: str | int) -> str:
    for name, value in values.items():
        text = str(value) if name == "url" else quote(str(value), safe="/")
        template = template.replace(f"{{{name}}}", text)
    return template
