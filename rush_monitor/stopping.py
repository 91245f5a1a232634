"""Hears that the server was asked to stop, while requests are still in flight.

Servers say ``lifespan.shutdown`` when the last request was answered: too late for
requests that wait for something.
"""

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def hearing_stop(tell: Callable[[], None]) -> Iterator[None]:
    """During the block, call ``tell`` in the running loop at SIGTERM or SIGINT.

    What the server does at these signals it does as well. A signal that the server
    leaves to the system stays there.
    """
    loop = asyncio.get_running_loop()
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    found = {number: signal.getsignal(number) for number in SIGNALS}
    former = {number: handler for number, handler in found.items() if callable(handler)}

    def hear(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(tell)
        former[signal.Signals(number)](number, frame)

    for number in former:
        signal.signal(number, hear)
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
