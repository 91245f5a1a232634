"""Asks for the admin's pages once each, and prints the times: see large.py."""

import random
import time
from collections.abc import Callable
from typing import Any

import django

django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402

from benchmarks.large import Visit, as_json  # noqa: E402
from issues.models import Issue  # noqa: E402

LIST = "/admin/issues/issue/"
LISTS = {
    "list by impact": "",
    "list by events": "?order=events",
    "list by tenants": "?order=tenants",
    "list by last seen": "?order=last_seen",
    "list, page 3": "?page=3",
    "list, one project": "?project=1",
    "list, search by tag": "?q=browser%3A%22Chrome+3%22",
    "list, search by text": "?q=fault",
}
REPEATS = 8
ISSUE_PAGES = 40
WARM_UPS = 3


class Clock:
    """An execute wrapper that notes each query's milliseconds."""

    def __init__(self) -> None:
        self.queries: list[tuple[str, float]] = []

    def __call__(
        self,
        execute: Callable[..., Any],
        sql: str,
        params: Any,
        many: bool,
        context: Any,
    ) -> Any:
        began = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            self.queries.append((sql, (time.perf_counter() - began) * 1000))


def visit(client: Client, page: str, path: str) -> Visit:
    """Fetch a page; raises RuntimeError when it is not shown."""
    clock = Clock()
    began = time.perf_counter()
    with connection.execute_wrapper(clock):
        answer = client.get(path)
    wall = (time.perf_counter() - began) * 1000
    if answer.status_code != 200:
        raise RuntimeError(f"{path} answered {answer.status_code}")
    return Visit(page, wall, clock.queries)


def issue_paths() -> dict[str, list[str]]:
    """The busiest issues, and some by chance."""
    chance = random.Random(25)
    by_events = list(
        Issue.objects.order_by("-stats__events").values_list("pk", flat=True)
    )
    groups = {
        "issue page, busiest 25": by_events[:25],
        "issue page, any": chance.choices(by_events, k=ISSUE_PAGES),
    }
    return {
        name: [f"{LIST}{pk}/change/" for pk in found] for name, found in groups.items()
    }


def main() -> None:
    """Warm up, visit everything, print as JSON."""
    client = Client(headers={"host": "localhost"})
    client.force_login(User.objects.get(username="admin"))
    pages = {name: [LIST + query] * REPEATS for name, query in LISTS.items()}
    pages |= issue_paths()
    for paths in pages.values():
        for path in paths[:WARM_UPS]:
            client.get(path)
    print(as_json([visit(client, n, path) for n, ps in pages.items() for path in ps]))


if __name__ == "__main__":
    main()
