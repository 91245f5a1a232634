"""The listening sockets that outlive the processes which serve them."""

import os
import socket
import sys
from pathlib import Path
from typing import NoReturn

from rush_monitor.unprivileged import EngineError

BACKLOG = 1024
INHERITED = "RUSH_LISTEN_FD"


def listen_tcp(host: str, port: int) -> socket.socket:
    """The socket of the front door. Raises EngineError when it cannot be had."""
    if inherited := os.environ.pop(INHERITED, ""):
        os.set_inheritable(int(inherited), False)
        return socket.socket(fileno=int(inherited))
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        # A port whose old connections linger is free; one that is listened on is not.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        raise EngineError(
            f"Port {port} on {host} cannot be used ({error.strerror}): stop what "
            "listens there, or choose another with --port (and --host)."
        ) from error
    listener.listen(BACKLOG)
    return listener


def listen_unix(path: Path) -> socket.socket:
    """A socket inside the private run directory; a stale one is replaced."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(BACKLOG)
    return listener


def start_again(listener: socket.socket) -> NoReturn:
    """Become this command anew, with the socket open: requests wait in its queue."""
    fd = listener.fileno()
    os.set_inheritable(fd, True)
    os.execve(sys.executable, sys.orig_argv, {**os.environ, INHERITED: str(fd)})


def answers(listener: socket.socket) -> bool:
    """Whether both the front door and the Django behind it answer requests."""
    request = b"GET /admin/login/ HTTP/1.0\r\nHost: localhost\r\n\r\n"
    try:
        with socket.create_connection(listener.getsockname()[:2], 2) as client:
            client.sendall(request)
            status = client.recv(64).split(b" ")[1:2]
    except OSError:
        return False
    return status != [] and status[0] < b"500"
