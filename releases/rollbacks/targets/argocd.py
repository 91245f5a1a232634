"""An Argo CD application, brought back to an earlier deployment of its history.

``GET`` and ``POST …/rollback`` of /api/v1/applications/{name} (the server's OpenAPI
description, /swagger.json). The history says which revision and which images were
deployed; the newest earlier deployment of the release to go to is chosen. A rollback is
a sync operation to that revision, by which it is found again. Argo CD refuses it while
automated sync is on.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

import orjson

from releases.rollbacks.targets.order import (
    Access,
    Order,
    Version,
    missing_options,
    open_wire,
    unknown_options,
)
from tenants.outbound import Request
from tenants.talks import (
    Fate,
    Outcome,
    Sighting,
    Talk,
    outcome_of,
    outcome_of_reading,
    part,
    parts,
    quoted,
)

NEEDED = ("application",)
OPTIONS = (*NEEDED, "project", "app_namespace", "prune")
CLOCKS_DIFFER = timedelta(minutes=2)
SHORTEST_COMMIT = 7


def problems(access: Access) -> dict[str, str]:
    found = unknown_options(access, OPTIONS) or missing_options(access, NEEDED)
    if not access.secret:
        found["secret"] = "Give a token whose account may get and sync the application."
    return found | open_wire(access)


def preview(access: Access, order: Order) -> str:
    return (
        f"bring the application {access.option('application')} back to its newest "
        f"earlier deployment of {order.to_release.version}"
    )


def call(access: Access, order: Order) -> Talk[Outcome]:
    answer = yield _get(access)
    failed = outcome_of_reading(answer)
    if failed:
        return failed
    chosen = entry_of(answer.json(), order.to_release)
    if chosen is None:
        return Outcome(Fate.REFUSED, _no_entry(order.to_release), answer=answer)
    answer = yield _rollback(access, chosen)
    outcome = outcome_of(answer)
    told = f"To deployment {chosen['id']} of its history. {outcome.told}"
    return Outcome(outcome.fate, told, _page(access), outcome.wait, answer)


def probe(access: Access, order: Order) -> Talk[Outcome]:
    """Reads the application only."""
    answer = yield _get(access)
    failed = outcome_of_reading(answer)
    if failed:
        return failed
    count = len(parts(answer.json(), "status", "history"))
    told = f"The application is there, with {count} deployments in its history."
    if _syncs_by_itself(answer.json()):
        told += " Automated sync is on: Argo CD will refuse to roll back."
        return Outcome(Fate.REFUSED, told, answer=answer)
    chosen = entry_of(answer.json(), order.to_release)
    found = f"deployment {chosen['id']}" if chosen else "none"
    told += f" Of release {order.to_release.version} it has {found}."
    return Outcome(Fate.CALLED, told, answer=answer)


def looks_up(access: Access) -> bool:
    return True


def look_up(access: Access, order: Order) -> Talk[Sighting]:
    answer = yield _get(access)
    if answer.status != 200:
        return Sighting(False, f"The application cannot be read: {quoted(answer)}")
    application = answer.json()
    chosen = entry_of(application, order.to_release)
    wanted = _revisions(chosen) if chosen else set()
    since = order.since - CLOCKS_DIFFER
    for operation in _operations(application, since):
        if wanted & _revisions(part(operation, "sync")):
            told = "The application has an operation to that revision since the call."
            return Sighting(True, told, _page(access))
    return Sighting(False, "The application has no such operation since the call.")


def entry_of(application: Any, release: Version) -> dict[str, Any] | None:
    """The newest entry of the history, but the present one, that deployed a release."""
    history = [
        entry
        for entry in parts(application, "status", "history")
        if isinstance(part(entry, "id"), int)
    ]
    history.sort(key=lambda entry: entry["id"])
    for entry in reversed(history[:-1]):
        if _deployed(entry, release):
            return dict(entry)
    return None


def _deployed(entry: Any, release: Version) -> bool:
    """Whether a deployment was of a release: by revision, branch or tag of an image."""
    commit = release.commit.lower()
    for revision in _revisions(entry):
        is_commit = len(commit) >= SHORTEST_COMMIT and revision.lower().startswith(
            commit
        )
        if is_commit or revision in release.tags:
            return True
    return any(
        value == tag or value.endswith((f":{tag}", f"={tag}"))
        for value in _values(entry)
        for tag in (*release.tags, commit)
        if tag
    )


def _revisions(entry: Any) -> set[str]:
    several = [str(revision) for revision in parts(entry, "revisions")]
    return {*several, str(part(entry, "revision") or "")} - {""}


def _values(entry: Any) -> Iterator[str]:
    """Branches, values of Helm parameters, and images of an entry's sources."""
    for source in [part(entry, "source"), *parts(entry, "sources")]:
        yield str(part(source, "targetRevision") or "")
        for parameter in parts(source, "helm", "parameters"):
            yield str(part(parameter, "value") or "")
        for image in parts(source, "kustomize", "images"):
            yield str(image)


def _operations(application: Any, since: datetime) -> Iterator[Any]:
    """The operation that waits, and the newest one if it began after ``since``."""
    waiting = part(application, "operation")
    if isinstance(waiting, Mapping):
        yield waiting
    newest = part(application, "status", "operationState")
    began = _moment(part(newest, "startedAt"))
    if began is not None and began >= since:
        yield part(newest, "operation")


def _moment(text: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else None


def _syncs_by_itself(application: Any) -> bool:
    automated = part(application, "spec", "syncPolicy", "automated")
    return isinstance(automated, Mapping) and automated.get("enabled") is not False


def _no_entry(release: Version) -> str:
    return (
        f"The application's history has no earlier deployment of {release.version}"
        + (f" (commit {release.commit[:12]})" if release.commit else "")
        + ". Tag images with the release, or give it the commit that Argo CD syncs."
    )


def _get(access: Access) -> Request:
    named = {
        "appNamespace": access.option("app_namespace"),
        "project": access.option("project"),
    }
    query = urlencode({name: value for name, value in named.items() if value})
    address = access.address(_path(access)) + (f"?{query}" if query else "")
    return Request("GET", address, _headers(access))


def _rollback(access: Access, entry: Mapping[str, Any]) -> Request:
    body = {
        "name": access.option("application"),
        "id": entry["id"],
        "prune": bool(access.options.get("prune", False)),
        "dryRun": False,
    }
    if access.option("app_namespace"):
        body["appNamespace"] = access.option("app_namespace")
    if access.option("project"):
        body["project"] = access.option("project")
    return Request(
        "POST",
        access.address(f"{_path(access)}/rollback"),
        {**_headers(access), "Content-Type": "application/json"},
        orjson.dumps(body),
    )


def _path(access: Access) -> str:
    return f"/api/v1/applications/{quote(access.option('application'), safe='')}"


def _page(access: Access) -> str:
    namespace = access.option("app_namespace")
    name = quote(access.option("application"), safe="")
    place = f"{quote(namespace, safe='')}/{name}" if namespace else name
    return access.address(f"/applications/{place}")


def _headers(access: Access) -> dict[str, str]:
    return {"Authorization": f"Bearer {access.secret}"}
