import asyncio
from collections.abc import Sequence

import pytest

from issues.ingest import body
from issues.ingest.body import ByteBudget, Hold, read
from issues.ingest.protocol import ClientGone, Refusal
from tenants.asgi_types import Message


class Client:
    """Sends its parts one by one, then leaves."""

    def __init__(self, parts: Sequence[bytes], *, whole: bool = True) -> None:
        self.messages: list[Message] = [
            {"type": "http.request", "body": part, "more_body": True} for part in parts
        ]
        if whole:
            self.messages[-1]["more_body"] = False

    async def receive(self) -> Message:
        return self.messages.pop(0) if self.messages else {"type": "http.disconnect"}


def read_from(client: Client, cap: int = 100, budget: int = 1000) -> bytes:
    with ByteBudget(budget).hold() as hold:
        return asyncio.run(read(client.receive, cap, hold))


@pytest.mark.parametrize("parts", [[b""], [b"abc"], [b"a", b"", b"bc"], [b"", b"abc"]])
def test_chunks_make_one_body(parts: list[bytes]) -> None:
    assert read_from(Client(parts)) == b"".join(parts)


@pytest.mark.parametrize("parts", [[b"x" * 101], [b"x" * 50] * 3, [b"x" * 100, b"x"]])
def test_the_cap_counts_the_bytes_read(parts: list[bytes]) -> None:
    with pytest.raises(Refusal) as caught:
        read_from(Client(parts))
    assert caught.value.status == 413


def test_reading_ends_at_the_cap() -> None:
    client = Client([b"x" * 60] * 50)
    with pytest.raises(Refusal):
        read_from(client)
    assert len(client.messages) == 48


def test_a_client_that_leaves_early_has_no_body() -> None:
    with pytest.raises(ClientGone):
        read_from(Client([b"abc"], whole=False))


def test_a_client_that_stalls_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(body, "READ_SECONDS", 0.01)
    client = Client([b"abc"], whole=False)

    async def receive() -> Message:
        if not client.messages:
            await asyncio.sleep(10)
        return await client.receive()

    with ByteBudget(10).hold() as hold, pytest.raises(Refusal) as caught:
        asyncio.run(read(receive, 100, hold))
    assert caught.value.status == 408


def test_bodies_in_flight_share_a_budget() -> None:
    budget = ByteBudget(100)
    with budget.hold() as first:
        first.set(80)
        with pytest.raises(Refusal) as caught, budget.hold() as second:
            second.set(21)
        assert caught.value.status == 503
        assert caught.value.retry_after > 0
        with budget.hold() as third:
            third.set(20)
    assert budget.used == 0


def test_a_hold_may_shrink_while_the_budget_is_used_up() -> None:
    budget = ByteBudget(100)
    hold: Hold
    with budget.hold() as hold:
        hold.set(100)
        hold.set(30)
        assert budget.used == 30


def test_a_body_past_the_budget_is_refused_while_it_is_read() -> None:
    with pytest.raises(Refusal) as caught:
        read_from(Client([b"x" * 60] * 2), cap=1000, budget=100)
    assert caught.value.status == 503
