import socket
import threading
from pathlib import Path

import pytest

from rush_monitor.listen import answers, listen_tcp, listen_unix
from rush_monitor.unprivileged import EngineError
from tests.running import free_port


def serve_once(listener: socket.socket, answer: bytes) -> threading.Thread:
    def run() -> None:
        client, _ = listener.accept()
        with client:
            client.recv(1000)
            client.sendall(answer)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_a_taken_port_is_named() -> None:
    port = free_port()
    with listen_tcp("127.0.0.1", port), pytest.raises(EngineError, match=f"{port}"):
        listen_tcp("127.0.0.1", port)


def test_a_port_is_free_again_after_its_connections_ended() -> None:
    port = free_port()
    with listen_tcp("127.0.0.1", port) as listener:
        client = socket.create_connection(("127.0.0.1", port))
        listener.accept()[0].close()  # the closing side lingers in TIME_WAIT
        client.close()
    listen_tcp("127.0.0.1", port).close()


def test_a_foreign_address_is_refused() -> None:
    with pytest.raises(EngineError, match="192.0.2.1"):
        listen_tcp("192.0.2.1", free_port())


def test_ipv6_is_listened_on() -> None:
    with listen_tcp("::1", free_port()) as listener:
        assert listener.family == socket.AF_INET6


def test_a_stale_unix_socket_is_replaced(short_tmp: Path) -> None:
    path = short_tmp / "stale.sock"
    listen_unix(path).close()
    with listen_unix(path), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


@pytest.mark.parametrize(("status", "good"), [(b"200", True), (b"503", False)])
def test_only_an_answer_below_500_counts(status: bytes, good: bool) -> None:
    with listen_tcp("127.0.0.1", free_port()) as listener:
        server = serve_once(listener, b"HTTP/1.1 " + status + b" x\r\n\r\n")
        assert answers(listener) is good
        server.join()


def test_a_socket_that_nobody_serves_does_not_answer() -> None:
    listener = listen_tcp("127.0.0.1", free_port())
    with listener:
        server = serve_once(listener, b"")
        assert not answers(listener)
        server.join()
