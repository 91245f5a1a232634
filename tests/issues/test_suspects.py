"""Which issues and commits are to blame for a rise."""

from datetime import timedelta

import pytest

from issues.evidence import longest_episode, longest_run
from issues.models import Issue, IssueMinute
from issues.suspects import frame_files, suspects_of, touched_file
from releases.look import look
from releases.models import Commit
from releases.watch import claim
from tests.factories import make_event, make_issue
from tests.releases.scene import MINUTE, NOON, Scene

PAYLOAD = {
    "exception": {
        "values": [
            {
                "stacktrace": {
                    "frames": [
                        {"filename": "django/core/handlers.py", "in_app": False},
                        {"filename": "shop/tracking.py", "in_app": True},
                    ]
                }
            }
        ]
    }
}


@pytest.fixture
def scene(db: None) -> Scene:
    return Scene()


def hit(
    scene: Scene,
    issue: Issue,
    start: int,
    minutes: int,
    *,
    release: int,
    events: int = 4,
) -> None:
    IssueMinute.objects.bulk_create(
        IssueMinute(
            issue_id=issue.pk,
            minute=NOON + MINUTE * (start + m),
            environment_id=scene.environment.pk,
            release_id=release,
            tenant_id=scene.tenants[m % 10],
            events=events,
            unhandled=0,
            level=40,
            path_weight=1.0,
        )
        for m in range(minutes)
    )


def issue_since(scene: Scene, minutes: int) -> Issue:
    return make_issue(
        scene.project,
        first_seen=NOON + MINUTE * minutes,
        stats={"last_seen": NOON + 30 * MINUTE},
    )


def test_a_new_issue_comes_before_an_old_one_that_is_as_usual(scene: Scene) -> None:
    scene.history(hours=1)
    watch = scene.deploy()
    scene.count(scene.new, NOON, 10)
    old, new = issue_since(scene, -600), issue_since(scene, 2)
    hit(scene, old, -60, 60, release=scene.old.pk)
    hit(scene, old, 2, 8, release=scene.new.pk)
    hit(scene, new, 2, 8, release=scene.new.pk, events=9)
    found = suspects_of(
        look(claim(watch.pk) or watch, NOON + 11 * MINUTE, NOON + 11 * MINUTE)
    )
    assert [row["issue_id"] for row in found] == [new.pk]
    assert found[0] == {
        "issue_id": new.pk,
        "short_id": new.short_id,
        "title": new.title,
        "is_new": True,
        "errors": 72,
        "tenants": 8,
        "share": pytest.approx(1.0),
        "commits": [],
    }


def test_a_merged_issue_counts_for_the_one_that_shows_it(scene: Scene) -> None:
    scene.history(hours=1)
    watch = scene.deploy()
    scene.count(scene.new, NOON, 10)
    shown, merged = issue_since(scene, 2), issue_since(scene, 2)
    Issue.objects.filter(pk=merged.pk).update(merged_into=shown)
    hit(scene, merged, 2, 8, release=scene.new.pk)
    found = suspects_of(
        look(claim(watch.pk) or watch, NOON + 11 * MINUTE, NOON + 11 * MINUTE)
    )
    assert [row["issue_id"] for row in found] == [shown.pk]


def test_a_commit_that_touched_the_file_is_suspect(scene: Scene) -> None:
    scene.history(hours=1)
    watch = scene.deploy()
    scene.count(scene.new, NOON, 10)
    issue = issue_since(scene, 2)
    hit(scene, issue, 2, 8, release=scene.new.pk)
    make_event(issue, payload=PAYLOAD, received=NOON + 3 * MINUTE)
    for position, file in enumerate(["src/shop/tracking.py", "README.md"]):
        Commit.objects.create(
            release=scene.new,
            position=position,
            sha=f"{position}" * 40,
            message="Show the carrier\n\nmore",
            author_name="Anna",
            files=[file],
        )
    found = suspects_of(
        look(claim(watch.pk) or watch, NOON + 11 * MINUTE, NOON + 11 * MINUTE)
    )
    assert found[0]["commits"] == [
        {
            "sha": "0" * 40,
            "subject": "Show the carrier",
            "author": "Anna",
            "file": "src/shop/tracking.py",
        }
    ]


def test_nobody_is_blamed_within_the_grace(scene: Scene) -> None:
    scene.history(hours=1)
    watch = scene.deploy()
    scene.count(scene.new, NOON, 2)
    assert suspects_of(look(watch, NOON + 2.5 * MINUTE, NOON + 3 * MINUTE)) == []


def test_frames_of_the_app_are_named_innermost_first() -> None:
    assert frame_files(PAYLOAD) == ["shop/tracking.py"]
    assert frame_files({}) == []


@pytest.mark.parametrize(
    ("changed", "frame", "same"),
    [
        ("src/shop/tracking.py", "shop/tracking.py", True),
        ("shop/tracking.py", "srv/app/shop/tracking.py", True),
        ("tracking.py", "shop/tracking.py", True),
        ("shop/retracking.py", "shop/tracking.py", False),
        ("racking.py", "shop/tracking.py", False),
        ("shop\\tracking.py", "shop/tracking.py", True),
    ],
)
def test_paths_are_the_same_when_one_ends_with_the_other(
    changed: str, frame: str, same: bool
) -> None:
    assert touched_file([changed], [frame]) == (changed if same else "")


@pytest.mark.parametrize(
    ("minutes", "longest"),
    [([], 0), ([5], 1), ([1, 2, 3], 3), ([1, 3, 5], 5), ([1, 9, 10], 2)],
)
def test_an_episode_may_pause(minutes: list[int], longest: int) -> None:
    assert longest_run(minutes) == longest


def test_only_episodes_of_one_tenant_that_ended_count(scene: Scene) -> None:
    now = NOON + timedelta(hours=5)
    one, many, running = (issue_since(scene, 1) for _ in range(3))
    hit(scene, many, 1, 12, release=scene.new.pk)
    for issue, start, minutes in ((one, 1, 7), (running, 270, 29)):
        IssueMinute.objects.bulk_create(
            IssueMinute(
                issue_id=issue.pk,
                minute=NOON + MINUTE * (start + m),
                environment_id=scene.environment.pk,
                release_id=scene.new.pk,
                tenant_id=scene.tenants[0],
                events=1,
                unhandled=0,
                level=40,
                path_weight=1.0,
            )
            for m in range(minutes)
        )
    assert longest_episode(scene.project, scene.environment.pk, now) == 7
