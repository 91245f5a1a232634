"""Serves the front door or Django on a listening socket that the supervisor holds.

While a killed server starts anew, connections wait in that socket's queue instead of
being refused: SDKs do not retry.
"""

import socket
from typing import Any, Literal

from granian._granian import SocketHolder
from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server.mp import MPServer

BACKLOG = 1024
DJANGO_THREADS = 4


class InheritedSocketServer(MPServer):
    """Granian without its parent process, on a socket that is already listening.

    It has one worker, and the supervisor does what Granian's parent would: two
    processes saved are 30 MB.
    """

    def __init__(self, listener: socket.socket, **settings: Any) -> None:
        super().__init__(workers=1, backlog=BACKLOG, **settings)
        unix = listener.family == socket.AF_UNIX
        # Granian's stub leaves the constructor out; granian.net calls it like this.
        self._given: Any = SocketHolder(  # type: ignore[call-arg]
            listener.detach(), unix, BACKLOG
        )

    def _init_shared_socket(self) -> None:
        self._shd, self._sso = self._given, None

    def _spawn_workers(self, spawn_target: Any, target_loader: Any) -> None:
        worker = self._spawn_worker(0, spawn_target, target_loader)
        worker.inner.run()  # here, until a signal has drained it
        self.interrupt_signal = True
        self.main_loop_interrupt.set()


def serve(interface: Literal["asgi", "wsgi"], fd: int) -> None:
    """Serve ``rush_monitor.asgi`` or ``.wsgi`` on the listening socket ``fd``.

    On SIGTERM what was accepted is answered, then it returns.
    """
    InheritedSocketServer(
        socket.socket(fileno=fd),
        target=f"rush_monitor.{interface}:application",
        interface=Interfaces(interface),
        websockets=False,
        blocking_threads=DJANGO_THREADS if interface == "wsgi" else None,
        log_level=LogLevels.warning,
    ).serve()
