"""Requests that wait for a verdict, through a front door with real sockets."""

import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from releases.models import Watch
from tests.factories import make_token, make_watch
from tests.flow.server import serving_front
from tests.running import eventually

pytestmark = pytest.mark.django_db(transaction=True)

Ask = Callable[..., httpx.Response]


@pytest.fixture
def crowd() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as crowd:
        yield crowd


@pytest.fixture
def token() -> str:
    return make_token("release:read")[1]


def target(deploy_id: int, wait: int) -> str:
    return f"/api/v1/deploys/{deploy_id}/verdict?wait={wait}"


def ask(port: int, token: str, deploy_id: int, wait: int = 20) -> httpx.Response:
    url = f"http://127.0.0.1:{port}{target(deploy_id, wait)}"
    headers = {"authorization": f"Bearer {token}"}
    return httpx.get(url, headers=headers, timeout=30)


def test_a_verdict_is_answered_when_it_is_final(
    front: int, token: str, crowd: ThreadPoolExecutor
) -> None:
    watch = make_watch()
    waiting = crowd.submit(ask, front, token, watch.pk)
    time.sleep(1.5)
    waits = not waiting.done()

    Watch.objects.update(verdict="degraded", sentence="Five times the baseline.")

    assert waits
    answer = waiting.result(10)
    assert (answer.status_code, answer.json()["exit_code"]) == (200, 1)
    assert answer.json()["sentence"] == "Five times the baseline."


def test_when_the_time_is_over_it_is_still_pending(front: int, token: str) -> None:
    answer = ask(front, token, make_watch().pk, wait=1)

    assert (answer.status_code, answer.json()["verdict"]) == (200, "pending")


def test_what_django_refuses_does_not_wait(front: int, token: str) -> None:
    watch = make_watch()

    assert ask(front, "wrong", watch.pk).status_code == 401
    assert ask(front, token, watch.pk, wait=0).status_code == 400
    assert ask(front, token, 10**17).status_code == 404


def test_who_has_left_makes_room(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATE_MAX_WAITING", "1")
    watch = make_watch()
    request = (
        f"GET {target(watch.pk, 60)} HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: Bearer {token}\r\n\r\n"
    )

    with serving_front() as port:
        with socket.create_connection(("127.0.0.1", port)) as waiting:
            waiting.sendall(request.encode())
            full = eventually(
                lambda: ask(port, token, watch.pk, wait=1).status_code == 503
            )
        free = eventually(lambda: ask(port, token, watch.pk, wait=1).status_code == 200)

    assert full
    assert free


def test_at_shutdown_who_waits_is_answered_at_once(
    token: str, crowd: ThreadPoolExecutor
) -> None:
    watches = [make_watch().pk for _ in range(5)]

    with serving_front() as port:
        waiting = [crowd.submit(ask, port, token, pk, wait=600) for pk in watches]
        time.sleep(1.5)
        stopped = time.monotonic()
    seconds = time.monotonic() - stopped

    answers = [answer.result(1) for answer in waiting]
    assert [answer.json()["verdict"] for answer in answers] == ["pending"] * 5
    assert seconds < 5
