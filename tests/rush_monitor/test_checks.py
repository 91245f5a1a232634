from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.checks import run_checks
from django.db import connection

from rush_monitor import checks
from rush_monitor.checks import server_problems
from tests.running import free_port, manage


@pytest.fixture
def careless() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off")
        yield
        cursor.execute("RESET synchronous_commit")


@pytest.mark.django_db
@pytest.mark.usefixtures("careless")
def test_a_commit_that_may_be_forgotten_is_a_problem() -> None:
    problem = next(x for x in server_problems() if x.startswith("synchronous_commit"))
    assert "set synchronous_commit = on in postgresql.conf" in problem


@pytest.mark.django_db
def test_a_commit_that_waits_for_the_disk_is_no_problem() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = local")
        problems = server_problems()
        cursor.execute("RESET synchronous_commit")
    assert not any(x.startswith("synchronous_commit") for x in problems)


@pytest.mark.django_db
def test_a_server_that_is_too_old_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "OLDEST_POSTGRES", 99)
    assert "is too old: rush_monitor needs 99" in server_problems()[0]


@pytest.mark.django_db
@pytest.mark.usefixtures("careless")
def test_check_deploy_refuses_a_careless_database() -> None:
    found = run_checks(include_deployment_checks=True)
    assert "rush_monitor.E002" in {message.id for message in found}


@pytest.mark.django_db
@pytest.mark.usefixtures("careless")
def test_a_plain_check_does_not_ask_the_database() -> None:
    assert not any(str(x.id).startswith("rush_monitor.") for x in run_checks())


def test_check_deploy_says_when_the_database_does_not_answer(data_dir: Path) -> None:
    url = f"postgresql://nobody@127.0.0.1:{free_port()}/none"
    checked = manage(data_dir, "check", "--deploy", DATABASE_URL=url, SECRET_KEY="x")
    assert checked.returncode == 1
    assert "(rush_monitor.E001) The database does not answer: " in checked.stderr
    assert "HINT: Start it, or correct DATABASE_URL." in checked.stderr
