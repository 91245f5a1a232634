from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from releases.models import Release, ReleaseMinute
from releases.versions import ReleaseInUse, delete_release, record_release
from tenants.models import AuditEntry
from tests.factories import (
    ANNA,
    make_commit,
    make_deploy,
    make_environment,
    make_issue,
    make_project,
    make_release,
)

pytestmark = pytest.mark.django_db

NOW = timezone.now()


def test_a_release_is_made_with_what_is_told() -> None:
    release, is_new = record_release(make_project(), "1", {"released_at": NOW}, ANNA)

    assert (is_new, release.released_at) == (True, NOW)
    assert AuditEntry.objects.get().action == "added"


def test_a_release_that_an_event_made_is_completed() -> None:
    seen = make_release(make_project(), "1")

    release, is_new = record_release(seen.project, "1", {"released_at": NOW}, ANNA)

    assert (release.pk, is_new) == (seen.pk, False)
    assert AuditEntry.objects.get().changes["released_at"][0] is None


def test_the_same_again_changes_nothing() -> None:
    project = make_project()
    for _ in range(2):
        record_release(project, "1", {"commit": "c1", "released_at": NOW}, ANNA)

    assert AuditEntry.objects.count() == 1


def test_the_start_stays_once_known() -> None:
    project = make_project()
    record_release(project, "1", {"started_at": NOW}, ANNA)

    later = {"started_at": NOW + timedelta(hours=1), "commit": "c2"}
    release, _ = record_release(project, "1", later, ANNA)

    assert (release.started_at, release.commit) == (NOW, "c2")


def test_a_release_is_deleted_with_its_commits() -> None:
    release = make_release(make_project(), "1")
    make_commit(release)

    delete_release(release, ANNA)

    assert not Release.objects.exists()
    assert AuditEntry.objects.get().action == "deleted"


def use_by_deploy(release: Release) -> None:
    make_deploy(release)


def use_by_event(release: Release) -> None:
    ReleaseMinute.objects.create(
        project_id=release.project_id,
        release_id=release.pk,
        environment_id=make_environment(release.project).pk,
        minute=NOW,
        events=1,
    )


def use_by_issue(release: Release) -> None:
    make_issue(release.project, first_release=release)


@pytest.mark.parametrize(
    ("use", "reason"),
    [
        (use_by_deploy, "it was deployed"),
        (use_by_event, "events, sessions or traffic"),
        (use_by_issue, "issues name it"),
    ],
)
def test_a_release_in_use_stays(use: Any, reason: str) -> None:
    release = make_release(make_project(), "1")
    use(release)

    with pytest.raises(ReleaseInUse, match=reason):
        delete_release(release, ANNA)
    assert Release.objects.exists()
