"""Frames with their links, and suspect commits, over the API."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from tenants.models import SourceRepository
from tests.factories import (
    make_commit,
    make_event,
    make_issue,
    make_release,
    token_client,
)
from tests.issues.test_admin_source_frames import GITHUB, MAPPED, MINIFIED, REASON, body

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> APIClient:
    return token_client("event:read", "issue:read")


def suspects(client: APIClient, issue_id: int) -> list[Any]:
    answer = client.get(f"/api/v1/issues/{issue_id}/suspect-commits/")
    assert answer.status_code == 200
    return [commit["subject"] for commit in answer.json()["commits"]]


def test_an_event_tells_its_frames_and_suspects(client: APIClient) -> None:
    issue = make_issue()
    release = make_release(issue.project, "1.0", commit="abc123")
    event = make_event(issue, release=release, payload=body(MINIFIED, MAPPED))
    SourceRepository.objects.create(project=issue.project, url=GITHUB)
    commit = make_commit(
        release, repository="acme/shop", files=["src/timeline.js"], message="Rows"
    )
    told = client.get(f"/api/v1/events/{event.pk}/").json()
    minified, mapped = told["frames"]
    assert (minified["unmapped"], minified["minified"]) == (REASON, None)
    assert mapped == {
        "exception": 0,
        "frame": 1,
        "function": "renderTimeline",
        "filename": "../../src/timeline.js",
        "lineno": 14,
        "colno": 3,
        "in_app": True,
        "context_line": "  const rows = order.shipments;",
        "minified": MAPPED["_rush"]["minified"],  # type: ignore[index]
        "unmapped": "",
        "url": f"{GITHUB}/blob/{commit.sha}/src/timeline.js#L14",
    }
    assert told["suspect_commits"] == [
        {
            "sha": commit.sha,
            "subject": "Rows",
            "author": "Ann",
            "committed_at": None,
            "repository": "acme/shop",
            "file": "src/timeline.js",
            "release": "1.0",
            "url": f"{GITHUB}/commit/{commit.sha}",
        }
    ]


def test_suspects_are_the_commits_of_the_first_release_newest_first(
    client: APIClient,
) -> None:
    issue = make_issue()
    first, later = (make_release(issue.project, v) for v in ("1.0", "2.0"))
    issue.first_release = first
    issue.save()
    make_event(issue, release=later, payload=body(MAPPED))
    for position, (message, file) in enumerate(
        [("newest", "timeline.js"), ("other", "cart.js"), ("older", "src/timeline.js")]
    ):
        make_commit(first, position, message=message, files=[file])
    make_commit(later, message="later", files=["src/timeline.js"])
    assert suspects(client, issue.pk) == ["newest", "older"]


def test_after_a_regression_they_are_those_of_the_newest_event(
    client: APIClient,
) -> None:
    issue = make_issue(regressed_at=timezone.now() - timedelta(hours=1))
    first, later = (make_release(issue.project, v) for v in ("1.0", "2.0"))
    issue.first_release = first
    issue.save()
    make_event(issue, release=later, payload=body(MAPPED))
    make_commit(first, message="first", files=["src/timeline.js"])
    make_commit(later, message="later", files=["src/timeline.js"])
    assert suspects(client, issue.pk) == ["later"]


def test_an_issue_without_events_has_no_suspects(client: APIClient) -> None:
    assert suspects(client, make_issue().pk) == []


def test_minified_files_and_libraries_have_no_suspects(client: APIClient) -> None:
    issue = make_issue()
    release = make_release(issue.project)
    library = {**MAPPED, "in_app": False}
    make_event(issue, release=release, payload=body(MINIFIED, library))
    make_commit(release, files=["src/timeline.js", "x.min.js"])
    assert suspects(client, issue.pk) == []
