import io
from urllib.parse import urlsplit

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import Group, User
from django.core.management.base import OutputWrapper
from django.urls import reverse

from rush_monitor.first_run import FirstRun, prepare_database, welcome
from tenants.models import Project, ProjectKey

pytestmark = pytest.mark.django_db


def run() -> FirstRun:
    return prepare_database(log=OutputWrapper(io.StringIO()))


def test_a_fresh_database_gets_an_administrator_with_the_told_password() -> None:
    password = run().password
    assert password
    admin = User.objects.get()
    assert admin.is_superuser
    assert admin.check_password(password)


def test_two_fresh_databases_get_different_passwords() -> None:
    first = run().password
    User.objects.all().delete()
    assert run().password != first


def test_a_fresh_database_gets_a_project_and_its_dsn(settings: LazySettings) -> None:
    settings.BASE_URL = "https://rush.example.com/errors"
    dsn = urlsplit(run().dsn)
    key = ProjectKey.objects.get()
    assert (dsn.username, dsn.hostname) == (key.public_key, "rush.example.com")
    assert dsn.path == f"/errors/{Project.objects.get(slug='default').pk}"


def test_a_fresh_database_gets_the_roles() -> None:
    run()
    names = set(Group.objects.values_list("name", flat=True))
    assert names >= {"viewer", "responder", "maintainer", "owner"}


def test_the_second_run_changes_nothing_and_knows_no_password() -> None:
    first = run()
    second = run()
    assert second == FirstRun(password=None, dsn=first.dsn)
    assert User.objects.count() == Project.objects.count() == 1


def test_a_project_that_is_there_is_kept() -> None:
    project = Project.objects.create(name="Shop", slug="shop")
    assert run().dsn == ""
    assert list(Project.objects.all()) == [project]


def test_a_key_that_is_switched_off_is_not_shown() -> None:
    run()
    ProjectKey.objects.update(is_active=False)
    assert "none yet: add a project or a key" in welcome(run())


def test_the_welcome_shows_the_password_and_how_to_send() -> None:
    text = welcome(FirstRun("secret", "http://key@host/1"))
    assert "Password  secret" in text
    assert 'sentry_sdk.init(dsn="http://key@host/1")' in text
    assert 'Sentry.init({ dsn: "http://key@host/1" });' in text


def test_the_welcome_names_the_set_up_page(settings: LazySettings) -> None:
    settings.BASE_URL = "https://rush.example.com/errors"
    address = reverse("admin:tenants_project_setup", args=[1])

    text = welcome(FirstRun(None, "http://key@host/1"))

    assert f"Set up    https://rush.example.com/errors{address}\n" in text


def test_without_a_key_there_is_no_set_up_page() -> None:
    assert "Set up" not in welcome(FirstRun(None, ""))


def test_the_snippet_for_python_is_valid() -> None:
    text = welcome(FirstRun("secret", "http://key@host/1"))
    lines = text.partition("Python (")[2].splitlines()[1:4]
    compile("\n".join(line.strip() for line in lines), "snippet", "exec")


def test_a_later_welcome_shows_how_to_set_a_password() -> None:
    text = welcome(FirstRun(None, "http://key@host/1"))
    assert "changepassword admin" in text
    assert "sentry_sdk" not in text
