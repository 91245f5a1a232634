import asyncio
import os
import signal

import pytest

from rush_monitor.stopping import hearing_stop


@pytest.fixture
def heard() -> list[str]:
    return []


def test_a_stop_signal_is_heard_and_the_server_gets_it_too(heard: list[str]) -> None:
    async def serve() -> None:
        loop = asyncio.get_running_loop()
        stopped = asyncio.Event()
        loop.add_signal_handler(signal.SIGTERM, stopped.set)
        with hearing_stop(lambda: heard.append("application")):
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.wait_for(stopped.wait(), 5)
            heard.append("server")
            await asyncio.sleep(0)
        loop.remove_signal_handler(signal.SIGTERM)

    asyncio.run(serve())
    assert sorted(heard) == ["application", "server"]


def test_a_signal_that_nobody_takes_stays_with_the_system() -> None:
    async def serve() -> object:
        with hearing_stop(lambda: None):
            return signal.getsignal(signal.SIGTERM)

    assert asyncio.run(serve()) == signal.SIG_DFL


def test_afterwards_everything_is_as_before() -> None:
    before = signal.getsignal(signal.SIGINT)

    async def serve() -> object:
        loop_has = signal.getsignal(signal.SIGINT)
        with hearing_stop(lambda: None):
            pass
        return signal.getsignal(signal.SIGINT) == loop_has

    assert asyncio.run(serve())
    assert signal.getsignal(signal.SIGINT) == before


def test_a_loop_in_a_thread_does_without(heard: list[str]) -> None:
    async def serve() -> None:
        with hearing_stop(lambda: None):
            heard.append("served")

    asyncio.run(asyncio.to_thread(asyncio.run, serve()))
    assert heard == ["served"]
