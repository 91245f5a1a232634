"""The real ``manage.py up``: what it prints, survives and leaves behind."""

import json
import signal
import socket
import time
from pathlib import Path

import httpx
import psycopg
import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command
from django.db import connection

from rush_monitor.management.commands.up import make_secret_key
from rush_monitor.spawn import birth
from tests.running import RunningUp, eventually, free_port, gone, manage, running_up

pytestmark = pytest.mark.own_engines

CHILDREN = {"postgres", "valkey", "front", "django", "digest", "worker", "beat"}


def one_line_error(output: str) -> str:
    """The only line of a refusal, without its ``CommandError:``."""
    lines = output.strip().splitlines()
    assert len(lines) == 1, output
    return lines[0]


def send_event(dsn: str, message: str) -> int:
    base, _, project = dsn.rpartition("/")
    scheme, _, rest = base.partition("://")
    key, _, host = rest.partition("@")
    answer = httpx.post(
        f"{scheme}://{host}/api/{project}/store/",
        params={"sentry_key": key, "sentry_version": "7"},
        json={"message": message, "level": "error"},
        timeout=20,
    )
    return answer.status_code


def titles(database_url: str) -> list[str]:
    with psycopg.connect(database_url) as session:
        return [title for (title,) in session.execute("SELECT title FROM issues_issue")]


def has_issue(database_url: str, title: str) -> bool:
    """Whether digest has made the issue within some seconds."""
    return eventually(lambda: title in titles(database_url), 30)


def test_the_first_run_says_where_to_log_in(up: RunningUp) -> None:
    assert up.value("Admin") == f"{up.url}/admin/"


def test_the_password_that_was_printed_logs_in(up: RunningUp) -> None:
    with httpx.Client(base_url=up.url, timeout=20) as client:
        client.get("/admin/login/")
        form = {
            "username": up.value("User"),
            "password": up.value("Password"),
            "csrfmiddlewaretoken": client.cookies["csrftoken"],
            "next": "/admin/",
        }
        assert client.post("/admin/login/", data=form).status_code == 302


def test_an_event_sent_to_the_printed_dsn_becomes_an_issue(up: RunningUp) -> None:
    assert send_event(up.value("DSN"), "sent to the printed DSN") == 200
    assert has_issue(up.database_url, "sent to the printed DSN")


def test_snippets_for_python_and_javascript_hold_the_dsn(up: RunningUp) -> None:
    dsn = up.value("DSN")
    assert f'sentry_sdk.init(dsn="{dsn}")' in up.output
    assert f'Sentry.init({{ dsn: "{dsn}" }});' in up.output


def test_each_line_of_a_child_begins_with_its_name(up: RunningUp) -> None:
    assert "\npostgres | LOG:  database system is ready" in up.output


def test_every_child_is_its_own_process(up: RunningUp) -> None:
    assert set(up.pids()) == CHILDREN


@pytest.mark.parametrize("name", sorted(CHILDREN))
def test_a_killed_child_comes_back_and_the_rest_goes_on(
    up: RunningUp, name: str
) -> None:
    others = {other: pid for other, pid in up.pids().items() if other != name}
    up.kill(name)
    assert up.answers()
    assert others.items() <= up.pids().items()


def test_an_event_sent_while_the_front_door_is_dead_is_taken(up: RunningUp) -> None:
    up.kill("front")
    assert send_event(up.value("DSN"), "sent to a dead front door") == 200


def test_digest_goes_on_after_the_broker_was_killed(up: RunningUp) -> None:
    up.kill("valkey")
    assert send_event(up.value("DSN"), "sent without a broker") == 200
    assert has_issue(up.database_url, "sent without a broker")


def test_digest_goes_on_after_the_database_was_killed(up: RunningUp) -> None:
    up.kill("postgres")
    assert send_event(up.value("DSN"), "sent without a database") == 200
    assert has_issue(up.database_url, "sent without a database")


def test_a_second_up_on_the_same_data_names_the_first(up: RunningUp) -> None:
    refused = manage(up.data_dir, "up", "--port", str(free_port()))
    assert refused.returncode == 1
    assert f"(pid {up.process.pid}) runs on" in one_line_error(refused.stderr)


def test_a_taken_port_is_named_before_anything_starts(data_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused = manage(data_dir, "up", "--port", port)
    assert refused.returncode == 1
    assert f"Port {port} on 127.0.0.1" in one_line_error(refused.stderr)
    assert "--port" in refused.stderr
    assert not (data_dir / "postgres").exists()


def test_a_data_directory_that_cannot_be_made_is_refused(
    tmp_path: Path, settings: LazySettings
) -> None:
    (tmp_path / "file").touch()
    settings.DATA_DIR = tmp_path / "file" / "var"
    with pytest.raises(CommandError, match="Set DATA_DIR to a directory"):
        call_command("up")


@pytest.mark.django_db
def test_a_database_that_forgets_is_refused(
    tmp_path: Path, settings: LazySettings
) -> None:
    settings.DATA_DIR = tmp_path
    settings.EMBEDDED_DATABASE = False
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off")
    with pytest.raises(CommandError, match="DATABASE_URL: .*synchronous_commit is off"):
        call_command("up")


def test_a_database_that_does_not_answer_is_refused(data_dir: Path) -> None:
    url = f"postgresql://nobody@127.0.0.1:{free_port()}/none"
    refused = manage(data_dir, "up", DATABASE_URL=url)
    assert refused.returncode == 1
    assert one_line_error(refused.stderr).startswith("CommandError: DATABASE_URL: ")


def test_a_port_beyond_the_last_is_refused() -> None:
    with pytest.raises(CommandError, match="--port"):
        call_command("up", "--port", "70000")


def test_a_variable_that_cannot_be_used_is_named_in_one_line(tmp_path: Path) -> None:
    refused = manage(tmp_path, "up", BASE_URL="rush")
    assert refused.returncode == 1
    assert one_line_error(refused.stderr).startswith("Error: BASE_URL=rush: give the")


def test_a_secret_key_is_made_once_and_private(tmp_path: Path) -> None:
    path = tmp_path / "secret_key"
    make_secret_key(path)
    key = path.read_text()
    make_secret_key(path)
    assert path.read_text() == key
    assert len(key) >= 50
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.fixture(scope="module")
def killed_up(short_tmp: Path) -> RunningUp:
    """An ``up`` that was killed with -9, and its data."""
    with running_up(short_tmp / "killed") as up:
        up.left = up.everyone()
        up.process.kill()
        up.process.wait()
    return up


def test_a_killed_up_leaves_no_process(killed_up: RunningUp) -> None:
    assert len(killed_up.left) > len(CHILDREN)
    assert gone(killed_up.left)


def test_the_next_up_continues_with_the_data_of_a_killed_one(
    killed_up: RunningUp,
) -> None:
    with running_up(killed_up.data_dir) as up:
        key = killed_up.value("DSN").partition("@")[0]
        assert up.value("DSN").partition("@")[0] == key
        assert "User " not in up.output
        assert "changepassword" in up.output
        assert up.stop(signal.SIGINT) == 0


def test_a_restart_takes_events_all_the_time(killed_up: RunningUp) -> None:
    with running_up(killed_up.data_dir) as up:
        dsn, before = up.value("DSN"), up.pids()
        up.process.send_signal(signal.SIGUSR2)
        while up.output.count("ready;") < 2 and up.process.poll() is None:
            assert send_event(dsn, "sent during a restart") == 200
            time.sleep(0.1)
        assert up.process.poll() is None
        assert not before.items() & up.pids().items()


def test_sigterm_answers_what_was_accepted_and_leaves_nothing(
    killed_up: RunningUp,
) -> None:
    body = b'{"message": "half of it came before the end"}'
    with running_up(killed_up.data_dir) as up:
        everyone = up.everyone()
        key, _, project = up.value("DSN").partition("://")[2].partition("@")
        head = (
            f"POST /api/{project.rpartition('/')[2]}/store/?sentry_key={key} HTTP/1.1"
            f"\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        with socket.create_connection(("127.0.0.1", up.port)) as client:
            client.sendall(head.encode() + body[:10])
            time.sleep(0.5)
            begun = time.monotonic()
            up.process.send_signal(signal.SIGTERM)
            time.sleep(0.5)
            client.sendall(body[10:])
            assert client.recv(100).startswith(b"HTTP/1.1 200 ")
        assert up.process.wait(20) == 0
        assert time.monotonic() - begun < 10
        assert not any(birth(pid) for pid in everyone)


def test_processes_also_run_as_programs_and_log_json(killed_up: RunningUp) -> None:
    env = {"LOG_FORMAT": "json"}
    with running_up(killed_up.data_dir, "--no-fork", env=env) as up:
        everyone = up.everyone()
        assert up.answers()
        assert up.stop() == 0
        assert not any(birth(pid) for pid in everyone)
        loggers = {json.loads(line)["logger"] for line in up.output.splitlines()}
        assert {"up", "postgres"} <= loggers


@pytest.mark.broker
def test_events_are_digested_over_a_configured_database_and_broker(
    data_dir: Path, durable_database_url: str, broker_url: str
) -> None:
    env = {"DATABASE_URL": durable_database_url, "CELERY_BROKER_URL": broker_url}
    with running_up(data_dir, env=env) as up:
        assert set(up.pids()) == CHILDREN - {"postgres", "valkey"}
        assert send_event(up.value("DSN"), "over a configured broker") == 200
        assert has_issue(durable_database_url, "over a configured broker")
