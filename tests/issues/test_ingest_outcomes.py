import asyncio
from collections.abc import Awaitable, Callable

import pytest
from django.db import connection
from psycopg_pool import AsyncConnectionPool

from issues.ingest import outcomes
from issues.ingest.commit import conninfo
from issues.ingest.keys import Key, Origins
from issues.ingest.outcomes import Outcomes
from issues.models import Outcome

pytestmark = pytest.mark.django_db(transaction=True)

KEY = Key(id=3, project_id=7, is_active=True, origins=Origins([]))


def counting(
    scenario: Callable[[Outcomes], Awaitable[None]], address: str = ""
) -> list[tuple[int, int, str, str, int]]:
    """Run a scenario; returns the rows that its stop has written."""

    async def run() -> None:
        target = address or conninfo(connection.settings_dict)
        async with AsyncConnectionPool(target, open=False) as pool:
            counts = Outcomes(pool)
            await counts.start()
            await scenario(counts)
            await counts.stop()

    asyncio.run(run())
    return list(
        Outcome.objects.order_by("category", "reason").values_list(
            "project_id", "key_id", "category", "reason", "quantity"
        )
    )


def test_each_item_counts_in_its_category() -> None:
    async def scenario(counts: Outcomes) -> None:
        for _ in range(3):
            counts.refused(KEY, ("event", "attachment", "brand_new"), "inbox_full")
        counts.refused(KEY, (), "too_large")

    assert counting(scenario) == [
        (7, 3, "attachment", "inbox_full", 3),
        (7, 3, "default", "inbox_full", 3),
        (7, 3, "default", "too_large", 1),
        (7, 3, "error", "inbox_full", 3),
    ]


def test_later_counts_are_added() -> None:
    async def scenario(counts: Outcomes) -> None:
        counts.refused(KEY, ("event",), "invalid")
        await counts.flush()
        counts.refused(KEY, ("event",), "invalid")

    assert [row[-1] for row in counting(scenario)] == [2]


def test_minutes_are_whole() -> None:
    async def scenario(counts: Outcomes) -> None:
        counts.refused(KEY, ("event",), "invalid")

    counting(scenario)
    minute = Outcome.objects.get().minute
    assert (minute.second, minute.microsecond) == (0, 0)


def test_counts_wait_for_a_database_that_is_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    add = outcomes._ADD

    async def scenario(counts: Outcomes) -> None:
        counts.refused(KEY, ("event",), "unavailable")
        monkeypatch.setattr(outcomes, "_ADD", "SELECT 1/0, %s, %s, %s, %s, %s, %s")
        await counts.flush()
        monkeypatch.setattr(outcomes, "_ADD", add)

    assert [row[-1] for row in counting(scenario)] == [1]


def test_counts_are_bounded_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcomes, "MAX_ENTRIES", 2)

    async def scenario(counts: Outcomes) -> None:
        for reason in ("a", "b", "c", "a"):
            counts.refused(KEY, ("event",), reason)

    assert [row[3:] for row in counting(scenario)] == [("a", 2), ("b", 1)]
