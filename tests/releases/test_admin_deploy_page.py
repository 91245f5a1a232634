from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from releases import conclude, look
from releases.models import (
    Deploy,
    Release,
    ReleaseMinute,
    Rollback,
    Threshold,
    Watch,
)
from releases.thresholds import settings_of
from releases.watch import record
from tests.admin_pages import buttons, client_of, page, tags_in
from tests.factories import (
    make_commit,
    make_deploy,
    make_evaluation,
    make_issue,
    make_project,
    make_release,
    make_rollback,
    make_threshold,
    make_watch,
)
from tests.releases.scene import NOON, Scene

pytestmark = pytest.mark.django_db

PAGE = "releases_deploy_change"
NUMBERS = {
    "minutes": 6,
    "errors": 212,
    "errors_capped": 205.0,
    "exposure": 11140.0,
    "rate": 0.01903,
    "baseline_rate": 0.0041,
    "ratio": 4.63,
    "ratio_low": 3.1,
    "ratio_high": 6.8,
    "surely_above": 2.6,
    "log_evidence": 20.8,
    "log_needed": 4.83,
    "tenants": 37,
    "wide": True,
    "lasting": False,
    "held_back": "",
    "incomplete_minutes": 1,
}
BASE = {
    "errors": 780.0,
    "raw_errors": 812.0,
    "exposure": 198100.0,
    "rate": 0.0041,
    "cap": 2,
}


@pytest.fixture
def viewer() -> Client:
    return client_of("viewer")


@pytest.fixture
def project() -> Any:
    return make_project(slug="shop", name="The shop")


@pytest.fixture
def old(project: Any) -> Release:
    return make_release(project, "shop@1.0")


@pytest.fixture
def deploy(project: Any) -> Deploy:
    started_at = timezone.now() - timedelta(minutes=9)
    return make_deploy(make_release(project, "shop@1.1"), started_at=started_at)


def judged(deploy: Deploy, old: Release, **fields: Any) -> Watch:
    defaults = {
        "verdict": Watch.Verdict.DEGRADED,
        "reason": "global",
        "action": "rollback",
        "sentence": "shop@1.1 in production is degraded at minute 6.",
        "baseline": old,
        "baseline_numbers": {**BASE, "release_id": old.pk},
        "numbers": NUMBERS,
        "decided_at": deploy.started_at + timedelta(minutes=6),
    }
    return make_watch(deploy, **{**defaults, **fields})


def count(release: Release, deploy: Deploy, minutes: int, errors: int) -> None:
    first = deploy.started_at.replace(second=0, microsecond=0)
    ReleaseMinute.objects.bulk_create(
        ReleaseMinute(
            project_id=deploy.project_id,
            release_id=release.pk,
            environment_id=deploy.environment_id,
            minute=first + timedelta(minutes=i),
            errors=errors,
            traffic=1600,
        )
        for i in range(minutes)
    )


def context_of(client: Client, deploy: Deploy) -> Any:
    return client.get(reverse(f"admin:{PAGE}", args=[deploy.pk])).context


def test_the_headline_is_the_sentence(
    viewer: Client, deploy: Deploy, old: Release
) -> None:
    judged(deploy, old)

    html = page(viewer, PAGE, deploy.pk)

    assert "shop@1.1 in production is degraded at minute 6." in html
    assert "the whole release is worse" in html


def test_a_deploy_without_a_watch_has_its_page(viewer: Client, deploy: Deploy) -> None:
    html = page(viewer, PAGE, deploy.pk)

    assert "Nobody watched this deploy." in html
    assert "data-refreshes" not in html


def test_a_watch_that_begins_says_so(viewer: Client, deploy: Deploy) -> None:
    make_watch(deploy, serving_since=None, source="")

    assert "The watch begins" in page(viewer, PAGE, deploy.pk)


def test_the_numbers_are_told_in_words(
    viewer: Client, deploy: Deploy, old: Release
) -> None:
    judged(deploy, old)

    context = context_of(viewer, deploy)

    figures = {f.label: (f.value, f.small) for f in context["figures"]}
    assert figures["Error rate"] == ("1.9 %", "since the grace")
    assert figures["Baseline"] == ("0.41 %", "shop@1.0")
    assert figures["Ratio"] == ("4.6x", "limit 1.5x")
    assert figures["Evidence"] == ("1 in 1 billion", "by chance; needed 1 in 125")
    assert figures["Judged"] == ("4 min", "after 2 min of grace")
    facts = {fact.name: fact.text for fact in context["facts"]}
    assert "between 3.1x and 6.8x; surely above 2.6x" in facts["Ratio"]
    assert "205 make the ratio: no tenant counts above 2 a minute" in facts["Errors"]
    assert facts["Baseline"].startswith("812 errors in 198,100 requests of shop@1.0")
    assert facts["Threshold"].endswith("watched 60 minutes; then alert.")
    assert facts["Gaps"].startswith("1 minute is incomplete")
    assert "without the tenants that are hit most" in facts["Tenants"]


def test_without_a_denominator_errors_are_put_to_the_expected_ones(
    viewer: Client, deploy: Deploy, old: Release
) -> None:
    numbers = {**NUMBERS, "exposure": 24.0}
    judged(deploy, old, source=Watch.Source.NONE, numbers=numbers)

    context = context_of(viewer, deploy)

    figures = {f.label: (f.value, f.small) for f in context["figures"]}
    assert figures["Errors"] == ("212", "24 expected")
    assert figures["Ratio"] == ("4.6x", "limit 3.0x")
    # 3 x 0.0041 x 24 expected in 4 minutes.
    assert context["chart"].threshold.label == "0.0738 a minute"


def test_the_chart_has_both_releases_and_the_threshold(
    viewer: Client, deploy: Deploy, old: Release
) -> None:
    judged(deploy, old)
    count(deploy.release, deploy, 6, errors=32)
    count(old, deploy, 6, errors=6)

    chart = context_of(viewer, deploy)["chart"]

    assert [line.name for line in chart.lines] == ["shop@1.0", "shop@1.1"]
    assert chart.threshold.label == "0.615 %"
    assert {mark.kind for mark in chart.moments} == {"deploy", "grace", "degraded"}


def test_what_a_watch_writes_is_shown(viewer: Client) -> None:
    scene = Scene()
    scene.history()
    watch = scene.deploy()
    scene.count(scene.new, NOON, 5, errors=40)
    now = NOON + timedelta(minutes=6)
    found = look.look(watch, now, now)
    record(watch, conclude.conclude(found, conclude.Told(), now), [], now)

    context = context_of(viewer, watch.deploy)

    assert context["headline"].startswith("shop@1.1 in production is degraded")
    figures = {figure.label: figure.value for figure in context["figures"]}
    assert figures["Error rate"] == "2.5 %"
    assert figures["Ratio"] == context["evaluations"][0].ratio
    assert {"Errors", "Baseline", "Ratio", "Evidence", "Tenants"} <= {
        fact.name for fact in context["facts"]
    }
    assert context["chart"].threshold.label == "0.562 %"


def test_before_anything_is_counted_the_chart_says_so(
    viewer: Client, deploy: Deploy
) -> None:
    make_watch(deploy)

    assert "No minute of either release is counted yet" in page(viewer, PAGE, deploy.pk)


def test_each_look_is_a_row_of_the_evidence(
    viewer: Client, deploy: Deploy, old: Release
) -> None:
    watch = judged(deploy, old)
    now = timezone.now()
    make_evaluation(watch, minutes=3, at=now - timedelta(minutes=1), log_evidence=2.4)
    make_evaluation(watch, minutes=4, at=now, ratio=None, log_evidence=9.0)

    newest, first = context_of(viewer, deploy)["evaluations"]

    assert (newest.ratio, newest.evidence, newest.share) == ("–", "9.0 of 4.8", 100)
    assert (first.rate, first.evidence, first.share) == ("0.375 %", "2.4 of 4.8", 50)


def test_suspects_lead_to_their_issues_and_commits(
    viewer: Client, deploy: Deploy, old: Release
) -> None:
    issue = make_issue(deploy.project)
    guilty, other = (make_commit(deploy.release, n) for n in range(2))
    commit = {
        "sha": guilty.sha,
        "subject": "Currencies",
        "author": "Anna",
        "file": "a.py",
    }
    suspect = {
        "issue_id": issue.pk,
        "short_id": issue.short_id,
        "title": "KeyError: <b>CHF</b>",
        "is_new": True,
        "errors": 168,
        "share": 0.81,
        "tenants": 37,
        "commits": [commit],
    }
    judged(deploy, old, suspects=[suspect])

    response = viewer.get(reverse(f"admin:{PAGE}", args=[deploy.pk]))

    html = response.content.decode()
    links = {attrs.get("href") for tag, attrs in tags_in(html) if tag == "a"}
    assert reverse("admin:issues_issue_change", args=[issue.pk]) in links
    assert "KeyError: &lt;b&gt;CHF&lt;/b&gt;" in html
    assert "81%" in html
    rows = response.context["commits"]
    assert [(row.commit, row.is_suspect) for row in rows] == [
        (guilty, True),
        (other, False),
    ]


def test_the_log_of_a_rollback_is_shown(
    viewer: Client, deploy: Deploy, old: Release
) -> None:
    judged(deploy, old)
    rollback = make_rollback(
        deploy,
        state=Rollback.State.UNKNOWN,
        to_release=old,
        explanation="No answer came.",
        run_url="javascript:alert(1)",
    )
    rollback.log.create(what="sending", detail="POST to the CD")

    html = page(viewer, PAGE, deploy.pk)

    assert "rollback: outcome unknown" in html
    assert "No answer came." in html
    assert "POST to the CD" in html
    assert "javascript:" not in html


@pytest.mark.parametrize(
    ("action", "told"),
    [
        ("rollback", "A degraded verdict rolls back by itself."),
        ("alert", "A degraded verdict alerts, and rolls nothing back."),
        ("observe", "A degraded verdict is written down, and that is all."),
    ],
)
def test_what_a_bad_verdict_would_do_is_told(
    viewer: Client, deploy: Deploy, action: str, told: str
) -> None:
    make_watch(deploy, settings=settings_of(Threshold(action=action)))

    assert told in page(viewer, PAGE, deploy.pk)


def test_what_followed_is_linked(viewer: Client, deploy: Deploy) -> None:
    newer = make_deploy(
        make_release(deploy.project, "shop@1.2"),
        deploy.environment,
        rollback=make_rollback(deploy),
    )

    before, after = page(viewer, PAGE, deploy.pk), page(viewer, PAGE, newer.pk)

    assert reverse(f"admin:{PAGE}", args=[newer.pk]) in before
    assert "A newer deploy followed" in before
    assert "carries out the rollback of" in after


@pytest.mark.parametrize(
    ("verdict", "state", "moves"),
    [
        ("pending", None, True),
        ("healthy", None, False),
        ("degraded", Rollback.State.CALLED, True),
        ("degraded", Rollback.State.VERIFIED, False),
    ],
)
def test_the_page_refreshes_itself_while_something_moves(
    viewer: Client, deploy: Deploy, verdict: str, state: str | None, moves: bool
) -> None:
    make_watch(deploy, verdict=verdict)
    if state:
        make_rollback(deploy, state=state)

    assert ("data-refreshes" in page(viewer, PAGE, deploy.pk)) is moves


def test_a_maintainer_marks_a_deploy_finished(deploy: Deploy) -> None:
    maintainer = client_of("maintainer")

    assert "Mark finished" in page(maintainer, PAGE, deploy.pk)
    maintainer.post(reverse("admin:releases_deploy_finish", args=[deploy.pk]))

    deploy.refresh_from_db()
    assert deploy.finished_at is not None
    assert "Mark finished" not in page(maintainer, PAGE, deploy.pk)


def test_a_viewer_changes_nothing(viewer: Client, deploy: Deploy, old: Release) -> None:
    judged(deploy, old)

    finish = viewer.post(reverse("admin:releases_deploy_finish", args=[deploy.pk]))

    assert finish.status_code == 403
    assert buttons(page(viewer, PAGE, deploy.pk)) == set()


def test_a_responder_is_asked_before_rolling_back(deploy: Deploy, old: Release) -> None:
    judged(deploy, old)
    order = reverse("admin:releases_rollback_order", args=[deploy.pk])

    assert order in page(client_of("responder"), PAGE, deploy.pk)
    assert order not in page(client_of("viewer"), PAGE, deploy.pk)


@pytest.mark.parametrize("state", [Rollback.State.CALLED, Rollback.State.VERIFIED])
def test_what_is_rolled_back_already_is_not_offered(deploy: Deploy, state: str) -> None:
    make_rollback(deploy, state=state)

    assert "Roll back now" not in page(client_of("responder"), PAGE, deploy.pk)


def test_what_was_replaced_is_not_rolled_back(deploy: Deploy) -> None:
    make_deploy(make_release(deploy.project, "shop@1.2"), deploy.environment)

    assert "Roll back now" not in page(client_of("responder"), PAGE, deploy.pk)


def test_a_deploy_that_is_not_there_is_not_found(viewer: Client) -> None:
    response = viewer.get(reverse(f"admin:{PAGE}", args=["999"]))

    assert response.status_code == 404


@pytest.mark.parametrize("rows", [1, 7])
def test_the_page_takes_the_same_queries_however_much_there_is(
    viewer: Client,
    deploy: Deploy,
    old: Release,
    django_assert_num_queries: DjangoAssertNumQueries,
    rows: int,
) -> None:
    watch = judged(deploy, old, threshold=make_threshold())
    count(deploy.release, deploy, 5, errors=6)
    for n in range(rows):
        make_evaluation(watch)
        make_commit(deploy.release, n)
        rollback = make_rollback(deploy, state=Rollback.State.REFUSED)
        rollback.log.create(what="refused")

    # Session, person, two of permissions, dead letters; the deploy, its rollbacks and
    # their logs; minutes, evaluations, commits, the newer deploy.
    with django_assert_num_queries(12):
        page(viewer, PAGE, deploy.pk)
