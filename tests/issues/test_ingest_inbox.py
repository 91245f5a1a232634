import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import psycopg
import pytest
from django.db import connection

from issues.ingest.commit import conninfo, copy_row
from issues.ingest.inbox import Inbox, RowRefused, Unavailable
from issues.models import InboxEnvelope, InboxWriter
from tests.lossy_wire import LossyWire

pytestmark = pytest.mark.django_db(transaction=True)

T = TypeVar("T")


def row(project: int = 7, kind: bytes = b"envelope", body: bytes = b"body") -> bytes:
    return copy_row(project, 1, kind, 1_790_000_000.5, 4, body)


def with_inbox(
    scenario: Callable[[Inbox], Awaitable[T]], address: str = "", wait: float = 5.0
) -> T:
    """Run a scenario against a running inbox; returns what it returns."""

    async def run() -> T:
        inbox = Inbox(address or target(), wait, lambda _: None)
        await inbox.start()
        try:
            return await scenario(inbox)
        finally:
            await inbox.stop()

    return asyncio.run(run())


def target() -> str:
    return conninfo(connection.settings_dict)


def projects() -> list[int]:
    rows = InboxEnvelope.objects.order_by("id")
    return list(rows.values_list("project_id", flat=True))


async def outcomes(inbox: Inbox, rows: Sequence[bytes]) -> list[BaseException | None]:
    futures = [inbox.put(item) for item in rows]
    return list(await asyncio.gather(*futures, return_exceptions=True))


def test_a_row_is_stored_with_all_its_columns() -> None:
    async def scenario(inbox: Inbox) -> None:
        await inbox.put(copy_row(7, 2**40, b"store", 1_790_000_000.25, 9, b"\0\xff"))

    with_inbox(scenario)
    found = InboxEnvelope.objects.values_list(
        "project_id", "key_id", "kind", "size", "body", "attempts"
    ).get()
    assert found == (7, 2**40, "store", 9, b"\0\xff", 0)
    assert InboxEnvelope.objects.get().received.timestamp() == 1_790_000_000.25


def test_when_idle_a_row_waits_for_nobody() -> None:
    async def scenario(inbox: Inbox) -> float:
        await inbox.put(row())
        started = time.monotonic()
        await inbox.put(row())
        return time.monotonic() - started

    assert with_inbox(scenario) < 0.5


def test_rows_that_wait_together_are_committed_together() -> None:
    async def scenario(inbox: Inbox) -> list[BaseException | None]:
        return await outcomes(inbox, [row(n) for n in range(1500)])

    assert with_inbox(scenario) == [None] * 1500
    assert projects() == list(range(1500))
    assert InboxWriter.objects.get().batch == 2


def test_a_refused_row_does_not_fail_its_neighbours() -> None:
    rows = [row(n) for n in range(9)]
    rows[4] = row(4, kind=b"NUL \0")

    async def scenario(inbox: Inbox) -> list[BaseException | None]:
        return await outcomes(inbox, rows)

    results = with_inbox(scenario)
    assert isinstance(results.pop(4), RowRefused)
    assert results == [None] * 8
    assert projects() == [0, 1, 2, 3, 5, 6, 7, 8]


def test_a_row_over_a_column_limit_is_refused_alone() -> None:
    async def scenario(inbox: Inbox) -> list[BaseException | None]:
        return await outcomes(inbox, [row(kind=b"x" * 11), row(1)])

    results = with_inbox(scenario)
    assert isinstance(results[0], RowRefused)
    assert projects() == [1]


@pytest.mark.parametrize("cut", ["before", "after", "late"])
def test_a_lost_connection_around_the_commit_stores_each_row_once(cut: str) -> None:
    async def scenario() -> list[BaseException | None]:
        async with LossyWire(target()).laid() as wire:
            inbox = Inbox(wire.conninfo, 8.0, lambda _: None)
            await inbox.start()
            await inbox.put(row(0))
            wire.cut = cut
            results = await outcomes(inbox, [row(1), row(2)])
            results += await outcomes(inbox, [row(3)])
            assert wire.cuts == 1
            await inbox.stop()
            return results

    assert asyncio.run(scenario()) == [None] * 3
    assert projects() == [0, 1, 2, 3]


def test_the_first_commit_of_a_process_may_be_lost_too() -> None:
    async def scenario() -> None:
        async with LossyWire(target()).laid() as wire:
            inbox = Inbox(wire.conninfo, 8.0, lambda _: None)
            await inbox.start()
            wire.cut = "late"
            await inbox.put(row(1))
            await inbox.stop()

    asyncio.run(scenario())
    assert projects() == [1]


def test_a_terminated_connection_is_replaced() -> None:
    async def scenario(inbox: Inbox) -> list[BaseException | None]:
        await inbox.put(row(1))
        await end_other_connections()
        return await outcomes(inbox, [row(2)])

    assert with_inbox(scenario) == [None]
    assert projects() == [1, 2]


async def end_other_connections() -> None:
    own = await psycopg.AsyncConnection.connect(target(), autocommit=True)
    async with own:
        await own.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid() "
            "AND query LIKE '%issues_inboxwriter%'"
        )


def test_a_locked_table_makes_requests_wait() -> None:
    async def scenario(inbox: Inbox) -> list[BaseException | None]:
        await inbox.put(row(1))
        own = await psycopg.AsyncConnection.connect(target())
        async with own:
            await own.execute("LOCK TABLE issues_inboxenvelope")
            waiting = asyncio.ensure_future(outcomes(inbox, [row(2)]))
            await asyncio.sleep(0.3)
            assert not waiting.done()
        return await waiting

    assert with_inbox(scenario) == [None]
    assert projects() == [1, 2]


def test_a_lock_that_lasts_is_tried_again() -> None:
    async def scenario(inbox: Inbox) -> list[BaseException | None]:
        own = await psycopg.AsyncConnection.connect(target())
        async with own:
            await own.execute("LOCK TABLE issues_inboxenvelope")
            waiting = asyncio.ensure_future(outcomes(inbox, [row(2)]))
            await asyncio.sleep(2.5)  # past the lock_timeout
        return await waiting

    assert with_inbox(scenario, wait=8.0) == [None]
    assert projects() == [2]


def test_a_database_that_is_away_answers_in_time_and_drops_the_row() -> None:
    async def scenario(inbox: Inbox) -> float:
        started = time.monotonic()
        with pytest.raises(Unavailable):
            await inbox.put(row())
        assert inbox.waiting <= 1
        return time.monotonic() - started

    away = "host=127.0.0.1 port=1 dbname=none"
    assert 0.4 <= with_inbox(scenario, away, wait=0.4) < 2.0


def test_a_database_that_comes_back_stores_what_waited() -> None:
    async def scenario() -> list[BaseException | None]:
        wire = LossyWire(target())
        async with wire.laid():
            inbox = Inbox(wire.conninfo, 8.0, lambda _: None)
        await inbox.start()
        waiting = asyncio.ensure_future(outcomes(inbox, [row(n) for n in range(3)]))
        await asyncio.sleep(0.3)
        async with wire.laid(wire.port):
            results = await waiting
            await inbox.stop()
        return results

    assert asyncio.run(scenario()) == [None] * 3
    assert projects() == [0, 1, 2]


def test_stopping_stores_what_waits() -> None:
    async def scenario() -> list[BaseException | None]:
        inbox = Inbox(target(), 5.0, lambda _: None)
        await inbox.start()
        futures = [inbox.put(row(n)) for n in range(5)]
        await inbox.stop()
        return [future.result() for future in futures]

    assert asyncio.run(scenario()) == [None] * 5
    assert projects() == [0, 1, 2, 3, 4]


def test_a_request_that_left_needs_no_row() -> None:
    async def scenario(inbox: Inbox) -> None:
        left = inbox.put(row(1))
        left.cancel()
        await inbox.put(row(2))

    with_inbox(scenario)
    assert projects() == [2]


def test_each_commit_is_told() -> None:
    told: list[int] = []

    async def scenario() -> None:
        inbox = Inbox(target(), 5.0, told.append)
        await inbox.start()
        await outcomes(inbox, [row(n) for n in range(4)])
        await inbox.stop()

    asyncio.run(scenario())
    assert sum(told) == 4


def test_commits_are_durable_whatever_the_database_defaults_to() -> None:
    async def setting(address: str) -> str:
        inbox = Inbox(address, 5.0, lambda _: None)
        await inbox.start()
        await inbox.put(row())
        assert inbox._connection is not None
        cursor = await inbox._connection._connection.execute("SHOW synchronous_commit")
        (value,) = await cursor.fetchone() or ("",)
        await inbox.stop()
        return str(value)

    loose = f"{target()} options='-c synchronous_commit=off'"
    strict = f"{target()} options='-c synchronous_commit=remote_apply'"
    assert asyncio.run(setting(loose)) == "on"
    assert asyncio.run(setting(strict)) == "remote_apply"
